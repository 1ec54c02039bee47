/* C2SP signed notes, tlog-checkpoints, cosignatures (cosignature/v1), verifier keys. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_NOTE_H
#define LEDGER_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/hash.h"
#include "ledger/limits.h"

#define NOTE_KEY_ED25519     0x01 /* signed-note: Ed25519 over the note's text. */
#define NOTE_KEY_COSIGNATURE 0x04 /* tlog-cosignature: Ed25519 over "cosignature/v1\ntime T\n" and the text. */

/* A public key with its name, as a vkey line has it: name+hex(id)+base64(type || pub). */
struct note_key {
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	uint8_t type; /* NOTE_KEY_... */
	uint8_t pub[32];
	uint32_t id; /* First 4 bytes, big-endian, of SHA-256(name || 0A || type || pub). */
};

/* Fills *ret and computes its id. CS_ERR_INVALID for a bad name (empty, space, '+', control) or type. */
int note_key_init(struct note_key *ret, const char *name, uint8_t type, const uint8_t pub[32]);
int note_key_parse(struct note_key *ret, const char *vkey, size_t len); /* CS_ERR_MALFORMED, also for a wrong id. */
/* NUL-terminated vkey text into buf of cap bytes. */
int note_key_format(const struct note_key *k, char *buf, size_t cap);

/* One signature line of a note. */
struct note_signature {
	const char *name; /* In the note; not NUL-terminated. */
	size_t name_len;
	uint32_t id;
	uint8_t bytes[72]; /* 64 bytes (type 01), or u64 big-endian time and 64 bytes (type 04). Longer ones: len only.
	                    */
	size_t len;        /* Bytes of the signature as decoded, without the key id. */
};

/* A note taken apart. Points into the bytes it was parsed from. */
struct note {
	const char *text; /* With its final newline, without the blank line. */
	size_t text_len;
	struct note_signature signatures[LIMIT_NOTE_SIGNATURES_MAX];
	unsigned n_signatures;
};

int note_parse(struct note *ret, const char *bytes, size_t len); /* CS_ERR_MALFORMED, CS_ERR_TOO_LARGE. */

/*
 * Checks the signature line of the note made by key k, if there is one.
 * 0: verified (and for a cosignature its POSIX time in *ret_time, which may be NULL).
 * CS_ERR_NOT_FOUND: no line of this key. CS_ERR_REFUTED: there is one and it is bad (the whole note must be refused).
 * Where there are several lines of the key, all must be good, and the time is the latest.
 */
int note_verify(const struct note *n, const struct note_key *k, uint64_t *ret_time);

/* Appends "— name base64\n" for an Ed25519 signature over text to buf at *len (signed-note). sk: libsodium's 64 bytes.
 */
int note_sign(const struct note_key *k, const uint8_t sk[64], const char *text, size_t text_len, char *buf, size_t cap,
              size_t *len);
/* The same for a cosignature/v1 at POSIX time time_s. */
int note_cosign(const struct note_key *k, const uint8_t sk[64], uint64_t time_s, const char *text, size_t text_len,
                char *buf, size_t cap, size_t *len);

/* tlog-checkpoint. */
struct checkpoint {
	char origin[LIMIT_ORIGIN_SIZE_MAX + 1];
	uint64_t size;
	struct hash root;
};

/* The note's text: "origin\nsize\nbase64(root)\n". *ret_len without the terminating NUL. */
int checkpoint_format(const struct checkpoint *c, char *buf, size_t cap, size_t *ret_len);
/* Accepts exactly these three lines: our checkpoints have no extension lines, and none are believed. */
int checkpoint_parse(struct checkpoint *ret, const char *text, size_t text_len);

/* Standard base64 with padding (RFC 4648 4), canonical only. Decode: *ret_len bytes into out of cap. */
int base64_encode(const void *bytes, size_t len, char *out, size_t cap); /* NUL-terminated. */
int base64_decode(const char *text, size_t len, uint8_t *out, size_t cap, size_t *ret_len);

#endif
