/* Signed notes: parsed, verified, signed, cosigned. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/note.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/format.h"
#include "ledger/note_name.h"

#define ID_SIZE              4
#define TIME_SIZE            8
#define SIGNATURE_SIZE       64
#define SIGNATURE_HEAD       FORMAT_SIGNATURE_HEAD
#define HEAD_LEN             (sizeof(SIGNATURE_HEAD) - 1)
#define COSIGNATURE_HEAD_MAX (sizeof(FORMAT_COSIGNATURE_HEAD) + 20 + 1) /* A u64 has at most 20 digits. */
/* Of key id, time and signature, with the NUL. */
#define PAYLOAD_BASE64_MAX                                                                                             \
	sodium_base64_ENCODED_LEN(ID_SIZE + TIME_SIZE + SIGNATURE_SIZE, sodium_base64_VARIANT_ORIGINAL)

/* signed-note: UTF-8 with no control character but the newline. */
static bool text_valid(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 && s[i] != '\n')
			return false;
	return utf8_valid(s, len);
}

/* One line "— name base64", without its newline. */
static int parse_signature(struct note_signature *ret, const char *line, size_t len)
{
	uint8_t payload[LIMIT_NOTE_SIZE_MAX / 4 * 3 + 3];
	const char *space;
	size_t payload_len;

	if (len < HEAD_LEN || memcmp(line, SIGNATURE_HEAD, HEAD_LEN) != 0)
		return CS_ERR_MALFORMED;
	ret->name = line + HEAD_LEN;
	space = memchr(ret->name, ' ', len - HEAD_LEN);
	if (space == NULL)
		return CS_ERR_MALFORMED;
	ret->name_len = (size_t)(space - ret->name);
	if (!note_name_valid(ret->name, ret->name_len) ||
	    base64_decode(space + 1, len - HEAD_LEN - ret->name_len - 1, payload, sizeof(payload), &payload_len) != 0 ||
	    payload_len <= ID_SIZE)
		return CS_ERR_MALFORMED;
	ret->id = get_u32be(payload);
	ret->len = payload_len - ID_SIZE;
	if (ret->len <= sizeof(ret->bytes))
		memcpy(ret->bytes, payload + ID_SIZE, ret->len);
	return 0;
}

/* The start of the signature lines, behind the last blank line; NULL if there is none. */
static const char *find_signatures(const char *bytes, size_t len)
{
	for (size_t i = len; i >= 2; i--)
		if (bytes[i - 1] == '\n' && bytes[i - 2] == '\n')
			return bytes + i;
	return NULL;
}

