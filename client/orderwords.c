/* What an order would do, in words: nobody signs what nobody can read. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/decide/command_erase.h"
#include "node/decide/command_verdicts.h"
#include "node/decide/credential.h"
#include "node/decide/keys.h"
#include "node/decide/people_order.h"
#include "node/decide/policy.h"

/* Texts of an order may come from anybody: what could drive a terminal is shown as a question mark. */
static void put_text(FILE *f, struct text t)
{
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.s[i];
		/* C1 controls are U+0080 to U+009F: C2 80 to C2 9F. */
		bool c1 = c == 0xc2 && i + 1 < t.len && (unsigned char)t.s[i + 1] < 0xa0;
		fputc(c < 0x20 || c == 0x7f || c1 ? '?' : c, f);
		i += c1;
	}
}

static void put_typed(FILE *f, struct text type, struct text id)
{
	put_text(f, type);
	fputc(':', f);
	put_text(f, id);
}

static void put_key(FILE *f, const char *label, const uint8_t *key)
{
	char text[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL)];

	if (key == NULL)
		return;
	sodium_bin2base64(text, sizeof(text), key, 32, sodium_base64_VARIANT_ORIGINAL);
	fprintf(f, "  %-9s %s\n", label, text);
}

static int enrolment_words(FILE *f, const uint8_t *body, size_t len)
{
	struct enrolment e;
	int err = enrolment_decode(&e, body, len);

	if (err < 0)
		return err;
	fprintf(f, "enrol \"");
	put_text(f, e.name);
	fprintf(f, "\" with the roles:");
	for (uint32_t bit = 1; bit != 0; bit <<= 1)
		if (e.roles & bit)
			fprintf(f, " %s", role_text(bit) != NULL ? role_text(bit) : "UNKNOWN");
	fprintf(f, "\n");
	put_key(f, "channel", e.channel_pub);
	put_key(f, "sign", e.sign_pub);
	if (e.subject_id.len > 0) {
		fprintf(f, "  of        ");
		put_typed(f, e.subject_type, e.subject_id);
		fprintf(f, "\n");
	}
	return CS_OK;
}

static int removal_words(FILE *f, const uint8_t *body, size_t len)
{
	struct removal r;
	int err = removal_decode(&r, body, len);

	if (err < 0)
		return err;
	fprintf(f, "end the enrolment of \"");
	put_text(f, r.name);
	fprintf(f, "\": ");
	put_text(f, r.reason);
	fprintf(f, "\n");
	return CS_OK;
}

/* The source is what people read; that machines will do just that is checked here, as the leader checks it. */
static int policy_words(FILE *f, const uint8_t *body, size_t len)
{
	static const char mark[] = "  | ";
	uint8_t compiled[POLICY_COMPILED_SIZE_MAX];
	char hex[2 * HASH_SIZE + 1];
	struct policy_error where;
	struct policy_set p;
	struct hash h;
	size_t compiled_len = 0;
	int err = policy_set_decode(&p, body, len);

	if (err < 0)
		return err;
	err = policy_compile((const char *)p.source, p.source_len, compiled, sizeof(compiled), &compiled_len, &where);
	if (err < 0 || compiled_len != p.compiled_len || memcmp(compiled, p.compiled, compiled_len) != 0) {
		last_error_set("the order's compiled policy is not that of its source: do not sign it");
		return CS_ERR_INVALID;
	}
	hash_bytes(&h, p.compiled, p.compiled_len);
	sodium_bin2hex(hex, sizeof(hex), h.b, sizeof(h.b));
	fprintf(f, "set the policy %s:\n", hex);
	for (size_t at = 0; at < p.source_len;) {
		const uint8_t *end = memchr(p.source + at, '\n', p.source_len - at);
		size_t line = end == NULL ? p.source_len - at : (size_t)(end - p.source) - at;
		fprintf(f, "%s", mark);
		put_text(f, (struct text){(const char *)p.source + at, line});
		fprintf(f, "\n");
		at += line + 1;
	}
	return CS_OK;
}

