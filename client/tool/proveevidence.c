/* The entries that a person's proof rests on, put into its bundle. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/proveevidence.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/bundleentry.h"
#include "client/tool/entryview.h"
#include "client/tool/tool.h"
#include "node/decide/codec.h"
#include "node/decide/credential.h"
#include "node/decide/policy_form.h"

#define TRIES_MAX    5 /* Under one checkpoint; a busy ledger has a newer one each time. */
#define PAGE_ENTRIES 256

struct proving {
	const char *command;
	cs_client *client;
	unsigned wait_ms;
	bool quorum;
	struct bundleentry answer;
	unsigned n;
	uint64_t wanted[FORMAT_BUNDLE_SUPPORTS];
	json_t *doc, *supports;
};

static int no_memory(const struct proving *p)
{
	return tool_fail(EXIT_LOCAL, p->command, "out of memory");
}

static int closed(const struct proving *p, uint64_t index)
{
	return tool_fail(EXIT_REFUSED, p->command,
	                 "entry %" PRIu64 ": its evidence is not open to this key (role audit), or is erased", index);
}

/* --- which entries --- */

/* [issuer's name, sub] in the data of an enrolment, [kind, name, data, authority]. */
static bool issuer_of(const struct entryview *v, struct text *ret)
{
	const struct field *f = body_find(v->fields, v->n_fields, FIELD_EVIDENCE);
	struct credential_oidc o;
	struct text kind, name;
	const uint8_t *data;
	struct reader r;
	size_t len;

	if (!f)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 4);
	codec_text(&r, 1, 64, &kind);
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &name);
	reader_bin(&r, CREDENTIAL_DATA_SIZE_MAX, &data, &len);
	if (r.err || credential_oidc_read(&o, data, len) != 0)
		return false;
	*ret = o.issuer;
	return true;
}

/* What is looked for among the entries before another. */
struct sought {
	struct text issuer; /* Empty: who is principal. */
	uint64_t principal;
};

/* [id, name, kind, …] pins that issuer; [id, …] enrolled that principal. */
static bool is_sought(const struct entryview *v, const struct sought *what)
{
	struct reader r;
	uint64_t id, kind = 0;
	struct text found = {"", 0};
	uint32_t n;

	if (v->entry.kind != (what->issuer.len > 0 ? ENTRY_CREDENTIAL_ENROLLED : ENTRY_ENROLLED))
		return false;
	reader_init(&r, v->entry.public_, v->entry.public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	reader_uint(&r, UINT64_MAX, &id);
	if (what->issuer.len == 0)
		return !r.err && id == what->principal;
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &found);
	reader_uint(&r, UINT8_MAX, &kind);
	return !r.err && kind == CREDENTIAL_ISSUER && text_compare(found, what->issuer) == 0;
}

/* The newest entry before `end` that is sought, by what everybody may see. CS_E_NOT_FOUND: none. */
static int find_before(struct proving *p, const struct sought *what, uint64_t end, uint64_t *ret)
{
	bool found = false;
	int err = 0;

	while (end > 0 && !found && !err) {
		uint64_t first = end > PAGE_ENTRIES ? end - PAGE_ENTRIES : 0, at = first;
		while (at < end && !err) {
			cs_page *page = NULL;
			struct entryview v;
			err = cs_leaves(p->client, at, (unsigned)(end - at), 0, &page);
			size_t n = err ? 0 : page->n;
			for (size_t i = 0; i < n && at + i < end; i++)
				if (!entryview_open(&v, &page->entries[i]) && is_sought(&v, what)) {
					*ret = at + i;
					found = true;
				}
			if (!err)
				cs_page_free(page);
			if (!n)
				break;
			at += n;
		}
		end = first;
	}
	return err || found ? err : CS_E_NOT_FOUND;
}

