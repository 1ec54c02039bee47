/* The text of a trust policy, written anew: keys that took others' places, members that came or went. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/trust_rewrite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/note.h"
#include "ledger/verify.h"
#include "node/decide/keys.h"

#define NOTE_HEAD    "#countersign: "
#define NOTES_MAX    (VERIFY_POLICY_RETIRED_MAX - 4) /* Of retired keys; the oldest go. */
#define ENTRY_FIELDS 8
#define WORD_SIZE    256 /* Of a name or a vkey. */

/* --- lines --- */

static int vkey_of(const char *origin, unsigned place, uint64_t node, const uint8_t pub[32], char ret[TRUST_VKEY_SIZE])
{
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1];
	struct note_key k;

	snprintf(name, sizeof(name), place == KEY_PLACE_LOG ? "%s" : "%s/node-%" PRIu64, origin, node);
	int err = note_key_init(&k, name, place == KEY_PLACE_LOG ? NOTE_KEY_ED25519 : NOTE_KEY_COSIGNATURE, pub);
	return err == CS_OK ? note_key_format(&k, ret, TRUST_VKEY_SIZE) : err;
}

int trust_node_lines(const char *origin, const struct roster_node *n, char ret_log[TRUST_LINE_SIZE],
                     char ret_witness[TRUST_LINE_SIZE])
{
	char vkey[TRUST_VKEY_SIZE];

	int err = vkey_of(origin, KEY_PLACE_LOG, n->id, n->log_pub, vkey);
	if (err == CS_OK)
		snprintf(ret_log, TRUST_LINE_SIZE, "log %s\n", vkey);
	if (err == CS_OK)
		err = vkey_of(origin, KEY_PLACE_COSIGNER, n->id, n->cosigner_pub, vkey);
	if (err == CS_OK)
		snprintf(ret_witness, TRUST_LINE_SIZE, "witness node-%" PRIu64 " %s\n", n->id, vkey);
	return err;
}

bool trust_has_line(const char *text, const char *line)
{
	for (const char *p = text; (p = strstr(p, line)) != NULL; p++)
		if (p == text || p[-1] == '\n')
			return true;
	return false;
}

static bool begins(const char *p, const char *words)
{
	return strncmp(p, words, strlen(words)) == 0;
}

/* A line names a node in what is no line of nodes. */
static bool names_node(const char *p)
{
	const char *node = strstr(p, " node-"), *end = p + strcspn(p, "\n");

	return node != NULL && node < end;
}

/*
 * Nodes as witnesses, one group of them as the quorum; or, as with `--witness`, that group and others from outside, who
 * stay as they are. Another policy is its writer's: who else must sign is not ours to change.
 */
bool trust_is_plain(const char *text)
{
	for (const char *p = text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		bool of_nodes = begins(p, "witness node-") || begins(p, "group nodes ");
		bool of_others =
		        begins(p, "witness ") || begins(p, "group outside") || begins(p, "group quorum-and-outside");
		if (*p != '#' && *p != '\n' && !begins(p, "log ") && !of_nodes && !(of_others && !names_node(p)) &&
		    !begins(p, "quorum nodes\n") && !begins(p, "quorum quorum-and-outside"))
			return false;
	}
	return true;
}

/* All that a plain policy says of others than this ledger's nodes, its quorum included. */
static void write_others(FILE *f, const char *origin, const char *text)
{
	size_t len = strlen(origin);

	for (const char *p = text, *end; *p != '\0'; p = end) {
		end = p + strcspn(p, "\n");
		end += *end == '\n';
		bool of_log = begins(p, "log ") && begins(p + 4, origin) && p[4 + len] == '+';
		if (*p != '#' && *p != '\n' && !of_log && !begins(p, "witness node-") && !begins(p, "group nodes "))
			fwrite(p, 1, (size_t)(end - p), f);
	}
}

