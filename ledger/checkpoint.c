/* The text of a tlog-checkpoint: origin, size, root. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"

#define ROOT_BASE64_LEN 44 /* Of 32 bytes. */
#define SIZE_DIGITS_MAX 20 /* Of a u64. */

/* signed-note: UTF-8 without control characters; and a line has no newline within. */
static bool origin_valid(const char *s, size_t len)
{
	if (len == 0 || len > LIMIT_ORIGIN_SIZE_MAX || !utf8_valid(s, len))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20)
			return false;
	return true;
}

int checkpoint_format(const struct checkpoint *c, char *buf, size_t cap, size_t *ret_len)
{
	char root[ROOT_BASE64_LEN + 1];

	if (!origin_valid(c->origin, strnlen(c->origin, sizeof(c->origin))))
		return CS_ERR_INVALID;
	base64_encode(c->root.b, HASH_SIZE, root, sizeof(root));
	size_t n = (size_t)snprintf(buf, cap, "%s\n%" PRIu64 "\n%s\n", c->origin, c->size, root);
	if (n >= cap)
		return CS_ERR_TOO_LARGE;
	*ret_len = n;
	return 0;
}

/* Takes the next line off the text, without its newline. */
static bool take_line(const char **text, size_t *len, const char **ret_line, size_t *ret_len)
{
	const char *newline = memchr(*text, '\n', *len);

	if (newline == NULL)
		return false;
	*ret_line = *text;
	*ret_len = (size_t)(newline - *text);
	*text += *ret_len + 1;
	*len -= *ret_len + 1;
	return true;
}

/* tlog-checkpoint: ASCII decimal, no leading zeros. */
static bool parse_size(const char *s, size_t len, uint64_t *ret)
{
	uint64_t v = 0;

	if (len == 0 || len > SIZE_DIGITS_MAX || (len > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned)((unsigned char)s[i] - '0');

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = 10 * v + digit;
	}
	*ret = v;
	return true;
}

int checkpoint_parse(struct checkpoint *ret, const char *text, size_t text_len)
{
	const char *origin, *size, *root;
	size_t origin_len, size_len, root_len, decoded_len;
	struct checkpoint c = {0};

	if (!take_line(&text, &text_len, &origin, &origin_len) || !take_line(&text, &text_len, &size, &size_len) ||
	    !take_line(&text, &text_len, &root, &root_len) || text_len != 0)
		return CS_ERR_MALFORMED;
	if (!origin_valid(origin, origin_len) || !parse_size(size, size_len, &c.size) || root_len != ROOT_BASE64_LEN ||
	    base64_decode(root, root_len, c.root.b, HASH_SIZE, &decoded_len) != 0 || decoded_len != HASH_SIZE)
		return CS_ERR_MALFORMED;
	memcpy(c.origin, origin, origin_len);
	*ret = c;
	return 0;
}
