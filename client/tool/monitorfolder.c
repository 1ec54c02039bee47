/* A monitor's folder: what it has checked, and the record of what it cosigns, synced before it signs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/monitorfolder.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/keys.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "node/wire/keyfile.h"

#define RECORD_SIZE_MAX 1024

/* --- the record: its format, the key, the checkpoint's three lines --- */

static int record_write(const char *command, const struct monitorfolder *f, const struct monitorrecord *r,
                        const char *origin)
{
	char text[RECORD_SIZE_MAX], vkey[KEYS_VKEY_SIZE], body[RECORD_SIZE_MAX / 2];
	struct checkpoint c = {.size = r->size, .root = r->root};
	size_t len;

	snprintf(c.origin, sizeof c.origin, "%s", origin);
	if (note_key_format(&f->key, vkey, sizeof vkey) || checkpoint_format(&c, body, sizeof body, &len))
		return EXIT_LOCAL;
	int n = snprintf(text, sizeof text, MONITORFOLDER_FORMAT "\n%s\n%s", vkey, body);
	return monitorfolder_put(command, f, MONITORFOLDER_SIGNED, text, (size_t)n);
}

static int record_read(const char *command, struct monitorfolder *f)
{
	char path[FILES_PATH_SIZE], *text = NULL, vkey[KEYS_VKEY_SIZE], head[RECORD_SIZE_MAX];
	struct checkpoint c;
	size_t size = 0;
	int code = 0;

	if (!files_join(path, f->dir, MONITORFOLDER_SIGNED) || note_key_format(&f->key, vkey, sizeof vkey))
		return tool_fail(EXIT_LOCAL, command, "%s: the path is too long", f->dir);
	int err = files_read(path, RECORD_SIZE_MAX, &text, &size);
	if (err)
		return err == ENOENT ? 0 : tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(err));
	int n = snprintf(head, sizeof head, MONITORFOLDER_FORMAT "\n%s\n", vkey);
	if (size < (size_t)n || memcmp(text, head, (size_t)n) != 0)
		code = tool_fail(EXIT_USAGE, command,
		                 "%s: refused: it is the record of another key than %s; a monitor's folder and its key "
		                 "belong together",
		                 path, f->key.name);
	else if (checkpoint_parse(&c, text + n, size - (size_t)n))
		code = tool_fail(EXIT_USAGE, command,
		                 "%s: refused: it is not whole; a key without its record must never sign again: make "
		                 "a new key",
		                 path);
	free(text);
	if (!code)
		f->record = (struct monitorrecord){.size = c.size, .root = c.root};
	return code;
}

/* The own cosignature of the record's size, if the last run came so far: nodes that restarted are given it again. */
static void note_read(struct monitorfolder *f)
{
	char path[FILES_PATH_SIZE], *text = NULL;
	struct checkpoint c;
	struct note n;
	size_t size = 0;

	if (!files_join(path, f->dir, MONITORFOLDER_CHECKPOINT) || files_read(path, LIMIT_NOTE_SIZE_MAX, &text, &size))
		return;
	if (!note_parse(&n, text, size) && !checkpoint_parse(&c, n.text, n.text_len) && c.size == f->record.size &&
	    hash_equal(&c.root, &f->record.root) && note_verify(&n, &f->key, NULL) == 0)
		memcpy(f->note, text, size + 1);
	free(text);
}

/* --- the folder --- */

static int read_key(const char *command, const char *path, struct monitorfolder *f)
{
	struct keyfile k;
	char text[256] = "";
	int code = 0;

	if (keyfile_read(path, &k, text))
		return tool_fail(EXIT_USAGE, command, "%s", text);
	if (!keys_witness(&k, &f->key, f->secret))
		code = tool_fail(EXIT_USAGE, command,
		                 "%s: it has no key to cosign with: make one with `countersign keygen --witness` or "
		                 "`countersign enroll --roles witness --new-key`",
		                 path);
	keyfile_wipe(&k);
	return code;
}

static int lock_open(const char *dir, int *ret_fd)
{
	char path[FILES_PATH_SIZE];

	if (!files_join(path, dir, MONITORFOLDER_LOCK))
		return ENAMETOOLONG;
	*ret_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*ret_fd < 0)
		return errno;
	return flock(*ret_fd, LOCK_EX | LOCK_NB) ? errno : 0;
}

