/* A log in a temporary folder, on a real loop, beside a model of what it has acknowledged; with calls that fail. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DISK_KIT_H
#define TESTS_DISK_KIT_H

#include <raft.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "node/disk/disk.h"
#include "tests/disk_faults.h"

#define KIT_ID          7
#define KIT_ENTRIES_MAX 20000
#define KIT_FILES_MAX   32

struct kit_entry {
	uint64_t term;
	uint32_t len;
};

/* One append under way or ended; lives until the kit is closed. */
struct kit_append {
	struct raft_io_append req;
	struct kit *kit;
	struct raft_entry *entries;
	unsigned n;
	bool done;
	int status;
	unsigned turn; /* Which callback it was. */
	struct kit_append *next;
};

struct kit {
	char dir[64];
	unsigned segment_size, trailing;
	uv_loop_t loop;
	struct raft_io io;
	struct disk *disk;
	char text[300];
	bool is_open;

	/* As loaded. */
	raft_term term;
	raft_id vote;
	struct raft_snapshot *snapshot;
	raft_index start_index;
	struct raft_entry *entries;
	size_t n_entries;

	/* The model: entries first..first + n - 1. */
	uint64_t first, n;
	struct kit_entry model[KIT_ENTRIES_MAX];

	struct kit_append *appends;
	unsigned turns;
	bool put_done, get_done, closed;
	int put_status, get_status;
	struct raft_snapshot *got;
};

/* An empty folder; in_memory: where there is such a place, for what looks at thousands of files and at no disk. */
void kit_init(struct kit *k, bool in_memory);
void kit_free(struct kit *k); /* And away with it. */
/* disk_open; and with kit_load, all that raft does until it runs. */
int kit_open(struct kit *k);
void kit_load(struct kit *k);
void kit_start(struct kit *k);   /* Both; must succeed, and give back what the model holds. */
void kit_close(struct kit *k);   /* Waits until all is closed, and the loop has nothing left. */
void kit_restart(struct kit *k); /* kit_close, kit_start. */
void kit_bootstrap(struct kit *k);

/* n entries of len bytes behind the model's last; not waited for. */
struct kit_append *kit_append(struct kit *k, uint64_t term, unsigned n, uint32_t len);
void kit_wait(struct kit *k, struct kit_append *a);
void kit_add(struct kit *k, uint64_t term, unsigned n, uint32_t len); /* Waits, and must succeed. */
void kit_truncate(struct kit *k, uint64_t index);
/* A snapshot at index; trailing 0: installed, and the log begins anew behind it. */
void kit_put_start(struct kit *k, uint64_t index, uint64_t term, unsigned trailing);
void kit_put(struct kit *k, uint64_t index, uint64_t term, unsigned trailing);
void kit_get(struct kit *k); /* k->got. */
void kit_spin(struct kit *k, const bool *until);

uint64_t kit_last(const struct kit *k);
void kit_fill(uint8_t *p, uint64_t index, uint64_t term, uint32_t len); /* An entry's bytes. */
/* What scan holds of index lo..hi is whole and as in the model. */
void kit_expect_slots(struct kit *k, uint64_t lo, uint64_t hi);

/* --- files --- */

struct kit_file {
	char name[64];
	uint8_t *bytes;
	size_t len;
};
struct kit_folder {
	struct kit_file files[KIT_FILES_MAX];
	unsigned n;
};
void kit_save(const struct kit *k, struct kit_folder *ret);
void kit_restore(const struct kit *k, const struct kit_folder *f); /* The folder is then exactly this. */
void kit_expect_folder(const struct kit *k, const struct kit_folder *f);
void kit_folder_free(struct kit_folder *f);
struct kit_file *kit_file(struct kit_folder *f, const char *name); /* NULL: none. */
void kit_write_file(const struct kit *k, const char *name, const void *bytes, size_t len);
void kit_remove_file(const struct kit *k, const char *name);
unsigned kit_count_segments(const struct kit *k);
void kit_segment(char name[32], uint64_t number);

#endif
