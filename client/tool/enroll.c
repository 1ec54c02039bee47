/* countersign enroll: enrols a principal or a subject's device, signed by an administrator. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/tool/keys.h"
#include "client/tool/result.h"
#include "client/tool/tool.h"

static const struct usage usage = {
        .command = "enroll",
        .arguments = "",
        .about = "Enrols a principal under a name with roles (decide, import, audit, administer, device, approve, "
                 "signal,\n"
                 "witness; several with commas). --key is the administrator's. The new principal's public keys come "
                 "with "
                 "--channel-pub and\n"
                 "--sign-pub, or a new key file is made in the same go with --new-key. A device belongs to a subject "
                 "and\n"
                 "has a signing key only. A witness signs with the key whose verifier key trust policies name: it\n"
                 "cosigns checkpoints under its name (countersign monitor), and reads no private field.\n",
        .exits = "  0  enrolled\n" TOOL_EXIT_TEXT,
};

struct words {
	const char *name, *roles, *new_key, *channel_pub, *sign_pub, *subject;
	bool json;
};

struct enrolment_owned {
	struct cs_principal principal;
	uint8_t channel_pub[32], sign_pub[32];
	char subject_type[TOOL_TYPE_SIZE], subject_id[TOOL_ID_SIZE];
	char vkey[KEYS_VKEY_SIZE]; /* Of a witness. */
};

static bool has_role(const char *roles, const char *role)
{
	size_t len = strlen(role);

	for (const char *p = roles; *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == len && !strncmp(p, role, len))
			return true;
	return false;
}

static int check(const struct words *w)
{
	bool device;

	if (!w->name || !w->roles)
		return tool_fail(EXIT_USAGE, usage.command, "option --%s is missing",
		                 w->name ? "roles LIST" : "name NAME");
	device = !strcmp(w->roles, "device");
	if (w->new_key && (w->channel_pub || w->sign_pub))
		return tool_fail(EXIT_USAGE, usage.command,
		                 "--new-key makes the keys: --channel-pub and --sign-pub do not fit");
	if (!w->new_key && !w->channel_pub && !w->sign_pub)
		return tool_fail(EXIT_USAGE, usage.command,
		                 "no keys: give --new-key FILE, or --channel-pub and --sign-pub");
	if (device && !w->subject)
		return tool_fail(EXIT_USAGE, usage.command, "a device needs --subject TYPE:ID, whose it is");
	if (has_role(w->roles, "witness") && !w->new_key && !w->sign_pub)
		return tool_fail(EXIT_USAGE, usage.command, "a witness needs --sign-pub, its cosigner key");
	if (device && w->channel_pub)
		return tool_fail(EXIT_USAGE, usage.command, "a device opens no channel: --channel-pub does not fit");
	return 0;
}

static int take_public(const char *option, const char *text, uint8_t pub[32], const uint8_t **ret)
{
	if (!text)
		return 0;
	if (!keys_parse_public(text, pub))
		return tool_fail(EXIT_USAGE, usage.command, "option --%s: is not the base64 of 32 bytes", option);
	*ret = pub;
	return 0;
}

static int make_keys(const struct words *w, struct enrolment_owned *e)
{
	bool device = !strcmp(w->roles, "device"), witness = has_role(w->roles, "witness");
	struct keyfile k;
	int code = keys_create(usage.command, w->new_key, w->name,
	                       device    ? KEYS_DEVICE
	                       : witness ? KEYS_WITNESS
	                                 : KEYS_CLIENT,
	                       &k);

	if (code)
		return code;
	if (!device && !keyfile_public(&k, KEY_CHANNEL, e->channel_pub, NULL))
		e->principal.channel_pub = e->channel_pub;
	if (!keyfile_public(&k, witness ? KEY_COSIGNER : KEY_SIGN, e->sign_pub, NULL))
		e->principal.sign_pub = e->sign_pub;
	keyfile_wipe(&k);
	return 0;
}

static int describe(const struct words *w, struct enrolment_owned *e)
{
	int code;

	memset(e, 0, sizeof *e);
	e->principal.name = w->name;
	e->principal.roles = w->roles;
	if (w->subject) {
		if (!tool_split_typed(w->subject, e->subject_type, e->subject_id))
			return tool_fail(EXIT_USAGE, usage.command, "option --subject: \"%s\" is not TYPE:ID",
			                 w->subject);
		e->principal.subject_type = e->subject_type;
		e->principal.subject_id = e->subject_id;
	}
	code = take_public("channel-pub", w->channel_pub, e->channel_pub, &e->principal.channel_pub);
	return code ? code : take_public("sign-pub", w->sign_pub, e->sign_pub, &e->principal.sign_pub);
}

/* What trust policies name it by. */
static void name_witness(const struct words *w, struct enrolment_owned *e)
{
	struct note_key k;

	if (has_role(w->roles, "witness") && e->principal.sign_pub &&
	    !note_key_init(&k, w->name, NOTE_KEY_COSIGNATURE, e->principal.sign_pub))
		note_key_format(&k, e->vkey, sizeof e->vkey);
}

static int enroll(cs_client *client, const struct words *w, struct enrolment_owned *e)
{
	cs_result *result = NULL;
	int err, code = w->new_key ? make_keys(w, e) : 0;

	if (code)
		return code;
	name_witness(w, e);
	err = cs_enroll(client, &e->principal, &result);
	if (err) {
		code = tool_failed_call(usage.command, w->name, err);
		/* Where the outcome is unknown the key may be enrolled: it is kept. */
		if (w->new_key && code == EXIT_REFUSED)
			unlink(w->new_key);
		return code;
	}
	if (w->json) {
		code = result_dump(usage.command, result_json(result), true);
	} else {
		result_print_done(result, w->name);
		if (*e->vkey)
			printf("witness: %s\n", e->vkey);
		if (w->new_key)
			printf("key file: %s\n", w->new_key);
	}
	cs_result_free(result);
	return code;
}

int enroll_run(int argc, char **argv)
{
	struct tool_access access = {.timeout_ms = TOOL_TIMEOUT_MS_DEFAULT};
	struct words w = {0};
	const struct option options[] = {
	        TOOL_ADMIN_OPTIONS(&access),
	        {"name", OPTION_TEXT, &w.name, "NAME", "the principal's or credential's name", 0, 0},
	        {"roles", OPTION_TEXT, &w.roles, "LIST",
	         "decide, import, audit, administer, device, approve, signal, witness", 0, 0},
	        {"new-key", OPTION_TEXT, &w.new_key, "FILE", "make the key file in the same go", 0, 0},
	        {"channel-pub", OPTION_TEXT, &w.channel_pub, "BASE64", "its channel key, public half", 0, 0},
	        {"sign-pub", OPTION_TEXT, &w.sign_pub, "BASE64", "its signing key, public half", 0, 0},
	        {"subject", OPTION_TEXT, &w.subject, "TYPE:ID", "whose device it is", 0, 0},
	        {"json", OPTION_FLAG, &w.json, NULL, "as JSON", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct enrolment_owned e;
	cs_client *client;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	code = check(&w);
	if (!code)
		code = describe(&w, &e);
	if (!code)
		code = tool_open(usage.command, &access, 0, &client);
	if (code)
		return code;
	code = enroll(client, &w, &e);
	cs_close(client);
	return code;
}
