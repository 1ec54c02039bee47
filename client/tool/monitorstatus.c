/* How a monitor stands: written for others to read, shown, and its alarms acknowledged. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/monitor.h"
#include "client/tool/result.h"
#include "client/tool/text.h"

#define STATUS_SIZE_MAX (1 << 20)
#define WRITE_MS        1000 /* Between two writes, where nothing has changed but times. */

static json_t *peer_json(const struct monitorpeer *p)
{
	json_t *o = json_pack("{s:I, s:b, s:I, s:I, s:I, s:s, s:s}", "node", (json_int_t)p->id, "answers", p->answers,
	                      "shows", (json_int_t)p->shows, "checkpoint", (json_int_t)p->note_size, "kept",
	                      (json_int_t)p->kept, "role", p->role, "health", p->health);

	if (!p->answers)
		json_object_set_new(o, "error", json_string(p->error));
	return o;
}

void monitorstatus_write(struct monitor *m)
{
	static uint64_t size;
	static unsigned n_alarms;
	uint64_t now_ms = text_clock_ms();
	char root[80];
	struct hash h;
	json_t *o, *nodes;

	if (m->status_ms && now_ms < m->status_ms + WRITE_MS && size == m->folder.record.size &&
	    n_alarms == m->alarms.n)
		return;
	m->status_ms = now_ms;
	size = m->folder.record.size;
	n_alarms = m->alarms.n;
	auditstate_root(&m->state, &h);
	auditwalk_hex(h.b, root);
	nodes = json_array();
	for (unsigned i = 0; i < m->n_peers; i++)
		json_array_append_new(nodes, peer_json(&m->peers[i]));
	o = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:o}", "format",
	              "countersign/monitor-status/v1", "origin", m->file.origin, "witness", m->folder.key.name, "pid",
	              (json_int_t)getpid(), "at_ms", (json_int_t)text_now_ms(), "size", (json_int_t)m->state.fold.size,
	              "root", root, "cosigned_size", (json_int_t)(*m->folder.note ? m->folder.record.size : 0),
	              "quiet_ms", (json_int_t)(now_ms - m->fresh_ms), "entries_unknown", (json_int_t)m->n_unknown,
	              "alarms_open", (json_int_t)m->alarms.n_open, "nodes", nodes);
	char *text = json_dumps(o, JSON_INDENT(2));
	json_decref(o);
	if (text)
		monitorfolder_put(MONITOR_COMMAND, &m->folder, MONITORFOLDER_STATUS, text, strlen(text));
	free(text);
}

/* --- for whoever asks --- */

static json_int_t number(const json_t *o, const char *name)
{
	return json_integer_value(json_object_get(o, name));
}

static const char *string(const json_t *o, const char *name, char buf[256])
{
	const char *s = json_string_value(json_object_get(o, name));

	text_safe(s ? s : "", s ? strlen(s) : 0, buf, 256);
	return buf;
}

static void print_nodes(const json_t *nodes)
{
	static const char *const heads[] = {"NODE", "SHOWS", "CHECKPOINT", "OURS", "ROLE", "HEALTH"};
	const json_t *o;
	struct table t;
	char text[256];
	size_t i;

	table_init(&t, 6, heads, 0xfu);
	json_array_foreach(nodes, i, o)
	{
		bool answers = json_is_true(json_object_get(o, "answers"));

		table_cell(&t, TINT_NONE, "%lld", (long long)number(o, "node"));
		table_cell(&t, TINT_NONE, "%lld", (long long)number(o, "shows"));
		table_cell(&t, TINT_NONE, "%lld", (long long)number(o, "checkpoint"));
		table_cell(&t, TINT_NONE, "%lld", (long long)number(o, "kept"));
		table_cell(&t, TINT_NONE, "%s", answers ? string(o, "role", text) : "-");
		table_cell(&t, answers ? TINT_NONE : TINT_RED, "%s",
		           answers ? string(o, "health", text) : "does not answer");
	}
	table_print(&t, stdout);
	table_close(&t);
}

