/* The verifier's check of bundles: JSON with one entry, fields that open its commitments, and its proof. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_internal.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct bundle {
	json_t *supports; /* Borrowed; NULL: the format has none. */
	uint64_t index;
	struct verify_slice entry; /* Into entry_bytes. */
	json_t *fields;            /* Borrowed from the document, like proof. */
	struct verify_slice proof;
	uint8_t entry_bytes[LIMIT_ENTRY_SIZE_MAX];
	uint8_t value_bytes[VERIFY_SCRATCH_SIZE];
};

bool verify_json_is(const json_t *value, int type)
{
	return value && (int)json_typeof(value) == type;
}

bool verify_members_are(json_t *object, const char *const *names, size_t n, size_t n_optional)
{
	if (!verify_json_is(object, JSON_OBJECT))
		return false;
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		size_t i = 0;

		while (i < n && strcmp(names[i], json_object_iter_key(at)) != 0)
			i++;
		if (i == n)
			return false;
	}
	for (size_t i = 0; i < n - n_optional; i++)
		if (!json_object_get(object, names[i]))
			return false;
	return true;
}

bool verify_string_get(json_t *object, const char *name, struct verify_slice *ret)
{
	json_t *value = json_object_get(object, name);

	if (!verify_json_is(value, JSON_STRING))
		return false;
	*ret = (struct verify_slice){(const uint8_t *)json_string_value(value), json_string_length(value)};
	return true;
}

/* The four members that every entry has, whatever else is beside them. */
static bool entry_read(json_t *doc, struct bundle *ret)
{
	struct verify_slice entry;
	json_t *index = json_object_get(doc, "index");

	if (!verify_json_is(index, JSON_INTEGER) || json_integer_value(index) < 0 ||
	    !verify_string_get(doc, "entry", &entry) || !verify_string_get(doc, "proof", &ret->proof))
		return false;
	ret->index = (uint64_t)json_integer_value(index);
	ret->fields = json_object_get(doc, "fields");
	ret->entry.p = ret->entry_bytes;
	return verify_json_is(ret->fields, JSON_ARRAY) &&
	       verify_base64(entry, ret->entry_bytes, sizeof ret->entry_bytes, &ret->entry.len);
}

static bool bundle_read(json_t *doc, struct bundle *ret)
{
	static const char *const names[] = {"format", "index", "entry", "fields", "proof", "supports"};
	struct verify_slice format;

	if (!verify_string_get(doc, "format", &format))
		return false;
	bool second = verify_slice_is(format, FORMAT_BUNDLE_2);
	ret->supports = second ? json_object_get(doc, "supports") : NULL;
	return (second || verify_slice_is(format, FORMAT_BUNDLE)) &&
	       verify_members_are(doc, names, second ? 6 : 5, 0) &&
	       (!second || verify_json_is(ret->supports, JSON_ARRAY)) && entry_read(doc, ret);
}

static const uint8_t *commitment_of(const struct verify_leaf *leaf, unsigned kind)
{
	for (unsigned i = 0; i < leaf->n_fields; i++)
		if (leaf->fields[i].kind == kind)
			return leaf->fields[i].commitment;
	return NULL;
}

static bool field_bad(struct verify_result *r, const struct verify_leaf *leaf, const char *name, const char *why)
{
	r->has_bad_index = true;
	r->bad_index = leaf->index;
	return verify_refute(r, "field %s of entry %" PRIu64 ": %s", name, leaf->index, why);
}

/* *kind: of the field before, then of this one; kinds go up, so none can come twice. */
static bool field_check(const struct verify_fields *f, json_t *field, const struct verify_leaf *leaf, unsigned *kind,
                        struct verify_result *r)
{
	static const char *const names[] = {"kind", "salt", "value", "text"};
	struct verify_slice salt64, value64, value = {f->scratch, 0};
	uint8_t salt[SALT_SIZE], made[VERIFY_HASH_SIZE];
	json_t *name = json_object_get(field, "kind");
	json_t *text = json_object_get(field, "text");
	unsigned before = *kind;

