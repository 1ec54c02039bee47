/* A prepared node in a public file, for administrators; and the members as the cluster tells them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_MEMBERFILE_H
#define CLIENT_TOOL_MEMBERFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"
#include "node/decide/roster.h"

#define MEMBERFILE_NAME "member" /* In the node's folder. */

struct memberfile {
	uint64_t id;
	char url[ROSTER_URL_SIZE], link[ROSTER_URL_SIZE];
	uint8_t log_pub[32], cosigner_pub[32], channel_pub[32];
};
/* Lines "countersign-member/v1", "id N", "url …", "link …", "log BASE64", "cosigner …", "channel …". Text: malloc'ed.
 */
char *memberfile_text(const struct memberfile *m);
/* Prints why not; 0 or the exit code. quiet: prints nothing. */
int memberfile_read(const char *command, const char *path, bool quiet, struct memberfile *ret);

/* The members as the leader knows them. */
struct memberview {
	unsigned n, voters;
	uint64_t node, version; /* node: who says so. */
	bool leads;
	char pending[64];
	struct memberview_node {
		uint64_t id, behind;
		unsigned role, in_raft; /* enum roster_role. */
		bool whole, link_up;
		char url[ROSTER_URL_SIZE], link[ROSTER_URL_SIZE];
		uint8_t log_pub[32], cosigner_pub[32], channel_pub[32];
	} nodes[ROSTER_NODES_MAX];
	uint64_t highest_id; /* Of members and of those removed that are still named. */
};
/* Asks the leader; another node if none answers as such (leads is false then). A code of the library's. */
int memberview_ask(cs_client *client, struct memberview *ret);
const struct memberview_node *memberview_find(const struct memberview *v, uint64_t id); /* NULL: no member. */

/* The group's subcommands in files of their own. */
int memberprepare_run(int argc, char **argv);
int membersync_run(int argc, char **argv);
int memberlist_run(int argc, char **argv);

#endif
