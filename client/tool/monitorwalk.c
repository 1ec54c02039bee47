/* Entries are read, checked and folded: from one node after the other, until one has those that a quorum has signed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/auditfacts.h"
#include "client/tool/monitor.h"
#include "client/tool/text.h"
#include "node/decide/command.h"

#define PIECE_ENTRIES 65536 /* A long way is kept piece by piece: whoever is killed loses no more than one. */

/* Claims of this size, by what the fold says. Only once the whole piece held is anything made of it. */
static void compare_claims(struct monitor *m, const struct verify_fold *fold)
{
	struct hash root;
	bool has_root = false;

	for (unsigned i = 0; i < m->n_peers; i++) {
		struct monitorclaim *claims[] = {&m->peers[i].signed_, &m->peers[i].told};

		for (unsigned k = 0; k < 2; k++) {
			if (claims[k]->size != fold->size)
				continue;
			if (!has_root)
				verify_fold_root(fold, root.b);
			has_root = true;
			claims[k]->differs = !hash_equal(&root, &claims[k]->root);
			claims[k]->ours = root;
		}
	}
}

/* [action, node id, …] (FORMAT.md). */
static void take_member(struct monitor *m, const struct entryview *view)
{
	uint64_t action = 0, id = 0;

	if (view->entry.kind == ENTRY_MEMBER && entryview_number(view, 0, &action) && action == MEMBER_REMOVE &&
	    entryview_number(view, 1, &id) && m->n_removed < MONITORNODES_MAX)
		m->removed[m->n_removed++] = id;
}

static bool taken(struct auditwalk *w, const struct entryview *view, const struct verify_fold *fold)
{
	struct monitor *m = w->ctx;

	auditfacts_count(&m->state, view);
	take_member(m, view);
	if (!entryview_kind_known(view->entry.kind) && m->n_unknown++ == 0)
		monitor_say("entry %" PRIu64
		            " is of a kind that this build does not know: what it says is not looked at, nor of those "
		            "that follow",
		            view->entry.index);
	compare_claims(m, fold);
	return true;
}

/* The tree that the next piece must lead to: the claim itself, or on a long way what is proven of a place in it. */
static bool aim(struct monitor *m, const struct monitorclaim *claim, struct auditproof *proof,
                struct auditwalk_target *ret)
{
	uint64_t size = m->state.fold.size + PIECE_ENTRIES;
	char text[256];
	int err;

	memset(proof, 0, sizeof *proof);
	*ret = (struct auditwalk_target){
	        .size = claim->size, .root = claim->root, .note = claim->note, .note_len = claim->note_len};
	if (claim->size <= size)
		return true;
	if (auditproof_ask(&m->source, size - 1, proof, text, &err) != AUDITPROOF_GOT) {
		monitor_say("entries up to %" PRIu64 " are not proven: %s", size, text);
		return false;
	}
	*ret = (struct auditwalk_target){
	        .size = size, .root = proof->root, .note = proof->note, .note_len = proof->note_len};
	return true;
}

static void keep(struct monitor *m, const struct auditwalk_target *t, uint64_t note_size)
{
	m->state.note_size = note_size;
	m->state.note_len = t->note_len;
	memcpy(m->state.note, t->note, t->note_len);
	m->state.note[t->note_len] = '\0';
	auditstate_visited(&m->state, text_now_ms());
	m->code = monitorfolder_save(MONITOR_COMMAND, &m->folder, &m->state);
	m->before = m->state;
	while (m->n_removed)
		monitorhealth_forget(m, m->removed[--m->n_removed]);
}

/* One node's entries. What does not hold leaves the state as it was. */
static enum auditwalk_end try(struct monitor *m, uint64_t node, const struct auditwalk_target *t, struct auditwalk *w)
{
	int err = 0;

