/* A cluster on one scripted clock, for tests of the guard. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/script_io.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/script_disk.h"

struct script_packet {
	struct script_packet *next;
	raft_time due;
	unsigned to;
	struct raft_message m;
};

/* The network. */

static void message_free(struct raft_message *m)
{
	if (m->type == RAFT_IO_APPEND_ENTRIES && m->append_entries.n_entries > 0) {
		raft_free(m->append_entries.entries[0].batch);
		raft_free(m->append_entries.entries);
	} else if (m->type == RAFT_IO_INSTALL_SNAPSHOT) {
		raft_configuration_close(&m->install_snapshot.conf);
		raft_free(m->install_snapshot.data.base);
	}
}

static void note_sent(struct script_server *v, const struct raft_message *m)
{
	size_t bytes = 0;

	v->sent[m->type]++;
	v->last[m->type] = *m;
	v->last[m->type].server_address = NULL;
	if (m->type == RAFT_IO_APPEND_ENTRIES) {
		for (unsigned i = 0; i < m->append_entries.n_entries; i++)
			bytes += m->append_entries.entries[i].buf.len;
		if (m->append_entries.n_entries > v->append_entries_max)
			v->append_entries_max = m->append_entries.n_entries;
		if (bytes > v->append_bytes_max)
			v->append_bytes_max = bytes;
		v->last[m->type].append_entries.entries = NULL;
	}
}

static bool hook_send(void *ctx, const struct raft_message *m)
{
	struct script_server *v = ctx;
	struct script *s = v->script;
	struct script_packet **p = &s->packets;
	struct script_packet *packet;
	unsigned to = (unsigned)m->server_id - 1;

	note_sent(v, m);
	if (m->server_id == 0 || m->server_id > s->n || v->unreachable[to])
		return false;
	if (v->cut[to])
		return true;
	while (*p != NULL)
		p = &(*p)->next;
	packet = *p = script_must(calloc(1, sizeof *packet));
	packet->due = s->now + s->net_ms;
	packet->to = to;
	packet->m = *m;
	packet->m.server_id = v->id;
	packet->m.server_address = v->address;
	if (m->type == RAFT_IO_APPEND_ENTRIES) {
		packet->m.append_entries.entries =
		        script_entries_copy(m->append_entries.entries, m->append_entries.n_entries);
	} else if (m->type == RAFT_IO_INSTALL_SNAPSHOT) {
		script_configuration_copy(&m->install_snapshot.conf, &packet->m.install_snapshot.conf);
		packet->m.install_snapshot.data = script_buffer_copy(&m->install_snapshot.data);
	}
	return true;
}

static void packets_due(struct script *s)
{
	while (s->packets != NULL && s->packets->due <= s->now) {
		struct script_packet *p = s->packets;
		s->packets = p->next;
		if (s->s[p->to].alive)
			guard_recv(s->s[p->to].guard, &p->m);
		else
			message_free(&p->m);
		free(p);
	}
}

/* The other hooks, and the state machine. */

static void hook_stepped(void *ctx)
{
	struct script_server *v = ctx;

	v->steps++;
	if (v->on_stepped != NULL)
		v->on_stepped(v);
}

static void hook_fatal(void *ctx, const char *why) __attribute__((noreturn));
static void hook_fatal(void *ctx, const char *why)
{
	struct script_server *v = ctx;

	if (v->on_fatal != NULL)
		v->on_fatal(v, why);
	fprintf(stderr, "fatal on server %llu: %s\n", v->id, why);
	_exit(SCRIPT_FATAL);
}

static bool hook_durable(void *ctx, raft_index index)
{
	struct script_server *v = ctx;

	return !v->ledger_behind || index <= v->ledger_durable;
}

static bool hook_install_ready(void *ctx, const struct raft_install_snapshot *snapshot)
{
	struct script_server *v = ctx;

	/* As far as the state machine here has room. */
	return !v->catching_up && snapshot->last_index < SCRIPT_INDEX_MAX / 2 &&
	       snapshot->data.len == sizeof v->applied_last;
}