static int member_words(FILE *f, const uint8_t *body, size_t len)
{
	struct member_order m;
	int err = member_order_decode(&m, body, len);

	if (err < 0)
		return err;
	switch (m.action) {
	case MEMBER_ADD:
		fprintf(f, "add node %" PRIu64 " as a spare\n", m.id);
		break;
	case MEMBER_ROLE:
		fprintf(f, "make node %" PRIu64 " a %s\n", m.id, roster_role_text(m.role));
		break;
	case MEMBER_REMOVE:
		fprintf(f, "remove node %" PRIu64 " for ever\n", m.id);
		break;
	default:
		fprintf(f, "node %" PRIu64 " moves\n", m.id);
	}
	if (m.url.len > 0) {
		fprintf(f, "  url       ");
		put_text(f, m.url);
		fprintf(f, "\n  link      ");
		put_text(f, m.link);
		fprintf(f, "\n");
	}
	put_key(f, "log", m.log_pub);
	put_key(f, "cosigner", m.cosigner_pub);
	put_key(f, "channel", m.channel_pub);
	if (m.lost)
		fprintf(f, "  taking members that are not whole for lost\n");
	return CS_OK;
}

static int feature_words(FILE *f, const uint8_t *body, size_t len)
{
	struct feature_order o;
	int err = feature_order_decode(&o, body, len);

	if (err < 0)
		return err;
	fprintf(f, "switch the feature \"");
	put_text(f, o.name);
	fprintf(f, "\" on, for ever\n");
	return CS_OK;
}

static int governance_words(FILE *f, const uint8_t *body, size_t len)
{
	struct governance_order o;
	int err = governance_order_decode(&o, body, len);

	if (err < 0)
		return err;
	fprintf(f, "from now on so many administrators must sign:\n");
	for (unsigned i = 0; i < GOVERNANCE_CLASSES_N; i++)
		fprintf(f, "  %-11s %u\n", governance_class_text(i), o.thresholds.k[i]);
	return CS_OK;
}

static void put_person(FILE *f, const struct person_record *p)
{
	fprintf(f, " (%s%s) \"", person_kind_text(p->kind), p->enabled ? "" : ", disabled");
	put_text(f, p->name);
	fprintf(f, "\"");
	for (unsigned i = 0; i < p->n_groups; i++) {
		fprintf(f, "%s", i == 0 ? " groups: " : ", ");
		put_text(f, p->groups[i]);
	}
	if (p->owner.id.len > 0) {
		fprintf(f, " owner: ");
		put_typed(f, p->owner.type, p->owner.id);
	}
	if (p->manager.id.len > 0) {
		fprintf(f, " manager: ");
		put_typed(f, p->manager.type, p->manager.id);
	}
	for (unsigned i = 0; i < p->n_acts_for; i++) {
		fprintf(f, "%s", i == 0 ? " acts for: " : ", ");
		put_typed(f, p->acts_for[i].type, p->acts_for[i].id);
	}
}

static int people_words(FILE *f, const uint8_t *body, size_t len)
{
	static const char *const words[] = {"", "set", "disable", "enable", "remove"};
	struct people_order o;
	struct people_change c;
	struct reader r;
	int err = people_order_decode(&o, body, len);

	if (err < 0)
		return err;
	fprintf(f, "%u change%s of the table of people:\n", o.n, o.n > 1 ? "s" : "");
	people_first(&r, &o);
	for (unsigned i = 0; i < o.n; i++) {
		people_next(&r, &c);
		fprintf(f, "  %-7s ", words[c.action]);
		put_typed(f, c.person.type, c.person.id);
		if (c.action == PEOPLE_SET)
			put_person(f, &c.person);
		fprintf(f, "\n");
	}
	return CS_OK;
}

static int grant_revoke_words(FILE *f, const uint8_t *body, size_t len)
{
	struct grant_revoke g;
	int err = grant_revoke_decode(&g, body, len);

	if (err < 0)
		return err;
	if (g.one) {
		fprintf(f, "end the grant of entry %" PRIu64, g.index);
	} else {
		fprintf(f, "end all grants of ");
		put_typed(f, g.subject_type, g.subject_id);
	}
	fprintf(f, ": ");
	put_text(f, g.reason);
	fprintf(f, "\n");
	return CS_OK;
}

static int credential_revocation_words(FILE *f, const uint8_t *body, size_t len)
{
	struct credential_revocation v;
	int err = credential_revocation_decode(&v, body, len);

	if (err < 0)
		return err;
	fprintf(f, "end the credential \"");
	put_text(f, v.name);
	fprintf(f, "\": ");
	put_text(f, v.reason);
	fprintf(f, "\n");
	return CS_OK;
}

