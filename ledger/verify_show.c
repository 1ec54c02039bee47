/* The verifier's trust policy as it was understood: in words, and written anew as C2SP tlog-policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/verify_show.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

#include "ledger/verify_internal.h"

#define VKEY_BASE64_SIZE sodium_base64_ENCODED_LEN(1 + 32, sodium_base64_VARIANT_ORIGINAL)
_Static_assert(VERIFY_VKEY_SIZE >= LIMIT_KEY_NAME_SIZE_MAX + 1 + 8 + 1 + VKEY_BASE64_SIZE, "every key's line fits");

/* signed-note, "Verifier keys". */
static void vkey_text(const struct verify_key *k, uint8_t type, char ret[VERIFY_VKEY_SIZE])
{
	uint8_t typed[1 + sizeof k->pub] = {type};
	char base64[VKEY_BASE64_SIZE];

	memcpy(typed + 1, k->pub, sizeof k->pub);
	sodium_bin2base64(base64, sizeof base64, typed, sizeof typed, sodium_base64_VARIANT_ORIGINAL);
	snprintf(ret, VERIFY_VKEY_SIZE, "%s+%02x%02x%02x%02x+%s", k->name, k->id[0], k->id[1], k->id[2], k->id[3],
	         base64);
}

static void vkey_print(FILE *f, const struct verify_key *k, uint8_t type)
{
	char text[VERIFY_VKEY_SIZE];

	vkey_text(k, type, text);
	fputs(text, f);
}

static unsigned members(const struct verify_policy *p, unsigned group)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_names; i++)
		n += p->names[i].parent == (int)group;
	return n;
}

static void members_print(FILE *f, const struct verify_policy *p, unsigned group, const char *between)
{
	bool first = true;

	for (unsigned i = 0; i < p->n_names; i++) {
		if (p->names[i].parent != (int)group)
			continue;
		fprintf(f, "%s%s", first ? "" : between, p->names[i].name);
		first = false;
	}
}

static void since_write(const struct verify_key *k, uint8_t type, FILE *f)
{
	if (k->since == 0)
		return;
	fputs("#countersign: since ", f);
	vkey_print(f, k, type);
	fprintf(f, " %" PRIu64 "\n", k->since);
}

static void ranges_write(const struct verify_policy *p, FILE *f)
{
	for (unsigned i = 0; i < p->n_retired; i++) {
		const struct verify_retired *r = &p->retired[i];

		fprintf(f, "#countersign: retired %s%s ", r->name < 0 ? "log" : "witness ",
		        r->name < 0 ? "" : p->names[r->name].name);
		vkey_print(f, &r->key, r->name < 0 ? VERIFY_KEY_ED25519 : VERIFY_KEY_COSIGNATURE);
		fprintf(f, " %" PRIu64 " %" PRIu64 "\n", r->key.since, r->key.until);
	}
	for (unsigned i = 0; i < p->n_logs; i++)
		since_write(&p->logs[i], VERIFY_KEY_ED25519, f);
	for (unsigned i = 0; i < p->n_names; i++)
		if (!p->names[i].is_group)
			since_write(&p->names[i].key, VERIFY_KEY_COSIGNATURE, f);
}

void verify_policy_write(const struct verify_policy *p, FILE *f)
{
	for (unsigned i = 0; i < p->n_logs; i++) {
		fputs("log ", f);
		vkey_print(f, &p->logs[i], VERIFY_KEY_ED25519);
		fputc('\n', f);
	}
	for (unsigned i = 0; i < p->n_names; i++) {
		const struct verify_name *n = &p->names[i];

		if (n->is_group) {
			fprintf(f, "group %s %u ", n->name, n->need);
			members_print(f, p, i, " ");
		} else {
			fprintf(f, "witness %s ", n->name);
			vkey_print(f, &n->key, VERIFY_KEY_COSIGNATURE);
		}
		fputc('\n', f);
	}
	fprintf(f, "quorum %s\n", p->quorum >= 0 ? p->names[p->quorum].name : "none");
	ranges_write(p, f);
}