	if (!verify_members_are(field, names, 4, 1) || !verify_json_is(name, JSON_STRING) ||
	    (text && !verify_json_is(text, JSON_STRING)) || !verify_string_get(field, "salt", &salt64) ||
	    !verify_string_get(field, "value", &value64) || !verify_base64_exact(salt64, salt, sizeof salt) ||
	    !verify_base64(value64, f->scratch, VERIFY_SCRATCH_SIZE, &value.len))
		return verify_refute(r, "bundle: a disclosed field is malformed");
	*kind = verify_field_kind_of(json_string_value(name));
	if (*kind == 0)
		return verify_refute(r, "bundle: a disclosed field is of no known kind");
	if (*kind <= before)
		return field_bad(r, leaf, verify_field_kind_name(*kind), "it is there twice, or out of order");
	if (!verify_value_canonical(value))
		return field_bad(r, leaf, verify_field_kind_name(*kind), "its value is not canonical");
	const uint8_t *commitment = commitment_of(leaf, *kind);
	if (!commitment)
		return field_bad(r, leaf, verify_field_kind_name(*kind), "the entry has no commitment to one");
	verify_commitment(*kind, salt, value, made);
	if (memcmp(made, commitment, sizeof made) != 0) {
		verify_bad_hash(r, commitment, made);
		return field_bad(r, leaf, verify_field_kind_name(*kind), "it does not open its commitment");
	}
	if (f->opened)
		f->opened(f->ctx, *kind, value);
	if (!f->quiet)
		verify_say(r, VERIFY_MARK_HELD, "field %s: opens its commitment", verify_field_kind_name(*kind));
	return true;
}

bool verify_fields_check(const struct verify_fields *f, const struct verify_leaf *leaf, struct verify_result *r)
{
	bool disclosed[FIELD_KIND_MAX + 1] = {false};
	unsigned kind = 0;

	for (size_t i = 0; i < json_array_size(f->fields); i++) {
		if (!field_check(f, json_array_get(f->fields, i), leaf, &kind, r))
			return false;
		disclosed[kind] = true;
	}
	for (unsigned j = 0; j < leaf->n_fields && !f->quiet; j++)
		if (!disclosed[leaf->fields[j].kind])
			verify_say(r, VERIFY_MARK_UNCHECKED, "field %s (%u): not disclosed",
			           verify_field_kind_name(leaf->fields[j].kind), leaf->fields[j].kind);
	return true;
}

/* Entry, fields and proof, once they are read. */
static bool entry_check(const struct verify_policy *p, struct bundle *b, struct verify_leaf *leaf,
                        struct verify_result *r)
{
	struct verify_fields fields = {.scratch = b->value_bytes, .fields = b->fields};
	uint8_t leaf_hash[VERIFY_HASH_SIZE];

	if (!verify_entry_leaf(b->entry, leaf, r))
		return false;
	if (leaf->index != b->index) {
		verify_bad_number(r, b->index, leaf->index);
		return verify_refute(r, "bundle: its index is not the entry's");
	}
	if (!verify_fields_check(&fields, leaf, r))
		return false;
	verify_leaf_hash(b->entry, leaf_hash);
	return verify_proof(p, b->proof, leaf_hash, &leaf->index, r);
}

/* --- entries that the first one rests on: each is proven as that is, and said in one line --- */

static bool support_bad(struct verify_result *r, const struct verify_result *of, const struct bundle *b)
{
	r->has_bad_index = of->has_bad_index;
	r->bad_index = of->bad_index;
	memcpy(r->expected, of->expected, sizeof r->expected);
	memcpy(r->found, of->found, sizeof r->found);
	return verify_refute(r, "supporting entry %" PRIu64 ": %.160s", b->index, of->reason);
}

