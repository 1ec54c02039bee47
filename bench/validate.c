/* Reads the whole ledger as an auditor would, and holds the acknowledgements against it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/validate.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "ledger/verify.h"

#define PAGE       256 /* Entries asked for at once: as many as a page holds. */
#define WAIT_MS    2000
#define TIMEOUT_NS (20 * NS_PER_S) /* For the cosignatures of a quorum; heartbeats bring them. */
#define POLL_NS    (NS_PER_S / 50)

struct pass {
	cs_client *client;
	struct acks *acks;
	struct verify_policy *policy;
	struct verify_result *result;
	struct verify_audit audit;
	struct validation *ret;
	size_t at; /* Next acknowledgement. */
};

static int fail(struct pass *p, const char *what, const char *why)
{
	snprintf(p->ret->reason, sizeof p->ret->reason, "%.250s: %.250s", what, why);
	return -1;
}

static int by_index(const void *a, const void *b)
{
	const struct ack *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

int validate_policy(const char *path, struct verify_policy **ret, char *ret_reason, size_t cap)
{
	char *text = malloc(VERIFY_POLICY_SIZE_MAX), reason[200] = "cannot be read";
	FILE *f = fopen(path, "re");
	size_t n = 0;
	int err = -1;

	if (f && text) {
		n = fread(text, 1, VERIFY_POLICY_SIZE_MAX, f);
		err = ferror(f) ? -1 : verify_policy_parse(text, n, ret, reason, sizeof reason);
	}
	if (f)
		fclose(f);
	free(text);
	if (err)
		snprintf(ret_reason, cap, "%.250s: %s", path, reason);
	return err ? -1 : 0;
}

/* A checkpoint, cosigned by a quorum, that covers all that was acknowledged. */
static int await_checkpoint(struct pass *p, char **ret_note)
{
	uint64_t wanted = p->acks->n ? p->acks->list[p->acks->n - 1].index + 1 : 1, deadline = clock_ns() + TIMEOUT_NS;

	for (;;) {
		bool quorum = false;
		char *note = NULL;
		int err = cs_checkpoint(p->client, &note, &quorum);

		if (err)
			return fail(p, "checkpoint", cs_last_error());
		if (quorum) {
			verify_checkpoint(p->policy, note, strlen(note), p->result);
			if (p->result->outcome == VERIFY_VERIFIED && p->result->size >= wanted) {
				*ret_note = note;
				return 0;
			}
			if (p->result->outcome == VERIFY_REFUTED) {
				free(note);
				return fail(p, "checkpoint", p->result->reason);
			}
		}
		free(note);
		if (clock_ns() >= deadline)
			return fail(p, "checkpoint", "no quorum cosigned one that covers the load");
		clock_sleep_until(clock_ns() + POLL_NS);
	}
}

/* Acknowledgements of this index: the entry's very bytes must be those that were acknowledged. */
static int match(struct pass *p, uint64_t index, const struct cs_entry *e)
{
	struct hash leaf;
	char what[48];

	snprintf(what, sizeof what, "entry %" PRIu64, index);
	hash_leaf(&leaf, e->leaf, e->leaf_size);
	for (; p->at < p->acks->n && p->acks->list[p->at].index == index; p->at++) {
		if (!hash_equal(&leaf, &p->acks->list[p->at].leaf))
			return fail(p, what, "is not the one that was acknowledged");
		p->ret->found++;
	}
	return verify_audit_entry(&p->audit, e->leaf, e->leaf_size, NULL) ? 0 : fail(p, what, p->result->reason);
}

static int read_all(struct pass *p, uint64_t size)
{
	uint64_t index = 0;

	while (index < size) {
		cs_page *page = NULL;
		uint64_t left = size - index;
		int err = cs_entries(p->client, index, left < PAGE ? (unsigned)left : PAGE, WAIT_MS, &page);

		if (!err && page->n == 0)
			err = CS_E_NOT_FOUND;
		if (err)
			return fail(p, "reading entries", cs_strerror(err));
		for (size_t i = 0; i < page->n && index < size && !err; i++, index++)
			err = match(p, index, &page->entries[i]);
		cs_page_free(page);
		if (err)
			return err;
	}
	return 0;
}

static int audit(struct pass *p)
{
	char *note = NULL;
	int err = await_checkpoint(p, &note);

	if (err)
		return err;
	verify_audit_begin(&p->audit, p->policy, note, strlen(note), p->result);
	p->ret->entries = p->result->size;
	err = read_all(p, p->result->size);
	if (!err) {
		verify_audit_end(&p->audit);
		if (p->result->outcome != VERIFY_VERIFIED)
			err = fail(p, "ledger", p->result->reason);
	}
	free(note);
	return err;
}

static int check_bundles(struct pass *p, unsigned max)
{
	size_t n = p->acks->n < max ? p->acks->n : max;

	for (size_t i = 0; i < n; i++) {
		uint64_t index = p->acks->list[i * p->acks->n / n].index;
		char what[48], *bundle = NULL;
		bool quorum = false;
		int err = cs_prove(p->client, index, WAIT_MS, &bundle, &quorum);

		snprintf(what, sizeof what, "proof of entry %" PRIu64, index);
		if (err)
			return fail(p, what, cs_last_error());
		verify_bundle(p->policy, bundle, strlen(bundle), p->result);
		free(bundle);
		if (p->result->outcome != VERIFY_VERIFIED)
			return fail(p, what, p->result->reason);
		p->ret->bundles++;
	}
	return 0;
}

int validate_run(struct cluster *c, struct acks *acks, unsigned bundles_max, struct validation *ret)
{
	struct pass p = {.client = c->clients[0], .acks = acks, .ret = ret};
	uint64_t begin = clock_ns();
	int err = -1;

	memset(ret, 0, sizeof *ret);
	ret->acknowledged = acks->n;
	qsort(acks->list, acks->n, sizeof *acks->list, by_index);
	p.result = calloc(1, sizeof *p.result);
	if (!p.result)
		fail(&p, "validation", "out of memory");
	else
		err = validate_policy(c->description.trust_path, &p.policy, ret->reason, sizeof ret->reason);
	if (!err)
		err = audit(&p);
	if (!err && ret->found != ret->acknowledged)
		err = fail(&p, "acknowledged decisions", "some are not in the ledger");
	if (!err)
		err = check_bundles(&p, bundles_max);
	verify_policy_free(p.policy);
	free(p.result);
	ret->good = !err;
	ret->seconds = (double)(clock_ns() - begin) / (double)NS_PER_S;
	return err ? -1 : 0;
}