int note_parse(struct note *ret, const char *bytes, size_t len)
{
	const char *end = bytes + len, *line, *newline;
	struct note n = {.text = bytes};

	if (len > LIMIT_NOTE_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	line = find_signatures(bytes, len);
	if (line == NULL || line == end || !text_valid(bytes, len))
		return CS_ERR_MALFORMED;
	n.text_len = (size_t)(line - bytes) - 1;
	for (; line < end; line = newline + 1) {
		int err;

		newline = memchr(line, '\n', (size_t)(end - line));
		if (newline == NULL)
			return CS_ERR_MALFORMED;
		if (n.n_signatures == LIMIT_NOTE_SIGNATURES_MAX)
			return CS_ERR_TOO_LARGE;
		err = parse_signature(&n.signatures[n.n_signatures++], line, (size_t)(newline - line));
		if (err != 0)
			return err;
	}
	*ret = n;
	return 0;
}

/* What a cosignature signs. */
struct cosigned {
	uint8_t bytes[COSIGNATURE_HEAD_MAX + LIMIT_NOTE_SIZE_MAX];
	size_t len;
};

static int cosigned_init(struct cosigned *c, uint64_t time_s, const char *text, size_t text_len)
{
	int head_len =
	        snprintf((char *)c->bytes, COSIGNATURE_HEAD_MAX, FORMAT_COSIGNATURE_HEAD "%" PRIu64 "\n", time_s);

	if (time_s > INT64_MAX) /* tlog-cosignature: at most 2^63-1. */
		return CS_ERR_INVALID;
	if (text_len > LIMIT_NOTE_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	memcpy(c->bytes + head_len, text, text_len);
	c->len = (size_t)head_len + text_len;
	return 0;
}

static bool line_verifies(const struct note *n, const struct note_signature *s, const struct note_key *k,
                          uint64_t *ret_time)
{
	struct cosigned cosigned;

	if (k->type == NOTE_KEY_ED25519)
		return s->len == SIGNATURE_SIZE &&
		       crypto_sign_verify_detached(s->bytes, (const uint8_t *)n->text, n->text_len, k->pub) == 0;
	if (k->type != NOTE_KEY_COSIGNATURE || s->len != TIME_SIZE + SIGNATURE_SIZE)
		return false;
	*ret_time = get_u64be(s->bytes);
	return cosigned_init(&cosigned, *ret_time, n->text, n->text_len) == 0 &&
	       crypto_sign_verify_detached(s->bytes + TIME_SIZE, cosigned.bytes, cosigned.len, k->pub) == 0;
}

int note_verify(const struct note *n, const struct note_key *k, uint64_t *ret_time)
{
	size_t name_len = strlen(k->name);
	uint64_t time_s = 0, latest_s = 0;
	bool found = false;

	for (unsigned i = 0; i < n->n_signatures; i++) {
		const struct note_signature *s = &n->signatures[i];

		if (s->id != k->id || s->name_len != name_len || memcmp(s->name, k->name, name_len) != 0)
			continue;
		if (!line_verifies(n, s, k, &time_s))
			return CS_ERR_REFUTED;
		found = true;
		if (time_s > latest_s)
			latest_s = time_s;
	}
	if (!found)
		return CS_ERR_NOT_FOUND;
	if (ret_time != NULL && k->type == NOTE_KEY_COSIGNATURE)
		*ret_time = latest_s;
	return 0;
}

/* Appends the line of a payload: key id and signature. */
static int append_line(const struct note_key *k, const uint8_t *payload, size_t payload_len, char *buf, size_t cap,
                       size_t *len)
{
	char text[PAYLOAD_BASE64_MAX];
	size_t n;

	if (*len > cap)
		return CS_ERR_INVALID;
	base64_encode(payload, payload_len, text, sizeof(text)); /* It has room for the longer of the two. */
	n = (size_t)snprintf(buf + *len, cap - *len, SIGNATURE_HEAD "%s %s\n", k->name, text);
	if (n >= cap - *len)
		return CS_ERR_TOO_LARGE;
	*len += n;
	return 0;
}

int note_sign(const struct note_key *k, const uint8_t sk[64], const char *text, size_t text_len, char *buf, size_t cap,
              size_t *len)
{
	uint8_t payload[ID_SIZE + SIGNATURE_SIZE];

	if (k->type != NOTE_KEY_ED25519)
		return CS_ERR_INVALID;
	put_u32be(payload, k->id);
	crypto_sign_detached(payload + ID_SIZE, NULL, (const uint8_t *)text, text_len, sk);
	return append_line(k, payload, sizeof(payload), buf, cap, len);
}

int note_cosign(const struct note_key *k, const uint8_t sk[64], uint64_t time_s, const char *text, size_t text_len,
                char *buf, size_t cap, size_t *len)
{
	uint8_t payload[ID_SIZE + TIME_SIZE + SIGNATURE_SIZE];
	struct cosigned cosigned;
	int err;

	if (k->type != NOTE_KEY_COSIGNATURE)
		return CS_ERR_INVALID;
	err = cosigned_init(&cosigned, time_s, text, text_len);
	if (err != 0)
		return err;
	put_u32be(payload, k->id);
	put_u64be(payload + ID_SIZE, time_s);
	crypto_sign_detached(payload + ID_SIZE + TIME_SIZE, NULL, cosigned.bytes, cosigned.len, sk);
	return append_line(k, payload, sizeof(payload), buf, cap, len);
}