/* *undecided: what of it could not be shown. */
static bool support_check(const struct verify_policy *p, json_t *doc, struct bundle *b, struct verify_result *own,
                          struct verify_result *r, const char **undecided)
{
	static const char *const names[] = {"index", "entry", "fields", "proof"};
	struct verify_leaf leaf;

	verify_result_init(own);
	if (!verify_members_are(doc, names, 4, 0) || !entry_read(doc, b))
		return verify_refute(r, "bundle: a supporting entry is malformed");
	bool held = entry_check(p, b, &leaf, own);
	if (own->outcome == VERIFY_REFUTED)
		return support_bad(r, own, b);
	if (!held) { /* Its proof, or its checkpoint, is more than we read: nothing of it was checked to the end. */
		r->proven = false;
		*undecided = "a supporting entry could not be checked";
		verify_say(r, VERIFY_MARK_UNCHECKED, "supporting entry %" PRIu64 ": %.160s", b->index, own->reason);
		return true;
	}
	verify_conclude(own);
	if (strcmp(own->origin, r->origin) != 0)
		return verify_refute(r, "supporting entry %" PRIu64 ": it is of another ledger", b->index);
	if (own->size == r->size && memcmp(own->root, r->root, sizeof r->root) != 0)
		return verify_refute(r, "supporting entry %" PRIu64 ": its tree is another of the same size", b->index);
	if (own->outcome == VERIFY_UNDECIDED)
		*undecided = "a supporting entry is the leader's claim only";
	verify_say(r, VERIFY_MARK_HELD,
	           "supporting entry %" PRIu64 ", %s: in the tree of size %" PRIu64
	           ", its %zu disclosed fields open their commitments",
	           b->index, verify_entry_kind_name(leaf.kind), own->size, json_array_size(b->fields));
	return true;
}

static bool supports_check(const struct verify_policy *p, struct bundle *b, struct verify_result *r)
{
	struct bundle *each = calloc(1, sizeof *each);
	struct verify_result *own = calloc(1, sizeof *own);
	bool ok = each && own;
	const char *undecided = NULL;

	if (!ok)
		verify_undecided(r, "out of memory");
	else if (json_array_size(b->supports) > FORMAT_BUNDLE_SUPPORTS)
		ok = verify_refute(r, "bundle: more than %d supporting entries", FORMAT_BUNDLE_SUPPORTS);
	for (size_t i = 0; ok && i < json_array_size(b->supports); i++)
		ok = support_check(p, json_array_get(b->supports, i), each, own, r, &undecided);
	free(each);
	free(own);
	if (ok && undecided)
		return verify_undecided(r, "%s", undecided);
	return ok;
}

static bool bundle_check(const struct verify_policy *p, json_t *doc, struct bundle *b, struct verify_result *r)
{
	struct verify_leaf leaf;

	if (!bundle_read(doc, b))
		return verify_refute(r, "bundle: not a " FORMAT_BUNDLE " or " FORMAT_BUNDLE_2
		                        ", or with members that it must not have");
	r->proven = entry_check(p, b, &leaf, r);
	return r->proven && (!b->supports || supports_check(p, b, r));
}

void verify_bundle(const struct verify_policy *p, const void *json, size_t len, struct verify_result *ret)
{
	json_error_t error;

	verify_result_init(ret);
	if (len > FORMAT_BUNDLE_SIZE_MAX) {
		verify_undecided(ret, "bundle: larger than this verifier takes");
		return;
	}
	struct bundle *b = calloc(1, sizeof *b);
	json_t *doc = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
	/* jansson gives a text to whatever is wrong with the document; without one, memory was short. */
	if (!b || (!doc && !error.text[0]))
		verify_undecided(ret, "out of memory");
	else if (!doc)
		verify_refute(ret, "bundle: not JSON (line %d, column %d), or a member twice", error.line,
		              error.column);
	else if (bundle_check(p, doc, b, ret))
		verify_conclude(ret);
	json_decref(doc);
	free(b);
}
