/* Proofs of every leaf and of every size of small trees: taken as they are, refused with anything changed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/proof.h"
#include "tests/naive_tree.h"

#define SIZE_MAX_TESTED 70 /* Two levels of odd edges beyond 64. */

static struct hash leaves[SIZE_MAX_TESTED], roots[SIZE_MAX_TESTED + 1];

/* What is checked: one entry's place, or that one size grew out of another. */
struct claim {
	bool inclusion;
	uint64_t a, b; /* Index and size, or old and new size. */
	struct hash first, root;
};

static int check(const struct claim *c, const struct proof *p)
{
	return c->inclusion ? proof_inclusion_check(c->a, c->b, &c->first, p->hashes, p->n, &c->root)
	                    : proof_consistency_check(c->a, c->b, &c->first, &c->root, p->hashes, p->n);
}

static void refuted(const struct claim *c, const struct proof *p, const char *what)
{
	if (check(c, p) != CS_ERR_REFUTED)
		fail_msg("%s %u of %u: not refuted with %s", c->inclusion ? "inclusion" : "consistency", (unsigned)c->a,
		         (unsigned)c->b, what);
}

/* The proof holds; with a hash more, one less, one changed, or another end it does not. */
static void holds_alone(const struct claim *c, const struct proof *good)
{
	struct claim other = *c;
	struct proof p = *good;

	if (check(c, good) != 0)
		fail_msg("%s %u of %u: refuted", c->inclusion ? "inclusion" : "consistency", (unsigned)c->a,
		         (unsigned)c->b);
	p.hashes[p.n++] = leaves[0];
	refuted(c, &p, "a hash more");
	p = *good;
	for (; p.n > 0; p.n--) {
		struct proof less = p;
		less.n--;
		refuted(c, &less, "fewer hashes");
	}
	for (unsigned i = 0; i < good->n; i++) {
		p = *good;
		p.hashes[i].b[i % HASH_SIZE] ^= 1;
		refuted(c, &p, "a hash that is changed");
	}
	other.first.b[0] ^= 1;
	refuted(&other, good, "another beginning");
	other = *c;
	other.root.b[31] ^= 1;
	refuted(&other, good, "another root");
}

static int setup(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < SIZE_MAX_TESTED; i++) {
		uint8_t entry[4];

		put_u32be(entry, i);
		hash_leaf(&leaves[i], entry, sizeof entry);
	}
	for (unsigned n = 0; n <= SIZE_MAX_TESTED; n++)
		naive_root(leaves, n, &roots[n]);
	return 0;
}

static void test_inclusion(void **state)
{
	(void)state;
	for (unsigned size = 1; size <= SIZE_MAX_TESTED; size++)
		for (unsigned i = 0; i < size; i++) {
			struct claim c = {
			        .inclusion = true, .a = i, .b = size, .first = leaves[i], .root = roots[size]};
			struct proof p = {.n = 0};

			naive_path(leaves, i, size, &p);
			holds_alone(&c, &p);
			c.a = size;
			refuted(&c, &p, "an index behind the last");
		}
}

static void test_consistency(void **state)
{
	(void)state;
	for (unsigned size = 1; size <= SIZE_MAX_TESTED; size++)
		for (unsigned old = 1; old <= size; old++) {
			struct claim c = {.a = old, .b = size, .first = roots[old], .root = roots[size]};
			struct proof p = {.n = 0};

			naive_subproof(leaves, old, size, 1, &p);
			holds_alone(&c, &p);
			c.a = 0;
			refuted(&c, &p, "no old tree");
			c.a = size + 1;
			refuted(&c, &p, "an old size above the new");
		}
}

/* More hashes than any tree has levels are not looked at. */
static void test_too_long(void **state)
{
	struct hash h = {{0}}, proof[1] = {{{0}}};

	(void)state;
	assert_int_equal(proof_inclusion_check(0, UINT64_MAX, &h, proof, LIMIT_PROOF_HASHES_MAX + 1, &h),
	                 CS_ERR_REFUTED);
	assert_int_equal(proof_consistency_check(1, UINT64_MAX, &h, &h, proof, LIMIT_PROOF_HASHES_MAX + 1),
	                 CS_ERR_REFUTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_inclusion), cmocka_unit_test(test_consistency),
	                                   cmocka_unit_test(test_too_long)};

	return cmocka_run_group_tests(tests, setup, NULL);
}
