/* The log's metadata: whose it is, its key and sizes, term and vote; found, or made with a new log. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/disk/disk_internal.h"

/* Node u64 | key 16 | sectors of a segment u32 | zero u32 | the five numbers of struct meta, u64 each. */
#define META_SIZE 72

int metadata_write(struct disk *d)
{
	uint8_t b[META_SIZE];

	put_u64be(b, d->o.id);
	memcpy(b + 8, d->place.key, SECTOR_KEY_SIZE);
	put_u32be(b + 24, d->place.sectors);
	put_u32be(b + 28, 0);
	put_u64be(b + 32, d->meta.term);
	put_u64be(b + 40, d->meta.vote);
	put_u64be(b + 48, d->meta.begin);
	put_u64be(b + 56, d->meta.rewriting);
	put_u64be(b + 64, d->meta.lost_term);
	return twin_write(&d->meta_twin, b, sizeof b);
}

/* A record of this length; what it says is looked at afterwards. */
static bool meta_fits(const uint8_t *bytes, size_t len)
{
	(void)bytes;
	return len == META_SIZE;
}

static int read_meta(struct disk *d, char *text)
{
	const uint8_t *b = d->meta_twin.bytes;

	if (get_u64be(b) != d->o.id) {
		snprintf(text, DISK_TEXT_SIZE, "the log's metadata are of another node");
		return CS_ERR_DAMAGED;
	}
	memcpy(d->place.key, b + 8, SECTOR_KEY_SIZE);
	d->place.sectors = get_u32be(b + 24);
	d->meta.term = get_u64be(b + 32);
	d->meta.vote = get_u64be(b + 40);
	d->meta.begin = get_u64be(b + 48);
	d->meta.rewriting = get_u64be(b + 56);
	d->meta.lost_term = get_u64be(b + 64);
	if (d->place.sectors % BLOCK_SECTORS != 0 || d->place.sectors == 0 ||
	    segment_size(&d->place) > DISK_SEGMENT_SIZE_MAX || d->meta.begin == 0) {
		snprintf(text, DISK_TEXT_SIZE, "the log's metadata make no sense");
		return CS_ERR_DAMAGED;
	}
	return 0;
}

static int make_meta(struct disk *d, char *text)
{
	uint64_t *numbers = NULL;
	unsigned n;
	int err = segment_list(&d->place, &numbers, &n);

	free(numbers);
	if (!err && (n > 0 || d->snapshot_twin.generation)) {
		snprintf(text, DISK_TEXT_SIZE, "the log's metadata are gone, but there are %u segments", n);
		return CS_ERR_DAMAGED;
	}
	randombytes_buf(d->place.key, SECTOR_KEY_SIZE);
	d->place.sectors = d->o.segment_size / BLOCK_SIZE * BLOCK_SECTORS;
	d->meta.begin = 1;
	return err ? err : metadata_write(d);
}

static int other_format(const struct twin *t, const char *what, char *text)
{
	snprintf(text, DISK_TEXT_SIZE, "%s is of format %" PRIu32 ", this build knows format %d", what, t->format,
	         TWIN_FORMAT);
	return CS_ERR_VERSION;
}

int metadata_open(struct disk *d, char *text)
{
	int err = twin_open(&d->meta_twin, d->place.dir_fd, "metadata", meta_fits);

	if (err == CS_ERR_VERSION)
		return other_format(&d->meta_twin, "the log", text);
	if (err)
		snprintf(text, DISK_TEXT_SIZE, "the log's metadata: %s (both copies)", err_text(err));
	if (!err) {
		err = twin_open(&d->snapshot_twin, d->place.dir_fd, "snapshot", snapshot_fits);
		if (!err)
			snapshot_open(d);
		if (err == CS_ERR_VERSION)
			return other_format(&d->snapshot_twin, "the log's snapshot", text);
		if (err)
			snprintf(text, DISK_TEXT_SIZE, "the log's snapshot: %s (both copies)", err_text(err));
	}
	if (err)
		return err;
	return d->meta_twin.generation ? read_meta(d, text) : make_meta(d, text);
}
