/* Evidence by its method; looking again at what another node found. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/evidence/verify.h"

#include <fido.h>
#include <liboath/oath.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/decide/policy_form.h"
#include "node/evidence/verify_internal.h"

/*
 * Short of memory, jansson drops what it was to read without a word, and a good proof would look like a bad one: the
 * process ends instead, as everywhere in the core.
 */
static void *memory(size_t size)
{
	void *p = malloc(size);

	if (p == NULL && size > 0)
		abort();
	return p;
}

void evidence_init(void)
{
	json_set_alloc_funcs(memory, free);
	fido_init(0);
	/* jansson's hash seed, drawn now and not by two threads at once. */
	json_object_seed(0);
	if (oath_init() != OATH_OK)
		abort();
}

bool evidence_fails(struct evidence *e, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(e->found.why, sizeof(e->found.why), format, args);
	va_end(args);
	return false;
}

void message_text(const struct evidence *e, char ret[MESSAGE_TEXT_SIZE])
{
	sodium_bin2base64(ret, MESSAGE_TEXT_SIZE, e->bound.b, HASH_SIZE, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

json_t *json_object_read(const void *bytes, size_t len, size_t len_max)
{
	json_error_t where;
	json_t *j = len > len_max ? NULL : json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &where);

	if (j != NULL && !json_is_object(j)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

const char *json_text(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	/* jansson lets no NUL into a string unless it is asked to: C's end is the text's. */
	return json_is_string(v) ? json_string_value(v) : NULL;
}

void evidence_verify(struct evidence *e, const struct evidence_node *node)
{
	if (e->method == METHOD_ED25519) {
		evidence_verify_ed25519(e);
		return;
	}
	memset(&e->found, 0, sizeof(e->found));
	if (e->registers)
		verify_registration(e);
	else if (e->method == METHOD_WEBAUTHN)
		verify_webauthn(e);
	else if (e->method == METHOD_TOTP)
		verify_totp(e, node);
	else if (e->method == METHOD_OIDC)
		verify_oidc(e);
	else
		evidence_fails(e, "no such method");
}

bool evidence_verify_again(struct evidence *e, const struct evidence_node *node)
{
	struct evidence_found claimed = e->found;
	const struct evidence_found *f = &e->found;

	if (e->method == METHOD_TOTP)
		return true;
	evidence_verify(e, node);
	return f->verified && f->level == claimed.level && f->counter == claimed.counter &&
	       f->has_once == claimed.has_once && memcmp(f->once, claimed.once, sizeof(f->once)) == 0 &&
	       f->once_until_ms == claimed.once_until_ms && f->auth_time_ms == claimed.auth_time_ms &&
	       strcmp(f->acr, claimed.acr) == 0 && f->made_len == claimed.made_len &&
	       memcmp(f->made, claimed.made, f->made_len) == 0;
}
