/* What an entry says in its public fields, and whether it answers a given request. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/entry_view.h"

#include <stdio.h>
#include <string.h>

#include "client/client_internal.h"
#include "ledger/errors.h"
#include "node/decide/command.h"

#define CLOCKS_APART_MS                                                                                                \
	UINT64_C(60000) /* A request id's time may be ahead of the leader's clock by so much (decide). */

/* How many elements the public array of a kind with a verdict has; 0: the kind has none. */
static uint32_t elements_of(unsigned kind)
{
	switch (kind) {
	case ENTRY_DECISION:
	case ENTRY_IMPORTED:
		return 6;
	case ENTRY_ANSWER:
	case ENTRY_DEFER_ENDED:
		return 8;
	case ENTRY_APPROVAL:
		return 9;
	default:
		return 0;
	}
}

/*
 * [verdict, risk, policy hash, [rule…], digest, [obligation…]], of an answer also [challenge's index, outcome], of an
 * approval [decision's index, what was said, released], of an end [decision's index, cause].
 */
int entry_view_read(struct entry_view *ret, const struct entry *e)
{
	struct reader r;
	struct entry_view v;
	uint64_t verdict = 0, outcome;
	int64_t risk = 0;
	const uint8_t *skipped;
	size_t len;

	memset(&v, 0, sizeof(v));
	if (elements_of(e->kind) == 0) {
		*ret = v;
		return CS_OK;
	}
	reader_init(&r, e->public_, e->public_len);
	reader_array_exact(&r, elements_of(e->kind));
	reader_uint(&r, CS_DENY, &verdict);
	reader_int(&r, &risk);
	reader_skip(&r, &skipped, &len);
	v.rules = r;
	v.has_rules = true;
	reader_skip(&r, &skipped, &len);
	reader_bin_exact(&r, v.digest.b, HASH_SIZE);
	v.obligations = r;
	reader_skip(&r, &skipped, &len);
	if (e->kind == ENTRY_ANSWER) {
		reader_uint(&r, UINT64_MAX, &v.challenge);
		reader_uint(&r, UINT64_MAX, &outcome);
	}
	v.has_waited = e->kind == ENTRY_APPROVAL || e->kind == ENTRY_DEFER_ENDED;
	if (v.has_waited) {
		reader_uint(&r, UINT64_MAX, &v.waited);
		reader_uint(&r, UINT64_MAX, &outcome);
	}
	if (e->kind == ENTRY_APPROVAL)
		reader_bool(&r, &v.released);
	int err = reader_end(&r);
	if (err < 0)
		return err;
	if (verdict == 0 || risk < INT32_MIN || risk > INT32_MAX)
		return CS_ERR_MALFORMED;
	v.verdict = (unsigned)verdict;
	v.risk = (int32_t)risk;
	*ret = v;
	return CS_OK;
}

static int not_ours(char *text, const struct entry *e, const char *why)
{
	snprintf(text, TEXT_SIZE, "ALARM: entry %llu does not answer this request: %s", (unsigned long long)e->index,
	         why);
	return CS_ERR_REFUTED;
}

/* Made again from the blind in the body and what we sent. */
static bool digest_is_of(const struct entry_view *v, const struct field *fields, unsigned n, const void *request,
                         size_t len)
{
	const struct field *f = body_find(fields, n, FIELD_BLIND);
	struct reader r;
	uint8_t blind[32] = {0};
	struct hash digest;

	if (f == NULL)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_bin_exact(&r, blind, sizeof(blind));
	if (reader_end(&r) < 0)
		return false;
	request_digest(&digest, blind, request, len);
	return hash_equal(&digest, &v->digest);
}

