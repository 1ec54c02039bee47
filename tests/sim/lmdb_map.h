/* An ordered map that keeps its versions: a committed one is a pointer, and never changes again. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_LMDB_MAP_H
#define TESTS_SIM_LMDB_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A node of a treap; NULL: the empty map. Nodes are never freed: a seed's process is short. */
struct map_node {
	uint64_t version; /* Of the transaction that made it, which alone may change it. */
	uint64_t priority;
	struct map_node *left, *right;
	size_t key_len, value_len;
	uint8_t *key, *value;
};

/* Puts a copy of the value; *root becomes the new version's. True if the key is new. */
bool map_put(struct map_node **root, uint64_t version, const void *key, size_t key_len, const void *value,
             size_t value_len);
bool map_remove(struct map_node **root, uint64_t version, const void *key, size_t key_len);
const struct map_node *map_find(const struct map_node *root, const void *key, size_t key_len);
/* The first at or (after) behind the key; NULL: none. key NULL: the first of all. */
const struct map_node *map_from(const struct map_node *root, const void *key, size_t key_len, bool after);
const struct map_node *map_last(const struct map_node *root);
/* Some record that holds these bytes, in its key or its value; NULL: none. */
const struct map_node *map_holding(const struct map_node *root, const void *bytes, size_t len);

#endif