static void write_plain(FILE *f, const char *origin, const struct roster *r, const char *text)
{
	char log[TRUST_LINE_SIZE], witness[TRUST_LINE_SIZE];

	fprintf(f, "# Whom to trust about %s: any node's log key, and a majority of the voters as cosigners.\n",
	        origin);
	fprintf(f,
	        "# Follows the policy before: entry %" PRIu64
	        " and those that added its nodes and keys were proven under that.\n",
	        r->version > 0 ? r->version - 1 : 0);
	/* Voters first: the first log key is the one that strangers' tools go by (ledger/FORMAT.md, Export). */
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < r->n; i++)
			if ((r->nodes[i].role == ROSTER_VOTER) == (pass == 0) &&
			    trust_node_lines(origin, &r->nodes[i], log, witness) == CS_OK)
				fputs(log, f);
	for (unsigned i = 0; i < r->n; i++)
		if (r->nodes[i].role == ROSTER_VOTER && trust_node_lines(origin, &r->nodes[i], log, witness) == CS_OK)
			fputs(witness, f);
	fprintf(f, "group nodes %u", roster_voters(r) / 2 + 1);
	for (unsigned i = 0; i < r->n; i++)
		if (r->nodes[i].role == ROSTER_VOTER)
			fprintf(f, " node-%" PRIu64, r->nodes[i].id);
	fputc('\n', f);
	write_others(f, origin, text);
}

/* Only log keys are added, behind those there are: the leader may be a new node. */
static void write_added(FILE *f, const char *origin, const struct roster *r, const char *text)
{
	char log[TRUST_LINE_SIZE], witness[TRUST_LINE_SIZE];

	fputs(text, f);
	for (unsigned i = 0; i < r->n; i++)
		if (trust_node_lines(origin, &r->nodes[i], log, witness) == CS_OK && !trust_has_line(text, log))
			fputs(log, f);
}

/* --- what our comments say of keys and sizes --- */

struct notes {
	unsigned n;
	char *lines[2 * VERIFY_POLICY_RETIRED_MAX + 2 * TRUST_CHANGES_MAX + VERIFY_POLICY_NAMES_MAX];
};
#define NOTES_ALL (sizeof(((struct notes *)0)->lines) / sizeof(char *))

static bool note_add(struct notes *n, char *line)
{
	if (line == NULL || n->n == NOTES_ALL) {
		free(line);
		return line != NULL;
	}
	n->lines[n->n++] = line;
	return true;
}

static void note_drop(struct notes *n, unsigned i)
{
	free(n->lines[i]);
	memmove(&n->lines[i], &n->lines[i + 1], (n->n - i - 1) * sizeof(n->lines[0]));
	n->n--;
}

/* Takes the text apart: our comments, and the rest. */
static bool split(const char *text, char *base, struct notes *n)
{
	for (const char *p = text, *end; *p != '\0'; p = end) {
		end = p + strcspn(p, "\n");
		end += *end == '\n';
		if (strncmp(p, NOTE_HEAD, strlen(NOTE_HEAD)) == 0) {
			if (!note_add(n, strndup(p, (size_t)(end - p))))
				return false;
			continue;
		}
		memcpy(base, p, (size_t)(end - p));
		base += end - p;
	}
	*base = '\0';
	return true;
}

/* The size that a key counts from, as a note says; the note goes. */
static uint64_t since_take(struct notes *n, const char *vkey)
{
	char head[TRUST_LINE_SIZE];
	size_t len = (size_t)snprintf(head, sizeof(head), NOTE_HEAD "since %s ", vkey);
	uint64_t since = 0;

	for (unsigned i = n->n; i-- > 0;) {
		if (strncmp(n->lines[i], head, len) != 0)
			continue;
		since = strtoull(n->lines[i] + len, NULL, 10);
		note_drop(n, i);
	}
	return since;
}

/* The second word of the witness line with this key. */
static bool witness_name(const char *base, const char *vkey, char ret[WORD_SIZE])
{
	const char *at = strstr(base, vkey), *line = at;

	while (line != NULL && line > base && line[-1] != '\n')
		line--;
	return line != NULL && sscanf(line, "witness %255s ", ret) == 1;
}

static bool change_key(char *base, struct notes *n, const char *origin, const struct trust_change *c)
{
	char before[TRUST_VKEY_SIZE], now[TRUST_VKEY_SIZE], name[WORD_SIZE] = "", *line = NULL;
	bool log = c->place == KEY_PLACE_LOG;

	if (vkey_of(origin, c->place, c->node, c->before, before) < 0 ||
	    vkey_of(origin, c->place, c->node, c->now, now) < 0 || strstr(base, before) == NULL ||
	    (!log && !witness_name(base, before, name)))
		return true; /* Nobody this policy speaks of. */
	uint64_t since = since_take(n, before);
	if (asprintf(&line, NOTE_HEAD "retired %s%s %s %" PRIu64 " %" PRIu64 "\n", log ? "log" : "witness ", name,
	             before, since, c->until) < 0 ||
	    !note_add(n, line))
		return false;
	line = NULL;
	if (asprintf(&line, NOTE_HEAD "since %s %" PRIu64 "\n", now, c->index + 1) < 0 || !note_add(n, line))
		return false;
	/* Of one name and one size of keys both are of one length. */
	for (char *at = base; (at = strstr(at, before)) != NULL; at += strlen(now))
		memcpy(at, now, strlen(now));
	return true;
}

