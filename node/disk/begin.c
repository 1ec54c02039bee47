/* From what is in the folder to a log: left-overs go, what was read is held against the snapshot and the term. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/disk/disk_internal.h"

/* What a crash left of a rewrite, or of the log before one. */
int begin_clean(struct disk *d)
{
	uint64_t *numbers = NULL;
	unsigned n = 0;
	int err = segment_list(&d->place, &numbers, &n);

	for (unsigned i = 0; i < n && !err; i++)
		if (numbers[i] < d->meta.begin || (d->meta.rewriting && numbers[i] >= d->meta.rewriting))
			err = segment_remove(&d->place, numbers[i]);
	free(numbers);
	/* Gone for good before the metadata forget them: what came back would be read as the log's end. */
	if (!err && d->meta.rewriting && fsync(d->place.dir_fd))
		err = CS_ERR_IO;
	if (!err && d->meta.rewriting) {
		d->meta.rewriting = 0;
		err = metadata_write(d);
	}
	return err;
}

/* Entries that the log should begin with are gone: as missing ones, in front. */
static int prepend_missing(struct scan *s, uint64_t first)
{
	size_t k = s->first - first;
	struct slot *more = k > SCAN_MISSING_MAX ? NULL : realloc(s->slots, (s->n + k) * sizeof *more);

	if (!more)
		return CS_ERR_NOMEM;
	s->slots = more;
	s->cap = s->n + k;
	memmove(more + k, more, s->n * sizeof *more);
	for (size_t i = 0; i < k; i++)
		more[i] = (struct slot){.state = SLOT_MISSING};
	s->n += k;
	s->first = first;
	if (s->n_lost++ == 0)
		snprintf(s->text, sizeof s->text, "the log begins at index %" PRIu64 ", not at %" PRIu64, first + k,
		         first);
	return 0;
}

/*
 * The log against the snapshot. If it does not reach the snapshot's entry, or has another one there, the snapshot was
 * installed and a crash came before the log was reset: nothing of it counts.
 */
static int reconcile(struct disk *d)
{
	struct scan *s = &d->scan;
	const struct slot *at = scan_slot(s, d->snapshot_index), *next = scan_slot(s, d->snapshot_index + 1);

	if (s->first == 0)
		s->first = d->snapshot_index + 1;
	if (s->first > d->snapshot_index + 1)
		return prepend_missing(s, d->snapshot_index + 1);
	if (scan_last(s) + 1 <= d->snapshot_index)
		d->reset = true;
	if (d->snapshot_index && at && at->state == SLOT_WHOLE && at->term != d->snapshot_term)
		d->reset = true;
	if (next && next->state == SLOT_WHOLE && next->term < d->snapshot_term)
		d->reset = true; /* Nor does what follows follow it. */
	if (d->reset) {
		scan_cut_back(s, 0);
		s->first = d->snapshot_index + 1;
	} else if (d->snapshot_index > d->o.trailing) {
		scan_cut_front(s, d->snapshot_index - d->o.trailing);
	}
	/* Lost entries that the snapshot stands for do not matter. */
	for (uint64_t i = d->snapshot_index; i >= s->first && s->n; i--) {
		if (scan_slot(s, i) && scan_slot(s, i)->state != SLOT_WHOLE) {
			scan_cut_front(s, i);
			break;
		}
	}
	return 0;
}

raft_term begin_highest_term(const struct disk *d)
{
	raft_term term = d->snapshot_term;

	for (size_t i = 0; i < d->scan.n; i++)
		if (d->scan.slots[i].state == SLOT_WHOLE && d->scan.slots[i].term > term)
			term = d->scan.slots[i].term;
	return term;
}

/*
 * A term is stored before anything of it is. What is not so has been put back from an older copy, with a vote that may
 * be forgotten; but for a bootstrap that a crash has cut in two.
 */
static int check_term(struct disk *d)
{
	struct scan *s = &d->scan;

	if (begin_highest_term(d) <= d->meta.term)
		return 0;
	if (d->meta.term == 0 && d->meta.vote == 0 &&
	    (d->snapshot_index == 0 ? s->n == 1 && s->slots[0].term == 1 : s->n == 0 && d->snapshot_term == 1)) {
		d->meta.term = 1;
		return metadata_write(d);
	}
	snprintf(s->text, sizeof s->text, "the metadata are older than the entries: term %llu, an entry of term %llu",
	         (unsigned long long)d->meta.term, begin_highest_term(d));
	return CS_ERR_DAMAGED;
}

int begin_read(struct disk *d, char *text)
{
	int err = begin_clean(d);

	if (!err)
		err = scan_log(&d->place, d->meta.begin, &d->scan);
	if (!err && d->scan.n_segments == 0 && !disk_pristine(d) && d->scan.n_lost++ == 0) {
		d->scan.tail_lost = true;
		snprintf(d->scan.text, sizeof d->scan.text, "all segments are gone");
	}
	d->torn = d->scan.n_torn > 0;
	if (!err)
		err = reconcile(d);
	if (!err)
		err = check_term(d);
	if (err)
		snprintf(text, DISK_TEXT_SIZE, "reading the log: %s%s%s", err_text(err), d->scan.text[0] ? ": " : "",
		         d->scan.text);
	/* With damage nothing is opened for writing: it is rewritten first. */
	if (!err && d->scan.n_lost == 0) {
		err = supply_open(d);
		if (err)
			snprintf(text, DISK_TEXT_SIZE, "opening the log: %s", err_text(err));
	}
	return err;
}
