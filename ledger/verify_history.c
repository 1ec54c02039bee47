/* The verifier's check of one person's history: a chain of entries, each proven, none left out. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/verify_internal.h"

#define PERSON_SIZE_MAX 1024 /* [type, id], each up to 256 bytes; with room for what a later build may allow. */

enum whose { WHOSE_SUBJECT = 1, WHOSE_ACTOR = 2, WHOSE_APPROVER = 3 };
static const struct {
	const char *name;
	unsigned person, chain;
} whose_of[] = {
        [WHOSE_SUBJECT] = {"subject", FORMAT_FIELD_SUBJECT, FORMAT_FIELD_SUBJECT_CHAIN},
        [WHOSE_ACTOR] = {"actor", FORMAT_FIELD_ACTOR, FORMAT_FIELD_ACTOR_CHAIN},
        [WHOSE_APPROVER] = {"approver", FORMAT_FIELD_APPROVER, FORMAT_FIELD_APPROVER_CHAIN},
};

struct verify_history {
	const struct verify_policy *policy;
	struct verify_result *r;
	bool stopped;
	unsigned whose;          /* 0: the first line is still to come. */
	uint64_t entries;        /* As the first line says. */
	uint64_t n, head, last;  /* Entries so far; indexes of the first and the last of them. */
	bool nobody_forgotten;   /* As the head says. */
	bool begins, cut;        /* The last one is the chain's first; its link is not open. */
	bool earlier;            /* Its link leads into a ledger before this one. */
	struct verify_link link; /* Of the last one. */
	uint64_t kinds, closed;  /* Of the fields that were opened, a bit each; how many others there are. */
	uint8_t person[PERSON_SIZE_MAX];
	size_t person_len;

	/* Of the line being looked at. */
	struct verify_leaf leaf;
	bool has_person, has_link, too_long;
	struct verify_link found;
	uint8_t theirs[PERSON_SIZE_MAX];
	size_t theirs_len;
	uint8_t entry[LIMIT_ENTRY_SIZE_MAX], scratch[VERIFY_SCRATCH_SIZE];
};

int verify_history_begin(const struct verify_policy *p, struct verify_result *result, struct verify_history **ret)
{
	struct verify_history *h = calloc(1, sizeof *h);

	verify_result_init(result);
	if (!h) {
		verify_undecided(result, "out of memory");
		return CS_ERR_NOMEM;
	}
	h->policy = p;
	h->r = result;
	*ret = h;
	return CS_OK;
}

static bool bad(struct verify_history *h, const char *why)
{
	h->r->has_bad_index = true;
	h->r->bad_index = h->leaf.index;
	return verify_refute(h->r, "history, entry %" PRIu64 ": %s", h->leaf.index, why);
}

/* --- the first line --- */

static bool header_read(struct verify_history *h, json_t *doc)
{
	static const char *const names[] = {"format", "whose", "entries", "checkpoint"};
	struct verify_slice format, whose, note;
	json_t *entries = json_object_get(doc, "entries");

	if (!verify_members_are(doc, names, 4, 0) || !verify_string_get(doc, "format", &format) ||
	    !verify_slice_is(format, FORMAT_HISTORY) || !verify_string_get(doc, "whose", &whose) ||
	    !verify_string_get(doc, "checkpoint", &note) || !verify_json_is(entries, JSON_INTEGER) ||
	    json_integer_value(entries) < 1)
		return verify_refute(h->r, "history: its first line is not that of a " FORMAT_HISTORY);
	for (unsigned i = WHOSE_SUBJECT; i <= WHOSE_APPROVER; i++)
		if (verify_slice_is(whose, whose_of[i].name))
			h->whose = i;
	if (!h->whose)
		return verify_refute(h->r, "history: neither of a subject, an actor nor an approver");
	h->entries = (uint64_t)json_integer_value(entries);
	return verify_note(h->policy, note, h->r);
}

/* --- entries --- */

static void keep_person(struct verify_history *h, struct verify_slice value)
{
	h->has_person = value.len <= sizeof h->theirs;
	if (!h->has_person)
		return;
	memcpy(h->theirs, value.p, value.len);
	h->theirs_len = value.len;
}

#define KIND_FITS(name, number, text) _Static_assert((number) < 64, "each kind that has a name has a bit of its own");
FIELD_KIND_LIST(KIND_FITS)
#undef KIND_FITS

static void opened(void *ctx, unsigned kind, struct verify_slice value)
{
	struct verify_history *h = ctx;
	struct verify_slice name;

	h->kinds |= UINT64_C(1) << kind;
	h->closed--;
	if (kind == whose_of[h->whose].person)
		keep_person(h, value);
	else if (kind == FORMAT_FIELD_APPROVAL && h->whose == WHOSE_APPROVER && verify_approver_parse(value, &name))
		keep_person(h, name);
	else if (kind == whose_of[h->whose].chain)
		h->has_link = verify_link_parse(value, &h->found);
}

