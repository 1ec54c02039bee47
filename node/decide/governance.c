/* Governance's thresholds: their classes, how genesis says them, and the order that sets them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/governance.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"

static const char *const classes[GOVERNANCE_CLASSES_N] = {
#define CLASS_TEXT(name, number, text) [number] = text,
        GOVERNANCE_CLASSES(CLASS_TEXT)
#undef CLASS_TEXT
};

const char *governance_class_text(unsigned class)
{
	return class < GOVERNANCE_CLASSES_N ? classes[class] : "unknown";
}

unsigned governance_class_find(struct text t)
{
	unsigned i = 0;

	while (i < GOVERNANCE_CLASSES_N && !text_is(t, classes[i]))
		i++;
	return i;
}

unsigned governance_class_of(unsigned command_type)
{
	switch (command_type) {
	case COMMAND_POLICY_SET:
		return GOVERNANCE_POLICY;
	case COMMAND_ENROLL:
	case COMMAND_REMOVE:
	case COMMAND_CREDENTIAL_ENROL:
	case COMMAND_CREDENTIAL_REVOKE:
		return GOVERNANCE_ENROLMENT;
	case COMMAND_PEOPLE:
		return GOVERNANCE_PEOPLE;
	case COMMAND_MEMBER:
	case COMMAND_KEY: /* Of a principal it takes all that its enrolment took: check_key. */
		return GOVERNANCE_MEMBERS;
	case COMMAND_FEATURE:
		return GOVERNANCE_FEATURES;
	case COMMAND_GOVERNANCE:
		return GOVERNANCE_ITSELF;
	default:
		return GOVERNANCE_NONE;
	}
}

void governance_all(struct governance *ret, unsigned k)
{
	memset(ret->k, (int)k, sizeof(ret->k));
}

unsigned governance_largest(const struct governance *g)
{
	unsigned most = 1;

	for (unsigned i = 0; i < GOVERNANCE_CLASSES_N; i++)
		most = g->k[i] > most ? g->k[i] : most;
	return most;
}

/* A number without sign or leading zeros; 0: none. */
static unsigned parse_number(const char **at, const char *end)
{
	unsigned v = 0;

	if (*at < end && **at == '0')
		return 0;
	for (; *at < end && **at >= '0' && **at <= '9' && v <= ADMIN_SIGNATURES_MAX; (*at)++)
		v = v * 10 + (unsigned)(**at - '0');
	return v;
}

int governance_parse(struct text words, unsigned administrators, struct governance *ret)
{
	static const char of[] = " of ";
	const char *at = words.s, *end = words.s + words.len;

	governance_all(ret, 1);
	if (text_is(words, "single"))
		return administrators == 1 ? 0 : CS_ERR_INVALID;
	unsigned k = parse_number(&at, end);
	if ((size_t)(end - at) <= strlen(of) || memcmp(at, of, strlen(of)) != 0)
		return CS_ERR_INVALID;
	at += strlen(of);
	unsigned n = parse_number(&at, end);
	if (at != end || k == 0 || k > ADMIN_SIGNATURES_MAX || k > n || n != administrators)
		return CS_ERR_INVALID;
	governance_all(ret, k);
	return 0;
}

void governance_write(struct writer *w, const struct governance *g)
{
	writer_array(w, GOVERNANCE_CLASSES_N);
	for (unsigned i = 0; i < GOVERNANCE_CLASSES_N; i++)
		writer_uint(w, g->k[i]);
}

void governance_read(struct reader *r, struct governance *ret)
{
	reader_array_exact(r, GOVERNANCE_CLASSES_N);
	for (unsigned i = 0; i < GOVERNANCE_CLASSES_N; i++) {
		uint64_t k = 0;
		reader_uint(r, ADMIN_SIGNATURES_MAX, &k);
		if (r->err == 0 && k == 0)
			r->err = CS_ERR_MALFORMED;
		ret->k[i] = (uint8_t)k;
	}
}

int governance_order_encode_signed(const struct governance_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	governance_write(&w, &o->thresholds);
	return writer_end(&w, ret_len);
}

int governance_order_encode(const struct governance_order *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 2);
	governance_write(&w, &o->thresholds);
	admin_signature_write(&w, &o->admin);
	return writer_end(&w, ret_len);
}

int governance_order_decode(struct governance_order *ret, const void *bytes, size_t len)
{
	struct governance_order o = {0};
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 2);
	const uint8_t *start = r.pos;
	governance_read(&r, &o.thresholds);
	int err = codec_signed_end(&r, start, &o.signed_elements, &o.signed_len, &o.admin);
	if (err == 0)
		*ret = o;
	return err;
}
