/* An auditor's state from visit to visit: what was checked so far, in one file that vouches for its own bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/auditstate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/tool.h"
#include "ledger/bytes.h"
#include "ledger/errors.h"

#define ELEMENTS 12

void auditstate_root(const struct auditstate *s, struct hash *ret)
{
	verify_fold_root(&s->fold, ret->b);
}

/* Every second one goes, but for the newest: where histories part is still found, only less closely. */
static void thin_out(struct auditstate *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->n_visits; i++)
		if (i % 2 || i + 1 == s->n_visits)
			s->visits[n++] = s->visits[i];
	s->n_visits = n;
}

void auditstate_visited(struct auditstate *s, uint64_t at_ms)
{
	if (s->n_visits && s->visits[s->n_visits - 1].size == s->fold.size)
		s->n_visits--;
	else if (s->n_visits == AUDITSTATE_VISITS_MAX)
		thin_out(s);
	struct auditvisit *v = &s->visits[s->n_visits++];
	v->size = s->fold.size;
	v->at_ms = at_ms;
	auditstate_root(s, &v->root);
}

static void write_counts(struct writer *w, const uint64_t *counts, unsigned n)
{
	unsigned used = 0;

	for (unsigned i = 0; i < n; i++)
		used += counts[i] != 0;
	writer_array(w, used);
	for (unsigned i = 0; i < n; i++) {
		if (!counts[i])
			continue;
		writer_array(w, 2);
		writer_uint(w, i);
		writer_uint(w, counts[i]);
	}
}

static void write_tables(struct writer *w, const struct auditstate *s)
{
	writer_array(w, (uint32_t)__builtin_popcountll(s->fold.size));
	for (unsigned level = 0; level < AUDITSTATE_LEVELS; level++)
		if (s->fold.size >> level & 1)
			writer_bin(w, s->fold.frontier[level], HASH_SIZE);
	write_counts(w, s->n_kinds, AUDITSTATE_KINDS);
	write_counts(w, s->n_verdicts, 5);
	writer_array(w, s->n_visits);
	for (unsigned i = 0; i < s->n_visits; i++) {
		writer_array(w, 3);
		writer_uint(w, s->visits[i].size);
		writer_uint(w, s->visits[i].at_ms);
		writer_bin(w, s->visits[i].root.b, HASH_SIZE);
	}
}

int auditstate_encode(const struct auditstate *s, uint8_t *buf, size_t *ret_len)
{
	struct writer w;
	struct hash sum;
	size_t len;

	writer_init(&w, buf, AUDITSTATE_SIZE_MAX - HASH_SIZE);
	writer_array(&w, ELEMENTS);
	writer_cstr(&w, AUDITSTATE_FORMAT);
	writer_cstr(&w, s->origin);
	writer_uint(&w, s->fold.size);
	writer_uint(&w, s->fold.time_ms);
	writer_bin(&w, s->fold.last_leaf, HASH_SIZE);
	writer_uint(&w, s->note_size);
	writer_str(&w, s->note, s->note_len);
	writer_cstr(&w, s->governance);
	write_tables(&w, s);
	int err = writer_end(&w, &len);
	if (err < 0)
		return err;
	hash_bytes(&sum, buf, len);
	memcpy(buf + len, sum.b, HASH_SIZE);
	*ret_len = len + HASH_SIZE;
	return CS_OK;
}

static void read_text(struct reader *r, char *ret, size_t size)
{
	const char *s = "";
	size_t len = 0;

	if (!reader_str(r, size - 1, &s, &len)) {
		memcpy(ret, s, len);
		ret[len] = '\0';
	}
}

static void read_counts(struct reader *r, uint64_t *counts, unsigned n)
{
	uint32_t used = 0;
	uint64_t at = 0, least = 0;

	reader_array(r, n, &used);
	for (uint32_t i = 0; i < used && !r->err; i++) {
		uint64_t count = 0;
		reader_array_exact(r, 2);
		reader_uint(r, n - 1, &at);
		reader_uint(r, UINT64_MAX, &count);
		if (!r->err && (at < least || !count))
			r->err = CS_ERR_MALFORMED;
		if (!r->err)
			counts[at] = count;
		least = at + 1;
	}
}

