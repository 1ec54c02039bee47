/* Finds and reads public test vectors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

void vectors_path(char *buf, size_t cap, const char *name)
{
	const char *dir = getenv("CS_VECTORS"), *srcdir = getenv("srcdir");
	int n = dir != NULL ? snprintf(buf, cap, "%s/%s", dir, name)
	                    : snprintf(buf, cap, "%s/../shared/vectors/%s", srcdir != NULL ? srcdir : ".", name);

	assert_in_range(n, 1, cap - 1);
	if (access(buf, R_OK) != 0) {
		print_message("no vectors at %s (set CS_VECTORS)\n", buf);
		skip();
	}
}

uint8_t *vectors_read(const char *path, size_t *ret_len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes;
	long len;

	if (f == NULL)
		fail_msg("cannot open %s", path);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	len = ftell(f);
	assert_true(len >= 0);
	rewind(f);
	bytes = malloc((size_t)len + 1);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, (size_t)len, f), len);
	bytes[len] = '\0';
	fclose(f);
	*ret_len = (size_t)len;
	return bytes;
}
