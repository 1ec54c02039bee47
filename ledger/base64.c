/* Standard base64 (RFC 4648 section 4), by libsodium: constant time, and canonical forms only. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/note.h"

#include <sodium.h>

#include "ledger/errors.h"

int base64_encode(const void *bytes, size_t len, char *out, size_t cap)
{
	/* libsodium aborts when the room is too small. */
	if (len > SIZE_MAX / 2 || cap < sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL))
		return CS_ERR_TOO_LARGE;
	sodium_bin2base64(out, cap, bytes, len, sodium_base64_VARIANT_ORIGINAL);
	return 0;
}

int base64_decode(const char *text, size_t len, uint8_t *out, size_t cap, size_t *ret_len)
{
	size_t out_len;

	if (len / 4 * 3 > cap + 2) /* Two of the last three bytes may be padding. */
		return CS_ERR_TOO_LARGE;
	/* libsodium 1.0.18 takes bytes above 7F for '+' and '/': two spellings of one value. */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] > 0x7f)
			return CS_ERR_MALFORMED;
	if (len % 4 != 0 ||
	    sodium_base642bin(out, cap, text, len, NULL, &out_len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return CS_ERR_MALFORMED;
	*ret_len = out_len;
	return 0;
}
