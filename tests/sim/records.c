/* The stored ledger: enough signatures under each order, no credential after its end, nothing erased that is held. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/records_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/decide/command_erase.h"
#include "node/decide/decide.h"
#include "tests/sim/client.h"
#include "tests/sim/os.h"

#define AUTHORITY_PLACE 3 /* Of a credential's evidence: [kind, name, data, authority]. */

uint32_t records_kinds[RECORDS_KINDS];

static void *zeroed(unsigned node, size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		os_fail(node, "out of memory");
	return p;
}

struct records *records_new(unsigned node, uint64_t size)
{
	struct records *r = zeroed(node, 1, sizeof *r);
	const struct operation *o;
	size_t n;

	r->node = node;
	r->size = size;
	governance_all(&r->thresholds, 1);
	memset(records_kinds, 0, sizeof records_kinds); /* All nodes' are the same. */
	r->who = zeroed(node, size + 1, sizeof *r->who);
	r->done = zeroed(node, size + 1, sizeof *r->done);
	r->keys = signing_new(node);
	r->readers = readers_new(node);
	o = clients_history(&n);
	for (size_t i = 0; i < n; i++)
		if (o[i].index < size && o[i].who)
			r->who[o[i].index] = o[i].who;
	return r;
}

/* --- how many have signed --- */

static void at_place(struct reader *r, const void *bytes, size_t len, unsigned place)
{
	const uint8_t *skipped;
	size_t skipped_len;

	reader_init(r, bytes, len);
	reader_array(r, 16, &(uint32_t){0});
	for (unsigned i = 0; i < place; i++)
		reader_skip(r, &skipped, &skipped_len);
}

/* A signature, an array of them, or nothing of the kind. */
static unsigned count(struct reader *r)
{
	uint32_t n = 0;

	if (r->err || reader_peek(r) != VALUE_ARRAY || reader_array(r, 16, &n))
		return 0;
	return reader_peek(r) == VALUE_ARRAY ? n : 1;
}

/* Where the entries of each kind have their signatures in public; the others have them in the field evidence. */
static unsigned signatures(const struct entry *e, const struct field *evidence)
{
	static const unsigned char public_[ENTRY_KIND_MAX + 1] = {
	        [ENTRY_POLICY_SET] = 4, [ENTRY_ENROLLED] = 6, [ENTRY_MEMBER] = 11, [ENTRY_FEATURE] = 3,
	        [ENTRY_GOVERNANCE] = 4, [ENTRY_KEY] = 7,      [ENTRY_ERASED] = 8};
	struct reader r;
	unsigned n = 0;

	if (public_[e->kind]) {
		at_place(&r, e->public_, e->public_len, public_[e->kind]);
		n = count(&r);
	}
	if (n == 0 && evidence && e->kind == ENTRY_CREDENTIAL_ENROLLED) {
		at_place(&r, evidence->value, evidence->value_len, AUTHORITY_PLACE);
		n = count(&r);
	} else if (n == 0 && evidence) {
		reader_init(&r, evidence->value, evidence->value_len);
		n = count(&r);
	}
	return n;
}

static unsigned command_of(unsigned kind)
{
	static const unsigned char commands[ENTRY_KIND_MAX + 1] = {
	        [ENTRY_POLICY_SET] = COMMAND_POLICY_SET,
	        [ENTRY_ENROLLED] = COMMAND_ENROLL,
	        [ENTRY_REMOVED] = COMMAND_REMOVE,
	        [ENTRY_MEMBER] = COMMAND_MEMBER,
	        [ENTRY_FEATURE] = COMMAND_FEATURE,
	        [ENTRY_PEOPLE] = COMMAND_PEOPLE,
	        [ENTRY_GOVERNANCE] = COMMAND_GOVERNANCE,
	        [ENTRY_KEY] = COMMAND_KEY,
	        [ENTRY_CREDENTIAL_ENROLLED] = COMMAND_CREDENTIAL_ENROL,
	        [ENTRY_CREDENTIAL_REVOKED] = COMMAND_CREDENTIAL_REVOKE,
	        [ENTRY_GRANT_REVOKED] = COMMAND_GRANT_REVOKE,
	        [ENTRY_HOLD] = COMMAND_HOLD,
	        [ENTRY_ERASED] = COMMAND_ERASE};

	return commands[kind];
}

