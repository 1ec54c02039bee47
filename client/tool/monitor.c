/* countersign monitor: follows a cluster for an independent party, cosigns what it has checked, raises alarms. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/monitor.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/text.h"
#include "ledger/errors.h"
#include "node/wire/textfile.h"

#define TIMEOUT_MS  5000
#define WAIT_MS     5000 /* For entries and proofs. */
#define INTERVAL_MS 1000
/* A cluster in use has a new checkpoint within a fifth of a second, and whoever is idle says so each interval. */
#define SILENCE_INTERVALS  30
#define PATIENCE_INTERVALS 10 /* A restart and an election take less. */

static const struct usage usage = {
        .command = MONITOR_COMMAND,
        .arguments = "",
        .about =
                "Follows a cluster for a party of its own, and trusts no node: reads every new entry (leaves only, no\n"
                "private field), checks each, folds them into the tree, and holds against it what every node shows. "
                "What\n"
                "was checked it cosigns with its own key (role witness), and the nodes hand that out with their proofs "
                "to\n"
                "those whose trust policy asks for it. Raises an alarm on a fork, a rollback, silence, a node that "
                "differs,\n"
                "a bad signature: on standard error, to a program, and in the folder until it is acknowledged.\n"
                "Runs until SIGTERM or SIGINT, or until an alarm after which nothing more may be cosigned.\n",
        .exits = "  0  ended by a signal; --once: all held and is cosigned; --status: it runs, no alarm\n"
                 "  1  ALARM: fork, rollback, …; --once and --status: any alarm that nobody has acknowledged\n"
                 "  2  --once: could not tell; --status: it does not run\n" TOOL_EXIT_TEXT,
};

static struct monitor monitor; /* Its signal thread outlives any function. */

/* --- how it ends --- */

static void *await_signal(void *arg)
{
	const sigset_t *signals = arg;
	int number;

	sigwait(signals, &number);
	monitornodes_wake(&monitor.nodes);
	return NULL;
}

/* Blocked in all threads but one that waits for them: before any other thread is begun. */
static int take_signals(void)
{
	static sigset_t signals;
	pthread_t thread;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (pthread_create(&thread, NULL, await_signal, &signals))
		return tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	pthread_detach(thread);
	return 0;
}

/* --- a run --- */

/* No node has ever answered, and one knows that it need not: only who leads can say that a key is not enrolled. */
static const struct monitorpeer *refused(const struct monitor *m)
{
	const struct monitorpeer *by = NULL;

	for (unsigned i = 0; i < m->n_peers; i++) {
		if (m->peers[i].largest)
			return NULL;
		if (m->peers[i].err == CS_E_NOT_PERMITTED || m->peers[i].err == CS_E_UNAUTHENTICATED)
			by = &m->peers[i];
	}
	return by;
}

/* Largest size that was shown: the nodes are asked for more than that, not for the same again at once. */
static uint64_t seen(const struct monitor *m)
{
	uint64_t size = m->state.fold.size;

	for (unsigned i = 0; i < m->n_peers; i++)
		if (m->peers[i].note_size > size)
			size = m->peers[i].note_size;
	return size;
}

/* --once: all who answer hand out our cosignature of what was checked, or time is up. */
static bool enough(const struct monitor *m)
{
	unsigned keep = 0, answer = 0, asked = 0;

	for (unsigned i = 0; i < m->n_peers; i++) {
		const struct monitorpeer *p = &m->peers[i];

		asked += p->round > 0;
		answer += p->answers;
		keep += p->answers && m->folder.record.size && p->kept == m->folder.record.size;
	}
	if (asked == m->n_peers && answer > 0 && keep == answer)
		return true;
	return text_clock_ms() >= m->began_ms + m->access->timeout_ms + WAIT_MS;
}