/* Leaf, fields and proof of one line. */
static bool entry_read(struct verify_history *h, json_t *doc)
{
	static const char *const names[] = {"index", "entry", "fields", "hashes"};
	struct verify_slice entry64, entry = {h->entry, 0}, hash64;
	uint8_t hashes[LIMIT_PROOF_HASHES_MAX * VERIFY_HASH_SIZE], leaf_hash[VERIFY_HASH_SIZE];
	json_t *index = json_object_get(doc, "index"), *list = json_object_get(doc, "hashes");
	struct verify_fields f = {.scratch = h->scratch, .quiet = true, .opened = opened, .ctx = h};
	const char *why;

	f.fields = json_object_get(doc, "fields");
	if (!verify_members_are(doc, names, 4, 0) || !verify_string_get(doc, "entry", &entry64) ||
	    !verify_json_is(index, JSON_INTEGER) || !verify_json_is(f.fields, JSON_ARRAY) ||
	    !verify_json_is(list, JSON_ARRAY) || json_array_size(list) > LIMIT_PROOF_HASHES_MAX ||
	    !verify_base64(entry64, h->entry, sizeof h->entry, &entry.len))
		return verify_refute(h->r, "history, line %" PRIu64 ": not an entry of a " FORMAT_HISTORY, h->n + 2);
	if (!verify_leaf_parse(entry, &h->leaf, &why))
		return verify_refute(h->r, "history, line %" PRIu64 ": %s", h->n + 2, why);
	if (json_integer_value(index) < 0 || (uint64_t)json_integer_value(index) != h->leaf.index)
		return bad(h, "its index is not the entry's");
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *hash = json_array_get(list, i);

		hash64 = (struct verify_slice){(const uint8_t *)json_string_value(hash), json_string_length(hash)};
		if (!verify_json_is(hash, JSON_STRING) ||
		    !verify_base64_exact(hash64, hashes + i * VERIFY_HASH_SIZE, VERIFY_HASH_SIZE))
			return bad(h, "its proof is malformed");
	}
	verify_leaf_hash(entry, leaf_hash);
	if (h->leaf.index >= h->r->size ||
	    !verify_tree_inclusion(h->leaf.index, h->r->size, leaf_hash, hashes, json_array_size(list), h->r->root))
		return bad(h, "its proof does not lead from it to the checkpoint's root");
	h->has_person = h->has_link = false;
	h->closed += h->leaf.n_fields;
	return verify_fields_check(&f, &h->leaf, h->r);
}

static bool head_check(struct verify_history *h)
{
	uint64_t whose;

	if (!verify_history_parse(&h->leaf, &whose, &h->nobody_forgotten) || whose != h->whose)
		return bad(h, "a history begins with \"history requested\", of such a person");
	if (!h->has_person || !h->has_link)
		return bad(h, "at the head of a history the person and the link are disclosed");
	memcpy(h->person, h->theirs, h->theirs_len);
	h->person_len = h->theirs_len;
	h->head = h->leaf.index;
	if (h->found.count + 1 != h->entries) {
		verify_bad_number(h->r, h->found.count + 1, h->entries);
		return bad(h, "the history's first line says another number of entries");
	}
	return true;
}

static bool next_check(struct verify_history *h)
{
	if (h->begins || h->cut || h->earlier)
		return bad(h, "it stands behind the end of the chain");
	if (h->leaf.index != h->link.previous) {
		verify_bad_number(h->r, h->link.previous, h->leaf.index);
		return bad(h, "the chain names another entry at this place: one is left out, or not of it");
	}
	if (h->leaf.index >= h->last)
		return bad(h, "the chain does not go back");
	if (!h->has_link && h->leaf.n_fields > 0)
		return true; /* Erased or held back: what is known of it is that the one after it names it. */
	if (!h->has_person || h->theirs_len != h->person_len || memcmp(h->theirs, h->person, h->person_len) != 0)
		return bad(h, "it is of somebody else, or does not say of whom");
	if (h->found.count + 1 != h->link.count) {
		verify_bad_number(h->r, h->link.count - 1, h->found.count);
		return bad(h, "the chain counts otherwise");
	}
	return true;
}

static bool entry_line(struct verify_history *h, json_t *doc)
{
	if (!entry_read(h, doc) || !(h->n == 0 ? head_check(h) : next_check(h)))
		return false;
	h->n++;
	h->last = h->leaf.index;
	h->cut = !h->has_link;
	h->link = h->found;
	h->begins = !h->cut && h->link.count == 0;
	h->earlier = !h->cut && !h->begins && h->link.previous >= FORMAT_EARLIER;
	return true;
}

