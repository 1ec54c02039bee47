/* Verifier keys of signed notes: names, key ids, vkey lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/note.h"

#include <stdio.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/note_name.h"

#define KEY_SIZE       (1 + 32) /* Type and public key. */
#define KEY_BASE64_LEN 44       /* Of KEY_SIZE bytes. */
#define ID_HEX_LEN     8
#define VKEY_SIZE_MAX  (LIMIT_KEY_NAME_SIZE_MAX + 1 + ID_HEX_LEN + 1 + KEY_BASE64_LEN + 1)

/* White space and newlines of Unicode beyond ASCII (property White_Space), as UTF-8. */
static const char *const unicode_spaces[] = {
        "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
        "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a",
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
};

/* UTF-8 is self-synchronizing: in well-formed text a character's bytes are found only where that character is. */
static bool has_unicode_space(const char *s, size_t len)
{
	for (size_t k = 0; k < sizeof(unicode_spaces) / sizeof(unicode_spaces[0]); k++)
		if (memmem(s, len, unicode_spaces[k], strlen(unicode_spaces[k])) != NULL)
			return true;
	return false;
}

bool note_name_valid(const char *s, size_t len)
{
	if (len == 0 || !utf8_valid(s, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == '+')
			return false;
	return !has_unicode_space(s, len);
}

static uint32_t key_id(const char *name, const uint8_t key[KEY_SIZE])
{
	struct hasher h;
	struct hash id;

	hasher_init(&h);
	hasher_update(&h, name, strlen(name));
	hasher_update(&h, "\n", 1);
	hasher_update(&h, key, KEY_SIZE);
	hasher_final(&h, &id);
	return get_u32be(id.b);
}

static void key_bytes(uint8_t ret[KEY_SIZE], uint8_t type, const uint8_t pub[32])
{
	ret[0] = type;
	memcpy(ret + 1, pub, 32);
}

int note_key_init(struct note_key *ret, const char *name, uint8_t type, const uint8_t pub[32])
{
	size_t name_len = strnlen(name, LIMIT_KEY_NAME_SIZE_MAX + 1);
	uint8_t key[KEY_SIZE];

	if (name_len > LIMIT_KEY_NAME_SIZE_MAX || !note_name_valid(name, name_len) ||
	    (type != NOTE_KEY_ED25519 && type != NOTE_KEY_COSIGNATURE))
		return CS_ERR_INVALID;
	key_bytes(key, type, pub);
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->name, name, name_len);
	ret->type = type;
	memcpy(ret->pub, pub, sizeof(ret->pub));
	ret->id = key_id(ret->name, key);
	return 0;
}

int note_key_parse(struct note_key *ret, const char *vkey, size_t len)
{
	/* The name has no '+'; base64 may. */
	const char *plus = memchr(vkey, '+', len);
	size_t name_len = plus != NULL ? (size_t)(plus - vkey) : 0, key_len;
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1] = {0}, again[VKEY_SIZE_MAX];
	uint8_t key[KEY_SIZE];
	struct note_key k;

	if (plus == NULL || name_len > LIMIT_KEY_NAME_SIZE_MAX || memchr(vkey, '\0', name_len) != NULL ||
	    len - name_len != 1 + ID_HEX_LEN + 1 + KEY_BASE64_LEN)
		return CS_ERR_MALFORMED;
	memcpy(name, vkey, name_len);
	if (base64_decode(plus + 1 + ID_HEX_LEN + 1, KEY_BASE64_LEN, key, sizeof(key), &key_len) != 0 ||
	    key_len != KEY_SIZE || note_key_init(&k, name, key[0], key + 1) != 0)
		return CS_ERR_MALFORMED;
	/* The id in the line must be the computed one, in lower case. */
	note_key_format(&k, again, sizeof(again)); /* It has room for every key. */
	if (memcmp(again, vkey, len) != 0)
		return CS_ERR_MALFORMED;
	*ret = k;
	return 0;
}

int note_key_format(const struct note_key *k, char *buf, size_t cap)
{
	uint8_t key[KEY_SIZE];
	char text[KEY_BASE64_LEN + 1];

	key_bytes(key, k->type, k->pub);
	base64_encode(key, sizeof(key), text, sizeof(text));
	size_t n = (size_t)snprintf(buf, cap, "%s+%08x+%s", k->name, k->id, text);
	return n < cap ? 0 : CS_ERR_TOO_LARGE;
}
