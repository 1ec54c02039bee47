/* countersign credential enroll: a security key, a TOTP secret, an OIDC account, or what is pinned for them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/credentialorder.h"
#include "client/tool/files.h"
#include "client/tool/result.h"

#define FILE_SIZE_MAX   65536
#define SECRET_SIZE     20 /* RFC 4226 4, R6: 160 bits are recommended. */
#define SECRET_TEXT_MAX 64
#define ORIGINS_MAX     8

static const struct usage usage = {
        .command = "credential enroll",
        .arguments = "",
        .about =
                "Enrols a credential of a person, signed with the administrator's key (--key); or as the person's own\n"
                "order: with --request FILE it asks for a decision, which is always a step_up, and saves it; after\n"
                "`countersign answer --challenge FILE`, --allowed FILE carries it out.\n\n"
                "--kind webauthn: --registration FILE is PublicKeyCredential.toJSON() as a browser made it with the\n"
                "challenge that `credential challenge` prints. --kind totp: a new secret is made here, printed once "
                "as\n"
                "an otpauth:// URI on standard output, and leaves this machine sealed to each node's key only.\n"
                "--kind oidc: --issuer names an enrolled oidc-issuer, --sub the person there. --kind oidc-issuer pins\n"
                "its keys, --kind attestation-root a certificate; both are an administrator's alone. Of the JWK Set "
                "those are\n"
                "taken that verify RS256, PS256 (where alg says so), ES256 or EdDSA.\n",
        .exits = "  0  enrolled, or allowed already\n  1  deny\n  2  step_up: answer it\n" TOOL_EXIT_TEXT,
};

struct words {
	struct order_words order;
	const char *name, *kind, *registration, *rp_id, *root, *issuer, *sub, *iss, *aud, *jwks, *certificate;
	struct option_list origins;
	uint64_t algorithm, digits, skew_ms;
};

/* A credential with the memory that it points to. */
struct made {
	struct cs_credential c;
	char subject_type[TOOL_TYPE_SIZE], subject_id[TOOL_ID_SIZE];
	uint8_t data[CS_CREDENTIAL_SIZE_MAX];
	uint8_t secret[SECRET_SIZE];
	bool has_secret;
};

static int missing(const char *what)
{
	return tool_fail(EXIT_USAGE, usage.command, "this kind wants %s", what);
}

static int read_file(const char *path, char **ret, size_t *ret_size)
{
	int rv = files_read(path, FILE_SIZE_MAX, ret, ret_size);

	return rv ? tool_fail(EXIT_USAGE, usage.command, "%s: %s", path, strerror(rv)) : 0;
}

static int of_call(int err)
{
	return err ? tool_fail(tool_exit_of(err) == EXIT_UNREACHABLE ? EXIT_UNREACHABLE : EXIT_USAGE, usage.command,
	                       "%s", cs_last_error())
	           : 0;
}

static int make_webauthn(const struct words *w, struct made *m)
{
	char *json = NULL;
	size_t size;

	if (!w->registration || !w->rp_id || !w->origins.n)
		return missing("--registration FILE, --rp-id ID and --origin URL");
	int code = read_file(w->registration, &json, &size);
	if (!code)
		code = of_call(cs_credential_webauthn(json, w->rp_id, w->origins.items, w->origins.n, w->root, m->data,
		                                      sizeof m->data, &m->c.size));
	free(json);
	return code;
}

static int make_totp(cs_client *client, const struct words *w, struct made *m)
{
	const struct cs_totp parameters = {(unsigned)w->algorithm, (unsigned)w->digits, 30};

	randombytes_buf(m->secret, sizeof m->secret);
	m->has_secret = true;
	return of_call(cs_credential_totp(client, w->name, m->secret, sizeof m->secret, &parameters, m->data,
	                                  sizeof m->data, &m->c.size));
}

