/* The manifest of a backup: what belongs to it, by hash, signed by who made it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/manifest.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/note.h"

static const char *const names[MANIFEST_N] = {"checkpoint", "state", "files"};

void manifest_file_name(enum manifest_file f, uint64_t generation, char ret[BACKUPOUT_NAME_SIZE])
{
	snprintf(ret, BACKUPOUT_NAME_SIZE, "%s.%" PRIu64, names[f], generation);
}

/* All but the signature's line; its length. */
static size_t text_of(const struct manifest *m, char ret[MANIFEST_SIZE_MAX])
{
	char root[48], hex[2 * HASH_SIZE + 1], keys[2 * BACKUPKEYS_ID_SIZE + 1], name[BACKUPOUT_NAME_SIZE];
	int n;

	base64_encode(m->root.b, HASH_SIZE, root, sizeof root);
	sodium_bin2hex(keys, sizeof keys, m->keys, sizeof m->keys);
	n = snprintf(ret, MANIFEST_SIZE_MAX,
	             MANIFEST_FORMAT "\ngeneration %" PRIu64 "\norigin %s\ncheckpoint %" PRIu64 " %s\nstate %" PRIu64
	                             " %" PRIu64 " %" PRIu64 "\nkeys %s\nmade %" PRIu64 "\n",
	             m->generation, m->origin, m->size, root, m->state_size, m->state_index, m->state_term, keys,
	             m->made_ms);
	for (unsigned i = 0; i < MANIFEST_N; i++) {
		manifest_file_name((enum manifest_file)i, m->generation, name);
		sodium_bin2hex(hex, sizeof hex, m->files[i].hash.b, HASH_SIZE);
		n += snprintf(ret + n, MANIFEST_SIZE_MAX - (size_t)n, "file %s %" PRIu64 " %s\n", hex, m->files[i].len,
		              name);
	}
	n += snprintf(ret + n, MANIFEST_SIZE_MAX - (size_t)n, "signer %s\n", m->signer);
	return (size_t)n;
}

/* Format ‖ 00 ‖ text: no signature of anything else is one of this. */
static size_t signed_text(const struct manifest *m, char ret[MANIFEST_SIZE_MAX + sizeof MANIFEST_FORMAT])
{
	memcpy(ret, MANIFEST_FORMAT, sizeof MANIFEST_FORMAT);
	return sizeof MANIFEST_FORMAT + text_of(m, ret + sizeof MANIFEST_FORMAT);
}

int manifest_encode(struct manifest *m, const struct keyfile *signer, char ret[MANIFEST_SIZE_MAX], size_t *ret_len)
{
	char text[MANIFEST_SIZE_MAX + sizeof MANIFEST_FORMAT], signature[96];
	uint8_t pub[32], secret[64];
	size_t n;

	if (!signer->has[KEY_SIGN] || keyfile_public(signer, KEY_SIGN, pub, secret))
		return CS_ERR_INVALID;
	snprintf(m->signer, sizeof m->signer, "%s", signer->name);
	n = signed_text(m, text);
	crypto_sign_detached(m->signature, NULL, (const uint8_t *)text, n, secret);
	sodium_memzero(secret, sizeof secret);
	base64_encode(m->signature, sizeof m->signature, signature, sizeof signature);
	n = text_of(m, ret);
	*ret_len = n + (size_t)snprintf(ret + n, MANIFEST_SIZE_MAX - n, "signature %s\n", signature);
	return 0;
}

bool manifest_signed_by(const struct manifest *m, const uint8_t sign_pub[32])
{
	char text[MANIFEST_SIZE_MAX + sizeof MANIFEST_FORMAT];
	size_t n = signed_text(m, text);

	return crypto_sign_verify_detached(m->signature, (const uint8_t *)text, n, sign_pub) == 0;
}

/* --- reading: words of one line, then the whole is held against what would be written --- */

struct line {
	const char *at, *end;
	bool bad;
};

/* The next word, up to a space or the line's end; cap with the NUL. */
static void word(struct line *l, char *ret, size_t cap)
{
	size_t n = 0;

	while (l->at < l->end && *l->at != ' ' && *l->at != '\n') {
		if (n + 1 < cap)
			ret[n++] = *l->at;
		else
			l->bad = true;
		l->at++;
	}
	ret[n] = 0;
	l->bad |= l->at == l->end || n == 0;
	if (l->at < l->end)
		l->at++;
}

static void expect(struct line *l, const char *text)
{
	char w[40];

	word(l, w, sizeof w);
	l->bad |= strcmp(w, text) != 0;
}

static uint64_t number(struct line *l)
{
	char w[24];
	uint64_t v = 0;

	word(l, w, sizeof w);
	for (const char *c = w; *c; c++) {
		if (*c < '0' || *c > '9' || v > (UINT64_MAX - 9) / 10) {
			l->bad = true;
			return 0;
		}
		v = v * 10 + (uint64_t)(*c - '0');
	}
	return v;
}

static void hexadecimal(struct line *l, uint8_t *ret, size_t len)
{
	char w[2 * HASH_SIZE + 1];
	size_t n = 0;

	word(l, w, sizeof w);
	l->bad |= sodium_hex2bin(ret, len, w, strlen(w), NULL, &n, NULL) != 0 || n != len;
}

static void base64(struct line *l, uint8_t *ret, size_t len)
{
	char w[96];
	size_t n = 0;

	word(l, w, sizeof w);
	l->bad |= base64_decode(w, strlen(w), ret, len, &n) != 0 || n != len;
}

static void read_files(struct line *l, struct manifest *m)
{
	char name[BACKUPOUT_NAME_SIZE];

	for (unsigned i = 0; i < MANIFEST_N; i++) {
		expect(l, "file");
		hexadecimal(l, m->files[i].hash.b, HASH_SIZE);
		m->files[i].len = number(l);
		word(l, name, sizeof name); /* As the generation says: the whole is compared. */
	}
}

int manifest_decode(struct manifest *ret, const char *text, size_t len)
{
	struct line l = {text, text + len, false};
	char again[MANIFEST_SIZE_MAX + 128], signature[96];
	struct manifest m = {0};

	expect(&l, MANIFEST_FORMAT);
	expect(&l, "generation");
	m.generation = number(&l);
	expect(&l, "origin");
	word(&l, m.origin, sizeof m.origin);
	expect(&l, "checkpoint");
	m.size = number(&l);
	base64(&l, m.root.b, HASH_SIZE);
	expect(&l, "state");
	m.state_size = number(&l);
	m.state_index = number(&l);
	m.state_term = number(&l);
	expect(&l, "keys");
	hexadecimal(&l, m.keys, sizeof m.keys);
	expect(&l, "made");
	m.made_ms = number(&l);
	read_files(&l, &m);
	expect(&l, "signer");
	word(&l, m.signer, sizeof m.signer);
	expect(&l, "signature");
	base64(&l, m.signature, sizeof m.signature);
	if (l.bad || l.at != l.end || m.generation == 0 || m.state_size == 0 || m.state_size > m.size)
		return CS_ERR_MALFORMED;
	size_t n = text_of(&m, again);
	base64_encode(m.signature, sizeof m.signature, signature, sizeof signature);
	n += (size_t)snprintf(again + n, sizeof again - n, "signature %s\n", signature);
	if (n != len || memcmp(again, text, len) != 0)
		return CS_ERR_MALFORMED;
	*ret = m;
	return 0;
}