bool verify_history_line(struct verify_history *h, const char *line, size_t len)
{
	json_error_t error;
	json_t *doc;

	if (h->stopped)
		return false;
	doc = len <= VERIFY_LINE_SIZE_MAX ? json_loadb(line, len, JSON_REJECT_DUPLICATES, &error) : NULL;
	if (len > VERIFY_LINE_SIZE_MAX)
		h->stopped = !verify_undecided(h->r, "history: a line is longer than this verifier takes");
	else if (!doc && !error.text[0]) /* As in verify_bundle. */
		h->stopped = !verify_undecided(h->r, "out of memory");
	else if (!doc)
		h->stopped = !verify_refute(h->r, "history, line %" PRIu64 ": not JSON, or a member twice",
		                            h->whose ? h->n + 2 : 1);
	else
		h->stopped = !(h->whose ? entry_line(h, doc) : header_read(h, doc));
	json_decref(doc);
	return !h->stopped;
}

/* --- the end --- */

static void say_beginning(struct verify_history *h)
{
	if (h->earlier)
		verify_say(h->r, VERIFY_MARK_UNCHECKED,
		           "before entry %" PRIu64 " the chain has %" PRIu64
		           " more in the ledger that this one was restored from (see: show 0), the newest at its entry "
		           "%" PRIu64,
		           h->last, h->link.count, h->link.previous % FORMAT_EARLIER);
	else if (h->link.has_previous)
		verify_say(h->r, VERIFY_MARK_UNCHECKED,
		           "entry %" PRIu64 " begins the chain anew: what was before it was erased by entry %" PRIu64,
		           h->last, h->link.previous);
	else if (h->nobody_forgotten)
		verify_say(h->r, VERIFY_MARK_HELD,
		           "entry %" PRIu64 " is the person's first: the cluster had forgotten nobody", h->last);
	else
		verify_say(h->r, VERIFY_MARK_UNCHECKED,
		           "entry %" PRIu64
		           " is the oldest that the cluster knew of: it had forgotten who was not seen for "
		           "long, and there may be older ones",
		           h->last);
}

#define OPENED                "fields that are disclosed open their commitments: "
#define NAME_SIZE(n, k, text) +sizeof(text) + 1 /* With ", ". */
_Static_assert(sizeof OPENED FIELD_KIND_LIST(NAME_SIZE) <= VERIFY_TEXT_SIZE_MAX, "the names of all kinds fit a line");
#undef NAME_SIZE

static void say_fields(struct verify_history *h)
{
	char names[VERIFY_TEXT_SIZE_MAX] = "";
	size_t n = 0;

	for (unsigned kind = 1; kind < 64; kind++)
		if (h->kinds >> kind & 1)
			n += (size_t)snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "",
			                      verify_field_kind_name(kind));
	verify_say(h->r, VERIFY_MARK_HELD, OPENED "%s", names);
	if (h->closed)
		verify_say(h->r, VERIFY_MARK_UNCHECKED, "%" PRIu64 " fields: not disclosed", h->closed);
}

static void conclude(struct verify_history *h)
{
	char person[VERIFY_TEXT_SIZE_MAX / 2], how[VERIFY_TEXT_SIZE_MAX];

	if (!verify_person_text((struct verify_slice){h->person, h->person_len}, person, sizeof person))
		strcpy(person, "(of an unknown form)");
	say_fields(h);
	verify_say(h->r, VERIFY_MARK_HELD, "%s %s: %" PRIu64 " entries, each in the tree, one unbroken chain",
	           whose_of[h->whose].name, person, h->n);
	if (h->cut) {
		verify_undecided(h->r,
		                 "history: the link of entry %" PRIu64
		                 " is erased, or not disclosed: what is older could "
		                 "not be shown",
		                 h->last);
		return;
	}
	say_beginning(h);
	verify_conclude(h->r);
	if (h->r->outcome != VERIFY_VERIFIED)
		return;
	snprintf(how, sizeof how, "%s", h->r->reason);
	snprintf(h->r->reason, sizeof h->r->reason, "complete up to index %" PRIu64 ", %.*s", h->head,
	         VERIFY_TEXT_SIZE_MAX - 60, how);
}

void verify_history_end(struct verify_history *h)
{
	if (!h)
		return;
	if (!h->stopped && h->n == 0)
		verify_refute(h->r, "history: it has no entries");
	else if (!h->stopped && !h->begins && !h->cut && !h->earlier) {
		verify_bad_number(h->r, h->link.previous, h->last);
		h->leaf.index = h->link.previous;
		bad(h, "it is left out: the chain goes on with it, and the history ends before it");
	} else if (!h->stopped)
		conclude(h);
	free(h);
}
