/* Fuzzing: seeds of the log's files, made by its own encoders. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "node/disk/configuration.h"
#include "node/disk/disk_internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

#define COPY_SIZE 128 /* Of a twin's file; what follows is zero. */

static void log_entry(struct stream *s, uint64_t index, uint64_t term, const char *text)
{
	uint8_t bytes[600] = {0};

	snprintf((char *)bytes, sizeof bytes, "%s", text);
	stream_record(s, &(struct record){.kind = RECORD_ENTRY,
	                                  .type = RAFT_COMMAND,
	                                  .index = index,
	                                  .term = term,
	                                  .bytes = bytes,
	                                  .len = index % 2 ? sizeof bytes : 8});
}

/* Two segments: three writes, of which the last truncates and goes on in the second segment. */
static void seed_log(void)
{
	const struct segment_place place = {.key = {1, 2, 3}, .sectors = FUZZ_LOG_SECTORS};
	static uint8_t segments[2 * FUZZ_LOG_SECTORS * SECTOR_SIZE];
	static const uint8_t sealed = 1 | 2 << 1, as_it_is = 2 << 1, one = 1 | 1 << 1;
	struct stream s = {.buf = segments};

	stream_begin(&s, FUZZ_LOG_SECTORS);
	log_entry(&s, 1, 1, "one");
	log_entry(&s, 2, 1, "two");
	stream_end(&s, &place, 1, 0, &(struct sector){.write = 1, .last_index = 2, .last_term = 1, .first_index = 1});
	s.buf = segments + 8 * SECTOR_SIZE;
	stream_begin(&s, FUZZ_LOG_SECTORS - 8);
	for (uint64_t i = 3; i < 9; i++)
		log_entry(&s, i, 2, "more");
	stream_end(&s, &place, 1, 8,
	           &(struct sector){.write = 2, .last_index = 8, .last_term = 2, .first_index = 3, .prev_first = 1});
	seed_after("log", "one", &one, 1, segments, 16 * SECTOR_SIZE);
	s.buf = segments + FUZZ_LOG_SECTORS * SECTOR_SIZE;
	stream_begin(&s, FUZZ_LOG_SECTORS);
	stream_record(&s, &(struct record){.kind = RECORD_TRUNCATE, .index = 7});
	log_entry(&s, 7, 3, "instead");
	stream_record(&s, &(struct record){.kind = RECORD_RESET, .index = 20, .term = 3});
	seed("record", "three", s.buf, s.len);
	stream_end(&s, &place, 2, 0, &(struct sector){.write = 3, .last_index = 20, .last_term = 3, .prev_first = 3});
	for (uint32_t i = 16; i < FUZZ_LOG_SECTORS; i++) {
		struct sector blank = {.seq = FUZZ_LOG_SECTORS + i, .of = 1};
		sector_seal(segments + i * SECTOR_SIZE, place.key, &blank);
	}
	seed_after("log", "two", &sealed, 1, segments, (FUZZ_LOG_SECTORS + 8) * SECTOR_SIZE);
	seed_after("log", "as-it-is", &as_it_is, 1, segments, (FUZZ_LOG_SECTORS + 8) * SECTOR_SIZE);
}

static void seed_twin(void)
{
	static struct twin t;
	char folder[] = "/tmp/fuzz-seeds-XXXXXX", path[64];
	uint8_t front[2];
	uint8_t buf[2 * COPY_SIZE];
	size_t n[2], len = 0;

	FUZZ_DEMAND(mkdtemp(folder));
	int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	FUZZ_DEMAND(dir >= 0 && twin_open(&t, dir, "t", NULL) == 0 && twin_write(&t, "record", 6) == 0);
	twin_close(&t);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/t-%u", folder, i + 1);
		FILE *f = fopen(path, "r");
		FUZZ_DEMAND(f);
		n[i] = fread(buf + len, 1, COPY_SIZE, f);
		len += n[i];
		fclose(f);
		unlink(path);
	}
	close(dir);
	rmdir(folder);
	put_u16be(front, (uint16_t)n[0]);
	seed_after("twin", "both", front, 2, buf, len);
}

static void seed_configuration(void)
{
	struct raft_configuration c;
	uint8_t buf[256];

	raft_configuration_init(&c);
	FUZZ_DEMAND(raft_configuration_add(&c, 1, "node-1", RAFT_VOTER) == 0);
	FUZZ_DEMAND(raft_configuration_add(&c, 2, "node-2", RAFT_SPARE) == 0);
	configuration_encode(&c, buf);
	seed("configuration", "two", buf, configuration_size(&c));
	raft_configuration_close(&c);
}

void seeds_of_log(void)
{
	seed_log();
	seed_twin();
	seed_configuration();
}