static int want(struct proving *p, const struct sought *what, uint64_t end)
{
	int err = find_before(p, what, end, &p->wanted[p->n]);

	p->n += !err;
	if (err == CS_E_NOT_FOUND && what->issuer.len > 0)
		return tool_fail(EXIT_REFUSED, p->command, "no entry pins the issuer %.*s", (int)what->issuer.len,
		                 what->issuer.s);
	if (err == CS_E_NOT_FOUND)
		return tool_fail(EXIT_REFUSED, p->command,
		                 "no entry of this ledger enrolled principal %" PRIu64
		                 ", whose key signed: an earlier one did, which this one was restored from",
		                 what->principal);
	return err ? tool_failed_call(p->command, "reading", err) : 0;
}

/* Of an OIDC credential: the keys that its issuer had then. */
static int want_issuer(struct proving *p, uint64_t enrolment)
{
	struct entryview v;
	struct sought what = {{"", 0}, 0};
	cs_page *page = NULL;
	int err = cs_entries(p->client, enrolment, 1, 0, &page);

	if (err)
		return tool_failed_call(p->command, "reading", err);
	bool open = page->n > 0 && !entryview_open(&v, &page->entries[0]) && issuer_of(&v, &what.issuer);
	int code = open ? want(p, &what, p->answer.e.index) : closed(p, enrolment);
	cs_page_free(page);
	return code;
}

/* Of an Ed25519 key that was changed since its enrolment, by [place, id, …]: whom it was enrolled for. */
static int want_enrolment(struct proving *p, uint64_t version)
{
	struct sought what = {{"", 0}, 0};
	struct entryview v;
	cs_page *page = NULL;
	int err = cs_leaves(p->client, version, 1, 0, &page);

	if (err)
		return tool_failed_call(p->command, "reading", err);
	bool changed = page->n > 0 && !entryview_open(&v, &page->entries[0]) && v.entry.kind == ENTRY_KEY &&
	               entryview_number(&v, 1, &what.principal);
	cs_page_free(page);
	return changed ? want(p, &what, version) : 0;
}

/* [method, credential, version, evidence] */
static int choose(struct proving *p)
{
	const struct field *f = body_find(p->answer.fields, p->answer.n_fields, FIELD_EVIDENCE);
	struct text method = {"", 0}, credential;
	uint64_t challenge = 0, version = 0;
	struct reader r;

	if (p->answer.e.kind != ENTRY_ANSWER)
		return tool_fail(EXIT_USAGE, p->command,
		                 "entry %" PRIu64 " is a %s: --evidence is for challenge answers", p->answer.e.index,
		                 entry_kind_text(p->answer.e.kind));
	if (!f)
		return closed(p, p->answer.e.index);
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 4);
	codec_text(&r, 1, 64, &method);
	codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &credential);
	reader_uint(&r, UINT64_MAX, &version);
	if (r.err || !bundleentry_number(&p->answer, 6, &challenge))
		return tool_fail(EXIT_REFUTED, p->command, "entry %" PRIu64 " is not of the form of an answer",
		                 p->answer.e.index);
	p->wanted[p->n++] = challenge;
	if (version == 0)
		return tool_fail(EXIT_REFUSED, p->command, "entry %" PRIu64 ": no such credential was enrolled: %.*s",
		                 p->answer.e.index, (int)credential.len, credential.s);
	if (version >= FORMAT_EARLIER)
		return tool_fail(EXIT_REFUSED, p->command,
		                 "entry %" PRIu64 ": the credential %.*s is of an earlier ledger, which this one was "
		                 "restored from: its entry %" PRIu64 " is not here",
		                 p->answer.e.index, (int)credential.len, credential.s, version % FORMAT_EARLIER);
	p->wanted[p->n++] = version;
	switch (method_parse(method)) {
	case METHOD_OIDC:
		return want_issuer(p, version);
	case METHOD_ED25519:
		return want_enrolment(p, version);
	default:
		return 0;
	}
}

/* --- their proofs --- */

/* Nobody needs to see more of them than what the proof rests on. */
static bool is_shown(const char *kind, unsigned entry_kind)
{
	if (entry_kind == ENTRY_ENROLLED)
		return !strcmp(kind, "subject");
	if (entry_kind == ENTRY_CREDENTIAL_ENROLLED)
		return !strcmp(kind, "subject") || !strcmp(kind, "evidence");
	return !strcmp(kind, "challenge");
}

