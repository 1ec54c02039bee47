/* A simulated disk: files and folders in memory, what of them is synced, what a power cut leaves, and faults. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_DRIVE_H
#define TESTS_SIM_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_SECTOR   512 /* What a disk writes whole or not at all; the log relies on it, as ext4 and LMDB do. */
#define DISK_PAGE     4096
#define DISK_NAME_MAX 64

/* How often what goes wrong, of a million calls; times in ns. */
struct drive_faults {
	uint32_t read_error_ppm, write_error_ppm, sync_error_ppm;
	uint32_t commit_error_ppm;       /* Of the store: what was to be written is not, or is, and nobody knows. */
	uint32_t misdirect_ppm;          /* A write lands elsewhere in the log's folder, without a word. */
	uint32_t torn_ppm;               /* At a power cut: an unsynced write is torn, not kept or lost whole. */
	uint64_t write_ns, write_ns_max; /* What a synced write takes, */
	uint64_t store_ns_max;           /* and one of the store more than that. */
	bool full;                       /* No new space. */
	bool lies;                       /* Planted: says that it has synced, and has not. */
};

struct env;
struct inode;

struct drive {
	unsigned node;
	struct drive_faults faults;
	struct inode *root;
	bool cut; /* The power is being cut: what is under way does not come to its end. */
};

void drive_init(struct drive *d, unsigned node);
/* A power cut: what was not synced is kept, lost or torn. */
void drive_power_cut(struct drive *d);
/* A bit flips in a sector of the log's folder that has been written. False: there is none. */
bool drive_flip(struct drive *d);
/* Some file has these bytes, in the cache or on the disk; ret_text: which (64 bytes). Names that are gone are not
 * looked at. */
bool drive_holds(const struct drive *d, const char *bytes, char ret_text[64]);
/* A copy of all files as they are now; puts an earlier copy in their place (the copy is used up). */
struct inode *drive_copy(const struct drive *d);
void drive_replace(struct drive *d, struct inode *copy);

/* --- for file.c --- */
struct inode *drive_find(struct drive *d, struct inode *at, const char *path);
/* The folder that path lies in; *ret_name: its last part. */
struct inode *drive_folder(struct drive *d, struct inode *at, const char *path, const char **ret_name);
bool inode_is_folder(const struct inode *i);
uint64_t inode_size(const struct inode *i);
struct inode *inode_new(bool folder);
void inode_link(struct inode *folder, const char *name, struct inode *i);
int inode_unlink(struct inode *folder, const char *name);
int inode_rename(struct inode *from, const char *name, struct inode *to, const char *new_name);
int inode_exchange(struct inode *folder, const char *one, const char *other);
const char *inode_name(const struct inode *folder, unsigned n); /* NULL: no more. */
struct env **inode_env(struct inode *folder);                   /* The LMDB double's file in it. */
void inode_read(const struct inode *i, void *buf, size_t len, uint64_t at);
void inode_write(struct inode *i, const void *buf, size_t len, uint64_t at);
void inode_resize(struct inode *i, uint64_t size);
void inode_synced(struct inode *i); /* All of a file, or the names of a folder. */
void inode_synced_range(struct inode *i, uint64_t from, uint64_t to);
/* Writes a part of the sectors only, as a failed write may. */
void inode_write_torn(struct inode *i, const uint8_t *buf, size_t len, uint64_t at);
void *inode_lock(struct inode *i, void *owner); /* The holder afterwards. */
void inode_unlock(struct inode *i, const void *owner);

#endif