int monitorfolder_open(const char *command, const char *dir, const char *key_path, struct monitorfolder *ret)
{
	char path[FILES_PATH_SIZE];
	int code, err;

	*ret = (struct monitorfolder){.dir = dir, .fd = -1, .lock = -1};
	code = read_key(command, key_path, ret);
	if (code)
		return code;
	if (!files_join(path, dir, MONITORFOLDER_EVIDENCE))
		return tool_fail(EXIT_LOCAL, command, "%s: the path is too long", dir);
	if ((mkdir(dir, 0700) && errno != EEXIST) || (mkdir(path, 0700) && errno != EEXIST))
		return tool_fail(EXIT_LOCAL, command, "%s: %s", dir, strerror(errno));
	err = lock_open(dir, &ret->lock);
	if (err)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", dir,
		                 err == EWOULDBLOCK ? "another monitor works in this folder" : strerror(err));
	ret->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->fd < 0)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", dir, strerror(errno));
	code = record_read(command, ret);
	if (!code)
		note_read(ret);
	return code;
}

void monitorfolder_close(struct monitorfolder *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->lock >= 0)
		close(f->lock);
	f->fd = f->lock = -1;
	sodium_memzero(f->secret, sizeof f->secret);
}

int monitorfolder_busy(const char *dir)
{
	char path[FILES_PATH_SIZE];
	int fd, busy;

	if (!files_join(path, dir, MONITORFOLDER_LOCK))
		return -1;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	busy = flock(fd, LOCK_EX | LOCK_NB) != 0;
	close(fd);
	return busy;
}

int monitorfolder_load(const char *command, const struct monitorfolder *f, struct auditstate *ret, int *ret_there)
{
	char path[FILES_PATH_SIZE];

	if (!files_join(path, f->dir, MONITORFOLDER_STATE))
		return tool_fail(EXIT_LOCAL, command, "%s: the path is too long", f->dir);
	return auditstate_load(command, path, ret, ret_there);
}

int monitorfolder_put(const char *command, const struct monitorfolder *f, const char *name, const void *bytes,
                      size_t size)
{
	char path[FILES_PATH_SIZE];
	int err = files_join(path, f->dir, name) ? files_replace(path, bytes, size, 0600) : ENAMETOOLONG;

	/* The new name, too, must outlast a power cut. */
	if (!err && fsync(f->fd))
		err = errno;
	return err ? tool_fail(EXIT_LOCAL, command, "%s/%s: %s", f->dir, name, strerror(err)) : 0;
}

int monitorfolder_save(const char *command, const struct monitorfolder *f, const struct auditstate *s)
{
	uint8_t *buf = malloc(AUDITSTATE_SIZE_MAX);
	size_t len = 0;
	int code = !buf || auditstate_encode(s, buf, &len) < 0
	                   ? tool_fail(EXIT_LOCAL, command, "out of memory")
	                   : monitorfolder_put(command, f, MONITORFOLDER_STATE, buf, len);

	free(buf);
	return code;
}

int monitorfolder_cosign(const char *command, struct monitorfolder *f, const char *note, size_t len, uint64_t time_s)
{
	struct monitorrecord next = {0};
	struct checkpoint c;
	struct note n;

	if (note_parse(&n, note, len) || checkpoint_parse(&c, n.text, n.text_len))
		return CS_ERR_MALFORMED;
	/* C2SP tlog-witness: consistent with what it has cosigned, before anything else. */
	if (c.size < f->record.size || (c.size == f->record.size && !hash_equal(&c.root, &f->record.root)))
		return CS_ERR_DIVERGED;
	if (n.n_signatures == LIMIT_NOTE_SIGNATURES_MAX)
		return CS_ERR_TOO_LARGE;
	next = (struct monitorrecord){.size = c.size, .root = c.root};
	if (next.size != f->record.size && record_write(command, f, &next, c.origin))
		return CS_ERR_IO;
	f->record = next;
	memcpy(f->note, note, len);
	int err = note_cosign(&f->key, f->secret, time_s, n.text, n.text_len, f->note, sizeof f->note - 1, &len);
	f->note[err ? 0 : len] = '\0';
	if (!err && monitorfolder_put(command, f, MONITORFOLDER_CHECKPOINT, f->note, len))
		err = CS_ERR_IO;
	return err;
}