/* Thresholds of governance; and two persons, whatever leads to erasing. */
static unsigned wanted(struct records *r, const struct entry *e, unsigned command)
{
	unsigned class = governance_class_of(command), before = governance_largest(&r->thresholds);
	uint64_t first = 0;
	struct reader b;

	at_place(&b, e->public_, e->public_len, 0);
	if (e->kind == ENTRY_GOVERNANCE) {
		reader_skip(&b, &(const uint8_t *){NULL}, &(size_t){0});
		governance_read(&b, &r->thresholds);
		return governance_largest(&r->thresholds) > before ? governance_largest(&r->thresholds) : before;
	}
	if (e->kind != ENTRY_HOLD && e->kind != ENTRY_ERASED)
		return class == GOVERNANCE_NONE ? 1 : r->thresholds.k[class];
	reader_uint(&b, UINT64_MAX, &first);
	if (e->kind == ENTRY_ERASED && first == ERASE_RETENTION)
		return 0; /* The leader's own. */
	return e->kind == ENTRY_HOLD && first == HOLD_SET ? 1 : before > 2 ? before : 2;
}

static void check_signatures(struct records *r, const struct entry *e, const struct field *evidence)
{
	unsigned command = command_of(e->kind), needed, n;

	if (!command)
		return;
	needed = wanted(r, e, command);
	n = signatures(e, evidence);
	if (n < needed && (n > 0 || evidence || e->kind == ENTRY_ERASED)) /* Evidence may have been erased. */
		os_fail(r->node, "entry %" PRIu64 " of kind %u is an order that %u signed, and takes %u", e->index,
		        e->kind, n, needed);
}

/* --- credentials --- */

static bool text_at(struct reader *r, char ret[32])
{
	const char *s = NULL;
	size_t len = 0;

	if (reader_str(r, 31, &s, &len))
		return false;
	memcpy(ret, s, len);
	ret[len] = 0;
	return true;
}

static unsigned credential(struct records *r, const char *name)
{
	unsigned i = 0;

	while (i < r->n_credentials && strcmp(r->credentials[i].name, name) != 0)
		i++;
	if (i == RECORDS_CREDENTIALS_MAX)
		os_fail(r->node, "more credentials than the simulator enrols");
	if (i == r->n_credentials) {
		strcpy(r->credentials[i].name, name);
		r->n_credentials++;
	}
	return i;
}

/* [id, name, …] */
static void credential_moves(struct records *r, const struct entry *e)
{
	char name[32];
	struct reader b;
	unsigned i;

	at_place(&b, e->public_, e->public_len, 1);
	if (!text_at(&b, name))
		os_fail(r->node, "entry %" PRIu64 " names no credential", e->index);
	i = credential(r, name);
	r->credentials[i].version = e->kind == ENTRY_CREDENTIAL_ENROLLED ? e->index : 0;
	if (e->kind == ENTRY_CREDENTIAL_REVOKED)
		r->credentials[i].revoked = e->index;
}

/* An answer that met its challenge: [method, credential's name, its version, evidence]. Device keys are principals. */
static void check_answer(struct records *r, const struct entry *e, const struct field *evidence)
{
	uint64_t outcome = 0, version = 0;
	char method[32], name[32];
	struct reader b;
	unsigned i;

	at_place(&b, e->public_, e->public_len, 7);
	reader_uint(&b, 3, &outcome);
	if (b.err)
		os_fail(r->node, "answer %" PRIu64 " has no outcome", e->index);
	if (outcome != 1 || !evidence)
		return;
	at_place(&b, evidence->value, evidence->value_len, 0);
	if (!text_at(&b, method) || !text_at(&b, name) || reader_uint(&b, UINT64_MAX, &version))
		os_fail(r->node, "the evidence of answer %" PRIu64 " cannot be read", e->index);
	if (strcmp(method, "ed25519") == 0)
		return;
	records_kinds[RECORDS_MET]++;
	i = credential(r, name);
	if (r->credentials[i].version == 0 || r->credentials[i].version != version)
		os_fail(r->node,
		        "answer %" PRIu64 " is met by %s of version %" PRIu64 ", which was revoked at %" PRIu64,
		        e->index, name, version, r->credentials[i].revoked);
}

