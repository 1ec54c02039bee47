/* Fuzzing: seeds of what a restore reads out of a backup. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/backup/bodies.h"
#include "client/tool/backup/keys.h"
#include "client/tool/backup/manifest.h"
#include "client/tool/backup/seal.h"
#include "client/tool/backup/state.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

static void seed_manifest(void)
{
	struct manifest m = {.generation = 1,
	                     .origin = "acme-0123456789abcdef",
	                     .size = 700,
	                     .state_size = 690,
	                     .state_index = 40,
	                     .state_term = 1,
	                     .made_ms = UINT64_C(1767571200000)};
	struct keyfile key = {.name = "gateway", .has = {[KEY_SIGN] = true}};
	char text[MANIFEST_SIZE_MAX];
	size_t len;

	FUZZ_DEMAND(manifest_encode(&m, &key, text, &len) == 0);
	seed("manifest", "one", text, len);
}

void seeds_of_backup(void)
{
	static const uint8_t subject[32] = {5}, body[] = {0x91, 0x93, 2, 0xc4, 0, 0xc4, 0};
	char path[] = "/tmp/countersign-seeds-XXXXXX", why[BACKUPKEYS_WHY_SIZE];
	uint8_t bytes[1024];
	struct backupkeys *k;
	struct seal_context c;
	int fd = mkstemp(path);
	size_t n = sizeof BACKUPSTATE_MAGIC - 1;

	FUZZ_DEMAND(fd >= 0 && backupkeys_open(path, true, &k, why) == 0);
	const struct backupkey *key = backupkeys_of(k, subject);
	FUZZ_DEMAND(key && backupkeys_sync(k) == 0);
	seal_context(&c, BODIES_PURPOSE, "acme-0123456789abcdef", 1);
	memcpy(bytes, "nes", 3);
	size_t sealed = 3 + seal_write(bytes + 3, key, &c, body, sizeof body);
	seed("sealed", "four", bytes, sealed);
	memcpy(bytes, BACKUPSTATE_MAGIC, n);
	seal_context(&c, BACKUPSTATE_PURPOSE, "acme-0123456789abcdef", 5);
	n += seal_write(bytes + n, key, &c, "h12345678value", 14);
	seed("backup_state", "one", bytes, n);
	backupkeys_close(k);
	ssize_t size = pread(fd, bytes, sizeof bytes, 0);
	FUZZ_DEMAND(size > 0);
	seed("backup_keys", "one", bytes, (size_t)size);
	close(fd);
	unlink(path);
	seed_manifest();
}