	*w = (struct auditwalk){.source = &m->source,
	                        .node = node,
	                        .genesis = &m->file.genesis,
	                        .state = &m->state,
	                        .taken = taken,
	                        .ctx = m,
	                        .result = &m->result};
	enum auditwalk_end end = auditwalk_run(w, t, &err);
	if (end != AUDITWALK_DONE) {
		m->state = m->before;
		m->n_removed = 0;
		for (unsigned i = 0; i < m->n_peers; i++)
			m->peers[i].signed_.differs = m->peers[i].told.differs = false;
	}
	return end;
}

/* What was checked before is not how the cluster's tree begins any more: under a quorum, that is a fork. */
static bool past_forked(struct monitor *m)
{
	const struct auditstate *s = &m->state;
	struct auditrange range;
	struct auditproof p;
	struct hash root;
	char text[256];
	int err;
	bool forked = s->fold.size && auditproof_ask(&m->source, s->fold.size - 1, &p, text, &err) == AUDITPROOF_GOT;

	if (!s->fold.size)
		return false;
	auditstate_root(s, &root);
	forked = forked && !hash_equal(&root, &p.root);
	if (forked) {
		auditproof_narrow(&m->source, s, &p, &range);
		monitorfolder_put(MONITOR_COMMAND, &m->folder, MONITORFOLDER_EVIDENCE "/theirs.note", p.note,
		                  p.note_len);
		monitorfolder_put(MONITOR_COMMAND, &m->folder, MONITORFOLDER_EVIDENCE "/ours.note", s->note,
		                  s->note_len);
		monitor_alarm(m, MONITORALARM_FORK, 0,
		              "REWRITTEN: the cluster's first %" PRIu64
		              " entries are not those that were checked; entries "
		              "before %" PRIu64 " are the same, the first that differs is one of %" PRIu64
		              " to %" PRIu64 "; both checkpoints are in evidence/",
		              s->fold.size, range.low, range.low, range.high - 1);
	}
	auditproof_close(&p);
	return forked;
}

/* From one node after the other; the one that showed the checkpoint first. */
static bool piece(struct monitor *m, const struct monitorpeer *whose, const struct auditwalk_target *t)
{
	static struct auditwalk bad[MONITORNODES_MAX];
	uint64_t bad_nodes[MONITORNODES_MAX];
	unsigned n_bad = 0, n_asked = 0, n = m->n_peers, first = (unsigned)(whose - m->peers);
	bool done = false;

	for (unsigned i = 0; i < n && !done && !m->code; i++) {
		const struct monitorpeer *p = &m->peers[(first + i) % n];
		struct auditwalk w;

		if (!p->answers)
			continue;
		n_asked++;
		enum auditwalk_end end = try(m, p->id, t, &w);
		if (end == AUDITWALK_ALARM) {
			bad_nodes[n_bad] = p->id;
			bad[n_bad++] = w;
		}
		done = end == AUDITWALK_DONE;
	}
	if (!done && n_bad && past_forked(m))
		return false;
	/* One that lies is named, and does not blind us; if all do, what a quorum has signed has no entries. */
	for (unsigned i = 0; i < n_bad; i++)
		monitor_alarm(m, MONITORALARM_DIFFERS, bad_nodes[i], "the entries that it gives do not hold: %.400s",
		              bad[i].reason);
	if (!done && n_bad && n_bad == n_asked && n_bad > m->file.n_nodes / 2)
		monitor_alarm(m, MONITORALARM_ENTRIES, 0,
		              "no node gives entries that lead to the checkpoint of %" PRIu64
		              " entries that a quorum has signed: %.300s",
		              t->size, bad[0].reason);
	return done;
}

bool monitorwalk_to(struct monitor *m, const struct monitorpeer *whose, const struct monitorclaim *claim)
{
	bool done = true;

	m->before = m->state;
	while (done && !m->code && m->state.fold.size < claim->size && !monitornodes_stopped(&m->nodes)) {
		struct auditproof proof;
		struct auditwalk_target t;

		done = aim(m, claim, &proof, &t) && piece(m, whose, &t);
		if (done)
			keep(m, &t, proof.size ? proof.size : claim->size);
		auditproof_close(&proof);
	}
	return m->state.fold.size >= claim->size && !m->code;
}
