/* Another checkpoint of the same ledger, which a backup must not contradict. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/shown.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/auditstate.h"
#include "client/tool/backup/read.h"
#include "client/tool/exportfile.h"
#include "client/tool/files.h"
#include "client/tool/tool.h"
#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "ledger/tilepath.h"
#include "ledger/tree.h"
#include "node/decide/command_erase.h"

#define BUNDLE_MAX ((size_t)TREE_TILE_WIDTH * (2 + LIMIT_ENTRY_SIZE_MAX))

static int take_note(const char *command, const char *text, size_t len, const struct verify_policy *trust,
                     struct shown *ret)
{
	struct verify_result *r = malloc(sizeof *r);
	struct note n;
	int code = 0;

	if (!r)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	verify_checkpoint(trust, text, len, r);
	if (r->outcome == VERIFY_REFUTED || r->n_log_signatures == 0 || note_parse(&n, text, len) ||
	    checkpoint_parse(&ret->checkpoint, n.text, n.text_len))
		code = tool_fail(EXIT_USAGE, command, "%s: is no checkpoint that the trust policy knows: %s", ret->path,
		                 r->reason);
	free(r);
	ret->there = !code;
	return code;
}

static int take_file(const char *command, const struct verify_policy *trust, struct shown *ret)
{
	struct auditstate *state = malloc(sizeof *state);
	const char *reason;
	char *bytes = NULL;
	size_t len;
	int err = files_read(ret->path, AUDITSTATE_SIZE_MAX, &bytes, &len), code;

	if (err || !state)
		code = tool_fail(EXIT_USAGE, command, "%s: %s", ret->path, strerror(err ? err : ENOMEM));
	else if (auditstate_decode(state, bytes, len, &reason) == 0)
		code = take_note(command, state->note, state->note_len, trust, ret);
	else
		code = take_note(command, bytes, len, trust, ret);
	free(bytes);
	free(state);
	return code;
}

int shown_open(const char *command, const char *path, const struct verify_policy *trust, struct shown *ret)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	struct stat st;
	size_t len;

	*ret = (struct shown){.path = path, .folder = -1};
	if (stat(path, &st))
		return tool_fail(EXIT_USAGE, command, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return take_file(command, trust, ret);
	ret->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = ret->folder < 0
	                  ? errno
	                  : exportfile_read(ret->folder, EXPORTFILE_CHECKPOINT, (uint8_t *)note, sizeof note, &len);
	if (err)
		return tool_fail(EXIT_USAGE, command, "%s/" EXPORTFILE_CHECKPOINT ": %s", path, strerror(err));
	return take_note(command, note, len, trust, ret);
}

void shown_close(struct shown *s)
{
	if (s->path && s->folder >= 0)
		close(s->folder);
	s->path = NULL;
}

/* Of the tree of the checkpoint's size: the tile as wide as it is there. */
static int tile_read(void *ctx, unsigned level, uint64_t n, unsigned width, struct hash *out)
{
	const struct shown *s = ctx;
	uint64_t hashes = s->checkpoint.size >> (8 * level), there = hashes - n * TREE_TILE_WIDTH;
	struct hash tile[TREE_TILE_WIDTH];
	char path[TILEPATH_SIZE];
	size_t len;

	if (hashes <= n * TREE_TILE_WIDTH)
		return CS_ERR_NOT_FOUND;
	if (there > TREE_TILE_WIDTH)
		there = TREE_TILE_WIDTH;
	if (width > there)
		return CS_ERR_NOT_FOUND;
	tilepath(level, n, (unsigned)there, path);
	if (exportfile_read(s->folder, path, (uint8_t *)tile, sizeof tile, &len) || len != there * HASH_SIZE)
		return CS_ERR_DAMAGED;
	memcpy(out, tile, width * HASH_SIZE);
	return 0;
}

int shown_root(const struct shown *s, uint64_t size, struct hash *ret)
{
	struct shown copy = *s;
	struct tree_tiles tiles = {.read = tile_read, .ctx = &copy};
	struct hash own;

	if (size == s->checkpoint.size) {
		*ret = s->checkpoint.root;
		return 0;
	}
	if (s->folder < 0 || size > s->checkpoint.size)
		return CS_ERR_NOT_FOUND;
	if (tiles_root(&tiles, s->checkpoint.size, &own) || !hash_equal(&own, &s->checkpoint.root))
		return CS_ERR_REFUTED;
	return tiles_root(&tiles, size, ret) ? CS_ERR_REFUTED : 0;
}

/* --- erasures --- */

static bool erases_subject(const uint8_t *leaf, size_t len)
{
	uint64_t target = 0;
	struct reader r;
	struct entry e;
	uint32_t n;

	if (entry_decode(&e, leaf, len) || e.kind != ENTRY_ERASED)
		return false;
	reader_init(&r, e.public_, e.public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	reader_uint(&r, UINT64_MAX, &target);
	return !r.err && target == ERASE_SUBJECT;
}

static int count_bundle(const struct shown *s, uint64_t n, uint64_t from, uint8_t *bytes, uint64_t *ret)
{
	uint64_t first = n * TREE_TILE_WIDTH, left = s->checkpoint.size - first;
	unsigned width = left < TREE_TILE_WIDTH ? (unsigned)left : TREE_TILE_WIDTH;
	char path[TILEPATH_SIZE];
	size_t len, at = 0;

	tilepath(TILEPATH_ENTRIES, n, width, path);
	if (exportfile_read(s->folder, path, bytes, BUNDLE_MAX, &len))
		return CS_ERR_IO;
	for (unsigned i = 0; i < width; i++) {
		size_t size = len - at < 2 ? SIZE_MAX : get_u16be(bytes + at);

		if (len - at < 2 || size > len - at - 2)
			return CS_ERR_MALFORMED;
		*ret += first + i >= from && erases_subject(bytes + at + 2, size);
		at += 2 + size;
	}
	return 0;
}

int shown_erasures(const struct shown *s, uint64_t from, uint64_t *ret)
{
	uint8_t *bytes = s->folder < 0 ? NULL : malloc(BUNDLE_MAX);
	int err = s->folder < 0 ? CS_ERR_NOT_FOUND : bytes ? 0 : CS_ERR_NOMEM;

	*ret = 0;
	for (uint64_t n = from / TREE_TILE_WIDTH; n * TREE_TILE_WIDTH < s->checkpoint.size && !err; n++)
		err = count_bundle(s, n, from, bytes, ret);
	free(bytes);
	return err;
}
