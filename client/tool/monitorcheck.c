/* What nodes show is held against what the monitor has checked: their checkpoints, and their word. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/tool/monitor.h"
#include "client/tool/text.h"
#include "ledger/errors.h"

void monitor_alarm(struct monitor *m, enum monitoralarm_kind kind, uint64_t node, const char *format, ...)
{
	struct monitoralarm a = {.kind = kind, .node = node, .size = m->state.fold.size};
	const struct monitoralarm *raised;
	va_list args;

	va_start(args, format);
	vsnprintf(a.text, sizeof a.text, format, args);
	va_end(args);
	m->grave = m->grave || monitoralarm_is_grave(kind);
	raised = monitoralarms_raise(&m->alarms, &a);
	if (raised)
		monitorrun_tell(&m->run, raised);
}

/*
 * What an alarm is about is kept beside it: who shows it to others needs no more than that and the policy. Once an
 * alarm: whoever goes on showing more must not fill the disk.
 */
static void keep_evidence(struct monitor *m, enum monitoralarm_kind kind, uint64_t of, uint64_t node,
                          const struct monitorclaim *c)
{
	char name[80];

	if (monitoralarms_stands(&m->alarms, kind, of))
		return;
	snprintf(name, sizeof name, MONITORFOLDER_EVIDENCE "/node-%" PRIu64 "-%" PRIu64 ".note", node, c->size);
	monitorfolder_put(MONITOR_COMMAND, &m->folder, name, c->note, c->note_len);
	if (!m->state.note_len)
		return;
	snprintf(name, sizeof name, MONITORFOLDER_EVIDENCE "/ours-%" PRIu64 ".note", m->state.note_size);
	monitorfolder_put(MONITOR_COMMAND, &m->folder, name, m->state.note, m->state.note_len);
}

static void differs(struct monitor *m, const struct monitorpeer *p, const struct monitorclaim *c,
                    const struct hash *ours)
{
	char expected[80], found[80];

	auditwalk_hex(ours->b, expected);
	auditwalk_hex(c->root.b, found);
	if (c->note_len)
		keep_evidence(m, c->quorum ? MONITORALARM_FORK : MONITORALARM_DIFFERS, c->quorum ? 0 : p->id, p->id, c);
	if (c->quorum)
		monitor_alarm(m, MONITORALARM_FORK, 0,
		              "FORKED: node %" PRIu64 " shows a checkpoint of %" PRIu64
		              " entries with the root %.16s…, a "
		              "quorum has signed it, and the root of what was checked is %.16s…; both are in evidence/",
		              p->id, c->size, found, expected);
	else
		monitor_alarm(m, MONITORALARM_DIFFERS, p->id,
		              "it shows %" PRIu64 " entries with the root %s, and the root of those is %s%s", c->size,
		              found, expected, c->note_len ? "; its signature is in evidence/" : "");
}

/* The root of the first size entries, where it is known by heart. */
static bool known_root(const struct monitor *m, uint64_t size, struct hash *ret)
{
	if (size == m->state.fold.size && size) {
		auditstate_root(&m->state, ret);
		return true;
	}
	for (unsigned i = 0; i < m->state.n_visits; i++)
		if (m->state.visits[i].size == size) {
			*ret = m->state.visits[i].root;
			return true;
		}
	return false;
}

/* A size that was passed without a halt: the cluster proves what its root was. */
static bool proven_root(struct monitor *m, uint64_t size, struct hash *ret)
{
	struct auditproof p;
	char text[256];
	int err;
	bool got = auditproof_ask(&m->source, size - 1, &p, text, &err) == AUDITPROOF_GOT;

	*ret = p.root;
	auditproof_close(&p);
	return got;
}

/* What lies behind is compared at once; what lies ahead when the entries come there. */
static void relate(struct monitor *m, struct monitorpeer *p, const struct monitorclaim *c, struct monitorclaim *ahead)
{
	struct hash ours;

	if (c->size > m->state.fold.size) {
		/* Its word of one tree is kept until the entries have come there; of checkpoints the newest counts. */
		if (c->note_len || ahead->size <= m->state.fold.size)
			*ahead = *c;
		return;
	}
	if (!c->size || (c->size == p->last.size && hash_equal(&c->root, &p->last.root)))
		return;
	if (!known_root(m, c->size, &ours) && (!c->note_len || !proven_root(m, c->size, &ours)))
		return;
	p->last.size = c->size;
	p->last.root = c->root;
	if (!hash_equal(&ours, &c->root))
		differs(m, p, c, &ours);
}

