/* What was read of a log, slot by slot: looked at, cut, filled. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <raft.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/disk/scan.h"

struct slot *scan_slot(struct scan *s, uint64_t index)
{
	return index >= s->first && index - s->first < s->n ? &s->slots[index - s->first] : NULL;
}

void scan_cut_back(struct scan *s, uint64_t index)
{
	while (s->n > 0 && scan_last(s) >= index)
		raft_free(s->slots[--s->n].base);
	if (s->n == 0 && s->first > index)
		s->first = index;
}

void scan_cut_front(struct scan *s, uint64_t index)
{
	size_t k = 0;

	while (k < s->n && s->first + k <= index)
		raft_free(s->slots[k++].base);
	s->n -= k;
	if (s->n)
		memmove(s->slots, s->slots + k, s->n * sizeof *s->slots);
	s->first = s->n || s->first + k > index ? s->first + k : index + 1;
}

int scan_put(struct scan *s, uint64_t index, const struct slot *slot)
{
	struct slot *at = scan_slot(s, index);

	if (!at) {
		if (index != s->first + s->n)
			return CS_ERR_INVALID;
		if (s->n == s->cap) {
			size_t cap = s->cap ? 2 * s->cap : 1024;
			struct slot *more = realloc(s->slots, cap * sizeof *more);
			if (!more)
				return CS_ERR_NOMEM;
			s->slots = more;
			s->cap = cap;
		}
		at = &s->slots[s->n++];
		at->base = NULL;
	}
	raft_free(at->base);
	*at = *slot;
	return 0;
}

bool scan_whole(const struct scan *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->slots[i].state != SLOT_WHOLE)
			return false;
	return !s->tail_lost;
}

void scan_free(struct scan *s)
{
	for (size_t i = 0; i < s->n; i++)
		raft_free(s->slots[i].base);
	free(s->slots);
	free(s->segments);
	memset(s, 0, sizeof *s);
}
