/* The trust policy after a change of members: the same trust, carried over to the keys that it has proven. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "ledger/errors.h"
#include "ledger/note.h"

#define VKEY_SIZE (LIMIT_KEY_NAME_SIZE_MAX + 64)
#define LINE_SIZE (VKEY_SIZE + 32)

/* The two lines of a policy that name a node: its log key, and itself as a witness. */
static int node_lines(const char *origin, const struct roster_node *n, char ret_log[LINE_SIZE],
                      char ret_witness[LINE_SIZE])
{
	char name[LIMIT_KEY_NAME_SIZE_MAX + 1], vkey[VKEY_SIZE];
	struct note_key k;

	int err = note_key_init(&k, origin, NOTE_KEY_ED25519, n->log_pub);
	if (err == CS_OK)
		err = note_key_format(&k, vkey, sizeof(vkey));
	if (err == CS_OK)
		snprintf(ret_log, LINE_SIZE, "log %s\n", vkey);
	snprintf(name, sizeof(name), "%s/node-%llu", origin, (unsigned long long)n->id);
	if (err == CS_OK)
		err = note_key_init(&k, name, NOTE_KEY_COSIGNATURE, n->cosigner_pub);
	if (err == CS_OK)
		err = note_key_format(&k, vkey, sizeof(vkey));
	if (err == CS_OK)
		snprintf(ret_witness, LINE_SIZE, "witness node-%llu %s\n", (unsigned long long)n->id, vkey);
	return err;
}

static bool has_line(const char *text, const char *line)
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
 * Of the form that `countersign init` writes: nodes as witnesses, one group of them as the quorum; or, as with
 * `--witness`, that group and others from outside, who stay as they are. Another policy is its writer's: who else must
 * sign is not ours to change.
 */
static bool is_plain(const char *text)
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
	char log[LINE_SIZE], witness[LINE_SIZE];

	fprintf(f, "# Whom to trust about %s: any node's log key, and a majority of the voters as cosigners.\n",
	        origin);
	fprintf(f, "# Follows the policy before: entry %llu and those that added its nodes were proven under that.\n",
	        (unsigned long long)r->version - 1);
	for (unsigned i = 0; i < r->n; i++)
		if (node_lines(origin, &r->nodes[i], log, witness) == CS_OK)
			fputs(log, f);
	for (unsigned i = 0; i < r->n; i++)
		if (r->nodes[i].role == ROSTER_VOTER && node_lines(origin, &r->nodes[i], log, witness) == CS_OK)
			fputs(witness, f);
	fprintf(f, "group nodes %u", roster_voters(r) / 2 + 1);
	for (unsigned i = 0; i < r->n; i++)
		if (r->nodes[i].role == ROSTER_VOTER)
			fprintf(f, " node-%llu", (unsigned long long)r->nodes[i].id);
	fputc('\n', f);
	write_others(f, origin, text);
}

/* Only log keys are added: the leader may be a new node. */
static void write_added(FILE *f, const char *origin, const struct roster *r, const char *text)
{
	char log[LINE_SIZE], witness[LINE_SIZE];

	for (unsigned i = 0; i < r->n; i++)
		if (node_lines(origin, &r->nodes[i], log, witness) == CS_OK && !has_line(text, log))
			fputs(log, f);
	fputs(text, f);
}

/* Caller holds the lock. */
static bool knows(const struct trust *t, const char *origin, const struct roster_node *n)
{
	char log[LINE_SIZE], witness[LINE_SIZE];

	if (node_lines(origin, n, log, witness) < 0 || !has_line(t->text, log))
		return false;
	/* A spare is no witness yet; it has its line from when it was proven in this process. */
	return !is_plain(t->text) || n->role != ROSTER_VOTER || has_line(t->text, witness);
}

bool trust_knows(struct trust *t, const char *origin, const struct roster_node *n)
{
	pthread_mutex_lock(&t->lock);
	bool ret = knows(t, origin, n);
	pthread_mutex_unlock(&t->lock);
	return ret;
}

char *trust_text(struct trust *t)
{
	pthread_mutex_lock(&t->lock);
	char *ret = t->text == NULL ? NULL : strdup(t->text);
	pthread_mutex_unlock(&t->lock);
	return ret;
}

/*
 * The new node may lead already, and its log key be the only one that has signed: then the quorum of cosigners vouches,
 * for that one reason and for this ledger alone (a witness may cosign others).
 */
static bool quorum_vouches(const struct verify_result *v, const char *origin)
{
	return v->outcome == VERIFY_UNDECIDED && v->n_log_signatures == 0 && v->quorum_reached &&
	       strcmp(v->origin, origin) == 0;
}

int trust_proof(struct trust *t, const char *origin, const char *proof, size_t len, const void *leaf, size_t leaf_len,
                char *text)
{
	pthread_mutex_lock(&t->lock);
	struct verify_result *v = t->scratch;
	verify_tlog_proof(t->policy, proof, len, leaf, leaf_len, VERIFY_ENTRY_COUNTERSIGN, v);
	if (quorum_vouches(v, origin))
		v->outcome = VERIFY_VERIFIED;
	int err = v->outcome == VERIFY_VERIFIED  ? CS_OK
	          : v->outcome == VERIFY_REFUTED ? CS_ERR_REFUTED
	                                         : CS_ERR_UNDECIDED;
	if (err < 0)
		snprintf(text, TEXT_SIZE, "a change of members is not proven by the trust policy: %.300s", v->reason);
	pthread_mutex_unlock(&t->lock);
	return err;
}

static int replace(struct trust *t, char *text, size_t len, char *ret_text)
{
	struct verify_policy *policy;
	char reason[256];

	int err = verify_policy_parse(text, len, &policy, reason, sizeof(reason));
	if (err < 0) {
		snprintf(ret_text, TEXT_SIZE, "the trust policy cannot follow: %s", reason);
		return err;
	}
	verify_policy_free(t->policy);
	free(t->text);
	t->policy = policy;
	t->text = text;
	return CS_OK;
}

int trust_follow(struct trust *t, const char *origin, const struct roster *r, const bool *proven, bool voters_proven,
                 char *ret_text)
{
	char *text = NULL;
	size_t len;
	int err = voters_proven ? CS_OK : CS_ERR_REFUTED;

	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < r->n && err == CS_OK; i++)
		if (!proven[i] && !knows(t, origin, &r->nodes[i]))
			err = CS_ERR_REFUTED;
	if (err < 0)
		snprintf(ret_text, TEXT_SIZE, "ALARM: a node names members that the ledger does not");
	FILE *f = err < 0 ? NULL : open_memstream(&text, &len);
	if (f != NULL) {
		if (is_plain(t->text))
			write_plain(f, origin, r, t->text);
		else
			write_added(f, origin, r, t->text);
		err = fclose(f) == 0 ? replace(t, text, len, ret_text) : CS_ERR_NOMEM;
		if (err < 0)
			free(text);
	} else if (err == CS_OK) {
		err = CS_ERR_NOMEM;
	}
	pthread_mutex_unlock(&t->lock);
	return err;
}