static void read_visits(struct reader *r, struct auditstate *s)
{
	uint32_t n = 0;

	reader_array(r, AUDITSTATE_VISITS_MAX, &n);
	for (uint32_t i = 0; i < n && !r->err; i++) {
		struct auditvisit *v = &s->visits[i];
		reader_array_exact(r, 3);
		reader_uint(r, s->fold.size, &v->size);
		reader_uint(r, INT64_MAX, &v->at_ms);
		reader_bin_exact(r, v->root.b, HASH_SIZE);
		if (!r->err && i && v->size <= s->visits[i - 1].size)
			r->err = CS_ERR_MALFORMED;
	}
	s->n_visits = n;
}

static void read_all(struct reader *r, struct auditstate *s)
{
	char format[sizeof AUDITSTATE_FORMAT] = "";

	reader_array_exact(r, ELEMENTS);
	read_text(r, format, sizeof format);
	if (!r->err && strcmp(format, AUDITSTATE_FORMAT) != 0)
		r->err = CS_ERR_VERSION;
	read_text(r, s->origin, sizeof s->origin);
	reader_uint(r, (uint64_t)1 << 62, &s->fold.size);
	reader_uint(r, INT64_MAX, &s->fold.time_ms);
	reader_bin_exact(r, s->fold.last_leaf, HASH_SIZE);
	reader_uint(r, (uint64_t)1 << 62, &s->note_size);
	read_text(r, s->note, sizeof s->note);
	s->note_len = strlen(s->note);
	read_text(r, s->governance, sizeof s->governance);
	if (!r->err)
		reader_array_exact(r, (uint32_t)__builtin_popcountll(s->fold.size));
	for (unsigned level = 0; level < AUDITSTATE_LEVELS; level++)
		if (s->fold.size >> level & 1)
			reader_bin_exact(r, s->fold.frontier[level], HASH_SIZE);
	read_counts(r, s->n_kinds, AUDITSTATE_KINDS);
	read_counts(r, s->n_verdicts, 5);
	read_visits(r, s);
}

/* What the parts say of each other. */
static const char *contradiction(const struct auditstate *s)
{
	uint64_t n = 0;
	struct hash root;

	auditstate_root(s, &root);
	for (unsigned i = 0; i < AUDITSTATE_KINDS; i++)
		n += s->n_kinds[i];
	if (!s->fold.size || n != s->fold.size)
		return "its counts are not its size";
	if (!s->n_visits || s->visits[s->n_visits - 1].size != s->fold.size ||
	    !hash_equal(&s->visits[s->n_visits - 1].root, &root))
		return "its last visit is not where it ends";
	return s->note_size < s->fold.size ? "its checkpoint does not cover it" : NULL;
}

int auditstate_decode(struct auditstate *ret, const void *bytes, size_t len, const char **ret_reason)
{
	struct reader r;
	struct hash sum;
	const uint8_t *b = bytes;

	memset(ret, 0, sizeof *ret);
	*ret_reason = "it is cut off, or no state of an audit";
	if (len <= HASH_SIZE || len > AUDITSTATE_SIZE_MAX)
		return CS_ERR_MALFORMED;
	hash_bytes(&sum, b, len - HASH_SIZE);
	*ret_reason = "its bytes are not those that were written (the hash at its end differs)";
	if (memcmp(sum.b, b + len - HASH_SIZE, HASH_SIZE) != 0)
		return CS_ERR_MALFORMED;
	reader_init(&r, b, len - HASH_SIZE);
	read_all(&r, ret);
	int err = reader_end(&r);
	*ret_reason = err == CS_ERR_VERSION ? "its format is of another version" : "it is malformed";
	if (err < 0)
		return err;
	*ret_reason = contradiction(ret);
	return *ret_reason ? CS_ERR_MALFORMED : CS_OK;
}

int auditstate_load(const char *command, const char *path, struct auditstate *ret, int *ret_there)
{
	char *bytes = NULL;
	const char *reason;
	size_t len;
	int err = files_read(path, AUDITSTATE_SIZE_MAX, &bytes, &len);

	*ret_there = !err;
	if (err == ENOENT) {
		memset(ret, 0, sizeof *ret);
		return 0;
	}
	if (err)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(err));
	err = auditstate_decode(ret, bytes, len, &reason);
	free(bytes);
	return err ? tool_fail(EXIT_USAGE, command, "%s: refused: %s; take a copy of it that is whole", path, reason)
	           : 0;
}

int auditstate_save(const char *command, const char *path, const struct auditstate *s)
{
	uint8_t *buf = malloc(AUDITSTATE_SIZE_MAX);
	size_t len = 0;
	int err = !buf || auditstate_encode(s, buf, &len) < 0 ? ENOMEM : files_replace(path, buf, len, 0600);

	free(buf);
	return err ? tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(err)) : 0;
}
