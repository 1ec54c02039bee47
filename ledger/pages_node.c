/* One page of LMDB's file: is it what it must be, whatever is in it? */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/errors.h"
#include "ledger/pages_internal.h"

int pages_compare(const struct walk *w, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	if (w->tree->flags & MDB_INTEGER) {
		uint64_t x = get64(a), y = get64(b);
		return x < y ? -1 : x > y;
	}
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order ? order : a_len < b_len ? -1 : a_len > b_len;
}

bool pages_node(const struct walk *w, const uint8_t *page, unsigned i, bool leaf, struct node *ret)
{
	const uint32_t size = w->p->page_size;
	uint32_t at = get16(page + PAGE_HEAD + 2 * i);

	if (at % 2 || at < get16(page + 14) || at > size - NODE_HEAD)
		return false;
	const uint8_t *n = page + at;
	size_t left = size - at - NODE_HEAD, stored;
	*ret = (struct node){.flags = get16(n + 4), .key_len = get16(n + 6), .key = n + NODE_HEAD};
	if (ret->key_len > left || ret->key_len > PAGES_KEY_MAX ||
	    (w->tree->flags & MDB_INTEGER && leaf && ret->key_len != 8))
		return false;
	ret->data = ret->key + ret->key_len;
	ret->data_len = get16(n) | (size_t)get16(n + 2) << 16;
	ret->child = ret->data_len | (uint64_t)ret->flags << 32;
	if (leaf && ret->flags & ~(F_BIGDATA | F_SUBDATA))
		return false;
	stored = !leaf ? 0 : ret->flags & F_BIGDATA ? 8 : ret->data_len;
	if (stored > left - ret->key_len)
		return false;
	ret->size = (NODE_HEAD + ret->key_len + stored + 1) & ~(size_t)1;
	return true;
}

/* The page's nodes fill it from `upper` to its end, and their keys rise, within the bounds that the page above gives.
 */
static const char *nodes_check(const struct walk *w, const uint8_t *page, bool leaf, struct bound low,
                               struct bound high)
{
	unsigned n = (unsigned)(get16(page + 12) - PAGE_HEAD) / 2;
	struct node node, before = {0};
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!pages_node(w, page, i, leaf, &node))
			return "a record reaches out of its page";
		sum += node.size;
		if (!leaf && i == 0) /* LMDB looks at no branch's first key. */
			continue;
		if (w->tree->flags & MDB_INTEGER && node.key_len != 8)
			return "a key has another length";
		if (node.key_len == 0)
			return "a key is empty";
		if ((i > (leaf ? 0u : 1u)) && pages_compare(w, before.key, before.key_len, node.key, node.key_len) >= 0)
			return "its keys are not in order";
		if ((low.key && pages_compare(w, node.key, node.key_len, low.key, low.len) < 0) ||
		    (high.key && pages_compare(w, node.key, node.key_len, high.key, high.len) >= 0))
			return "a key does not belong there";
		before = node;
	}
	return sum == w->p->page_size - get16(page + 14) ? NULL : "its records do not fill it";
}

static const char *head_check(const struct walk *w, const uint8_t *page, uint64_t number, bool leaf)
{
	unsigned lower = get16(page + 12), upper = get16(page + 14);

	if (get64(page) != number)
		return "another page's number is in it";
	if (get16(page + 10) != (leaf ? P_LEAF : P_BRANCH))
		return "it is of another kind";
	if (lower < PAGE_HEAD || lower % 2 || lower > upper || upper > w->p->page_size)
		return "its head is wrong";
	if (lower == PAGE_HEAD || (!leaf && lower == PAGE_HEAD + 2))
		return "it is empty";
	return NULL;
}

const char *pages_seen(struct pages *p, uint64_t from, uint64_t n)
{
	for (uint64_t i = from; p->seen && i < from + n; i++) {
		if (p->seen[i / 8] >> i % 8 & 1)
			return "it is in use twice, or free and in use";
		p->seen[i / 8] |= (uint8_t)(1u << i % 8);
	}
	return NULL;
}

const char *pages_read_text(int err)
{
	return err == CS_ERR_NOT_FOUND ? "the file ends before it" : "it cannot be read";
}

/* The page at a depth of the walk into its buffer; what is wrong with it, or NULL. */
const char *pages_load(struct walk *w, uint64_t number, unsigned depth, bool leaf, struct bound low, struct bound high)
{
	struct pages *p = w->p;
	const char *what;

	if (number < PAGES_META || number > p->last_page)
		return "there is no such page";
	what = pages_seen(p, number, 1);
	if (what)
		return what;
	int err = p->source.read(p->source.ctx, number * p->page_size, p->level[depth], p->page_size);
	p->pages_read++;
	if (err)
		return pages_read_text(err);
	what = head_check(w, p->level[depth], number, leaf);
	return what ? what : nodes_check(w, p->level[depth], leaf, low, high);
}
