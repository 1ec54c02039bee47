/* Fuzzing: what a restore reads out of a backup, which anybody may have had in their hands. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/backup/bodies.h"
#include "client/tool/backup/keys.h"
#include "client/tool/backup/manifest.h"
#include "client/tool/backup/seal.h"
#include "client/tool/backup/state.h"
#include "node/core/catchup_bytes.h"
#include "node/decide/state_carry.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/history.h"

#define ORIGIN "acme-0123456789abcdef"

void fuzz_manifest(const uint8_t *bytes, size_t len)
{
	static const uint8_t nobody[32] = {1};
	struct manifest m;

	if (manifest_decode(&m, (const char *)bytes, len))
		return;
	FUZZ_DEMAND(len < MANIFEST_SIZE_MAX && m.generation > 0 && m.state_size > 0 && m.state_size <= m.size);
	FUZZ_DEMAND(memchr(m.origin, 0, sizeof m.origin) && memchr(m.signer, 0, sizeof m.signer));
	FUZZ_DEMAND(!manifest_signed_by(&m, nobody));
}

void fuzz_backup_keys(const uint8_t *bytes, size_t len)
{
	char path[64], why[BACKUPKEYS_WHY_SIZE] = "";
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct backupkeys *k;

	FUZZ_DEMAND(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (backupkeys_open(path, false, &k, why) == 0) {
		FUZZ_DEMAND(backupkeys_count(k) <= len / 96);
		backupkeys_close(k);
	} else {
		FUZZ_DEMAND(strncmp(why, path, strlen(path)) == 0);
	}
	close(fd);
}

/* A file of keys that lives as long as the process. */
static struct backupkeys *some_keys(void)
{
	static struct backupkeys *keys;
	char path[] = "/tmp/countersign-fuzz-XXXXXX", why[BACKUPKEYS_WHY_SIZE];
	int fd;

	if (keys)
		return keys;
	fd = mkstemp(path);
	FUZZ_DEMAND(fd >= 0 && backupkeys_open(path, true, &keys, why) == 0);
	close(fd);
	unlink(path);
	return keys;
}

/* Sealed here, changed at one bit of the input's choice: it is never opened to other bytes. */
static void seal_and_change(const uint8_t *bytes, size_t len)
{
	static uint8_t sealed[LIMIT_BODY_SIZE_MAX + SEAL_OVERHEAD], opened[LIMIT_BODY_SIZE_MAX];
	static const uint8_t subject[32] = {3};
	const uint8_t *p = sealed;
	struct seal_context c;
	size_t n, got;

	seal_context(&c, BODIES_PURPOSE, ORIGIN, 7);
	n = seal_write(sealed, backupkeys_of(some_keys(), subject), &c, bytes + 2, len - 2);
	size_t bit = (size_t)(bytes[0] << 8 | bytes[1]) % (8 * n);
	sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	FUZZ_DEMAND(seal_read(&p, sealed + n, some_keys(), &c, opened, sizeof opened, &got) != SEAL_OPENED);
	sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	p = sealed;
	FUZZ_DEMAND(seal_read(&p, sealed + n, some_keys(), &c, opened, sizeof opened, &got) == SEAL_OPENED);
	FUZZ_DEMAND(got == len - 2 && memcmp(opened, bytes + 2, got) == 0 && p == sealed + n);
}

void fuzz_sealed(const uint8_t *bytes, size_t len)
{
	static uint8_t body[LIMIT_BODY_SIZE_MAX];
	const uint8_t *p = bytes, *end = bytes + len;
	enum bodies_got got = BODIES_NONE;
	size_t n;

	for (uint64_t i = 0; p < end && got != BODIES_BAD; i++) {
		const uint8_t *before = p;

		got = bodies_next(&p, end, some_keys(), ORIGIN, i, body, &n);
		FUZZ_DEMAND(p > before && p <= end && got != BODIES_BODY);
	}
	if (len > 2)
		seal_and_change(bytes, len);
}

static int none(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	(void)ctx, (void)key, (void)key_len, (void)value, (void)value_len;
	fuzz_fail(__FILE__, __LINE__, "a record was opened that nobody has sealed");
}

void fuzz_backup_state(const uint8_t *bytes, size_t len)
{
	FILE *f = len > 0 ? fmemopen((void *)(uintptr_t)bytes, len, "r") : NULL;
	uint64_t gone;

	if (!f)
		return;
	FUZZ_DEMAND(backupstate_read(f, ORIGIN, 5, some_keys(), none, NULL, &gone) <= 0);
	fclose(f);
}

static int carry_one(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	return carry_record(ctx, key, key_len, value, value_len);
}

void fuzz_carry(const uint8_t *bytes, size_t len)
{
	struct hash digest;
	struct carry *c;

	FUZZ_DEMAND(carry_new(&fuzz_history_limits, &c) == 0);
	if (catchup_each_record(bytes, len, carry_one, c) == 0 && carry_end(c, &digest) == 0) {
		struct state_head head;

		state_head(carry_state(c), &head);
		FUZZ_DEMAND(head.size > 0 && state_origin(carry_state(c))[0]);
	}
	carry_free(c);
}
