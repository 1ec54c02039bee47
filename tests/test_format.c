/* What another build wrote on the disk is told from damage, named, and left as it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/core/snapshot.h"
#include "node/disk/twin.h"

#define HEAD_SIZE 24

static char folder[64];
static int dir_fd;

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/countersign-format-XXXXXX");
	dir_fd = mkdtemp(folder) ? open(folder, O_RDONLY | O_DIRECTORY) : -1;
	return dir_fd < 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlinkat(dir_fd, "record-1", 0);
	unlinkat(dir_fd, "record-2", 0);
	close(dir_fd);
	return rmdir(folder);
}

/* One copy as a build of this format would write it. */
static void write_format(const char *name, uint32_t format, bool spoil)
{
	uint8_t file[HEAD_SIZE + 8 + 32];
	int fd = openat(dir_fd, name, O_RDWR);

	assert_int_equal(pread(fd, file, sizeof file, 0), sizeof file);
	put_u32be(file + 4, format);
	if (!spoil)
		crypto_generichash(file + HEAD_SIZE + 8, 32, file, HEAD_SIZE + 8, NULL, 0);
	assert_int_equal(pwrite(fd, file, sizeof file, 0), sizeof file);
	close(fd);
}

static void logs_of_another_format(void **state)
{
	static struct twin t;

	(void)state;
	assert_int_equal(twin_open(&t, dir_fd, "record", NULL), 0);
	assert_int_equal(twin_write(&t, "original", 8), 0);
	twin_close(&t);
	write_format("record-2", 7, true); /* A flipped bit in the same place is damage, and mended. */
	assert_int_equal(twin_open(&t, dir_fd, "record", NULL), 0);
	assert_true(t.mended);
	twin_close(&t);
	write_format("record-2", 7, false);
	assert_int_equal(twin_open(&t, dir_fd, "record", NULL), CS_ERR_VERSION);
	assert_int_equal(t.format, 7);
	write_format("record-2", TWIN_FORMAT, false); /* Nothing was changed: the build that it is of reads it. */
	assert_int_equal(twin_open(&t, dir_fd, "record", NULL), 0);
	assert_false(t.mended);
	assert_memory_equal(t.bytes, "original", 8);
	twin_close(&t);
}

static void snapshots_of_another_format(void **state)
{
	uint8_t bytes[SNAPSHOT_SIZE + 8];
	struct snapshot s = {.index = 5, .term = 2, .size = 4}, got;

	(void)state;
	memset(bytes, 0, sizeof bytes);
	assert_int_equal(snapshot_encode(&s, bytes), SNAPSHOT_SIZE_1); /* As builds before wrote it: no digest. */
	assert_int_equal(snapshot_decode(&got, bytes, SNAPSHOT_SIZE_1), 0);
	assert_false(snapshot_has_digest(&got));
	s.digest.b[0] = 1;
	assert_int_equal(snapshot_encode(&s, bytes), SNAPSHOT_SIZE);
	assert_int_equal(snapshot_decode(&got, bytes, SNAPSHOT_SIZE), 0);
	assert_memory_equal(&got, &s, sizeof s);
	assert_int_equal(snapshot_decode(&got, bytes, sizeof bytes), CS_ERR_MALFORMED);
	bytes[3] = '9';
	assert_int_equal(snapshot_decode(&got, bytes, sizeof bytes), CS_ERR_VERSION);
	bytes[3] = 'x';
	assert_int_equal(snapshot_decode(&got, bytes, SNAPSHOT_SIZE), CS_ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(logs_of_another_format, make_folder, remove_folder),
	        cmocka_unit_test(snapshots_of_another_format),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
