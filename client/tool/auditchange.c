/* What entries change about who may do what, in words for an auditor's report. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/auditfacts_internal.h"
#include "client/tool/text.h"
#include "ledger/note.h"
#include "node/decide/command_erase.h"

/* The public fields as JSON: their shapes are those of FORMAT.md, but nothing here relies on that. */
static json_t *at(json_t *list, size_t i)
{
	return json_array_get(list, i);
}

static const char *word(json_t *list, size_t i)
{
	const char *s = json_string_value(at(list, i));

	return s ? s : "?";
}

static json_int_t num(json_t *list, size_t i)
{
	return json_integer_value(at(list, i));
}

static const char *pick(const char *const *names, size_t n, json_int_t i)
{
	return i > 0 && (size_t)i < n ? names[i] : "?";
}
#define PICK(names, i) pick(names, sizeof(names) / sizeof *(names), i)

/* "decide, audit" */
static void role_words(json_int_t roles, char *buf, size_t cap)
{
	static const char *const names[] = {"decide", "import",  "audit",  "administer", "device",
	                                    "node",   "approve", "signal", "witness"};
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (roles >> i & 1 && n < cap)
			n += (size_t)snprintf(buf + n, cap - n, "%s%s", n ? ", " : "", names[i]);
}

/* A signature is [name, sequence, expiry, bytes], or an array of such. */
static void signer_words(json_t *signature, char *buf, size_t cap)
{
	size_t n = 0;

	buf[0] = '\0';
	if (json_is_string(at(signature, 0)))
		snprintf(buf, cap, ", signed by %s", word(signature, 0));
	else
		for (size_t i = 0; i < json_array_size(signature) && n < cap; i++)
			n += (size_t)snprintf(buf + n, cap - n, "%s%s", i ? ", " : ", signed by ",
			                      word(at(signature, i), 0));
}

static void policy_words(json_t *p, char *buf, size_t cap)
{
	char signer[200];

	signer_words(at(p, 4), signer, sizeof signer);
	snprintf(buf, cap, "policy %.12s…%s", word(p, 0), signer);
}

static void principal_words(unsigned kind, json_t *p, char *buf, size_t cap)
{
	char roles[128];

	role_words(num(p, 2), roles, sizeof roles);
	if (kind == ENTRY_REMOVED)
		snprintf(buf, cap, "removed %s", word(p, 1));
	else
		snprintf(buf, cap, "enrolled %s as %s", word(p, 1), roles);
}

static void member_words(json_t *p, char *buf, size_t cap)
{
	static const char *const actions[] = {"", "added as a spare", "changes its role", "is removed",
	                                      "changes its addresses"};
	static const char *const roles[] = {"", "; voter from here on", "; spare from here on"};
	char signer[200];

	signer_words(at(p, 11), signer, sizeof signer);
	snprintf(buf, cap, "node %" PRId64 " %s%s%s%s", (int64_t)num(p, 1), PICK(actions, num(p, 0)),
	         num(p, 2) ? PICK(roles, num(p, 2)) : "", json_is_true(at(p, 8)) ? "; members taken for lost" : "",
	         signer);
}

static void outside_words(json_t *p, char *buf, size_t cap)
{
	static const char *const events[] = {"", "session-revoked", "risk-level-change", "credential-change",
	                                     "assurance-level-change"};
	static const char *const levels[] = {"", "LOW", "MEDIUM", "HIGH"};

	snprintf(buf, cap, "%s%s%s; %zu grants end", PICK(events, num(p, 0)), num(p, 2) ? " " : "",
	         num(p, 2) ? PICK(levels, num(p, 2)) : "", json_array_size(at(p, 3)));
}

static void governance_words(json_t *p, char *buf, size_t cap)
{
	static const char *const names[] = {"policy", "enrolment", "people", "members", "features", "governance"};
	size_t n = (size_t)snprintf(buf, cap, "of %" PRId64 " administrators it takes", (int64_t)num(p, 2));

	for (size_t i = 0; i < sizeof names / sizeof *names && n < cap; i++)
		n += (size_t)snprintf(buf + n, cap - n, "%s %" PRId64 " for %s", i ? "," : "",
		                      (int64_t)num(at(p, 1), i), names[i]);
}

static void credential_words(unsigned kind, json_t *p, char *buf, size_t cap)
{
	static const char *const kinds[] = {"", "webauthn", "totp", "oidc", "oidc-issuer", "attestation-root"};

	if (kind == ENTRY_CREDENTIAL_REVOKED)
		snprintf(buf, cap, "revoked %s", word(p, 1));
	else
		snprintf(buf, cap, "enrolled %s (%s)", word(p, 1), PICK(kinds, num(p, 2)));
}

/* Of a ledger that was restored; else "". */
static void predecessor_words(const struct entryview *v, char *buf, size_t cap)
{
	char root[BASE64_HASH_SIZE];
	struct predecessor p;

	*buf = 0;
	if (!entryview_predecessor(v, &p))
		return;
	base64_encode(p.root, HASH_SIZE, root, sizeof root);
	snprintf(buf, cap,
	         "restored: carries on %.*s of %" PRIu64 " entries, root %s, with the state of the first %" PRIu64,
	         (int)p.origin.len, p.origin.s, p.size, root, p.state_size);
}

