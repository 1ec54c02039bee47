/* Reads trust policies (C2SP tlog-policy): the keys that count, and how many of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_internal.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"

#define WORDS_MAX (VERIFY_POLICY_NAMES_MAX + 3) /* "group", its name and its need, and every name there is. */

struct line {
	struct verify_slice words[WORDS_MAX];
	unsigned n;
};

/* tlog-policy, "Character set". */
static bool octets_allowed(struct verify_slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == 0x7f || (s.p[i] < 0x20 && s.p[i] != '\t' && s.p[i] != '\n'))
			return false;
	return true;
}

static bool words_split(struct verify_slice text, struct line *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < text.len;) {
		size_t start = i;

		if (text.p[i] == ' ' || text.p[i] == '\t') {
			i++;
			continue;
		}
		while (i < text.len && text.p[i] != ' ' && text.p[i] != '\t')
			i++;
		if (ret->n == WORDS_MAX)
			return false;
		ret->words[ret->n++] = (struct verify_slice){text.p + start, i - start};
	}
	return true;
}

static bool name_copy(struct verify_slice s, char ret[LIMIT_KEY_NAME_SIZE_MAX + 1])
{
	if (s.len == 0 || s.len > LIMIT_KEY_NAME_SIZE_MAX)
		return false;
	memcpy(ret, s.p, s.len);
	ret[s.len] = '\0';
	return true;
}

/* signed-note, "Verifier keys": name+hex(id)+base64(type || pub). The id must be the one that follows from the rest. */
static const char *vkey_parse(struct verify_slice s, uint8_t type, struct verify_key *ret)
{
	const uint8_t *plus = memchr(s.p, '+', s.len);
	size_t name_len = plus ? (size_t)(plus - s.p) : 0;
	uint8_t typed[1 + sizeof ret->pub], id[sizeof ret->id], digest[crypto_hash_sha256_BYTES];
	crypto_hash_sha256_state state;

	if (!plus || s.len < name_len + 10 || s.p[name_len + 9] != '+')
		return "not a verifier key";
	struct verify_slice name = {s.p, name_len}, rest = {s.p + name_len + 10, s.len - name_len - 10};
	if (!verify_utf8(name) || !name_copy(name, ret->name))
		return "bad name in the verifier key";
	if (sodium_hex2bin(id, sizeof id, (const char *)plus + 1, 2 * sizeof id, NULL, NULL, NULL))
		return "bad key id";
	if (!verify_base64_exact(rest, typed, sizeof typed))
		return "not an Ed25519 key";
	if (typed[0] != type)
		return type == VERIFY_KEY_ED25519 ? "a log's key must be of type 01 (Ed25519)"
		                                  : "a witness's key must be of type 04 (cosignature/v1)";
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, name.p, name.len);
	crypto_hash_sha256_update(&state, (const uint8_t *)"\n", 1);
	crypto_hash_sha256_update(&state, typed, sizeof typed);
	crypto_hash_sha256_final(&state, digest);
	if (memcmp(digest, id, sizeof id) != 0)
		return "the key id does not belong to the key";
	memcpy(ret->id, id, sizeof id);
	memcpy(ret->pub, typed + 1, sizeof ret->pub);
	ret->since = 0;
	ret->until = UINT64_MAX;
	return NULL;
}

static int name_find(const struct verify_policy *p, struct verify_slice s)
{
	for (unsigned i = 0; i < p->n_names; i++)
		if (verify_slice_is(s, p->names[i].name))
			return (int)i;
	return -1;
}

/* A line of one of two keys with the same name and id would be held against the other, and spoil the note. */
static bool key_ambiguous(const struct verify_policy *p, const struct verify_key *k)
{
	for (unsigned i = 0; i < p->n_retired; i++)
		if (strcmp(p->retired[i].key.name, k->name) == 0 &&
		    memcmp(p->retired[i].key.id, k->id, sizeof k->id) == 0)
			return true;
	for (unsigned i = 0; i < p->n_logs; i++)
		if (strcmp(p->logs[i].name, k->name) == 0 && memcmp(p->logs[i].id, k->id, sizeof k->id) == 0)
			return true;
	for (unsigned i = 0; i < p->n_names; i++)
		if (!p->names[i].is_group && strcmp(p->names[i].key.name, k->name) == 0 &&
		    memcmp(p->names[i].key.id, k->id, sizeof k->id) == 0)
			return true;
	return false;
}

