/* Key files: secrets of a node, a client or a device as lines of text, readable by their owner alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/wire/keyfile.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/errors.h"
#include "node/wire/textfile.h"

#define KEYFILE_MAGIC    "countersign-key/v1"
#define KEYFILE_SIZE_MAX 4096 /* Five short lines; whatever is longer is another file. */
#define BASE64_SIZE      sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL) /* With its NUL. */

static const char *const kind_names[KEY_KINDS] = {"channel", "sign", "log", "cosigner"};

static int name_check(const char *name, size_t len)
{
	if (len == 0 || len > sizeof(((struct keyfile *)0)->name) - 1 || name[0] == ' ' || name[len - 1] == ' ')
		return CS_ERR_INVALID;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return CS_ERR_INVALID;
	return CS_OK;
}

/* One line after the first; returns what is wrong with it, or NULL. */
static const char *line_parse(struct keyfile *k, const char *line, size_t len)
{
	const char *space = memchr(line, ' ', len);
	if (space == NULL)
		return "expected a kind, a space and a value";
	size_t kind_len = (size_t)(space - line);
	const char *value = space + 1;
	size_t value_len = len - kind_len - 1;
	if (kind_len == 4 && memcmp(line, "name", 4) == 0) {
		if (k->name[0] != '\0')
			return "a second name";
		if (name_check(value, value_len) < 0)
			return "the name is empty, longer than 64 bytes or has control characters";
		memcpy(k->name, value, value_len);
		return NULL;
	}
	for (unsigned i = 0; i < KEY_KINDS; i++) {
		if (strlen(kind_names[i]) != kind_len || memcmp(line, kind_names[i], kind_len) != 0)
			continue;
		size_t n;
		if (k->has[i])
			return "a second key of this kind";
		if (sodium_base642bin(k->secret[i], 32, value, value_len, NULL, &n, NULL,
		                      sodium_base64_VARIANT_ORIGINAL) != 0 ||
		    n != 32)
			return "the key is not the base64 of 32 bytes";
		k->has[i] = true;
		return NULL;
	}
	return "unknown kind of line";
}

static int keyfile_parse(struct keyfile *k, const char *path, const char *text, size_t len, char *ret_text)
{
	unsigned number = 0;
	const char *why = NULL;
	for (const char *line = text; line < text + len && why == NULL;) {
		const char *end = memchr(line, '\n', (size_t)(text + len - line));
		number++;
		if (end == NULL)
			why = "the last line does not end";
		else if (number > 1)
			why = line_parse(k, line, (size_t)(end - line));
		else if ((size_t)(end - line) != strlen(KEYFILE_MAGIC) ||
		         memcmp(line, KEYFILE_MAGIC, strlen(KEYFILE_MAGIC)) != 0)
			why = "not a key file: the first line must be " KEYFILE_MAGIC;
		line = end == NULL ? text + len : end + 1;
	}
	if (why == NULL && number == 0)
		why = "empty";
	else if (why == NULL && k->name[0] == '\0')
		why = "there is no name line";
	if (why == NULL)
		return CS_OK;
	textfile_error(ret_text, "%s:%u: %s", path, number, why);
	return CS_ERR_MALFORMED;
}

int keyfile_read(const char *path, struct keyfile *ret, char *ret_text)
{
	char text[KEYFILE_SIZE_MAX];
	size_t len;
	struct keyfile k;

	int err = textfile_read(path, true, text, sizeof(text), &len, ret_text);
	if (err < 0)
		return err;
	memset(&k, 0, sizeof(k));
	err = keyfile_parse(&k, path, text, len, ret_text);
	if (err == CS_OK)
		*ret = k;
	keyfile_wipe(&k);
	sodium_memzero(text, sizeof(text));
	return err;
}

int keyfile_write(const char *path, const struct keyfile *k, char *ret_text)
{
	char text[KEYFILE_SIZE_MAX];

	if (name_check(k->name, strnlen(k->name, sizeof(k->name))) < 0) {
		textfile_error(ret_text, "%s: the name is empty, too long or has control characters", path);
		return CS_ERR_INVALID;
	}
	size_t len = (size_t)snprintf(text, sizeof(text), KEYFILE_MAGIC "\nname %s\n", k->name);
	for (unsigned i = 0; i < KEY_KINDS; i++) {
		if (!k->has[i])
			continue;
		char b64[BASE64_SIZE];
		sodium_bin2base64(b64, sizeof(b64), k->secret[i], 32, sodium_base64_VARIANT_ORIGINAL);
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s\n", kind_names[i], b64);
		sodium_memzero(b64, sizeof(b64));
	}
	int err = textfile_create(path, 0600, text, len, ret_text);
	sodium_memzero(text, sizeof(text));
	return err;
}

void keyfile_wipe(struct keyfile *k)
{
	sodium_memzero(k, sizeof(*k));
}

void keyfile_random(struct keyfile *k, const char *name, unsigned kinds)
{
	snprintf(k->name, sizeof(k->name), "%s", name);
	for (unsigned i = 0; i < KEY_KINDS; i++) {
		if ((kinds & (1u << i)) == 0)
			continue;
		randombytes_buf(k->secret[i], 32);
		k->has[i] = true;
	}
}

int keyfile_public(const struct keyfile *k, enum key_kind kind, uint8_t ret_pub[32], uint8_t ret_sk64[64])
{
	uint8_t pub[32], sk[crypto_sign_SECRETKEYBYTES];

	if (!k->has[kind])
		return CS_ERR_NOT_FOUND;
	if (kind == KEY_CHANNEL)
		return crypto_scalarmult_base(ret_pub, k->secret[kind]) == 0 ? CS_OK : CS_ERR_INVALID;
	crypto_sign_seed_keypair(pub, sk, k->secret[kind]);
	memcpy(ret_pub, pub, sizeof(pub));
	if (ret_sk64 != NULL)
		memcpy(ret_sk64, sk, sizeof(sk));
	sodium_memzero(sk, sizeof(sk));
	return CS_OK;
}