/* FIELD_CLIENT: [name, request id]. */
static bool id_is(const struct field *fields, unsigned n, const uint8_t id[WIRE_REQUEST_ID_SIZE])
{
	const struct field *f = body_find(fields, n, FIELD_CLIENT);
	struct reader r;
	const char *name;
	size_t len;
	uint8_t found[WIRE_REQUEST_ID_SIZE] = {0};

	if (f == NULL)
		return false;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	reader_str(&r, LIMIT_BODY_SIZE_MAX, &name, &len);
	reader_bin_exact(&r, found, sizeof(found));
	return reader_end(&r) == 0 && memcmp(found, id, sizeof(found)) == 0;
}

static unsigned kind_for(unsigned type)
{
	switch (type) {
	case WIRE_DECIDE:
		return ENTRY_DECISION;
	case WIRE_IMPORT:
		return ENTRY_IMPORTED;
	case WIRE_ANSWER:
		return ENTRY_ANSWER;
	case WIRE_ENROLL:
		return ENTRY_ENROLLED;
	case WIRE_REMOVE:
		return ENTRY_REMOVED;
	case WIRE_POLICY_SET:
		return ENTRY_POLICY_SET;
	case WIRE_MEMBER:
		return ENTRY_MEMBER;
	case WIRE_FEATURE:
		return ENTRY_FEATURE;
	case WIRE_APPROVAL:
		return ENTRY_APPROVAL;
	case WIRE_GRANT_REVOKE:
		return ENTRY_GRANT_REVOKED;
	case WIRE_OUTSIDE:
		return ENTRY_OUTSIDE;
	case WIRE_PEOPLE:
		return ENTRY_PEOPLE;
	case WIRE_GOVERNANCE:
		return ENTRY_GOVERNANCE;
	case WIRE_CREDENTIAL_ENROL:
		return ENTRY_CREDENTIAL_ENROLLED;
	case WIRE_CREDENTIAL_REVOKE:
		return ENTRY_CREDENTIAL_REVOKED;
	case WIRE_HISTORY:
		return ENTRY_HISTORY;
	case WIRE_HOLD:
		return ENTRY_HOLD;
	case WIRE_ERASE:
		return ENTRY_ERASED;
	case WIRE_KEY:
		return ENTRY_KEY;
	default:
		return 0;
	}
}

/*
 * Who asks again with a decision's id, after its challenge was answered or approvers spoke, gets that entry. That has
 * a request id of its own; so it must be of the same request and no older than the id. Never for an id that was made
 * just now: nobody can have answered it.
 */
static bool is_answer_since(const struct entry *e, const struct wire_request *request, uint64_t repeated)
{
	bool since = e->kind == ENTRY_ANSWER || e->kind == ENTRY_APPROVAL || e->kind == ENTRY_DEFER_ENDED;

	return request->type == WIRE_DECIDE && since && repeated != 0 &&
	       e->time_ms + CLOCKS_APART_MS >= wire_request_id_time(request->id);
}

int entry_view_ours(const struct entry_view *v, const struct entry *e, const struct field *fields, unsigned n_fields,
                    const struct wire_request *request, uint64_t number, char *text)
{
	struct import i;

	bool answered = is_answer_since(e, request, number);
	if (e->kind != kind_for(request->type) && !answered)
		return not_ours(text, e, "it is of another kind");
	if (!answered && !id_is(fields, n_fields, request->id))
		return not_ours(text, e, "it has another request id");
	switch (request->type) {
	case WIRE_DECIDE:
		if (!digest_is_of(v, fields, n_fields, request->body, request->body_len))
			return not_ours(text, e, "it is of another request");
		break;
	case WIRE_IMPORT:
		if (import_decode(&i, request->body, request->body_len) < 0 ||
		    !digest_is_of(v, fields, n_fields, i.request, i.request_len))
			return not_ours(text, e, "it is of another event");
		break;
	case WIRE_ANSWER:
		if (v->challenge != number)
			return not_ours(text, e, "it answers another challenge");
		break;
	case WIRE_APPROVAL:
		if (v->waited != number)
			return not_ours(text, e, "it is about another decision");
		break;
	default:
		break;
	}
	return CS_OK;
}