static int make_issuer(const struct words *w, struct made *m)
{
	char *json = NULL;
	size_t size;

	if (!w->iss || !w->aud || !w->jwks)
		return missing("--iss URL, --aud CLIENT and --jwks FILE");
	int code = read_file(w->jwks, &json, &size);
	if (!code)
		code = of_call(cs_credential_issuer(w->iss, w->aud, (unsigned)w->skew_ms, json, m->data, sizeof m->data,
		                                    &m->c.size));
	free(json);
	return code;
}

/* DER, or the first certificate of a PEM file (RFC 7468). */
static int make_root(const struct words *w, struct made *m)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----", end[] = "-----END";
	uint8_t der[FILE_SIZE_MAX];
	char *bytes = NULL;
	size_t size, len;

	if (!w->certificate)
		return missing("--certificate FILE");
	int code = read_file(w->certificate, &bytes, &size);
	if (code)
		return code;
	const char *at = memmem(bytes, size, begin, strlen(begin));
	const char *last = at ? strstr(at, end) : NULL;
	if (!at)
		code = of_call(cs_credential_root(bytes, size, m->data, sizeof m->data, &m->c.size));
	else if (!last || sodium_base642bin(der, sizeof der, at + strlen(begin), (size_t)(last - at) - strlen(begin),
	                                    "\r\n ", &len, NULL, sodium_base64_VARIANT_ORIGINAL))
		code = tool_fail(EXIT_USAGE, usage.command, "%s: is no certificate", w->certificate);
	else
		code = of_call(cs_credential_root(der, len, m->data, sizeof m->data, &m->c.size));
	free(bytes);
	return code;
}

static int make(cs_client *client, const struct words *w, struct made *m)
{
	m->c.name = w->name;
	m->c.kind = w->kind;
	m->c.data = m->data;
	if (!w->name || !w->kind)
		return tool_fail(EXIT_USAGE, usage.command, "--name NAME and --kind KIND are wanted");
	if (w->order.subject) {
		if (!tool_split_typed(w->order.subject, m->subject_type, m->subject_id))
			return tool_fail(EXIT_USAGE, usage.command, "option --subject: \"%s\" is not TYPE:ID",
			                 w->order.subject);
		m->c.subject_type = m->subject_type;
		m->c.subject_id = m->subject_id;
	}
	if (!strcmp(w->kind, "webauthn"))
		return make_webauthn(w, m);
	if (!strcmp(w->kind, "totp"))
		return make_totp(client, w, m);
	if (!strcmp(w->kind, "oidc"))
		return w->issuer && w->sub
		               ? of_call(cs_credential_oidc(w->issuer, w->sub, m->data, sizeof m->data, &m->c.size))
		               : missing("--issuer NAME and --sub ID");
	if (!strcmp(w->kind, "oidc-issuer"))
		return make_issuer(w, m);
	if (!strcmp(w->kind, "attestation-root"))
		return make_root(w, m);
	return tool_fail(EXIT_USAGE, usage.command,
	                 "unknown kind: webauthn, totp, oidc, oidc-issuer or attestation-root");
}

/* RFC 4648 6, without padding, as apps take it. */
static void base32(const uint8_t *bytes, size_t len, char *ret)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned bits = 0, n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		for (n += 8; n >= 5; n -= 5)
			*ret++ = letters[bits >> (n - 5) & 31];
	}
	if (n > 0)
		*ret++ = letters[bits << (5 - n) & 31];
	*ret = 0;
}

static void print_uri(const struct words *w, const struct made *m)
{
	char text[SECRET_TEXT_MAX];

	base32(m->secret, sizeof m->secret, text);
	printf("otpauth://totp/countersign:%s?secret=%s&issuer=countersign&algorithm=SHA%s&digits=%u&period=30\n",
	       w->name, text,
	       w->algorithm == 512   ? "512"
	       : w->algorithm == 256 ? "256"
	                             : "1",
	       (unsigned)w->digits);
	sodium_memzero(text, sizeof text);
}