static bool hook_backlogged(void *ctx, size_t bytes)
{
	struct script_server *v = ctx;

	(void)bytes;
	return v->backlogged;
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	struct script_server *v = fsm->data;
	raft_index index = raft_last_applied(&v->raft) + 1;

	*result = NULL;
	assert(index < SCRIPT_INDEX_MAX);
	memcpy(v->applied[index], buf->base, 8);
	v->applied_last = index;
	v->applies++;
	return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n)
{
	struct script_server *v = fsm->data;
	raft_index index = raft_last_applied(&v->raft);

	if (!guard_snapshot_allowed(v->guard))
		return RAFT_BUSY;
	*bufs = script_must(raft_malloc(sizeof **bufs));
	(*bufs)[0] = script_buffer_copy(&(struct raft_buffer){.base = &index, .len = sizeof index});
	*n = 1;
	return 0;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	struct script_server *v = fsm->data;

	memcpy(&v->applied_last, buf->base, sizeof v->applied_last);
	raft_free(buf->base);
	v->restores++;
	return 0;
}

/* Life. */

void script_preset_configuration(struct script *s, unsigned i, raft_term term, unsigned n)
{
	struct raft_buffer buf;

	script_encode(n, &buf);
	script_disk_push(&s->s[i].disk, term, RAFT_CHANGE, &buf);
	raft_free(buf.base);
}

void script_preset(struct script *s, unsigned i, raft_term term, const char *text)
{
	char payload[8] = {0};

	snprintf(payload, sizeof payload, "%s", text);
	script_disk_push(&s->s[i].disk, term, RAFT_COMMAND,
	                 &(struct raft_buffer){.base = payload, .len = sizeof payload});
	if (s->s[i].disk.term < term)
		s->s[i].disk.term = term;
}

void script_preset_snapshot(struct script *s, unsigned i, raft_index index, raft_term term)
{
	struct script_disk *d = &s->s[i].disk;
	struct raft_buffer data = {.base = &index, .len = sizeof index};

	script_disk_cut(d, 0);
	d->start = index + 1;
	d->snapshot_index = index;
	d->snapshot_term = term;
	d->snapshot_conf_index = 1;
	script_configuration_fill(s->n, &d->snapshot_conf);
	d->snapshot_data = script_buffer_copy(&data);
}

raft_term script_disk_term(const struct script *s, unsigned i, raft_index index)
{
	const struct script_disk *d = &s->s[i].disk;

	if (index != 0 && index == d->snapshot_index)
		return d->snapshot_term;
	return index >= d->start && index < d->start + d->n ? d->log[index - d->start].term : 0;
}

void script_init(struct script *s, unsigned n, uint32_t off)
{
	memset(s, 0, sizeof *s);
	assert(n <= SCRIPT_SERVERS_MAX);
	s->n = n;
	s->net_ms = 2;
	for (unsigned i = 0; i < n; i++) {
		struct script_server *v = &s->s[i];
		v->script = s;
		v->id = i + 1;
		snprintf(v->address, sizeof v->address, "%u", i + 1);
		v->off = off;
		v->options = (struct guard_options){.id = v->id, .message_bytes_max = 1 << 20, .entry_bytes_max = 4096};
		v->disk.start = 1;
		v->disk.term = 1;
		v->disk_ms = 1;
		v->timeout_ms = i == 0 ? SCRIPT_ELECTION_MS : 2 * SCRIPT_ELECTION_MS;
		script_preset_configuration(s, i, 1, n);
	}
}

int script_boot(struct script *s, unsigned i)
{
	struct script_server *v = &s->s[i];
	struct guard_hooks hooks = {.ctx = v,
	                            .net_send = hook_send,
	                            .stepped = hook_stepped,
	                            .fatal = hook_fatal,
	                            .durable = hook_durable,
	                            .install_ready = hook_install_ready,
	                            .backlogged = hook_backlogged};
	int rv;

	script_disk_io_fill(v);
	v->fsm = (struct raft_fsm){
	        .version = 1, .data = v, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore};
	v->options.off = v->off;
	memset(v->applied, 0, sizeof v->applied);
	v->applied_last = 0;
	memset(&v->raft, 0, sizeof v->raft);
	if (guard_new(&v->disk_io, &v->options, &hooks, &v->io, &v->guard) != 0)
		abort();
	if (raft_init(&v->raft, &v->io, &v->fsm, v->id, v->address) != 0)
		abort();
	guard_attach(v->guard, &v->raft);
	raft_set_election_timeout(&v->raft, SCRIPT_ELECTION_MS);
	raft_set_heartbeat_timeout(&v->raft, SCRIPT_HEARTBEAT_MS);
	raft_set_pre_vote(&v->raft, true);
	raft_set_snapshot_threshold(&v->raft,
	                            v->options.snapshot_entries_max != 0 ? v->options.snapshot_entries_max : 100000);
	raft_set_snapshot_trailing(&v->raft, 2);
	rv = raft_start(&v->raft);
	if (rv != 0)
		return rv;
	guard_started(v->guard);
	v->alive = true;
	return 0;
}

