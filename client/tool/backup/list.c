/* The list of a backup's files, in the form of sha256sum: any such tool checks it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/list.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#define HEX_SIZE  (2 * HASH_SIZE)
#define LINE_SIZE (HEX_SIZE + 2 + TILEPATH_SIZE + 2)

void backuplist_add_hash(struct backupout *o, const char *path, const struct hash *hash)
{
	char hex[HEX_SIZE + 1], line[LINE_SIZE];

	sodium_bin2hex(hex, sizeof hex, hash->b, HASH_SIZE);
	backupout_write(o, line, (size_t)snprintf(line, sizeof line, "%s  %s\n", hex, path));
}

void backuplist_add(struct backupout *o, const char *path, const void *bytes, size_t len)
{
	struct hash h;

	hash_bytes(&h, bytes, len);
	backuplist_add_hash(o, path, &h);
}

int backuplist_copy(struct backupout *o, const char *name, const struct hash *hash,
                    bool (*drop)(void *ctx, const char *path), void *ctx)
{
	FILE *f = backupout_read(o->dir, name);
	char line[LINE_SIZE], path[LINE_SIZE];
	struct hasher hasher;
	struct hash found;

	if (!f)
		return errno;
	hasher_init(&hasher);
	while (fgets(line, sizeof line, f)) {
		size_t len = strlen(line);

		hasher_update(&hasher, line, len);
		snprintf(path, sizeof path, "%s", len > HEX_SIZE + 3 ? line + HEX_SIZE + 2 : "");
		path[strcspn(path, "\n")] = 0;
		if (!strstr(path, ".p/") && !drop(ctx, path))
			backupout_write(o, line, len);
	}
	int err = ferror(f) ? EIO : o->err;
	fclose(f);
	hasher_final(&hasher, &found);
	return err ? err : hash_equal(&found, hash) ? 0 : -1;
}

/* Nothing leads out of the folder. */
static bool path_good(const char *path)
{
	return (!strncmp(path, "tile/", 5) || !strncmp(path, "bodies/", 7)) && !strstr(path, "..") &&
	       strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789/.") == strlen(path);
}

static bool line_read(char *line, struct hash *ret_hash, char ret_path[TILEPATH_SIZE])
{
	size_t n = strlen(line), got = 0;

	if (n < HEX_SIZE + 4 || line[n - 1] != '\n' || n - HEX_SIZE - 3 >= TILEPATH_SIZE || line[HEX_SIZE] != ' ' ||
	    line[HEX_SIZE + 1] != ' ')
		return false;
	line[n - 1] = 0;
	if (sodium_hex2bin(ret_hash->b, HASH_SIZE, line, HEX_SIZE, NULL, &got, NULL) || got != HASH_SIZE)
		return false;
	memcpy(ret_path, line + HEX_SIZE + 2, n - HEX_SIZE - 2);
	return path_good(ret_path);
}

enum backuplist_fault backuplist_check(int dir, const char *name, backuplist_good_fn good, void *ctx,
                                       char ret_path[TILEPATH_SIZE], int *ret_err)
{
	FILE *f = backupout_read(dir, name);
	enum backuplist_fault fault = LIST_GOOD;
	char line[LINE_SIZE];
	struct hash wanted, found;
	uint64_t len;

	snprintf(ret_path, TILEPATH_SIZE, "%s", name);
	*ret_err = f ? 0 : errno;
	if (!f)
		return LIST_UNREADABLE;
	while (fault == LIST_GOOD && fgets(line, sizeof line, f)) {
		if (!line_read(line, &wanted, ret_path))
			fault = LIST_MALFORMED;
		else if ((*ret_err = backupout_hash(dir, ret_path, &found, &len)))
			fault = LIST_UNREADABLE;
		else if (!hash_equal(&wanted, &found))
			fault = LIST_DIFFERS;
		else
			good(ctx, ret_path);
	}
	if (fault == LIST_GOOD && ferror(f)) {
		snprintf(ret_path, TILEPATH_SIZE, "%s", name);
		*ret_err = EIO;
		fault = LIST_UNREADABLE;
	}
	fclose(f);
	return fault;
}