static int send_order(cs_client *client, const struct cs_credential *c, const struct cs_request *allowed, bool json)
{
	cs_result *result = NULL;
	int err = cs_credential_enroll(client, c, allowed, &result), code = 0;

	if (err)
		return tool_failed_call(usage.command, c->name, err);
	if (json)
		code = result_dump(usage.command, result_json(result), true);
	else
		result_print_done(result, c->name);
	cs_result_free(result);
	return code;
}

static int run(cs_client *client, const struct words *w)
{
	struct order_saved saved = {0};
	struct made m = {0};
	int code;

	if (w->order.allowed) {
		code = order_load(usage.command, w->order.allowed, &saved);
		if (!code)
			code = send_order(client, &saved.credential, &saved.request, w->order.json);
		order_saved_free(&saved);
		return code;
	}
	code = make(client, w, &m);
	if (!code && w->order.request)
		code = order_ask_enroll(usage.command, client, &m.c, &w->order);
	else if (!code)
		code = send_order(client, &m.c, NULL, w->order.json);
	/* Shown once it is of use: enrolled, or on its way to that. */
	if (m.has_secret && (code == EXIT_DONE || (w->order.request && code == 2)))
		print_uri(w, &m);
	sodium_memzero(m.secret, sizeof m.secret);
	return code;
}

int credentialenroll_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	struct words w = {.algorithm = 1, .digits = 6, .skew_ms = 30000};
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&access),
	        {"name", OPTION_TEXT, &w.name, "NAME", "the credential's name", 0, 0},
	        {"kind", OPTION_TEXT, &w.kind, "KIND", "webauthn, totp, oidc, oidc-issuer, attestation-root", 0, 0},
	        ORDER_OPTIONS(&w.order),
	        {"registration", OPTION_TEXT, &w.registration, "FILE", "webauthn: what the browser made", 0, 0},
	        {"rp-id", OPTION_TEXT, &w.rp_id, "ID", "webauthn: the relying party, as example.org", 0, 0},
	        {"origin", OPTION_LIST, &w.origins, "URL", "webauthn: where it may be used; up to 8", 0, 0},
	        {"root", OPTION_TEXT, &w.root, "NAME", "webauthn: the attestation-root that must vouch", 0, 0},
	        {"algorithm", OPTION_NUMBER, &w.algorithm, "N", "totp: 1, 256 or 512 for the SHA (default: 1)", 1, 512},
	        {"digits", OPTION_NUMBER, &w.digits, "N", "totp: of a code (default: 6)", 6, 8},
	        {"issuer", OPTION_TEXT, &w.issuer, "NAME", "oidc: the enrolled oidc-issuer", 0, 0},
	        {"sub", OPTION_TEXT, &w.sub, "ID", "oidc: the subject at the issuer", 0, 0},
	        {"iss", OPTION_TEXT, &w.iss, "URL", "oidc-issuer: its name in tokens", 0, 0},
	        {"aud", OPTION_TEXT, &w.aud, "ID", "oidc-issuer: this cluster's name in tokens", 0, 0},
	        {"jwks", OPTION_TEXT, &w.jwks, "FILE", "oidc-issuer: its JWK Set", 0, 0},
	        {"skew-ms", OPTION_NUMBER, &w.skew_ms, "MS", "oidc-issuer: clocks apart (default: 30000)", 0, 300000},
	        {"certificate", OPTION_TEXT, &w.certificate, "FILE", "attestation-root: PEM or DER", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (w.order.request && w.order.allowed)
		return tool_fail(EXIT_USAGE, usage.command, "--request asks, --allowed carries out: one of them");
	if (w.origins.n > ORIGINS_MAX)
		return tool_fail(EXIT_USAGE, usage.command, "at most %d origins", ORIGINS_MAX);
	code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	code = run(client, &w);
	cs_close(client);
	return code;
}
