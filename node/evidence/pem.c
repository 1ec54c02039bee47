/* Pinned keys as SubjectPublicKeyInfo (RFC 5280, 8017, 5480) in PEM, for a library that wants it so. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "node/evidence/verify_internal.h"

#define DER_SIZE_MAX 640
#define RSA_SIZE_MIN 256 /* 2,048 bits: less is no signature any more (RFC 7518 3.3). */
#define RSA_SIZE_MAX 512

/* Written from the end towards the beginning, so that lengths are known. */
struct der {
	uint8_t bytes[DER_SIZE_MAX];
	size_t at;
};

static void put(struct der *d, const void *bytes, size_t len)
{
	d->at -= len;
	memcpy(d->bytes + d->at, bytes, len);
}

static void put_byte(struct der *d, unsigned b)
{
	d->bytes[--d->at] = (uint8_t)b;
}

/* Tag and length before what was written since at. */
static void wrap(struct der *d, unsigned tag, size_t end)
{
	size_t len = end - d->at;

	put_byte(d, len & 0xff);
	if (len > 0xff) {
		put_byte(d, (unsigned)(len >> 8));
		put_byte(d, 0x82);
	} else if (len > 0x7f) {
		put_byte(d, 0x81);
	}
	put_byte(d, tag);
}

static void put_integer(struct der *d, const uint8_t *n, size_t len)
{
	size_t end = d->at;

	for (; len > 1 && *n == 0; len--)
		n++;
	put(d, n, len);
	if (*n & 0x80)
		put_byte(d, 0);
	wrap(d, 0x02, end);
}

static size_t pem_write(char *ret, const struct der *d)
{
	char body[PEM_SIZE_MAX];
	size_t len = DER_SIZE_MAX - d->at, n;

	sodium_bin2base64(body, sizeof(body), d->bytes + d->at, len, sodium_base64_VARIANT_ORIGINAL);
	n = (size_t)snprintf(ret, PEM_SIZE_MAX, "-----BEGIN PUBLIC KEY-----\n");
	for (const char *p = body; *p != 0;) {
		size_t line = strnlen(p, 64);
		n += (size_t)snprintf(ret + n, PEM_SIZE_MAX - n, "%.*s\n", (int)line, p);
		p += line;
	}
	return n + (size_t)snprintf(ret + n, PEM_SIZE_MAX - n, "-----END PUBLIC KEY-----\n");
}

size_t pem_of_es256(char ret[PEM_SIZE_MAX], const uint8_t *xy, size_t len)
{
	/* SEQUENCE { id-ecPublicKey, prime256v1 } */
	static const uint8_t algorithm[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
	                                    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	struct der d = {.at = DER_SIZE_MAX};

	if (len != 64)
		return 0;
	put(&d, xy, len);
	put_byte(&d, 0x04); /* Uncompressed, */
	put_byte(&d, 0);    /* and no bits unused. */
	wrap(&d, 0x03, DER_SIZE_MAX);
	put(&d, algorithm, sizeof(algorithm));
	wrap(&d, 0x30, DER_SIZE_MAX);
	return pem_write(ret, &d);
}

size_t pem_of_rs256(char ret[PEM_SIZE_MAX], const uint8_t *key, size_t len)
{
	/* SEQUENCE { rsaEncryption, NULL } */
	static const uint8_t algorithm[] = {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
	                                    0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
	struct der d = {.at = DER_SIZE_MAX};

	if (len < 4 + RSA_SIZE_MIN || len > 4 + RSA_SIZE_MAX || key[4] == 0)
		return 0;
	put_integer(&d, key, 4);
	put_integer(&d, key + 4, len - 4);
	wrap(&d, 0x30, DER_SIZE_MAX);
	put_byte(&d, 0);
	wrap(&d, 0x03, DER_SIZE_MAX);
	put(&d, algorithm, sizeof(algorithm));
	wrap(&d, 0x30, DER_SIZE_MAX);
	return pem_write(ret, &d);
}
