/* Salvage: a store whose structure is damaged, built anew from what of it can be read, before LMDB looks at it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SALVAGE_H
#define NODE_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Before the store is opened. Looks at what every transaction needs (meta pages, free list, the tree of databases, the
 * state, the right edge of the others), and after a run that ended for damage, at every page. If that is not sound, all
 * records that can be read go into a new file, which takes the place of the old one; that one stays beside it as
 * data.mdb.damaged, in the place of an earlier one. Entries and private fields that cannot be read get a record that no
 * check lets through: they are refused, and fetched from the other members. Where too little can be read for that, the
 * file is put aside all the same, and another member has to give everything. 0; CS_ERR_IO and others. map_size: of the
 * new file, as in struct store_options.
 */
struct salvaged {
	bool behind; /* By the last commit, whose meta page was damaged: the state may be older than the log's snapshot.
	              */
	bool lost;   /* All of it. */
};
int salvage_store(const char *data_path, uint64_t map_size, struct salvaged *ret);

/* The next start looks at every page: a run ends for damage.. */
void salvage_suspect(const char *data_path);
/* The store was opened and is sound: no start looks further. */
void salvage_trust(const char *data_path);

#endif
