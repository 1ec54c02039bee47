/* The signer's record on the disk: read at start, written before each signature. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/signer_record.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "node/wire/textfile.h"

#define SLOT_SIZE  128
#define CHECK_SIZE 16
#define CHECKED    (32 + 8 + HASH_SIZE)

static void slot_write(const struct signer_record *r, int slot, uint8_t ret[SLOT_SIZE])
{
	memset(ret, 0, SLOT_SIZE);
	memcpy(ret, r->slots[slot].pub, 32);
	put_u64be(ret + 32, r->slots[slot].size);
	memcpy(ret + 40, r->slots[slot].root.b, HASH_SIZE);
	crypto_generichash(ret + CHECKED, CHECK_SIZE, ret, CHECKED, NULL, 0);
}

static void slot_read(struct signer_record *r, int slot, const uint8_t *bytes)
{
	uint8_t check[CHECK_SIZE];

	crypto_generichash(check, sizeof check, bytes, CHECKED, NULL, 0);
	if (memcmp(check, bytes + CHECKED, sizeof check) != 0)
		return;
	r->slots[slot].used = true;
	memcpy(r->slots[slot].pub, bytes, 32);
	r->slots[slot].size = get_u64be(bytes + 32);
	memcpy(r->slots[slot].root.b, bytes + 40, HASH_SIZE);
}

static int failed(const char *path, char *ret_text)
{
	int err = errno == ENOENT ? CS_ERR_NOT_FOUND : CS_ERR_IO;

	textfile_error(ret_text, "%s: %s", path, strerror(errno));
	return err;
}

static int sync_folder(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof copy, "%s", path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rv = fd < 0 ? -1 : fsync(fd);
	if (fd >= 0)
		close(fd);
	return rv;
}

int signer_record_read(struct signer_record *r, const char *path, bool create, char *ret_text)
{
	uint8_t bytes[SIGNER_RECORD_SLOTS * SLOT_SIZE] = {0};

	memset(r, 0, sizeof *r);
	r->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
	if (r->fd < 0)
		return failed(path, ret_text);
	ssize_t n = pread(r->fd, bytes, sizeof bytes, 0);
	if (n < 0)
		return failed(path, ret_text);
	/* Its whole length at once: later writes allocate nothing, and cannot find the disk full. */
	if ((size_t)n < sizeof bytes &&
	    (pwrite(r->fd, bytes + n, sizeof bytes - (size_t)n, n) != (ssize_t)(sizeof bytes - (size_t)n) ||
	     fsync(r->fd) != 0 || sync_folder(path) != 0))
		return failed(path, ret_text);
	for (int i = 0; i < SIGNER_RECORD_SLOTS; i++)
		slot_read(r, i, bytes + (size_t)i * SLOT_SIZE);
	return 0;
}

void signer_record_close(struct signer_record *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

int signer_record_find(const struct signer_record *r, const uint8_t pub[32])
{
	for (int i = 0; i < SIGNER_RECORD_SLOTS; i++)
		if (r->slots[i].used && memcmp(r->slots[i].pub, pub, 32) == 0)
			return i;
	return -1;
}

int signer_record_put(struct signer_record *r, int slot, uint64_t size, const struct hash *root)
{
	uint8_t bytes[SLOT_SIZE];

	r->slots[slot].size = size;
	r->slots[slot].root = *root;
	slot_write(r, slot, bytes);
	return pwrite(r->fd, bytes, sizeof bytes, (off_t)slot * SLOT_SIZE) == (ssize_t)sizeof bytes ? 0 : CS_ERR_IO;
}

int signer_record_add(struct signer_record *r, const uint8_t pub[32], int *ret_slot)
{
	static const struct hash none;
	int slot = 0;

	for (int i = 0; i < SIGNER_RECORD_SLOTS; i++) {
		if (!r->slots[i].used) {
			slot = i;
			break;
		}
		if (r->slots[i].size > 0 && r->slots[i].size < r->slots[slot].size)
			slot = i;
	}
	r->slots[slot].used = true;
	memcpy(r->slots[slot].pub, pub, 32);
	*ret_slot = slot;
	int err = signer_record_put(r, slot, 0, &none);
	return err == 0 && fdatasync(r->fd) == 0 ? 0 : CS_ERR_IO;
}
