/* What tests of the store share: entries that follow from their index, a folder, a writer, children. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STORE_KIT_H
#define TESTS_STORE_KIT_H

#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "ledger/store.h"

#define LEAF_SIZE_MAX 400
#define MAP_SIZE      (UINT64_C(1) << 30)
#define BATCH_MAX     600

extern char store_kit_folder[256]; /* Of the test that runs. */

size_t store_kit_leaf_make(uint64_t index, uint8_t *leaf);
int store_kit_batch_append(struct store *s, uint64_t first, unsigned n);
int store_kit_batch_commit(struct store *s, unsigned n, uint64_t index, uint64_t term);
void store_kit_root_naive(uint64_t from, uint64_t n, struct hash *ret);
void store_kit_entries_check(const struct store_view *v, uint64_t from, uint64_t to);
void store_kit_view_check(const struct store_view *v);
int store_kit_folder_make(void **state);
void store_kit_file_path(char *buf, size_t size, const char *name);
int store_kit_folder_remove(void **state);
struct store *store_kit_writer_open(void);
int store_kit_child_wait(pid_t pid);

/* In children cmocka's asserts would run the parent's bookkeeping: they say what failed and leave. */
#define CHILD_CHECK(x)                                                                                                 \
	do {                                                                                                           \
		if (!(x)) {                                                                                            \
			fprintf(stderr, "child, line %d: %s\n", __LINE__, #x);                                         \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)
#define STORE_TEST(f) cmocka_unit_test_setup_teardown(f, store_kit_folder_make, store_kit_folder_remove)

#endif