static int hold_words(FILE *f, const uint8_t *body, size_t len)
{
	struct hold_order o;
	int err = hold_order_decode(&o, body, len);

	if (err < 0)
		return err;
	if (o.action == HOLD_SET) {
		fprintf(f, "hold: erase nothing of ");
		put_typed(f, o.subject_type, o.subject_id);
	} else if (o.action == HOLD_LIFT) {
		fprintf(f, "lift the hold of entry %" PRIu64, o.index);
	} else if (o.keep_ms == 0) {
		fprintf(f, "keep the private fields of entries of kind \"%s\" for ever", entry_kind_text(o.kind));
	} else {
		fprintf(f, "ERASE the private fields of entries of kind \"%s\" when they are %" PRIu64 " s old",
		        entry_kind_text(o.kind), o.keep_ms / 1000);
	}
	fprintf(f, ": ");
	put_text(f, o.reason);
	fprintf(f, "\n");
	return CS_OK;
}

static int erase_words(FILE *f, const uint8_t *body, size_t len)
{
	struct erase_order o;
	int err = erase_order_decode(&o, body, len);

	if (err < 0)
		return err;
	if (o.target == ERASE_SUBJECT) {
		fprintf(f, "ERASE all that is private about ");
		put_typed(f, o.subject_type, o.subject_id);
	} else if (o.fields == ERASE_FIELDS_ALL) {
		fprintf(f, "ERASE all private fields of entry %" PRIu64, o.index);
	} else {
		fprintf(f, "ERASE of entry %" PRIu64, o.index);
		for (unsigned kind = 0; kind <= ERASE_FIELD_KIND_MAX; kind++)
			if (o.fields & ERASE_FIELD(kind))
				fprintf(f, " %s%s", field_kind_text(kind), o.fields >> kind > 1 ? "," : "");
	}
	fprintf(f, ", for good: ");
	put_text(f, o.reason);
	fprintf(f, "\n");
	return CS_OK;
}

static int key_words(FILE *f, const uint8_t *body, size_t len)
{
	struct key_order o;
	int err = key_order_decode(&o, body, len);

	if (err < 0)
		return err;
	if (o.node != 0) {
		fprintf(f, "a new %s key for node %" PRIu64 "\n", key_place_text(o.place), o.node);
	} else {
		fprintf(f, "a new %s key for \"", o.place == KEY_PLACE_SIGN ? "signing" : "channel");
		put_text(f, o.name);
		fprintf(f, "\"\n");
	}
	put_key(f, "new key", o.pub);
	fprintf(f, "  the old one is good for %" PRIu64 " entries more\n", o.overlap);
	return CS_OK;
}

static int words(FILE *f, unsigned type, const uint8_t *body, size_t len)
{
	switch (type) {
	case COMMAND_ENROLL:
		return enrolment_words(f, body, len);
	case COMMAND_REMOVE:
		return removal_words(f, body, len);
	case COMMAND_POLICY_SET:
		return policy_words(f, body, len);
	case COMMAND_MEMBER:
		return member_words(f, body, len);
	case COMMAND_FEATURE:
		return feature_words(f, body, len);
	case COMMAND_PEOPLE:
		return people_words(f, body, len);
	case COMMAND_GOVERNANCE:
		return governance_words(f, body, len);
	case COMMAND_GRANT_REVOKE:
		return grant_revoke_words(f, body, len);
	case COMMAND_CREDENTIAL_REVOKE:
		return credential_revocation_words(f, body, len);
	case COMMAND_HOLD:
		return hold_words(f, body, len);
	case COMMAND_ERASE:
		return erase_words(f, body, len);
	case COMMAND_KEY:
		return key_words(f, body, len);
	default:
		last_error_set("an order of type %u is none that this tool can read: do not sign it", type);
		return CS_ERR_VERSION;
	}
}

int cs_order_words(const struct cs_order *order, char **ret_text)
{
	static const uint8_t none[64];
	/* Decoders want a whole order: this one is signed by nobody. */
	const struct admin_signature nobody = {.name = {"nobody", 6}, .signature = none};
	uint8_t *body = malloc(WIRE_REQUEST_SIZE_MAX);
	char *text = NULL;
	size_t len = 0, size;
	FILE *f = body == NULL ? NULL : open_memstream(&text, &size);

	if (f == NULL) {
		free(body);
		return CS_E_NOMEM;
	}
	last_error_set("the order cannot be read");
	int err = order_body(order, &nobody, body, WIRE_REQUEST_SIZE_MAX, &len);
	if (err == CS_OK)
		err = words(f, order->type, body, len);
	free(body);
	if (fclose(f) != 0 && err == CS_OK)
		err = CS_E_NOMEM;
	if (err == CS_OK)
		*ret_text = text;
	else
		free(text);
	return err;
}
