/* The trust policy after a change of members or keys: the same trust, carried over to the keys that it has proven. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "ledger/errors.h"
#include "ledger/note.h"

/* Caller holds the lock. */
static bool knows(const struct trust *t, const char *origin, const struct roster_node *n)
{
	char log[TRUST_LINE_SIZE], witness[TRUST_LINE_SIZE];

	if (trust_node_lines(origin, n, log, witness) < 0 || !trust_has_line(t->text, log))
		return false;
	/* A spare is no witness yet; it has its line from when it was proven in this process. */
	return !trust_is_plain(t->text) || n->role != ROSTER_VOTER || trust_has_line(t->text, witness);
}

bool trust_knows(struct trust *t, const char *origin, const struct roster_node *n)
{
	pthread_mutex_lock(&t->lock);
	bool ret = knows(t, origin, n);
	pthread_mutex_unlock(&t->lock);
	return ret;
}

bool trust_same_voters(struct trust *t, const struct roster *r)
{
	unsigned n = 0;
	bool same = true;

	pthread_mutex_lock(&t->lock);
	if (trust_is_plain(t->text)) {
		for (const char *p = t->text; *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n')
			n += strncmp(p, "witness node-", 13) == 0;
		same = n == roster_voters(r);
	}
	for (unsigned i = 0; i < r->n && same && trust_is_plain(t->text); i++) {
		char line[64];
		snprintf(line, sizeof(line), "witness node-%llu ", (unsigned long long)r->nodes[i].id);
		same = r->nodes[i].role != ROSTER_VOTER || trust_has_line(t->text, line);
	}
	pthread_mutex_unlock(&t->lock);
	return same;
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
		snprintf(text, TEXT_SIZE, "a change of members or keys is not proven by the trust policy: %.300s",
		         v->reason);
	pthread_mutex_unlock(&t->lock);
	return err;
}

/* text becomes the trust's, or is freed. */
static int replace(struct trust *t, char *text, char *ret_text)
{
	struct verify_policy *policy;
	char reason[256];

	int err = verify_policy_parse(text, strlen(text), &policy, reason, sizeof(reason));
	if (err < 0) {
		snprintf(ret_text, TEXT_SIZE, "the trust policy cannot follow: %s", reason);
		free(text);
		return err;
	}
	verify_policy_free(t->policy);
	free(t->text);
	t->policy = policy;
	t->text = text;
	return CS_OK;
}

int trust_follow(struct trust *t, const char *origin, const struct roster *r, const bool *proven, bool voters_proven,
                 const struct trust_changes *changes, char *ret_text)
{
	int err = voters_proven ? CS_OK : CS_ERR_REFUTED;

	pthread_mutex_lock(&t->lock);
	for (unsigned i = 0; i < r->n && err == CS_OK; i++)
		if (!proven[i] && !knows(t, origin, &r->nodes[i]))
			err = CS_ERR_REFUTED;
	if (err < 0) {
		snprintf(ret_text, TEXT_SIZE, "ALARM: a node names members or keys that the ledger does not");
	} else {
		char *text = trust_rewrite(t->text, origin, r, changes);
		err = text != NULL ? replace(t, text, ret_text) : CS_ERR_NOMEM;
	}
	pthread_mutex_unlock(&t->lock);
	return err;
}
