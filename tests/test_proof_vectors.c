/* Inclusion and consistency proofs of transparency-dev/merkle, good ones and corrupted ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "ledger/errors.h"
#include "ledger/note.h"
#include "ledger/proof.h"
#include "tests/vectors.h"

#define FILES_MIN 50 /* In each of the two folders; a folder that shrank tests nothing. */

static unsigned files;

static json_t *member(const json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	if (value == NULL)
		fail_msg("no member %s", name);
	return value;
}

/* From the text itself: some numbers are beyond jansson's range, 2^63-1. */
static uint64_t number(const char *text, const char *name)
{
	char quoted[32];
	const char *found;

	snprintf(quoted, sizeof(quoted), "\"%s\": ", name);
	found = strstr(text, quoted);
	if (found == NULL)
		fail_msg("no number %s", name);
	return strtoull(found + strlen(quoted), NULL, 10);
}

/*
 * Some vectors hold roots or hashes that are not 32 bytes long. A leaf hash of them stands for such: equal ones stay
 * equal, different ones different, which is all that their outcomes hang on.
 */
static struct hash as_hash(const json_t *value)
{
	uint8_t bytes[256];
	struct hash h;
	size_t len;

	assert_int_equal(base64_decode(json_string_value(value), json_string_length(value), bytes, sizeof(bytes), &len),
	                 0);
	if (len == HASH_SIZE)
		memcpy(h.b, bytes, HASH_SIZE);
	else
		hash_leaf(&h, bytes, len);
	return h;
}

static unsigned read_proof(const json_t *object, struct hash *ret)
{
	const json_t *proof = member(object, "proof"); /* null: empty */
	size_t n = json_array_size(proof);

	assert_true(n <= LIMIT_PROOF_HASHES_MAX);
	for (size_t i = 0; i < n; i++)
		ret[i] = as_hash(json_array_get(proof, i));
	return (unsigned)n;
}

static int check_file(const json_t *v, const char *text)
{
	struct hash proof[LIMIT_PROOF_HASHES_MAX], a, b;
	unsigned n = read_proof(v, proof);

	if (json_object_get(v, "leafIdx") != NULL) {
		a = as_hash(member(v, "leafHash"));
		b = as_hash(member(v, "root"));
		return proof_inclusion_check(number(text, "leafIdx"), number(text, "treeSize"), &a, proof, n, &b);
	}
	a = as_hash(member(v, "root1"));
	b = as_hash(member(v, "root2"));
	return proof_consistency_check(number(text, "size1"), number(text, "size2"), &a, &b, proof, n);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *where)
{
	const char *dot = strrchr(path, '.');
	int expected, found;
	json_error_t error;
	uint8_t *text;
	size_t len;
	json_t *v;

	(void)st, (void)where;
	if (type != FTW_F || dot == NULL || strcmp(dot, ".json") != 0)
		return 0;
	text = vectors_read(path, &len);
	v = json_loadb((const char *)text, len, JSON_DECODE_INT_AS_REAL, &error);
	if (v == NULL)
		fail_msg("%s: %s", path, error.text);
	expected = json_is_true(member(v, "wantErr")) ? CS_ERR_REFUTED : 0;
	found = check_file(v, (const char *)text);
	if (found != expected)
		fail_msg("%s: expected %s, found %s", path, err_text(expected), err_text(found));
	json_decref(v);
	free(text);
	files++;
	return 0;
}

static void check_folder(const char *name)
{
	char path[4096];

	vectors_path(path, sizeof(path), name);
	files = 0;
	assert_int_equal(nftw(path, visit, 8, FTW_PHYS), 0);
	assert_true(files >= FILES_MIN);
	print_message("%s: %u files\n", name, files);
}

static void test_inclusion(void **state)
{
	(void)state;
	check_folder("merkle/inclusion");
}

static void test_consistency(void **state)
{
	(void)state;
	check_folder("merkle/consistency");
}

/* Lengths at the ends of the number range: no overflow, no shift beyond the type. */
static void test_extremes(void **state)
{
	struct hash h = {{0}}, proof[LIMIT_PROOF_HASHES_MAX + 1] = {{{0}}};
	static const uint64_t sizes[] = {0, 1, 2, (uint64_t)1 << 63, UINT64_MAX - 1, UINT64_MAX};

	(void)state;
	for (unsigned n = 0; n <= LIMIT_PROOF_HASHES_MAX + 1; n++)
		for (size_t i = 0; i < 6; i++)
			for (size_t k = 0; k < 6; k++) {
				int equal = sizes[i] == sizes[k] && sizes[i] > 0 && n == 0;
				int alone = sizes[i] == 0 && sizes[k] == 1 && n == 0;

				assert_int_equal(proof_inclusion_check(sizes[i], sizes[k], &h, proof, n, &h),
				                 alone ? 0 : CS_ERR_REFUTED);
				assert_int_equal(proof_consistency_check(sizes[i], sizes[k], &h, &h, proof, n),
				                 equal ? 0 : CS_ERR_REFUTED);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_inclusion),
	        cmocka_unit_test(test_consistency),
	        cmocka_unit_test(test_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
