/* What the scrubber's files share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_SCRUB_INTERNAL_H
#define LEDGER_SCRUB_INTERNAL_H

#include "ledger/scrub.h"
#include "ledger/store_internal.h"

_Static_assert((int)DB_COUNT <= SCRUB_DBS, "each has its place");

extern const char *const scrub_db_names[DB_COUNT];

void scrub_tell(struct scrub *s, enum scrub_what what, enum store_db db, unsigned level, uint64_t index,
                const char *why);
/* Records from a key on, until f gives 1; a page that is bad is told, and in *ret_bad (NULL is fine). CS_ERR_NOMEM. */
int scrub_range(struct scrub *s, enum store_db db, const void *from, size_t len,
                int (*f)(void *ctx, const struct pages_record *r), void *ctx, bool *ret_bad);
int scrub_root_at(struct scrub *s, uint64_t size, struct hash *ret);

#endif