/* Each line's parser returns NULL, or what is wrong. */
static const char *log_line(struct verify_policy *p, const struct line *l)
{
	struct verify_key key;

	if (l->n < 2 || l->n > 3)
		return "expected: log <vkey> [url]";
	if (p->n_logs == VERIFY_POLICY_LOGS_MAX)
		return "too many logs";
	const char *bad = vkey_parse(l->words[1], VERIFY_KEY_ED25519, &key);
	if (bad)
		return bad;
	for (unsigned i = 0; i < p->n_logs; i++)
		if (memcmp(p->logs[i].pub, key.pub, sizeof key.pub) == 0)
			return "this log's key is there already";
	if (key_ambiguous(p, &key))
		return "another key has this name and id";
	p->logs[p->n_logs++] = key;
	return NULL;
}

static const char *name_define(struct verify_policy *p, struct verify_slice s, struct verify_name **ret)
{
	struct verify_name *n = &p->names[p->n_names];

	if (p->n_names == VERIFY_POLICY_NAMES_MAX)
		return "too many witnesses and groups";
	if (verify_slice_is(s, "none") || name_find(p, s) >= 0)
		return "this name is taken";
	memset(n, 0, sizeof *n);
	n->parent = -1;
	if (!name_copy(s, n->name))
		return "the name is too long";
	*ret = n;
	return NULL;
}

static const char *witness_line(struct verify_policy *p, const struct line *l)
{
	struct verify_name *n;

	if (l->n < 3 || l->n > 4)
		return "expected: witness <name> <vkey> [url]";
	const char *bad = name_define(p, l->words[1], &n);
	if (!bad)
		bad = vkey_parse(l->words[2], VERIFY_KEY_COSIGNATURE, &n->key);
	if (bad)
		return bad;
	/* The message that is cosigned does not name its signer: one key must not count for two. */
	for (unsigned i = 0; i < p->n_names; i++)
		if (!p->names[i].is_group && memcmp(p->names[i].key.pub, n->key.pub, sizeof n->key.pub) == 0)
			return "this witness's key is there already";
	if (key_ambiguous(p, &n->key))
		return "another key has this name and id";
	p->n_names++;
	return NULL;
}

static const char *group_line(struct verify_policy *p, const struct line *l)
{
	struct verify_name *group;
	uint64_t need, members = l->n - 3;

	if (l->n < 4)
		return "expected: group <name> all|any|<k> <member>...";
	const char *bad = name_define(p, l->words[1], &group);
	if (bad)
		return bad;
	if (verify_slice_is(l->words[2], "all"))
		need = members;
	else if (verify_slice_is(l->words[2], "any"))
		need = 1;
	else if (!verify_decimal(l->words[2], &need))
		return "expected all, any or a number";
	if (need < 1 || need > members)
		return "the number must be from 1 to the number of members";
	for (unsigned i = 3; i < l->n; i++) {
		int member = name_find(p, l->words[i]);

		if (member < 0)
			return "a member is not defined above";
		if (p->names[member].parent >= 0)
			return "a member is in a group already";
		p->names[member].parent = (int)p->n_names;
	}
	group->is_group = true;
	group->need = (unsigned)need;
	p->n_names++;
	return NULL;
}

static const char *quorum_line(struct verify_policy *p, const struct line *l, bool *seen)
{
	if (l->n != 2)
		return "expected: quorum <name>|none";
	if (*seen)
		return "a second quorum line";
	*seen = true;
	p->quorum = name_find(p, l->words[1]);
	if (p->quorum < 0 && !verify_slice_is(l->words[1], "none"))
		return "the quorum's name is not defined above";
	return NULL;
}

/* --- what our comments say of the sizes that keys are good for --- */

