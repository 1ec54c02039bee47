/* Key files as the tool makes and shows them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/keys.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/tool.h"
#include "ledger/errors.h"

void keys_public_text(const uint8_t pub[32], char ret[KEYS_PUBLIC_TEXT_SIZE])
{
	int err = base64_encode(pub, 32, ret, KEYS_PUBLIC_TEXT_SIZE);

	assert(!err);
}

bool keys_parse_public(const char *text, uint8_t ret[32])
{
	uint8_t pub[32];
	size_t n = 0;

	if (base64_decode(text, strlen(text), pub, sizeof pub, &n) || n != sizeof pub)
		return false;
	memcpy(ret, pub, sizeof pub);
	return true;
}

bool keys_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= 64 &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/@") == n;
}

int keys_create(const char *command, const char *path, const char *name, unsigned kinds, struct keyfile *ret)
{
	char text[256] = "";
	int err;

	if (!keys_name_ok(name))
		return tool_fail(EXIT_USAGE, command, "name \"%s\": 1 to 64 letters, digits and . _ - / @ are allowed",
		                 name);
	memset(ret, 0, sizeof *ret);
	keyfile_random(ret, name, kinds);
	err = keyfile_write(path, ret, text);
	if (!err)
		return 0;
	keyfile_wipe(ret);
	return tool_fail(EXIT_LOCAL, command, "%s", *text ? text : err_text(err));
}

bool keys_witness(const struct keyfile *k, struct note_key *ret, uint8_t ret_sk64[64])
{
	uint8_t pub[32];

	return k->has[KEY_COSIGNER] && !k->has[KEY_LOG] && !keyfile_public(k, KEY_COSIGNER, pub, ret_sk64) &&
	       !note_key_init(ret, k->name, NOTE_KEY_COSIGNATURE, pub);
}

void keys_print(const struct keyfile *k)
{
	static const char *const names[KEY_KINDS] = {"channel", "sign", "log", "cosigner"};
	char text[KEYS_PUBLIC_TEXT_SIZE], vkey[KEYS_VKEY_SIZE];
	struct note_key witness;
	uint8_t pub[32];

	printf("name     %s\n", k->name);
	for (unsigned i = 0; i < KEY_KINDS; i++) {
		if (!k->has[i] || keyfile_public(k, (enum key_kind)i, pub, NULL))
			continue;
		keys_public_text(pub, text);
		printf("%-8s %s\n", names[i], text);
	}
	if (keys_witness(k, &witness, NULL) && !note_key_format(&witness, vkey, sizeof vkey))
		printf("witness  %s\n", vkey);
}