const char *verify_policy_designated(const struct verify_policy *p, const char *origin, char ret[VERIFY_VKEY_SIZE])
{
	for (unsigned i = 0; i < p->n_logs; i++) {
		if (origin && strcmp(p->logs[i].name, origin) != 0)
			continue;
		vkey_text(&p->logs[i], VERIFY_KEY_ED25519, ret);
		return ret;
	}
	return NULL;
}

static void quorum_words(const struct verify_policy *p, FILE *f)
{
	if (p->quorum < 0) {
		fputs("Nobody has to cosign: every checkpoint is its leader's claim only, and nothing is ever "
		      "verified.\n",
		      f);
		return;
	}
	const struct verify_name *q = &p->names[p->quorum];
	if (!q->is_group) {
		fprintf(f, "A checkpoint counts if %s has cosigned it.\n", q->name);
		return;
	}
	fprintf(f, "A checkpoint counts if at least %u of these %u have cosigned it: ", q->need,
	        members(p, (unsigned)p->quorum));
	members_print(f, p, (unsigned)p->quorum, ", ");
	fputs(".\n", f);
	for (unsigned i = 0; i < p->n_names; i++) {
		if (!p->names[i].is_group || (int)i == p->quorum || p->names[i].parent < 0)
			continue;
		fprintf(f, "  %s counts as one if at least %u of these %u have: ", p->names[i].name, p->names[i].need,
		        members(p, i));
		members_print(f, p, i, ", ");
		fputs(".\n", f);
	}
}

/* Not a member of anything that the quorum asks: its cosignature is checked, and decides nothing. */
static bool idle(const struct verify_policy *p, unsigned i)
{
	int at = (int)i;

	while (at >= 0 && at != p->quorum)
		at = p->names[at].parent;
	return at < 0;
}

void verify_policy_words(const struct verify_policy *p, FILE *f)
{
	unsigned logs = 0;

	for (unsigned i = 0; i < p->n_logs; i++) {
		bool again = false;

		for (unsigned j = 0; j < i; j++)
			again = again || strcmp(p->logs[j].name, p->logs[i].name) == 0;
		if (again)
			continue;
		logs = 0;
		for (unsigned j = i; j < p->n_logs; j++)
			logs += strcmp(p->logs[j].name, p->logs[i].name) == 0;
		fprintf(f, "Ledger %s: signed by any of %u log key%s.\n", p->logs[i].name, logs, logs == 1 ? "" : "s");
		fprintf(f,
		        "  Tools that know one key of an origin go by key %02x%02x%02x%02x: exports carry its line.\n",
		        p->logs[i].id[0], p->logs[i].id[1], p->logs[i].id[2], p->logs[i].id[3]);
	}
	quorum_words(p, f);
	for (unsigned i = 0; i < p->n_names; i++)
		if (idle(p, i) && p->names[i].parent < 0)
			fprintf(f, "%s is known, and decides nothing: the quorum does not ask for it.\n",
			        p->names[i].name);
	for (unsigned i = 0; i < p->n_retired; i++)
		fprintf(f,
		        "Key %02x%02x%02x%02x of %s was retired: good for sizes %" PRIu64 " to %" PRIu64
		        ", and only with a proof of consistency.\n",
		        p->retired[i].key.id[0], p->retired[i].key.id[1], p->retired[i].key.id[2],
		        p->retired[i].key.id[3], p->retired[i].key.name, p->retired[i].key.since,
		        p->retired[i].key.until);
}

void verify_policy_count(const struct verify_policy *p, unsigned *ret_need, unsigned *ret_of)
{
	bool group = p->quorum >= 0 && p->names[p->quorum].is_group;

	*ret_need = group ? p->names[p->quorum].need : p->quorum >= 0;
	*ret_of = group ? members(p, (unsigned)p->quorum) : p->quorum >= 0;
}