/* {"index", "entry", "fields", "proof"} */
static json_t *support_of(const char *bundle)
{
	static const char *const members[] = {"index", "entry", "proof"};
	json_t *doc = json_loads(bundle, 0, NULL), *ret = json_object(), *fields = json_array(), *field;
	struct bundleentry b = {0};
	size_t i;

	if (!doc || !ret || !fields || !bundleentry_open(&b, doc)) {
		json_decref(ret);
		ret = NULL;
	}
	for (i = 0; ret && i < 3; i++)
		json_object_set(ret, members[i], json_object_get(doc, members[i]));
	json_array_foreach(json_object_get(doc, "fields"), i, field)
	{
		const char *kind = json_string_value(json_object_get(field, "kind"));
		if (ret && kind && is_shown(kind, b.e.kind))
			json_array_append(fields, field);
	}
	if (ret)
		json_object_set(ret, "fields", fields);
	json_decref(fields);
	bundleentry_close(&b);
	json_decref(doc);
	return ret;
}

/* The checkpoint in a proof's text: behind the empty line. */
static const char *checkpoint_of(const json_t *doc)
{
	const char *proof = json_string_value(json_object_get(doc, "proof"));
	const char *at = proof ? strstr(proof, "\n\n") : NULL;

	return at ? at : "";
}

static int prove_one(struct proving *p, uint64_t index, char **ret)
{
	char what[40];
	bool quorum = false;
	int err = cs_prove(p->client, index, p->wait_ms, ret, &quorum);

	snprintf(what, sizeof what, "entry %" PRIu64, index);
	p->quorum &= quorum;
	return err ? tool_failed_call(p->command, what, err) : 0;
}

/* All of them once; *same: under one checkpoint. */
static int prove_all(struct proving *p, bool *same)
{
	char *bundle = NULL;
	int code;

	json_decref(p->supports);
	json_decref(p->doc);
	p->doc = NULL;
	p->supports = json_array();
	p->quorum = *same = true;
	code = prove_one(p, p->answer.e.index, &bundle);
	if (code)
		return code;
	p->doc = json_loads(bundle, 0, NULL);
	free(bundle);
	for (unsigned i = 0; i < p->n && p->doc && !code; i++) {
		code = prove_one(p, p->wanted[i], &bundle);
		json_t *support = code ? NULL : support_of(bundle);
		if (!code)
			free(bundle);
		*same &= !strcmp(checkpoint_of(support), checkpoint_of(p->doc));
		if (!code && json_array_append_new(p->supports, support))
			code = no_memory(p);
	}
	return !code && !p->doc ? no_memory(p) : code;
}

static int write_bundle(struct proving *p, char **bundle)
{
	json_object_set_new(p->doc, "format", json_string(FORMAT_BUNDLE_2));
	json_object_set(p->doc, "supports", p->supports);
	char *text = json_dumps(p->doc, JSON_COMPACT);
	if (!text)
		return no_memory(p);
	if (strlen(text) > FORMAT_BUNDLE_SIZE_MAX) {
		free(text);
		return tool_fail(EXIT_LOCAL, p->command, "the bundle with its evidence is larger than bundles may be");
	}
	free(*bundle);
	*bundle = text;
	return 0;
}

int proveevidence(const char *command, cs_client *client, unsigned wait_ms, char **bundle, bool *quorum)
{
	struct proving p = {.command = command, .client = client, .wait_ms = wait_ms};
	json_t *doc = json_loads(*bundle, 0, NULL);
	bool same = false;
	int code = doc && bundleentry_open(&p.answer, doc) ? choose(&p) : no_memory(&p);

	for (unsigned i = 0; i < TRIES_MAX && !code && !same; i++)
		code = prove_all(&p, &same);
	if (!code)
		code = write_bundle(&p, bundle);
	if (!code)
		*quorum = p.quorum;
	json_decref(p.supports);
	json_decref(p.doc);
	bundleentry_close(&p.answer);
	json_decref(doc);
	return code;
}
