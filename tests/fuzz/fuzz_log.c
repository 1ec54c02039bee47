/* Fuzzing: the log as a disk gives it back: segments, records, twins, configurations. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/disk/configuration.h"
#include "node/disk/record.h"
#include "node/disk/scan.h"
#include "node/disk/twin.h"
#include "tests/fuzz/fuzz.h"

#define SEGMENT_BYTES (FUZZ_LOG_SECTORS * SECTOR_SIZE)

static char folder[256];

static void folder_remove(void)
{
	char command[sizeof folder + 16];

	snprintf(command, sizeof command, "rm -rf -- '%s'", folder);
	if (system(command))
		perror(folder);
}

/* One folder in memory for the whole process, emptied by each target. */
static int folder_fd(void)
{
	static int fd = -1;

	if (fd < 0) {
		const char *tmp = getenv("TMPDIR");
		/* In memory where there is such a place. */
		if (access("/dev/shm", W_OK) == 0)
			tmp = "/dev/shm";
		snprintf(folder, sizeof folder, "%s/countersign-fuzz-XXXXXX", tmp ? tmp : "/tmp");
		FUZZ_DEMAND(mkdtemp(folder));
		atexit(folder_remove);
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		FUZZ_DEMAND(fd >= 0);
	}
	return fd;
}

static void file_write(const char *name, const uint8_t *bytes, size_t len)
{
	int fd = openat(folder_fd(), name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	FUZZ_DEMAND(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

/* The fields of the trailer at p as they are, with a sum that fits: else no change would ever be read. */
static void seal_again(uint8_t *p, const struct segment_place *place)
{
	const uint8_t *t = p + SECTOR_ROOM;
	struct sector s = {.seq = get_u64be(t),
	                   .write = get_u64be(t + 8),
	                   .at = get_u16be(t + 16),
	                   .of = get_u16be(t + 18),
	                   .last_index = get_u64be(t + 24),
	                   .last_term = get_u64be(t + 32),
	                   .first_index = get_u64be(t + 40),
	                   .prev_first = get_u64be(t + 48)};

	sector_seal(p, place->key, &s);
}

/* Segment `number` with these bytes at its beginning, blank from there. */
static void segment_make(const struct segment_place *place, uint64_t number, const uint8_t *bytes, size_t len,
                         bool seal)
{
	static uint8_t all[SEGMENT_BYTES];
	char name[SEGMENT_NAME_SIZE];

	len = len < sizeof all ? len : sizeof all;
	for (uint32_t i = 0; i < FUZZ_LOG_SECTORS; i++) {
		struct sector blank = {.seq = number * FUZZ_LOG_SECTORS + i, .of = 1};
		memset(all + i * SECTOR_SIZE, 0, SECTOR_SIZE);
		sector_seal(all + i * SECTOR_SIZE, place->key, &blank);
	}
	memcpy(all, bytes, len);
	for (uint32_t i = 0; seal && i < (len + SECTOR_SIZE - 1) / SECTOR_SIZE; i++)
		seal_again(all + i * SECTOR_SIZE, place);
	segment_name(name, number);
	file_write(name, all, sizeof all);
}

static void check_scan(struct scan *s)
{
	FUZZ_DEMAND(s->n <= s->cap && s->n_torn <= 1 && s->at <= FUZZ_LOG_SECTORS);
	FUZZ_DEMAND(memchr(s->text, 0, sizeof s->text));
	for (size_t i = 0; i < s->n; i++) {
		FUZZ_DEMAND((s->slots[i].state == SLOT_MISSING) == (s->slots[i].base == NULL) || s->slots[i].len == 0);
		FUZZ_DEMAND(scan_slot(s, s->first + i) == &s->slots[i]);
	}
}

/*
 * The first byte: bit 0, whether sectors are sealed anew; bits 1 and 2, how many segments. Reading it twice says the
 * same, but that what was torn is no longer there.
 */
void fuzz_log(const uint8_t *bytes, size_t len)
{
	struct segment_place place = {.dir_fd = folder_fd(), .key = {1, 2, 3}, .sectors = FUZZ_LOG_SECTORS};
	struct scan first, second;
	unsigned n = len > 0 ? bytes[0] >> 1 & 3 : 0;

	for (uint64_t i = 1; i <= 4; i++)
		(void)segment_remove(&place, i);
	for (unsigned i = 0; i < n; i++) {
		size_t at = 1 + (size_t)i * SEGMENT_BYTES;
		at = at < len ? at : len;
		segment_make(&place, i + 1, bytes + at, len - at, bytes[0] & 1);
	}
	int err = scan_log(&place, 1, &first);
	if (err) {
		FUZZ_DEMAND(err == CS_ERR_DAMAGED && memchr(first.text, 0, sizeof first.text) && first.text[0]);
		scan_free(&first);
		return;
	}
	check_scan(&first);
	err = scan_log(&place, 1, &second);
	FUZZ_DEMAND(err == 0);
	check_scan(&second);
	FUZZ_DEMAND(second.n == first.n && second.first == first.first && second.n_lost == first.n_lost);
	FUZZ_DEMAND(second.n_torn == 0 || first.n_lost > 0);
	scan_free(&first);
	scan_free(&second);
}

void fuzz_record(const uint8_t *bytes, size_t len)
{
	const uint8_t *p = bytes, *before = p, *end = bytes + len;
	uint8_t head[RECORD_HEAD_SIZE];
	struct record r;

	while (record_next(&p, end, &r) == 1) {
		record_head(head, &r);
		FUZZ_DEMAND(memcmp(head, before, sizeof head) == 0);
		FUZZ_DEMAND(r.bytes == before + sizeof head && p == r.bytes + r.len && p <= end);
		before = p;
	}
}

/* Both copies of a record, the length of the first before them. */
void fuzz_twin(const uint8_t *bytes, size_t len)
{
	static struct twin t, again;

	if (len < 2)
		return;
	size_t n = get_u16be(bytes) < len - 2 ? get_u16be(bytes) : len - 2;
	file_write("t-1", bytes + 2, n);
	file_write("t-2", bytes + 2 + n, len - 2 - n);
	int err = twin_open(&t, folder_fd(), "t", NULL);
	if (err) {
		FUZZ_DEMAND(err == CS_ERR_DAMAGED);
		return;
	}
	FUZZ_DEMAND(t.len <= TWIN_SIZE_MAX);
	FUZZ_DEMAND(twin_write(&t, "new", 3) == 0);
	uint64_t generation = t.generation;
	twin_close(&t);
	FUZZ_DEMAND(twin_open(&again, folder_fd(), "t", NULL) == 0);
	FUZZ_DEMAND(again.generation == generation && again.len == 3 && !again.mended);
	FUZZ_DEMAND(memcmp(again.bytes, "new", 3) == 0);
	twin_close(&again);
}

void fuzz_configuration(const uint8_t *bytes, size_t len)
{
	struct raft_configuration c, back;

	raft_configuration_init(&c);
	if (configuration_decode(bytes, len, &c) == 0) {
		size_t size = configuration_size(&c);
		uint8_t *again = malloc(size);

		FUZZ_DEMAND(again);
		configuration_encode(&c, again);
		raft_configuration_init(&back);
		FUZZ_DEMAND(configuration_decode(again, size, &back) == 0 && back.n == c.n);
		raft_configuration_close(&back);
		free(again);
	}
	raft_configuration_close(&c);
}
