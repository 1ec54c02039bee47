/* The map of the LMDB double: a treap, of which a transaction copies the path that it changes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/lmdb_map.h"

#include <string.h>

#include "tests/sim/memory.h"

static int order(const void *a, size_t a_len, const void *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

/* FNV-1a, mixed: the priorities, and with them the shape, depend on nothing but the keys. */
static uint64_t priority_of(const uint8_t *key, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ key[i]) * UINT64_C(0x100000001b3);
	h = (h ^ h >> 31) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint8_t *copy_of(const void *bytes, size_t len)
{
	uint8_t *p = memory_lasting(len + 1);

	if (len)
		memcpy(p, bytes, len);
	return p;
}

/* The node itself if this version made it, else a copy of it. */
static struct map_node *own(struct map_node *n, uint64_t version)
{
	struct map_node *c;

	if (n->version == version)
		return n;
	c = memory_lasting(sizeof *c);
	*c = *n;
	c->version = version;
	return c;
}

static struct map_node *rotate_right(struct map_node *n)
{
	struct map_node *l = n->left;

	n->left = l->right;
	l->right = n;
	return l;
}

static struct map_node *rotate_left(struct map_node *n)
{
	struct map_node *r = n->right;

	n->right = r->left;
	r->left = n;
	return r;
}

static struct map_node *put(struct map_node *n, const struct map_node *what, bool *ret_new)
{
	int c;

	if (!n) {
		n = memory_lasting(sizeof *n);
		*n = *what;
		n->key = copy_of(what->key, what->key_len);
		n->priority = priority_of(n->key, n->key_len);
		*ret_new = true;
		return n;
	}
	n = own(n, what->version);
	c = order(what->key, what->key_len, n->key, n->key_len);
	if (c == 0) {
		n->value = what->value;
		n->value_len = what->value_len;
	} else if (c < 0) {
		n->left = put(n->left, what, ret_new);
		if (n->left->priority > n->priority)
			return rotate_right(n);
	} else {
		n->right = put(n->right, what, ret_new);
		if (n->right->priority > n->priority)
			return rotate_left(n);
	}
	return n;
}

bool map_put(struct map_node **root, uint64_t version, const void *key, size_t key_len, const void *value,
             size_t value_len)
{
	const struct map_node what = {.version = version,
	                              .key = (uint8_t *)(uintptr_t)key,
	                              .key_len = key_len,
	                              .value = copy_of(value, value_len),
	                              .value_len = value_len};
	bool is_new = false;

	*root = put(*root, &what, &is_new);
	return is_new;
}

static struct map_node *join(struct map_node *a, struct map_node *b, uint64_t version)
{
	if (!a || !b)
		return a ? a : b;
	if (a->priority > b->priority) {
		a = own(a, version);
		a->right = join(a->right, b, version);
		return a;
	}
	b = own(b, version);
	b->left = join(a, b->left, version);
	return b;
}

static struct map_node *cut(struct map_node *n, uint64_t version, const void *key, size_t key_len)
{
	int c = order(key, key_len, n->key, n->key_len);

	if (c == 0)
		return join(n->left, n->right, version);
	n = own(n, version);
	if (c < 0)
		n->left = cut(n->left, version, key, key_len);
	else
		n->right = cut(n->right, version, key, key_len);
	return n;
}

bool map_remove(struct map_node **root, uint64_t version, const void *key, size_t key_len)
{
	if (!map_find(*root, key, key_len))
		return false;
	*root = cut(*root, version, key, key_len);
	return true;
}

const struct map_node *map_find(const struct map_node *n, const void *key, size_t key_len)
{
	while (n) {
		int c = order(key, key_len, n->key, n->key_len);
		if (c == 0)
			return n;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

const struct map_node *map_from(const struct map_node *n, const void *key, size_t key_len, bool after)
{
	const struct map_node *best = NULL;

	while (n) {
		int c = key ? order(n->key, n->key_len, key, key_len) : 1;
		if (c > 0 || (c == 0 && !after)) {
			best = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

const struct map_node *map_last(const struct map_node *n)
{
	while (n && n->right)
		n = n->right;
	return n;
}

const struct map_node *map_holding(const struct map_node *n, const void *bytes, size_t len)
{
	const struct map_node *found = NULL;

	if (!n)
		return NULL;
	if (memmem(n->value, n->value_len, bytes, len) || memmem(n->key, n->key_len, bytes, len))
		return n;
	found = map_holding(n->left, bytes, len);
	return found ? found : map_holding(n->right, bytes, len);
}
