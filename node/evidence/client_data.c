/* WebAuthn: what the browser says that it was asked, and where. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "node/evidence/verify_internal.h"

#define CLIENT_DATA_SIZE_MAX 2048 /* Type, challenge, an origin; browsers add a hint of some 120 bytes. */
#define ORIGINS_MAX          8
#define ORIGIN_SIZE_MAX      256

static const char *text_of(const json_t *o, const char *name)
{
	const char *s = json_text(o, name);

	return s != NULL ? s : "";
}

static bool origin_listed(const char *origin, struct reader origins)
{
	uint32_t n = 0;
	bool found = false;

	reader_array(&origins, ORIGINS_MAX, &n);
	for (uint32_t i = 0; i < n && origins.err == 0; i++) {
		const char *s = NULL;
		size_t len = 0;
		if (reader_str(&origins, ORIGIN_SIZE_MAX, &s, &len) == 0)
			found |= strlen(origin) == len && memcmp(origin, s, len) == 0;
	}
	return found;
}

static bool good(struct evidence *e, const json_t *o, const char *type, struct reader origins)
{
	const json_t *cross = json_object_get(o, "crossOrigin");
	char challenge[MESSAGE_TEXT_SIZE];

	message_text(e, challenge);
	if (strcmp(text_of(o, "type"), type) != 0)
		return evidence_fails(e, "webauthn: the type is not %s", type);
	if (strcmp(text_of(o, "challenge"), challenge) != 0)
		return evidence_fails(e, "webauthn: it answers another challenge");
	if (!origin_listed(text_of(o, "origin"), origins))
		return evidence_fails(e, "webauthn: its origin is none of the credential's");
	if (cross != NULL && !json_is_false(cross))
		return evidence_fails(e, "webauthn: it was made in a frame of another origin");
	if (json_object_get(o, "topOrigin") != NULL)
		return evidence_fails(e, "webauthn: it was made in a frame of another site");
	return true;
}

bool client_data_good(struct evidence *e, const uint8_t *json, size_t len, const char *type, struct reader origins)
{
	json_t *o = json_object_read(json, len, CLIENT_DATA_SIZE_MAX);

	if (o == NULL)
		return evidence_fails(e, "webauthn: clientDataJSON is no JSON object, or too large");
	bool rv = good(e, o, type, origins);
	json_decref(o);
	return rv;
}
