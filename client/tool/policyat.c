/* The policy that was in force at an entry, found in the ledger and proven to be it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policyat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"

#define WINDOW 1024 /* Entries that are read forward at a time, on the way back. */

/* --- an entry that sets a policy --- */

static void add_name(struct policyat *p, struct text name)
{
	size_t n = strlen(p->by);

	snprintf(p->by + n, sizeof p->by - n, "%s%.*s", n ? ", " : "", (int)name.len, name.s);
}

static int take_policy(struct policyat *p, const uint8_t *source, size_t source_len, const uint8_t *compiled,
                       size_t compiled_len)
{
	struct hash h;

	hash_bytes(&h, compiled, compiled_len);
	if (p->kind == ENTRY_POLICY_SET && !hash_equal(&h, &p->hash))
		return CS_ERR_MALFORMED;
	p->hash = h;
	p->file.source = malloc(source_len + 1);
	p->file.compiled = malloc(compiled_len + 1);
	if (!p->file.source || !p->file.compiled)
		return CS_ERR_NOMEM;
	memcpy(p->file.source, source, source_len);
	p->file.source[source_len] = 0;
	memcpy(p->file.compiled, compiled, compiled_len);
	p->file.source_len = source_len;
	p->file.compiled_len = compiled_len;
	return 0;
}

/* [name, sequence, expiry, signature], or a list of those. */
static void read_signers(struct reader *r, struct policyat *p)
{
	const uint8_t *skipped;
	struct text name = {0};
	uint32_t n = 0;
	size_t len;

	reader_array(r, LIMIT_MSGPACK_NODES_MAX, &n);
	if (reader_peek(r) == VALUE_ARRAY) {
		for (uint32_t i = 0; i < n && !r->err; i++)
			read_signers(r, p);
		return;
	}
	for (uint32_t i = 0; i < n && !r->err; i++) {
		if (i == 0 && reader_peek(r) == VALUE_STR) {
			codec_text(r, 1, PRINCIPAL_NAME_SIZE_MAX, &name);
			if (!r->err)
				add_name(p, name);
		} else {
			reader_skip(r, &skipped, &len);
		}
	}
}

/* [hash, source, compiled, governance version, signature], and what later builds put behind. */
static int read_set(struct policyat *p, const struct entry *e)
{
	const uint8_t *source = NULL, *compiled = NULL, *skipped;
	size_t source_len = 0, compiled_len = 0, len;
	uint32_t n = 0;
	struct reader r;

	reader_init(&r, e->public_, e->public_len);
	reader_array(&r, LIMIT_MSGPACK_NODES_MAX, &n);
	reader_bin_exact(&r, p->hash.b, HASH_SIZE);
	reader_bin(&r, LIMIT_ENTRY_SIZE_MAX, &source, &source_len);
	reader_bin(&r, LIMIT_ENTRY_SIZE_MAX, &compiled, &compiled_len);
	reader_skip(&r, &skipped, &len);
	if (reader_peek(&r) == VALUE_ARRAY)
		read_signers(&r, p);
	else
		reader_skip(&r, &skipped, &len);
	for (uint32_t i = 5; i < n && !r.err; i++)
		reader_skip(&r, &skipped, &len);
	int err = reader_end(&r);
	return err ? err : take_policy(p, source, source_len, compiled, compiled_len);
}

static int read_genesis(struct policyat *p, const struct entry *e)
{
	struct genesis g;
	int err = genesis_decode(&g, e->public_, e->public_len);

	for (unsigned i = 0; !err && i < g.n_admins; i++)
		add_name(p, g.admins[i].name);
	return err ? err
	           : take_policy(p, g.policy_source, g.policy_source_len, g.policy_compiled, g.policy_compiled_len);
}

int policyat_read(struct policyat *ret, const struct entryview *v)
{
	struct policyat p = {.index = v->entry.index, .kind = v->entry.kind, .time_ms = v->entry.time_ms};
	int err = CS_ERR_INVALID;

	if (p.kind == ENTRY_GENESIS)
		err = read_genesis(&p, &v->entry);
	else if (p.kind == ENTRY_POLICY_SET)
		err = read_set(&p, &v->entry);
	if (err)
		policyat_close(&p);
	else
		*ret = p;
	return err;
}

void policyat_close(struct policyat *p)
{
	policyfile_close(&p->file);
}

/* --- on the way back --- */

struct search {
	const char *command;
	bool found;
	struct policyat p; /* The latest of the window. */
};

static int look(void *ctx, const struct entryview *v, const struct cs_entry *raw)
{
	struct search *s = ctx;
	struct policyat p;

	(void)raw;
	if (v->entry.kind != ENTRY_GENESIS && v->entry.kind != ENTRY_POLICY_SET)
		return 0;
	int err = policyat_read(&p, v);
	if (err)
		return tool_fail(EXIT_REFUTED, s->command, "entry %" PRIu64 ", which sets a policy, cannot be read: %s",
		                 v->entry.index, err_text(err));
	policyat_close(&s->p);
	s->p = p;
	s->found = true;
	return 0;
}

static int walk_back(struct policywalk *w, uint64_t at, const struct hash *proven, struct search *s)
{
	struct hash expected = *proven;
	uint64_t to = at + 1;

	while (!s->found && to > 0) {
		uint64_t from = to > WINDOW ? to - WINDOW : 0;
		int code = policywalk_range(w, from, to, look, s);
		if (code)
			return code;
		if (!hash_equal(&w->last, &expected))
			return tool_fail(EXIT_REFUTED, w->command,
			                 "ALARM: entry %" PRIu64 " is not the one that the proven entry %" PRIu64
			                 " goes back to",
			                 to - 1, at);
		expected = w->before;
		to = from;
	}
	return s->found ? 0 : tool_fail(EXIT_REFUTED, w->command, "ALARM: the ledger has no genesis");
}

int policyat_find(const char *command, cs_client *client, uint64_t at, struct policyat *ret)
{
	struct search s = {.command = command};
	struct policywalk w;
	struct hash proven;
	bool quorum = false;
	int code = policywalk_open(&w, command, client);

	if (code)
		return code;
	if (at != POLICYAT_CURRENT && at >= w.size)
		return tool_fail(EXIT_REFUSED, command, "there is no entry %" PRIu64 ": the ledger has %" PRIu64, at,
		                 w.size);
	at = at == POLICYAT_CURRENT ? w.size - 1 : at;
	w.total = at + 1;
	w.leaves = true;
	code = policywalk_proven(&w, at, &proven, &quorum);
	if (!code)
		code = walk_back(&w, at, &proven, &s);
	policywalk_end(&w);
	if (code) {
		policyat_close(&s.p);
		return code;
	}
	s.p.at = at;
	s.p.quorum = quorum;
	*ret = s.p;
	return 0;
}
