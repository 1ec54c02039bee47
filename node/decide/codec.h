/* Pieces that the codecs of commands share; sticky errors as in ledger/bytes.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_CODEC_H
#define NODE_DECIDE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ledger/bytes.h"
#include "node/decide/command.h"

void codec_text(struct reader *r, size_t len_min, size_t len_max, struct text *ret);
/* One whole array, passed over. */
void codec_array(struct reader *r, const uint8_t **ret, size_t *ret_len);
/* A bin of exactly len bytes, not copied. */
void codec_fixed(struct reader *r, size_t len, const uint8_t **ret);
void codec_fixed_or_nil(struct reader *r, size_t len, const uint8_t **ret);    /* nil: *ret untouched. */
void codec_pair(struct reader *r, struct text *ret_type, struct text *ret_id); /* [type, id], none empty. */
bool codec_is_array(const void *bytes, size_t len);                            /* Exactly one canonical array. */

void codec_write_text(struct writer *w, struct text t);
#define CODEC_KEY_SIZE 32
void codec_write_key_or_nil(struct writer *w, const uint8_t *key);         /* NULL: nil. */
void codec_write_pair(struct writer *w, struct text type, struct text id); /* [type, id] */
void codec_write_context(struct writer *w, const struct named_value *v);   /* [name, value] */

/* domain || 0 || origin || 0, the beginning of whatever is signed here; returns its length. */
size_t codec_domain(uint8_t *ret, const char *domain, const char *origin);

/* Order by bytes, the shorter first: names in a request have one order. */
int text_compare(struct text a, struct text b);
/* In line: of a literal, as nearly always, the length is known when it is compiled. */
static inline bool text_is(struct text t, const char *s)
{
	return t.len == strlen(s) && (t.len == 0 || memcmp(t.s, s, t.len) == 0);
}

/* [name, sequence, expiry ms, signature bin64], or an array of such. */
void admin_signature_write(struct writer *w, const struct admin_signature *a);
/* The end of each order: notes what was signed (from start on), reads the signature, and that must be all. */
int codec_signed_end(struct reader *r, const uint8_t *start, const uint8_t **ret_signed, size_t *ret_len,
                     struct admin_signature *ret);

#endif