static struct verify_key *key_above(struct verify_policy *p, const struct verify_key *k)
{
	for (unsigned i = 0; i < p->n_logs; i++)
		if (strcmp(p->logs[i].name, k->name) == 0 && memcmp(p->logs[i].pub, k->pub, sizeof k->pub) == 0)
			return &p->logs[i];
	for (unsigned i = 0; i < p->n_names; i++)
		if (!p->names[i].is_group && strcmp(p->names[i].key.name, k->name) == 0 &&
		    memcmp(p->names[i].key.pub, k->pub, sizeof k->pub) == 0)
			return &p->names[i].key;
	return NULL;
}

static const char *since_line(struct verify_policy *p, const struct line *l)
{
	struct verify_key key;

	if (l->n != 4)
		return "expected: #countersign: since <vkey> <size>";
	const char *bad = vkey_parse(l->words[2], VERIFY_KEY_ED25519, &key);
	if (bad)
		bad = vkey_parse(l->words[2], VERIFY_KEY_COSIGNATURE, &key);
	if (bad)
		return bad;
	struct verify_key *above = key_above(p, &key);
	if (!above)
		return "no line above has this key";
	return verify_decimal(l->words[3], &above->since) ? NULL : "expected a size";
}

static const char *retired_line(struct verify_policy *p, const struct line *l)
{
	bool log = l->n == 6 && verify_slice_is(l->words[2], "log");
	struct verify_retired *r = &p->retired[p->n_retired];
	unsigned at = log ? 3 : 4; /* Of the key. */

	if (!log && (l->n != 7 || !verify_slice_is(l->words[2], "witness")))
		return "expected: #countersign: retired log <vkey> <since> <until>, or witness <name> <vkey> ...";
	if (p->n_retired == VERIFY_POLICY_RETIRED_MAX)
		return "too many retired keys";
	const char *bad = vkey_parse(l->words[at], log ? VERIFY_KEY_ED25519 : VERIFY_KEY_COSIGNATURE, &r->key);
	if (bad)
		return bad;
	if (!verify_decimal(l->words[at + 1], &r->key.since) || !verify_decimal(l->words[at + 2], &r->key.until) ||
	    r->key.until == UINT64_MAX)
		return "expected two sizes";
	r->name = log ? -1 : name_find(p, l->words[3]);
	if (!log && (r->name < 0 || p->names[r->name].is_group))
		return "the witness is not defined above";
	if (key_above(p, &r->key) || key_ambiguous(p, &r->key))
		return "the key is there already";
	p->n_retired++;
	return NULL;
}

static const char *comment_line(struct verify_policy *p, const struct line *l)
{
	if (!verify_slice_is(l->words[0], "#countersign:"))
		return NULL;
	if (l->n > 1 && verify_slice_is(l->words[1], "since"))
		return since_line(p, l);
	if (l->n > 1 && verify_slice_is(l->words[1], "retired"))
		return retired_line(p, l);
	return "expected since or retired";
}

static const char *line_parse(struct verify_policy *p, struct verify_slice text, struct line *l, bool *quorum_seen)
{
	bool whole = words_split(text, l);

	if (l->n == 0)
		return NULL;
	if (l->words[0].p[0] == '#') /* However long; those of ours have few words. */
		return comment_line(p, l);
	if (!whole)
		return "too many words";
	if (verify_slice_is(l->words[0], "log"))
		return log_line(p, l);
	if (verify_slice_is(l->words[0], "witness"))
		return witness_line(p, l);
	if (verify_slice_is(l->words[0], "group"))
		return group_line(p, l);
	if (verify_slice_is(l->words[0], "quorum"))
		return quorum_line(p, l, quorum_seen);
	return "expected log, witness, group or quorum";
}

static const char *policy_parse(struct verify_policy *p, struct verify_slice rest, struct line *l, unsigned *ret_line)
{
	struct verify_slice text;
	bool quorum_seen = false;

	if (!octets_allowed(rest))
		return "a control character";
	while (rest.len > 0) {
		++*ret_line;
		if (!verify_line_take(&rest, &text))
			return "the line does not end"; /* A file that was cut short could mean something else. */
		const char *bad = line_parse(p, text, l, &quorum_seen);
		if (bad)
			return bad;
	}
	return quorum_seen ? NULL : "no quorum line";
}