static int outcome(const struct monitor *m)
{
	if (m->code)
		return m->code;
	if (m->grave)
		return MONITOR_ALARM;
	if (!m->once)
		return MONITOR_WELL;
	if (m->alarms.n_open)
		return MONITOR_ALARM;
	for (unsigned i = 0; i < m->n_peers; i++)
		if (m->folder.record.size && m->peers[i].kept == m->folder.record.size)
			return MONITOR_WELL;
	return tool_fail(MONITOR_UNDECIDED, usage.command,
	                 "could not tell: no node has a new checkpoint that holds and was cosigned, and keeps it");
}

static void look(struct monitor *m)
{
	static struct monitorview views[MONITORNODES_MAX];
	unsigned n;

	monitornodes_wait(&m->nodes, text_clock_ms() + m->interval_ms, views, &n);
	monitorcheck_views(m, views, n);
	if (!m->grave)
		monitorcheck_advance(m);
	if (!m->grave)
		monitorhealth_look(m);
	if (!m->grave)
		monitorhealth_follow(m);
	monitorrun_reap(&m->run);
	monitoralarms_refresh(&m->alarms);
	monitorstatus_write(m);
	monitornodes_done(&m->nodes, seen(m));
}

static int run(struct monitor *m)
{
	m->began_ms = m->fresh_ms = m->members_ms = text_clock_ms();
	for (unsigned i = 0; i < m->file.n_nodes; i++) {
		m->peers[m->n_peers++] = (struct monitorpeer){.id = m->file.nodes[i].id};
		monitornodes_add(&m->nodes, m->file.nodes[i].id);
	}
	if (*m->folder.note)
		monitornodes_cosigned(&m->nodes, m->folder.record.size, m->folder.note);
	monitor_say("monitor of %s begins at %llu entries, cosigns as %s", m->file.origin,
	            (unsigned long long)m->state.fold.size, m->folder.key.name);
	while (!monitornodes_stopped(&m->nodes) && !m->grave && !m->code) {
		look(m);
		if (refused(m))
			return tool_fail(
			        EXIT_REFUSED, usage.command,
			        "the cluster refuses: %s (the key is enrolled with `countersign enroll --roles "
			        "witness`, which needs the feature records)",
			        refused(m)->error);
		if (m->once && enough(m))
			break;
	}
	m->status_ms = 0;
	monitorstatus_write(m);
	return outcome(m);
}

/* --- what it begins with --- */

static int load_state(struct monitor *m)
{
	struct auditstate *s = &m->state;
	int there, code = monitorfolder_load(usage.command, &m->folder, s, &there);

	if (code)
		return code;
	if (there && strcmp(s->origin, m->file.origin) != 0)
		return tool_fail(EXIT_USAGE, usage.command, "%s is of another ledger, %s, and this is %s", m->dir,
		                 s->origin, m->file.origin);
	if (m->folder.record.size > s->fold.size)
		return tool_fail(
		        EXIT_USAGE, usage.command,
		        "%s: the key has cosigned %llu entries, and only %llu are known to be checked: a copy of "
		        "an older state was put back",
		        m->dir, (unsigned long long)m->folder.record.size, (unsigned long long)s->fold.size);
	snprintf(s->origin, sizeof s->origin, "%s", m->file.origin);
	m->before = *s;
	return 0;
}

static int open_all(struct monitor *m)
{
	const char *cluster = m->access->cluster ? m->access->cluster : getenv("COUNTERSIGN_CLUSTER"),
	           *key = m->access->key ? m->access->key : getenv("COUNTERSIGN_KEY");
	char text[TEXTFILE_ERROR_SIZE];
	const struct monitoralarm *grave;
	int code = tool_open(usage.command, m->access, 0, &m->source.client); /* Says what is missing. */

	if (code)
		return code;
	if (cluster_file_read(cluster, &m->file, text))
		return tool_fail(EXIT_USAGE, usage.command, "%s", text);
	m->source.command = usage.command;
	m->source.wait_ms = WAIT_MS;
	code = monitorfolder_open(usage.command, m->dir, key, &m->folder);
	if (!code)
		code = monitoralarms_open(usage.command, m->dir, &m->alarms);
	if (!code)
		code = load_state(m);
	if (!code)
		code = monitorhealth_open(m);
	if (code)
		return code;
	m->run.dir = m->dir;
	m->run.origin = m->file.origin;
	grave = monitoralarms_grave(&m->alarms);
	return grave ? tool_fail(MONITOR_ALARM, usage.command,
	                         "alarm %u, %s, is not acknowledged, and nothing is cosigned until it is: %s",
	                         grave->id, monitoralarm_word(grave->kind), grave->text)
	             : 0;
}

