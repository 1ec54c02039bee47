/* Measures the room that is left, and judges it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/space.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "ledger/errors.h"

#define MAP_RESERVE_PART 8 /* A small map must not be all reserve. */
#define PATH_SIZE        4200
#define STORED_PART      2 /* What entries take in the map, tiles and half-filled pages among it: twice their bytes. */

/* Files of one folder, none below it; what cannot be looked at is not counted. */
static uint64_t folder_bytes(const char *path, const char *name)
{
	char folder[PATH_SIZE];
	uint64_t bytes = 0;
	struct dirent *e;
	struct stat st;
	DIR *d;

	snprintf(folder, sizeof folder, "%s/%s", path, name);
	d = opendir(folder);
	while (d && (e = readdir(d)))
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_blocks * 512; /* POSIX leaves the unit open; Linux: stat(2). */
	if (d)
		closedir(d);
	return bytes;
}

int space_measure(const char *path, const struct store *store, struct space *ret)
{
	struct space s;
	struct statvfs v;

	if (statvfs(path, &v))
		return CS_ERR_IO;
	s.disk_free = (uint64_t)v.f_bavail * v.f_frsize;
	s.disk_size = (uint64_t)v.f_blocks * v.f_frsize;
	store_room(store, &s.map_free, &s.map_size);
	s.log_bytes = folder_bytes(path, "log");
	s.ledger_bytes = folder_bytes(path, "ledger");
	*ret = s;
	return 0;
}

static uint64_t map_reserve(const struct space *s, uint64_t reserve)
{
	uint64_t part = s->map_size / MAP_RESERVE_PART;

	return part < reserve ? part : reserve;
}

static enum space_level level(uint64_t left, uint64_t reserve, enum space_level before)
{
	static const unsigned eighths[] = {[SPACE_LOW] = 8, [SPACE_SHORT] = 4, [SPACE_FULL] = 2};
	uint64_t eighth = reserve / 8;

	for (unsigned l = SPACE_FULL; l > SPACE_PLENTY; l--)
		if (left < eighth * (eighths[l] + (l <= before)))
			return (enum space_level)l;
	return SPACE_PLENTY;
}

enum space_level space_level(const struct space *s, uint64_t reserve, uint64_t unstored, enum space_level before,
                             enum space_what *ret_what)
{
	uint64_t coming = STORED_PART * unstored;
	enum space_level disk = level(s->disk_free, reserve, before);
	enum space_level map = level(s->map_free > coming ? s->map_free - coming : 0, map_reserve(s, reserve), before);

	*ret_what = map > disk ? SPACE_MAP : SPACE_DISK;
	return map > disk ? map : disk;
}

void space_text(const struct space *s, uint64_t reserve, enum space_what what, char *ret, size_t cap)
{
	if (what == SPACE_MAP)
		snprintf(ret, cap,
		         "the ledger's map: %" PRIu64 " MiB free of %" PRIu64 ", %" PRIu64 " kept (map_size_mib)",
		         s->map_free >> 20, s->map_size >> 20, map_reserve(s, reserve) >> 20);
	else
		snprintf(ret, cap, "the disk: %" PRIu64 " MiB free of %" PRIu64 ", %" PRIu64 " kept in reserve",
		         s->disk_free >> 20, s->disk_size >> 20, reserve >> 20);
}