static void keeping_words(unsigned kind, json_t *p, char *buf, size_t cap)
{
	int64_t what = (int64_t)num(p, 0);

	if (kind == ENTRY_ERASED && what == ERASE_SUBJECT)
		snprintf(buf, cap, "erased: all of one subject below entry %" PRId64, (int64_t)num(p, 2));
	else if (kind == ENTRY_ERASED && what == ERASE_ENTRY)
		snprintf(buf, cap, "erased: fields of entry %" PRId64, (int64_t)num(p, 1));
	else if (kind == ENTRY_ERASED)
		snprintf(buf, cap, "erased by age: %s below entry %" PRId64, entry_kind_text((unsigned)num(p, 3)),
		         (int64_t)num(p, 2));
	else if (what == HOLD_LIFT)
		snprintf(buf, cap, "the hold of entry %" PRId64 " lifted", (int64_t)num(p, 1));
	else if (what == HOLD_RETENTION)
		snprintf(buf, cap, "retention of %s: %" PRId64 " s (0: for ever)", entry_kind_text((unsigned)num(p, 2)),
		         (int64_t)num(p, 3) / 1000);
	else
		snprintf(buf, cap, "a hold set");
}

static void key_words(json_t *p, char *buf, size_t cap)
{
	static const char *const places[] = {"", "log", "cosigner", "channel", "signing", "channel"};

	snprintf(buf, cap, "%s has a new %s key; the old one is good up to size %" PRId64, word(p, 2),
	         PICK(places, num(p, 0)), (int64_t)num(p, 5));
}

static enum audit_change words(const struct entryview *v, json_t *p, char *buf, size_t cap)
{
	unsigned kind = v->entry.kind;

	switch (kind) {
	case ENTRY_POLICY_SET:
		policy_words(p, buf, cap);
		return AUDIT_POLICY;
	case ENTRY_ENROLLED:
	case ENTRY_REMOVED:
		principal_words(kind, p, buf, cap);
		return AUDIT_PRINCIPAL;
	case ENTRY_GENESIS:
		predecessor_words(v, buf, cap);
		return *buf ? AUDIT_GOVERNANCE : AUDIT_CHANGES;
	case ENTRY_PEOPLE:
		snprintf(buf, cap, "%" PRId64 " set, %" PRId64 " disabled, %" PRId64 " enabled, %" PRId64 " removed",
		         (int64_t)num(p, 0), (int64_t)num(p, 1), (int64_t)num(p, 2), (int64_t)num(p, 3));
		return AUDIT_PEOPLE;
	case ENTRY_GOVERNANCE:
		governance_words(p, buf, cap);
		return AUDIT_GOVERNANCE;
	case ENTRY_MEMBER:
		member_words(p, buf, cap);
		return AUDIT_MEMBER;
	case ENTRY_FEATURE:
		snprintf(buf, cap, "feature %s enabled", word(p, 1));
		return AUDIT_MEMBER;
	case ENTRY_BUILD:
		snprintf(buf, cap, "node %" PRId64 " leads with build %s", (int64_t)num(p, 0), word(p, 1));
		return AUDIT_MEMBER;
	case ENTRY_CREDENTIAL_ENROLLED:
	case ENTRY_CREDENTIAL_REVOKED:
		credential_words(kind, p, buf, cap);
		return AUDIT_CREDENTIAL;
	case ENTRY_KEY:
		key_words(p, buf, cap);
		return num(p, 0) <= 3 ? AUDIT_MEMBER : AUDIT_PRINCIPAL;
	case ENTRY_GRANT_REVOKED:
		snprintf(buf, cap, "%zu grants end", json_array_size(at(p, 0)));
		return AUDIT_REVOKED;
	case ENTRY_OUTSIDE:
		outside_words(p, buf, cap);
		return AUDIT_OUTSIDE;
	case ENTRY_APPROVAL:
		snprintf(buf, cap, "decision %" PRId64 " released by two persons, whatever the policy says",
		         (int64_t)num(p, 6));
		return v->released ? AUDIT_GLASS : AUDIT_CHANGES;
	case ENTRY_HOLD:
	case ENTRY_ERASED:
		keeping_words(kind, p, buf, cap);
		return AUDIT_ERASED;
	default:
		snprintf(buf, cap, "kind %u", kind);
		return entryview_kind_known(kind) ? AUDIT_CHANGES : AUDIT_UNKNOWN;
	}
}

bool auditchange_words(const struct entryview *v, enum audit_change *ret_sort, char *buf, size_t cap)
{
	json_t *view, *p;
	char raw[512];

	/* Of every day's kinds none is taken apart: a ledger is mostly these. */
	if (v->entry.kind == ENTRY_DECISION || v->entry.kind == ENTRY_ANSWER || v->entry.kind == ENTRY_IMPORTED)
		return false;
	view = entryview_json(v);
	p = json_object_get(view, "public");
	*ret_sort = words(v, p, raw, sizeof raw);
	json_decref(view);
	if (*ret_sort == AUDIT_CHANGES)
		return false;
	text_safe(raw, strlen(raw), buf, cap);
	return true;
}

bool auditchange_governance(const struct entryview *v, char ret[AUDITSTATE_GOVERNANCE_SIZE])
{
	json_t *view, *p, *list;
	json_int_t least = INT32_MAX;

	if (v->entry.kind != ENTRY_GENESIS && v->entry.kind != ENTRY_GOVERNANCE)
		return false;
	view = entryview_json(v);
	p = json_object_get(view, "public");
	list = at(p, 1);
	if (v->entry.kind == ENTRY_GENESIS)
		snprintf(ret, AUDITSTATE_GOVERNANCE_SIZE, "%.32s", word(p, 2));
	for (size_t i = 0; v->entry.kind == ENTRY_GOVERNANCE && i < json_array_size(list); i++)
		least = num(list, i) < least ? num(list, i) : least;
	/* Its weakest threshold is what somebody who wants to change something needs. */
	if (v->entry.kind == ENTRY_GOVERNANCE)
		snprintf(ret, AUDITSTATE_GOVERNANCE_SIZE, least == 1 ? "single" : "%d of %d", (int)least,
		         (int)num(p, 2));
	json_decref(view);
	return true;
}