/* --- holds --- */

/* [what it says, index of the hold that is lifted, …]; subject [type, id]. */
static void hold(struct records *r, const struct entry *e, const struct field *subject)
{
	uint64_t action = 0, lifted = 0;
	char type[32], id[32];
	struct reader b;

	at_place(&b, e->public_, e->public_len, 0);
	reader_uint(&b, HOLD_RETENTION, &action);
	reader_uint(&b, UINT64_MAX, &lifted);
	for (unsigned i = 0; action == HOLD_LIFT && i < r->n_holds; i++)
		if (r->holds[i].index == lifted)
			r->holds[i].lifted = e->index;
	if (action != HOLD_SET || !subject)
		return;
	at_place(&b, subject->value, subject->value_len, 0);
	if (!text_at(&b, type) || !text_at(&b, id) || strlen(id) >= sizeof r->holds[0].id ||
	    r->n_holds == RECORDS_HOLDS_MAX)
		os_fail(r->node, "hold %" PRIu64 " cannot be read", e->index);
	r->holds[r->n_holds].index = e->index;
	strcpy(r->holds[r->n_holds++].id, id);
}

void records_erased(struct records *r, const struct store_erasure *e)
{
	char id[WHO_SIZE];

	if (e->index >= r->size || !r->who[e->index])
		return;
	client_who(r->who[e->index], id);
	for (unsigned i = 0; i < r->n_holds; i++)
		if (strcmp(r->holds[i].id, id) == 0 && r->holds[i].index < e->by &&
		    (!r->holds[i].lifted || r->holds[i].lifted > e->by))
			os_fail(r->node,
			        "entry %" PRIu64 " is about %s, held since %" PRIu64 ", and %" PRIu64 " erased of it",
			        e->index, id, r->holds[i].index, e->by);
}

/* [node id, index of the entry "erased", …] */
static void done(struct records *r, const struct entry *e)
{
	uint64_t node = 0, index = 0;
	struct reader b;

	at_place(&b, e->public_, e->public_len, 0);
	reader_uint(&b, 63, &node);
	reader_uint(&b, r->size - 1, &index);
	if (b.err)
		os_fail(r->node, "entry %" PRIu64 " cannot be read", e->index);
	r->done[index] |= UINT64_C(1) << node;
}

bool records_done(const struct records *r, unsigned node, uint64_t erasure)
{
	return erasure < r->size && r->done[erasure] >> node & 1;
}

/* --- all --- */

void records_entry(struct records *r, const struct entry *e, const struct field *fields, unsigned n)
{
	const struct field *evidence = body_find(fields, n, FIELD_EVIDENCE);

	records_kinds[e->kind % RECORDS_MET]++;
	check_signatures(r, e, evidence);
	if (e->kind == ENTRY_CREDENTIAL_ENROLLED || e->kind == ENTRY_CREDENTIAL_REVOKED)
		credential_moves(r, e);
	else if (e->kind == ENTRY_ANSWER)
		check_answer(r, e, evidence);
	else if (e->kind == ENTRY_HOLD)
		hold(r, e, body_find(fields, n, FIELD_SUBJECT));
	else if (e->kind == ENTRY_ERASURE_DONE)
		done(r, e);
	signing_entry(r->keys, e);
	readers_entry(r->readers, e);
}

void records_end(struct records *r)
{
	signing_end(r->keys);
	readers_end(r->readers);
	free(r->who);
	free(r->done);
	free(r);
}