static int begin(struct monitor *m)
{
	int code;

	m->folder.fd = m->folder.lock = -1;
	monitornodes_open(&m->nodes, NULL, (unsigned)m->interval_ms);
	code = take_signals();
	if (!code)
		code = open_all(m);
	m->nodes.client = m->source.client;
	if (!code)
		code = run(m);
	monitornodes_wake(&m->nodes);
	if (m->source.client)
		cs_stop(m->source.client);
	monitornodes_close(&m->nodes);
	cs_close(m->source.client);
	monitorrun_finish(&m->run);
	monitoralarms_close(&m->alarms);
	monitorfolder_close(&m->folder);
	verify_policy_free(m->policy);
	return code;
}

static bool executable(const char *path)
{
	return access(path, X_OK) == 0;
}

int monitor_run(int argc, char **argv)
{
	static struct tool_access where = {.timeout_ms = TIMEOUT_MS, .skip_proof = true};
	struct monitor *m = &monitor;
	const char *acknowledge = NULL;
	bool status = false, json = false;
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&where),
	        {"state", OPTION_TEXT, &m->dir, "DIR", "the monitor's folder: what it has checked, cosigned, raised", 0,
	         0},
	        {"trust", OPTION_TEXT, &m->trust, "POLICY",
	         "whose signatures count (default: the cluster file's policy, carried over as members change)", 0, 0},
	        {"alarm-command", OPTION_TEXT, &m->run.program, "PROGRAM",
	         "run for each alarm, without a shell: kind and text as arguments, all of it as COUNTERSIGN_ALARM_…", 0,
	         0},
	        {"interval", OPTION_NUMBER, &m->interval_ms, "MS", "longest time between two looks (default: 1000)", 10,
	         60000},
	        {"silence", OPTION_NUMBER, &m->silence_ms, "MS",
	         "no new checkpoint for so long, nor a majority that vouches for none, is an alarm (default: 30 "
	         "intervals)",
	         10, UINT32_MAX},
	        {"patience", OPTION_NUMBER, &m->patience_ms, "MS",
	         "so long a node may show less than before (default: 10 intervals)", 10, UINT32_MAX},
	        {"once", OPTION_FLAG, &m->once, NULL, "check and cosign what there is, then end", 0, 0},
	        {"status", OPTION_FLAG, &status, NULL, "show how the monitor of this folder stands", 0, 0},
	        {"acknowledge", OPTION_TEXT, &acknowledge, "N|all", "take note of alarms of this folder", 0, 0},
	        {"json", OPTION_FLAG, &json, NULL, "--status as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	unsigned n;

	m->interval_ms = INTERVAL_MS;
	int code = options_parse(&usage, options, argc, argv, &n);
	if (code != OPTIONS_GO_ON)
		return code;
	if (!m->dir)
		return tool_fail(EXIT_USAGE, usage.command, "option --state DIR is missing");
	if (status && acknowledge)
		return tool_fail(EXIT_USAGE, usage.command, "--status and --acknowledge exclude each other");
	if (acknowledge)
		return monitorstatus_acknowledge(m->dir, acknowledge);
	if (status)
		return monitorstatus_show(m->dir, json);
	if (m->run.program && (!strchr(m->run.program, '/') || !executable(m->run.program)))
		return tool_fail(EXIT_USAGE, usage.command,
		                 "option --alarm-command: \"%s\" is not the path of a program", m->run.program);
	m->silence_ms = m->silence_ms ? m->silence_ms : SILENCE_INTERVALS * m->interval_ms;
	m->patience_ms = m->patience_ms ? m->patience_ms : PATIENCE_INTERVALS * m->interval_ms;
	m->access = &where;
	return begin(m);
}
