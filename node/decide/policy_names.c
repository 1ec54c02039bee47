/* Levels and methods of evidence by their names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/credential.h"
#include "node/decide/policy_form.h"

#define METHOD_SIZE_MAX 32

const char *level_text(unsigned level)
{
	switch (level) {
#define LEVEL_CASE(name, number, key)                                                                                  \
	case number:                                                                                                   \
		return key;
		LEVEL_LIST(LEVEL_CASE)
#undef LEVEL_CASE
	default:
		return "unknown";
	}
}

unsigned level_parse(struct text t)
{
#define LEVEL_TRY(name, number, key)                                                                                   \
	if (text_is(t, key))                                                                                           \
		return number;
	LEVEL_LIST(LEVEL_TRY)
#undef LEVEL_TRY
	return 0;
}

unsigned method_parse(struct text t)
{
#define METHOD_TRY(name, bit, key, level)                                                                              \
	if (text_is(t, key))                                                                                           \
		return bit;
	METHOD_LIST(METHOD_TRY)
#undef METHOD_TRY
	return 0;
}

unsigned method_level(unsigned method)
{
#define METHOD_LEVEL(name, bit, key, level)                                                                            \
	if (method == bit)                                                                                             \
		return level;
	METHOD_LIST(METHOD_LEVEL)
#undef METHOD_LEVEL
	return 0;
}

void methods_write(struct writer *w, unsigned methods)
{
	uint32_t n = 0;

	for (unsigned bits = methods; bits != 0; bits &= bits - 1)
		n++;
	writer_array(w, n);
#define METHOD_WRITE(name, bit, key, level)                                                                            \
	if (methods & bit)                                                                                             \
		writer_cstr(w, key);
	METHOD_LIST(METHOD_WRITE)
#undef METHOD_WRITE
}

void methods_read(struct reader *r, unsigned *ret)
{
	uint32_t n = 0;
	unsigned methods = 0;

	reader_array(r, 32, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		struct text t = {0};
		codec_text(r, 1, METHOD_SIZE_MAX, &t);
		unsigned bit = method_parse(t);
		if (r->err == 0 && bit <= methods) /* Unknown (0), twice, or out of order. */
			r->err = CS_ERR_MALFORMED;
		methods |= bit;
	}
	if (r->err == 0 && methods == 0)
		r->err = CS_ERR_MALFORMED;
	*ret = methods;
}

bool methods_reach(unsigned methods, unsigned level)
{
#define METHOD_REACHES(name, bit, text, reached)                                                                       \
	if ((methods & bit) && reached >= level)                                                                       \
		return true;
	METHOD_LIST(METHOD_REACHES)
#undef METHOD_REACHES
	return false;
}

unsigned method_kind(unsigned method)
{
	switch (method) {
	case METHOD_WEBAUTHN:
		return CREDENTIAL_WEBAUTHN;
	case METHOD_TOTP:
		return CREDENTIAL_TOTP;
	case METHOD_OIDC:
		return CREDENTIAL_OIDC;
	default:
		return 0;
	}
}