void script_boot_all(struct script *s)
{
	for (unsigned i = 0; i < s->n; i++)
		if (script_boot(s, i) != 0)
			abort();
}

void script_crash(struct script *s, unsigned i)
{
	struct script_server *v = &s->s[i];

	v->alive = false;
	if (v->guard == NULL)
		return;
	guard_close(v->guard, NULL);
	guard_free(v->guard);
	v->guard = NULL;
}

void script_close(struct script *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		script_crash(s, i);
		script_disk_cut(&s->s[i].disk, 0);
		script_disk_snapshot_free(&s->s[i].disk);
		free(s->s[i].disk.log);
	}
	while (s->packets != NULL) {
		struct script_packet *p = s->packets;
		s->packets = p->next;
		message_free(&p->m);
		free(p);
	}
}

/* Time. */

void script_step(struct script *s)
{
	s->now++;
	packets_due(s);
	for (unsigned i = 0; i < s->n; i++) {
		struct script_server *v = &s->s[i];
		if (!v->alive)
			continue;
		script_ops_due(v);
		if (s->now >= v->next_tick) {
			v->next_tick += v->tick_ms;
			v->tick(&v->disk_io);
		}
	}
}

void script_run(struct script *s, unsigned ms)
{
	while (ms-- > 0)
		script_step(s);
}

bool script_until(struct script *s, bool (*done)(struct script *s), unsigned ms_max)
{
	while (!done(s) && ms_max-- > 0)
		script_step(s);
	return done(s);
}

static bool first_leads(struct script *s)
{
	if (raft_state(&s->s[0].raft) != RAFT_LEADER)
		return false;
	for (unsigned i = 0; i < s->n; i++)
		if (s->s[i].alive && s->s[i].raft.last_applied < raft_last_index(&s->s[0].raft))
			return false;
	return true;
}

void script_elect_first(struct script *s)
{
	script_boot_all(s);
	if (!script_until(s, first_leads, 10 * SCRIPT_ELECTION_MS))
		abort();
}

void script_isolate(struct script *s, unsigned i, bool cut)
{
	for (unsigned j = 0; j < s->n; j++)
		s->s[i].cut[j] = s->s[j].cut[i] = cut && i != j;
}

/* Clients. */

static void propose_done(struct raft_apply *req, int status, void *result)
{
	struct script_server *v = req->data;

	(void)result;
	if (status == 0) {
		v->acked++;
		v->acked_last = req->index;
	} else {
		v->lost++;
	}
	free(req);
}

static int propose(struct script *s, unsigned i, struct raft_buffer *buf)
{
	struct raft_apply *req = script_must(calloc(1, sizeof *req));
	int err;

	req->data = &s->s[i];
	err = guard_propose(s->s[i].guard, req, buf, propose_done);
	if (err != 0) {
		raft_free(buf->base);
		free(req);
	}
	return err;
}

int script_propose(struct script *s, unsigned i, const char *text)
{
	struct raft_buffer buf = {.base = script_must(raft_calloc(1, 8)), .len = 8};

	snprintf(buf.base, buf.len, "%s", text);
	return propose(s, i, &buf);
}

int script_propose_size(struct script *s, unsigned i, size_t size)
{
	struct raft_buffer buf = {.base = script_must(raft_calloc(1, size + 8)), .len = size};

	return propose(s, i, &buf);
}

uint64_t script_acted(const struct script *s, unsigned i, unsigned guard)
{
	struct guard_stats stats;

	guard_stats(s->s[i].guard, &stats);
	return stats.acted[guard];
}

int script_fork(void (*fn)(void), char *ret_said, size_t size)
{
	int fds[2];
	int status;
	size_t n = 0;
	char drop[256];
	ssize_t got;
	pid_t pid;

	if (pipe(fds) != 0)
		abort();
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		for (int sig = 1; sig < 32; sig++)
			signal(sig, SIG_DFL);
		fn();
		_exit(0);
	}
	close(fds[1]);
	while ((got = read(fds[0], drop, sizeof drop)) > 0) {
		for (ssize_t k = 0; k < got && ret_said != NULL && n + 1 < size; k++)
			ret_said[n++] = drop[k];
	}
	if (ret_said != NULL && size > 0)
		ret_said[n] = 0;
	close(fds[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == SCRIPT_FATAL)
	               ? WEXITSTATUS(status)
	               : -1;
}