/* Two nodes show two signed trees of one size: whatever the entries are, one of them is false. */
static void compare_ahead(struct monitor *m, const struct monitorpeer *p)
{
	for (unsigned i = 0; i < m->n_peers; i++) {
		const struct monitorclaim *a = &p->signed_, *b = &m->peers[i].signed_;

		if (!a->size || a->size != b->size || hash_equal(&a->root, &b->root))
			continue;
		bool fork = a->quorum && b->quorum;
		enum monitoralarm_kind kind = fork ? MONITORALARM_FORK : MONITORALARM_DIFFERS;
		uint64_t of = fork ? 0 : a->quorum ? m->peers[i].id : p->id;
		keep_evidence(m, kind, of, p->id, a);
		keep_evidence(m, kind, of, m->peers[i].id, b);
		monitor_alarm(m, kind, of,
		              "FORKED: nodes %" PRIu64 " and %" PRIu64 " show two signed checkpoints of %" PRIu64
		              " entries with two roots; both are in evidence/",
		              p->id, m->peers[i].id, a->size);
	}
}

static void take_note(struct monitor *m, struct monitorpeer *p, const struct monitorview *v)
{
	struct verify_result *r = &m->result;
	static struct monitorclaim c; /* 8 KiB; one thread takes. */

	p->shows = p->note_size;
	if (!v->note_len || (p->signed_.note_len == v->note_len && !memcmp(p->signed_.note, v->note, v->note_len)))
		return;
	verify_checkpoint(m->policy, v->note, v->note_len, r);
	c = (struct monitorclaim){.size = r->size, .note_len = v->note_len, .quorum = r->outcome == VERIFY_VERIFIED};
	memcpy(c.root.b, r->root, HASH_SIZE);
	memcpy(c.note, v->note, v->note_len + 1);
	if (r->outcome == VERIFY_REFUTED || (r->has_checkpoint && strcmp(r->origin, m->file.origin) != 0)) {
		keep_evidence(m, MONITORALARM_SIGNATURE, p->id, p->id, &c);
		monitor_alarm(m, MONITORALARM_SIGNATURE, p->id, "its checkpoint does not hold: %.300s",
		              r->outcome == VERIFY_REFUTED ? r->reason : "it is of another ledger");
		return;
	}
	/* Members may have changed: what the policy says of them is followed first. */
	if (r->outcome != VERIFY_VERIFIED) {
		m->follow = true;
		p->unknown_ms = p->unknown_ms ? p->unknown_ms : text_clock_ms();
		if (text_clock_ms() >= p->unknown_ms + m->patience_ms)
			monitor_alarm(m, MONITORALARM_SIGNATURE, p->id,
			              "nobody whom the trust policy asks for signs what it shows: %.300s", r->reason);
	} else {
		p->unknown_ms = 0;
	}
	p->shows = p->note_size = r->size;
	if (r->n_log_signatures)
		relate(m, p, &c, &p->signed_);
	compare_ahead(m, p);
}

static void take_status(struct monitor *m, struct monitorpeer *p, const struct monitorview *v)
{
	static struct monitorclaim c;

	if (!v->has_status)
		return;
	c = (struct monitorclaim){.size = v->size, .root = v->root};
	p->told_size = v->size;
	p->root = v->root;
	p->leader = v->leader;
	p->term = v->term;
	p->shows = v->size > p->shows ? v->size : p->shows;
	if (strcmp(p->health, v->health) != 0 && (strcmp(v->health, "ok") != 0 || *p->health))
		monitor_say("node %" PRIu64 ": %s", p->id, v->health);
	memcpy(p->health, v->health, sizeof p->health);
	memcpy(p->role, v->role, sizeof p->role);
	relate(m, p, &c, &p->told);
}