/* Of witnesses and keys that are there yet; retired ones only so many, the oldest first to go. */
static void notes_write(FILE *f, struct notes *n, const char *base)
{
	unsigned retired = 0;

	for (unsigned i = n->n; i-- > 0;) {
		char word[16] = "", kind[WORD_SIZE] = "", name[WORD_SIZE] = "", key[WORD_SIZE] = "", line[300];
		int got = sscanf(n->lines[i], NOTE_HEAD "%15s %255s %255s %255s", word, kind, name, key);
		bool keep = got >= 3;

		if (keep && strcmp(word, "since") == 0)
			keep = strstr(base, kind) != NULL;
		else if (keep && strcmp(kind, "witness") == 0)
			keep = snprintf(line, sizeof(line), "witness %s ", name) > 0 && trust_has_line(base, line);
		if (keep && strcmp(word, "retired") == 0)
			keep = ++retired <= NOTES_MAX;
		if (!keep)
			note_drop(n, i);
	}
	for (unsigned i = 0; i < n->n; i++)
		fputs(n->lines[i], f);
}

char *trust_rewrite(const char *text, const char *origin, const struct roster *r, const struct trust_changes *changes)
{
	struct notes *n = calloc(1, sizeof(*n));
	char *base = malloc(strlen(text) + 1), *ret = NULL, *fresh = NULL;
	size_t len;
	bool good = n != NULL && base != NULL && split(text, base, n);

	for (unsigned i = 0; good && changes != NULL && i < changes->n; i++)
		good = change_key(base, n, origin, &changes->list[i]);
	FILE *f = good ? open_memstream(&fresh, &len) : NULL;
	if (f != NULL && trust_is_plain(base))
		write_plain(f, origin, r, base);
	else if (f != NULL)
		write_added(f, origin, r, base);
	good = f != NULL && fclose(f) == 0;
	f = good ? open_memstream(&ret, &len) : NULL;
	if (f != NULL) {
		fputs(fresh, f);
		notes_write(f, n, fresh);
		if (fclose(f) != 0) {
			free(ret);
			ret = NULL;
		}
	}
	free(fresh);
	free(base);
	for (unsigned i = 0; n != NULL && i < n->n; i++)
		free(n->lines[i]);
	free(n);
	return ret;
}

/* --- entries --- */

/* [place, id, name, key, key before, until, governance version, signature] */
bool trust_change_read(struct trust_change *ret, uint64_t index, const uint8_t *public_, size_t len)
{
	struct trust_change c = {.index = index};
	uint64_t place = 0;
	const char *name;
	const uint8_t *skipped;
	size_t n;
	struct reader r;

	reader_init(&r, public_, len);
	reader_array_exact(&r, ENTRY_FIELDS);
	reader_uint(&r, KEY_PLACE_MAX, &place);
	reader_uint(&r, UINT64_MAX, &c.node);
	reader_str(&r, PRINCIPAL_NAME_SIZE_MAX, &name, &n);
	reader_bin_exact(&r, c.now, sizeof(c.now));
	reader_bin_exact(&r, c.before, sizeof(c.before));
	reader_uint(&r, UINT64_MAX, &c.until);
	reader_skip(&r, &skipped, &n);
	reader_skip(&r, &skipped, &n);
	c.place = (unsigned)place;
	if (reader_end(&r) < 0 || place > KEY_PLACE_NODE || place == 0)
		return false;
	*ret = c;
	return true;
}

void trust_change_add(struct trust_changes *c, const struct trust_change *change)
{
	if (c->n == TRUST_CHANGES_MAX) {
		memmove(&c->list[0], &c->list[1], (TRUST_CHANGES_MAX - 1) * sizeof(c->list[0]));
		c->n--;
	}
	c->list[c->n++] = *change;
}
