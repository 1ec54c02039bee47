/* What the commands of `countersign` share: exit codes, the table of commands, messages, the cluster's connection. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_TOOL_H
#define CLIENT_TOOL_TOOL_H

#include <stdint.h>

#include "client/countersign.h"
#include "client/tool/options.h"

/*
 * Exit codes. 0–3 belong to each command (decide: the verdict; verify: verified, refuted, could not tell; others: 0
 * only), so that a script never takes trouble for an answer.
 */
enum tool_exit {
	EXIT_DONE = 0,
	EXIT_USAGE = 4,       /* The command line, or a file given in it, cannot be understood. */
	EXIT_UNREACHABLE = 5, /* Nobody answered in time, or no quorum: the outcome may be unknown. */
	EXIT_REFUTED = 6,     /* A proof does not hold: an alarm. */
	EXIT_REFUSED = 7,     /* The cluster answered no. */
	EXIT_LOCAL = 8,       /* This machine: files, processes, memory. */
};
#define TOOL_EXIT_TEXT                                                                                                 \
	"  4  the command line or a file cannot be understood\n"                                                       \
	"  5  nobody answered in time, or there is no quorum\n"                                                        \
	"  6  a proof in an answer does not hold (an alarm)\n"                                                         \
	"  7  the cluster refused\n"                                                                                   \
	"  8  trouble on this machine (files, processes, memory)\n"

/* One command or a group's subcommand: run gets its own arguments only, without its name. */
struct tool_command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};
/*
 * Runs the subcommand that argv[0] names out of a group's table (ended by a NULL name); prints the group's help for
 * --help or nothing. Returns the exit code.
 */
int tool_group(const char *group, const struct tool_command *commands, int argc, char **argv);

int init_run(int argc, char **argv);
int cluster_run(int argc, char **argv);
int clusterstatus_run(int argc, char **argv);
int clusterscrub_run(int argc, char **argv);
int credential_run(int argc, char **argv);
int feature_run(int argc, char **argv);
int member_run(int argc, char **argv);
int key_run(int argc, char **argv);
int keygen_run(int argc, char **argv);
int enroll_run(int argc, char **argv);
int remove_run(int argc, char **argv);
int decide_run(int argc, char **argv);
int answer_run(int argc, char **argv);
int check_run(int argc, char **argv);
int pending_run(int argc, char **argv);
int approve_run(int argc, char **argv);
int wait_run(int argc, char **argv);
int grants_run(int argc, char **argv);
int grant_run(int argc, char **argv);
int erase_run(int argc, char **argv);
int hold_run(int argc, char **argv);
int retention_run(int argc, char **argv);
int signal_run(int argc, char **argv);
int show_run(int argc, char **argv);
int prove_run(int argc, char **argv);
int backup_run(int argc, char **argv);
int restore_run(int argc, char **argv);
int verify_run(int argc, char **argv);
int replay_run(int argc, char **argv);
int export_run(int argc, char **argv);
int trust_run(int argc, char **argv);
int watch_run(int argc, char **argv);
int audit_run(int argc, char **argv);
int history_run(int argc, char **argv);
int monitor_run(int argc, char **argv);
int search_run(int argc, char **argv);
int policy_run(int argc, char **argv);
int import_run(int argc, char **argv);
int people_run(int argc, char **argv);
int group_run(int argc, char **argv);
int governance_run(int argc, char **argv);
int order_run(int argc, char **argv);

/* Prints "countersign COMMAND: text" on stderr and returns code. command NULL: the tool itself. */
int tool_fail(int code, const char *command, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Where the cluster is and who asks: the options that most commands share. */
struct tool_access {
	const char *cluster; /* NULL: $COUNTERSIGN_CLUSTER. */
	const char *key;     /* NULL: $COUNTERSIGN_KEY. */
	uint64_t timeout_ms;
	struct option_list sign_with; /* Of administrators' commands: further key files that sign. */
	bool skip_proof;              /* Replies are checked by the command itself: cs_options. */
	bool ordered;                 /* Asynchronous calls keep their order: cs_options. */
};
#define TOOL_TIMEOUT_MS_DEFAULT 5000
/* The three options of an access, for a command's table of options. */
#define TOOL_ACCESS_OPTIONS(a)                                                                                         \
	{"cluster", OPTION_TEXT, &(a)->cluster, "FILE", "the cluster file (default: $COUNTERSIGN_CLUSTER)", 0, 0},     \
	        {"key", OPTION_TEXT, &(a)->key, "FILE", "your key file (default: $COUNTERSIGN_KEY)", 0, 0},            \
	{                                                                                                              \
		"timeout-ms", OPTION_NUMBER, &(a)->timeout_ms, "MS", "longest wait for an answer", 1, 60000            \
	}
/* The same for commands that send an administrator's orders. */
#define TOOL_ADMIN_OPTIONS(a)                                                                                          \
	TOOL_ACCESS_OPTIONS(a),                                                                                        \
	{                                                                                                              \
		"sign-with", OPTION_LIST, &(a)->sign_with, "FILE", "another administrator's key file that signs too",  \
		        0, 0                                                                                           \
	}
/*
 * From now on the orders of every command go to the keeper, and not to the cluster (order.c). A call that made one
 * fails with CS_E_KEPT, of which tool_failed_call makes success.
 */
void tool_keep_orders(cs_order_keeper keeper, void *context);
bool tool_keeps_orders(void);
/* Opens the client library, or prints why not; 0 or the exit code. in_flight_max 0: the library's default. */
int tool_open(const char *command, const struct tool_access *a, unsigned in_flight_max, cs_client **ret);
/* The same for what shows the state of things: it goes to the node that leads, so that an order just done is seen. */
int tool_open_newest(const char *command, const struct tool_access *a, cs_client **ret);
/* The exit code for a library's error code. */
int tool_exit_of(int code);
/* Prints what failed with the library's own words; returns the exit code. */
int tool_failed_call(const char *command, const char *what, int code);

/* "type:id" into two copies (type up to 64 bytes, id up to 256); false: no type, no id, or too long. */
#define TOOL_TYPE_SIZE 65
#define TOOL_ID_SIZE   257
bool tool_split_typed(const char *text, char ret_type[TOOL_TYPE_SIZE], char ret_id[TOOL_ID_SIZE]);
/* 32 lower- or upper-case hex digits, dashes allowed as in a UUID. */
bool tool_parse_request_id(const char *text, uint8_t ret[16]);
#define TOOL_REQUEST_ID_TEXT_SIZE 33
void tool_format_request_id(const uint8_t id[16], char ret[TOOL_REQUEST_ID_TEXT_SIZE]);

/* An entry's index: decimal digits. */
bool tool_parse_index(const char *text, uint64_t *ret);

#endif