static struct monitorpeer *peer_of(struct monitor *m, uint64_t id)
{
	for (unsigned i = 0; i < m->n_peers; i++)
		if (m->peers[i].id == id)
			return &m->peers[i];
	if (m->n_peers == MONITORNODES_MAX)
		return NULL;
	m->peers[m->n_peers] = (struct monitorpeer){.id = id};
	return &m->peers[m->n_peers++];
}

static void take(struct monitor *m, struct monitorpeer *p, const struct monitorview *v)
{
	p->round = v->rounds;
	p->answers = !v->err;
	p->err = v->err;
	memcpy(p->error, v->error, sizeof p->error);
	if (v->diverged)
		monitor_alarm(m, MONITORALARM_DIVERGED, p->id,
		              "its own ledger has another root than the checkpoint of %" PRIu64
		              " entries that a quorum, and this monitor, have signed",
		              m->folder.record.size);
	if (v->err) {
		p->failing_ms = p->failing_ms ? p->failing_ms : text_clock_ms();
		return;
	}
	p->failing_ms = 0;
	p->kept = v->kept;
	if (v->kept > m->folder.record.size)
		monitor_alarm(m, MONITORALARM_RECORD, 0,
		              "node %" PRIu64 " has our cosignature of %" PRIu64
		              " entries, and this folder knows of %" PRIu64
		              ": another monitor has the key, or the folder is an old copy; make a new key",
		              p->id, v->kept, m->folder.record.size);
	take_note(m, p, v);
	take_status(m, p, v);
	p->largest = p->shows > p->largest ? p->shows : p->largest;
}

void monitorcheck_views(struct monitor *m, const struct monitorview *views, unsigned n)
{
	for (unsigned i = 0; i < n && !m->grave; i++) {
		struct monitorpeer *p = peer_of(m, views[i].id);

		if (p && p->round != views[i].rounds)
			take(m, p, &views[i]);
	}
}

/* --- entries up to the newest checkpoint, and our name under it --- */

/* What the fold has passed differs, or is as it should be: either way it is no longer ahead. */
static void settle(struct monitor *m, struct monitorpeer *p, struct monitorclaim *c)
{
	if (!c->size || c->size > m->state.fold.size)
		return;
	if (c->differs)
		differs(m, p, c, &c->ours);
	p->last.size = c->size;
	p->last.root = c->root;
	c->size = 0;
	c->differs = false;
}

static struct monitorpeer *newest(struct monitor *m)
{
	struct monitorpeer *best = NULL;

	for (unsigned i = 0; i < m->n_peers; i++) {
		struct monitorpeer *p = &m->peers[i];

		if (p->signed_.quorum && p->signed_.size > m->state.fold.size &&
		    (!best || p->signed_.size > best->signed_.size))
			best = p;
	}
	return best;
}

static void cosign(struct monitor *m)
{
	struct monitorfolder *f = &m->folder;
	uint64_t size = m->state.fold.size;

	/* In the middle of a long way there is no checkpoint of our size; it is checked, and signed at its end. */
	if (!size || size != m->state.note_size || (size == f->record.size && *f->note))
		return;
	int err = monitorfolder_cosign(MONITOR_COMMAND, f, m->state.note, m->state.note_len, (uint64_t)time(NULL));
	if (err == CS_ERR_DIVERGED)
		monitor_alarm(m, MONITORALARM_RECORD, 0,
		              "the record in this folder says that the key has cosigned %" PRIu64
		              " entries, and what was checked are %" PRIu64
		              ", or have another root: nothing was signed",
		              f->record.size, size);
	else if (err == CS_ERR_IO)
		m->code = EXIT_LOCAL;
	else if (err)
		monitor_say("not cosigned: %s", err_text(err));
	else
		monitornodes_cosigned(&m->nodes, size, f->note);
}

void monitorcheck_advance(struct monitor *m)
{
	static struct monitorclaim target;
	struct monitorpeer *p = newest(m);

	if (p) {
		target = p->signed_;
		if (monitorwalk_to(m, p, &target))
			m->fresh_ms = text_clock_ms();
		for (unsigned i = 0; i < m->n_peers && !m->grave; i++) {
			settle(m, &m->peers[i], &m->peers[i].signed_);
			settle(m, &m->peers[i], &m->peers[i].told);
		}
	}
	if (!m->grave && !m->code)
		cosign(m);
}
