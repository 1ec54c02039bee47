/* Entries made again: what their bodies have kept of seeds that are gone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/decide/apply.h"

static const struct field *recalled(const struct apply *a, unsigned kind)
{
	return a->recall != NULL ? body_find(a->recall->fields, a->recall->n_fields, kind) : NULL;
}

void recall_salts(const struct apply *a)
{
	for (unsigned i = 0; i < a->recall->n_fields; i++) {
		const struct field *f = &a->recall->fields[i];
		if (f->kind <= FIELD_SALTED_MAX)
			memcpy(a->s->builder->salts[f->kind], f->salt, SALT_SIZE);
	}
}

bool recall_blind(const struct apply *a, uint8_t ret[32])
{
	const struct field *f = recalled(a, FIELD_BLIND);
	struct reader r;

	if (f == NULL)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_bin_exact(&r, ret, 32);
	return r.err == 0;
}

bool recall_nonce(const struct apply *a, uint8_t ret[32])
{
	const struct field *f = recalled(a, FIELD_CHALLENGE); /* [nonce, …] */
	struct reader r;
	uint32_t n;

	if (f == NULL)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	reader_bin_exact(&r, ret, 32);
	return r.err == 0;
}