static void print_alarms(const struct monitoralarms *a)
{
	for (unsigned i = 0; i < a->n; i++) {
		char time[TEXT_TIME_SIZE], node[32] = "";

		if (a->list[i].acknowledged)
			continue;
		text_time(a->list[i].at_ms, time);
		if (a->list[i].node)
			snprintf(node, sizeof node, " of node %" PRIu64, a->list[i].node);
		printf("%sALARM%s %u, %s%s, %s: %s\n", text_on(stdout, TINT_RED), text_off(stdout), a->list[i].id,
		       monitoralarm_word(a->list[i].kind), node, time, a->list[i].text);
	}
}

static void print(const json_t *o, const struct monitoralarms *a, bool runs)
{
	char text[256];

	printf("monitor    %s%s\n", runs ? "runs" : "does not run", o ? "" : ", and never came so far");
	if (o) {
		printf("ledger     %s\n", string(o, "origin", text));
		printf("witness    %s\n", string(o, "witness", text));
		printf("checked    %lld entries, root %s\n", (long long)number(o, "size"), string(o, "root", text));
		printf("cosigned   %lld entries\n", (long long)number(o, "cosigned_size"));
		if (number(o, "entries_unknown"))
			printf("unknown    %lld entries of kinds that this build does not know\n",
			       (long long)number(o, "entries_unknown"));
		printf("quiet      %lld ms\n\n", (long long)number(o, "quiet_ms"));
		print_nodes(json_object_get(o, "nodes"));
	}
	if (a->n_open)
		putchar('\n');
	print_alarms(a);
}

static int print_json(json_t *o, const struct monitoralarms *a, bool runs)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < a->n; i++)
		json_array_append_new(list, monitoralarm_json(&a->list[i]));
	o = o ? json_incref(o) : json_object();
	json_object_set_new(o, "runs", json_boolean(runs));
	json_object_set_new(o, "alarms", list);
	return result_dump(MONITOR_COMMAND, o, true);
}

int monitorstatus_show(const char *dir, bool json)
{
	char path[FILES_PATH_SIZE], *text = NULL;
	struct monitoralarms alarms;
	int busy = monitorfolder_busy(dir), code;
	size_t size;
	json_t *o;

	if (busy < 0)
		return tool_fail(EXIT_LOCAL, MONITOR_COMMAND, "%s is not a monitor's folder", dir);
	code = monitoralarms_open(MONITOR_COMMAND, dir, &alarms);
	if (code) {
		monitoralarms_close(&alarms);
		return code;
	}
	if (!files_join(path, dir, MONITORFOLDER_STATUS) || files_read(path, STATUS_SIZE_MAX, &text, &size))
		text = NULL;
	o = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
	free(text);
	if (json)
		code = print_json(o, &alarms, busy);
	else
		print(o, &alarms, busy);
	json_decref(o);
	if (!code)
		code = alarms.n_open ? MONITOR_ALARM : busy ? MONITOR_WELL : MONITOR_UNDECIDED;
	monitoralarms_close(&alarms);
	return code;
}

int monitorstatus_acknowledge(const char *dir, const char *which)
{
	struct monitoralarms alarms;
	uint64_t id = 0;
	unsigned n = 0;
	int code;

	if (strcmp(which, "all") != 0 && (!tool_parse_index(which, &id) || !id || id > MONITORALARM_MAX))
		return tool_fail(EXIT_USAGE, MONITOR_COMMAND,
		                 "option --acknowledge: \"%s\" is neither an alarm's number nor "
		                 "\"all\"",
		                 which);
	if (monitorfolder_busy(dir) < 0)
		return tool_fail(EXIT_LOCAL, MONITOR_COMMAND, "%s is not a monitor's folder", dir);
	code = monitoralarms_open(MONITOR_COMMAND, dir, &alarms);
	if (!code)
		code = monitoralarms_acknowledge(MONITOR_COMMAND, &alarms, (unsigned)id, &n);
	if (!code)
		printf("%u alarm%s acknowledged, %u left\n", n, n == 1 ? "" : "s", alarms.n_open);
	monitoralarms_close(&alarms);
	return code;
}
