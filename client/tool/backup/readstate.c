/* The state out of a backup: carried over, held against the entries, and vouched for by who signed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/tool/backup/read.h"
#include "client/tool/backup/state.h"
#include "client/tool/backup/subject.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"

static int take_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct backupread *r = ctx;
	uint8_t subject[32];

	subject_of_record(key_len ? *(const uint8_t *)key : 0, value, value_len, subject);
	for (unsigned i = 0; i < r->n_left_out; i++)
		if (memcmp(subject, r->left_out[i], sizeof subject) == 0) {
			r->records_left_out++;
			return 0; /* A history whose subject did not come stays out by itself. */
		}
	return carry_record(r->carry, key, key_len, value, value_len);
}

struct signing {
	const struct backupread *r;
	bool found;
};

/* By the entries, not by the state: that is what the signature vouches for. */
static void find_signer(struct signing *s)
{
	const struct facts *f = &s->r->facts;

	for (unsigned i = 0; i < f->n && !s->found; i++)
		s->found = f->principals[i].has_sign && (f->principals[i].roles & (ROLE_AUDIT | ROLE_ADMINISTER)) &&
		           manifest_signed_by(&s->r->manifest, f->principals[i].sign_pub);
}

/* Who was enrolled in an earlier ledger is in the state alone, under the digest in the genesis of this one. */
static void find_earlier_signer(void *ctx, const struct principal *p)
{
	struct signing *s = ctx;

	if (!s->found && s->r->facts.restored && !p->removed && p->has_sign &&
	    (p->roles & (ROLE_AUDIT | ROLE_ADMINISTER)))
		s->found = manifest_signed_by(&s->r->manifest, p->sign_pub);
}

static int check_state(struct backupread *r)
{
	struct signing s = {.r = r};
	struct state_head head;
	const char *differs;

	state_head(carry_state(r->carry), &head);
	if (strcmp(state_origin(carry_state(r->carry)), r->manifest.origin) != 0 ||
	    head.size != r->manifest.state_size || !hash_equal(&head.last_leaf, &r->last_leaf))
		return backupread_refuted(r, MANIFEST_NAME, "its state is not that of the entries");
	differs = facts_disagree(&r->facts, carry_state(r->carry), r->records_gone + r->records_left_out > 0);
	if (differs)
		return tool_fail(RESTORE_REFUTED, r->command, "%s: its state and its entries contradict each other: %s",
		                 r->dir, differs);
	find_signer(&s);
	state_each_principal(carry_state(r->carry), find_earlier_signer, &s);
	return s.found ? 0
	               : backupread_refuted(
	                         r, MANIFEST_NAME,
	                         "its signature is not by an auditor or administrator who was enrolled in this ledger");
}

int backupread_state(struct backupread *r)
{
	char name[BACKUPOUT_NAME_SIZE];
	FILE *f;
	int err = carry_new(NULL, &r->carry);

	manifest_file_name(MANIFEST_STATE, r->manifest.generation, name);
	if (err)
		return tool_fail(EXIT_LOCAL, r->command, "%s", err_text(err));
	f = backupout_read(r->fd, name);
	if (!f)
		return backupread_unreadable(r, name, errno);
	err = backupstate_read(f, r->manifest.origin, r->manifest.state_index, r->keys, take_record, r,
	                       &r->records_gone);
	fclose(f);
	if (!err)
		err = carry_end(r->carry, &r->digest);
	if (err == CS_ERR_NOMEM)
		return tool_fail(EXIT_LOCAL, r->command, "%s", err_text(err));
	if (err == CS_ERR_VERSION)
		return tool_fail(RESTORE_UNDECIDED, r->command, "%s/%s: it is of a later build: %s", r->dir, name,
		                 state_newer_text(carry_state(r->carry)));
	if (err)
		return tool_fail(RESTORE_REFUTED, r->command, "%s/%s: is no whole state: %s", r->dir, name,
		                 err_text(err));
	return check_state(r);
}