int verify_policy_parse(const char *text, size_t len, struct verify_policy **ret, char *reason, size_t reason_size)
{
	struct verify_slice bytes = {(const uint8_t *)text, len};
	unsigned line_number = 0;

	if (len > VERIFY_POLICY_SIZE_MAX) {
		snprintf(reason, reason_size, "more than %d bytes", VERIFY_POLICY_SIZE_MAX);
		return CS_ERR_TOO_LARGE;
	}
	struct verify_policy *p = calloc(1, sizeof *p);
	struct line *l = calloc(1, sizeof *l);
	if (!p || !l) {
		snprintf(reason, reason_size, "out of memory");
		free(p);
		free(l);
		return CS_ERR_NOMEM;
	}
	p->quorum = -1;
	const char *bad = policy_parse(p, bytes, l, &line_number);
	free(l);
	if (bad) {
		snprintf(reason, reason_size, "line %u: %s", line_number, bad);
		free(p);
		return CS_ERR_MALFORMED;
	}
	*ret = p;
	return CS_OK;
}

/* ledger.md: members cosign under origin/node-N. */
static bool is_outside(const struct verify_name *n, const char *origin)
{
	size_t len = strlen(origin);

	return !n->is_group && (strncmp(n->key.name, origin, len) != 0 || strncmp(n->key.name + len, "/node-", 6) != 0);
}

/* Whether the quorum asks for it, through whatever groups. */
static bool is_asked(const struct verify_policy *p, unsigned i)
{
	int at = (int)i;

	while (at >= 0 && at != p->quorum)
		at = p->names[at].parent;
	return at >= 0;
}

/* The cheapest way to fill a group: its members by what each takes from outside. */
static unsigned group_cost(const struct verify_policy *p, const unsigned *cost, unsigned group)
{
	unsigned members[VERIFY_POLICY_NAMES_MAX] = {0}, n = 0, sum = 0;

	for (unsigned i = 0; i < group; i++) {
		unsigned at = n;

		if (p->names[i].parent != (int)group)
			continue;
		for (; at > 0 && members[at - 1] > cost[i]; at--)
			members[at] = members[at - 1];
		members[at] = cost[i];
		n++;
	}
	for (unsigned i = 0; i < p->names[group].need; i++) /* Never more than there are: group_line. */
		sum += members[i];
	return sum;
}

static uint32_t key_id(const struct verify_key *k)
{
	return (uint32_t)k->id[0] << 24 | (uint32_t)k->id[1] << 16 | (uint32_t)k->id[2] << 8 | k->id[3];
}

unsigned verify_policy_outside(const struct verify_policy *p, const char *origin, uint32_t *ret_ids, unsigned cap,
                               unsigned *ret_n)
{
	unsigned cost[VERIFY_POLICY_NAMES_MAX] = {0};

	*ret_n = 0;
	/* Names are defined before they are members: each group's members have their costs when its turn comes. */
	for (unsigned i = 0; i < p->n_names; i++) {
		cost[i] = p->names[i].is_group ? group_cost(p, cost, i) : is_outside(&p->names[i], origin);
		if (is_outside(&p->names[i], origin) && is_asked(p, i) && *ret_n < cap)
			ret_ids[(*ret_n)++] = key_id(&p->names[i].key);
	}
	return p->quorum >= 0 ? cost[p->quorum] : 0;
}

unsigned verify_policy_threshold(const struct verify_policy *p, uint32_t *ret_ids, unsigned cap, unsigned *ret_n)
{
	bool one = p->quorum >= 0 && !p->names[p->quorum].is_group, fits = p->quorum >= 0;
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_names && fits; i++) {
		if (one ? (int)i != p->quorum : p->names[i].parent != p->quorum)
			continue;
		fits = !p->names[i].is_group && n < cap;
		if (fits)
			ret_ids[n++] = key_id(&p->names[i].key);
	}
	*ret_n = fits ? n : 0;
	return !fits ? 0 : one ? 1 : p->names[p->quorum].need;
}

void verify_policy_presume_outside(struct verify_policy *p, const char *origin)
{
	for (unsigned i = 0; i < p->n_names; i++)
		p->names[i].presumed = is_outside(&p->names[i], origin);
}

void verify_policy_free(struct verify_policy *p)
{
	free(p);
}
