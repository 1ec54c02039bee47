/* What the files of the simulated disk share: pages, names, and what of them is on the disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_INODE_H
#define TESTS_SIM_INODE_H

#include "tests/sim/drive.h"

#define NAMES_MAX (DISK_PAGE / 16) /* Of one folder, and of its unsynced changes. */

/* NULL pages are zeros. on_disk: what the disk holds of a dirty page; NULL: all is clean. */
struct page {
	uint8_t *now, *on_disk;
	uint8_t dirty; /* A bit each sector. */
};

struct name {
	char text[DISK_NAME_MAX];
	struct inode *inode;
};

/* Names in order of their making. */
struct names {
	struct name *of;
	unsigned n;
};

/* A change of a folder that is not synced: to's name is made for the inode, from's name is removed; or both change
 * places. */
struct change {
	char from[DISK_NAME_MAX], to[DISK_NAME_MAX];
	struct inode *inode;
	bool exchange;
};

struct inode {
	bool folder;
	uint64_t size, size_on_disk;
	struct page *pages;
	size_t n_pages;
	void *locked_by;
	struct env *env; /* Of a folder: the LMDB double's file in it. NULL: none. */
	struct names names, names_on_disk;
	struct change *changes;
	unsigned n_changes;
};

void *inode_grow(void *p, size_t size);
uint8_t *inode_page_bytes(struct page *p);
struct name *names_find(const struct names *n, const char *text);
void names_add(struct names *n, const char *text, struct inode *i);
void names_apply(struct names *n, const struct change *c);
void names_copy(struct names *to, const struct names *from);

#endif
