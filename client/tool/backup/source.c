/* What a backup is made of: a node's store, read as any other process may, at one moment. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/backup/source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/tool/files.h"
#include "client/tool/text.h"
#include "client/tool/tool.h"
#include "client/tool/verifywhole.h"
#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/state_records.h"

#define NAP_MS 50 /* Nothing tells another process that the store has grown. */
#define SETTLE_MS                                                                                                      \
	2500 /* A member stores what is decided within two seconds (node/daemon.c), and hears of it before.            \
	      */

int backupsource_open(struct backupsource *s, const char *path)
{
	char folder[FILES_PATH_SIZE], format[STORE_FORMAT_SIZE] = "";
	struct store_options o = {.read_only = true, .ret_format = format};
	int err;

	s->path = path;
	if (!verifywhole_store(path, folder))
		return tool_fail(EXIT_USAGE, s->command, "%s: no node's ledger is there (data.mdb)", path);
	err = store_open(folder, &o, &s->store);
	if (!err)
		err = store_view_open(s->store, &s->view);
	if (err == CS_ERR_VERSION)
		return tool_fail(EXIT_LOCAL, s->command, "%s: its format is \"%s\": of another build", folder, format);
	return err ? tool_fail(EXIT_LOCAL, s->command, "%s: %s", folder, err_text(err)) : 0;
}

void backupsource_close(struct backupsource *s)
{
	store_view_close(s->view);
	store_close(s->store);
	s->view = NULL;
	s->store = NULL;
}

/* [version, size, last leaf, …]: the state's own head. */
static int read_head(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct backupsource *s = ctx;
	struct reader r;
	uint64_t version;
	uint32_t n;

	if (key_len != RECORD_KEY_SIZE || *(const uint8_t *)key != RECORD_HEAD)
		return 1; /* Behind it. */
	reader_init(&r, value, value_len);
	reader_array(&r, UINT8_MAX, &n);
	reader_uint(&r, UINT64_MAX, &version);
	reader_uint(&r, UINT64_MAX, &s->state_size);
	reader_bin_exact(&r, s->state_last_leaf.b, HASH_SIZE);
	return r.err ? r.err : 1;
}

/* 0; 1: there is no state yet. */
static int state_find(struct backupsource *s)
{
	uint8_t before[RECORD_KEY_SIZE] = {RECORD_HEAD - 1};
	int err;

	memset(before + 1, 0xff, sizeof before - 1);
	s->state_size = 0;
	err = store_view_state_index(s->view, &s->state_index, &s->state_term);
	if (!err)
		err = store_view_state_after(s->view, before, sizeof before, read_head, s);
	if (err == CS_ERR_NOT_FOUND || (err >= 0 && s->state_size == 0))
		return 1;
	return err < 0 ? err : 0;
}

/* [id, name, roles, channel key or nil, signing key or nil, removed, …] */
static int find_signer(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	const uint8_t *sign_pub = ctx, *skipped, *pub = NULL;
	struct reader r;
	uint64_t roles = 0;
	bool removed = true;
	uint32_t n;
	size_t len;

	if (key_len != RECORD_KEY_SIZE || *(const uint8_t *)key != RECORD_PRINCIPAL)
		return 2; /* Behind them. */
	reader_init(&r, value, value_len);
	reader_array(&r, UINT8_MAX, &n);
	reader_skip(&r, &skipped, &len);
	reader_skip(&r, &skipped, &len);
	reader_uint(&r, UINT32_MAX, &roles);
	reader_skip(&r, &skipped, &len);
	codec_fixed_or_nil(&r, 32, &pub);
	reader_bool(&r, &removed);
	return !r.err && pub && !removed && (roles & (ROLE_AUDIT | ROLE_ADMINISTER)) && !memcmp(pub, sign_pub, 32);
}

bool backupsource_knows(const struct backupsource *s, const uint8_t sign_pub[32])
{
	uint8_t before[RECORD_KEY_SIZE] = {RECORD_PRINCIPAL - 1}, pub[32];

	memset(before + 1, 0xff, sizeof before - 1);
	memcpy(pub, sign_pub, sizeof pub);
	return store_view_state_after(s->view, before, sizeof before, find_signer, pub) == 1;
}

static bool changes_rules(unsigned kind)
{
	switch (kind) {
	case ENTRY_DECISION:
	case ENTRY_ANSWER:
	case ENTRY_IMPORTED:
	case ENTRY_TICK:
	case ENTRY_BUILD:
	case ENTRY_APPROVAL:
	case ENTRY_DEFER_ENDED:
	case ENTRY_GRANT_REVOKED: /* Grants are not restored. */
	case ENTRY_STATE_DIGEST:
	case ENTRY_HISTORY:
	case ENTRY_READ:
	case ENTRY_ERASURE_DONE:
		return false;
	default:
		return true;
	}
}

/* Whether the entries that are in the checkpoint and not in the state may be left out of it. */
static bool tail_harmless(const struct backupsource *s)
{
	for (uint64_t i = s->state_size; i < s->checkpoint.size; i++) {
		const void *leaf;
		struct entry e;
		size_t len;

		if (store_view_entry(s->view, i, &leaf, &len) || entry_decode(&e, leaf, len) || changes_rules(e.kind))
			return false;
	}
	return true;
}

enum found { FOUND, FOUND_NOT, FOUND_FALSE };

static enum found checkpoint_take(struct backupsource *s, const void *text, size_t len, struct verify_result *r)
{
	struct note n;

	if (len > sizeof s->note)
		return FOUND_NOT;
	verify_checkpoint(s->trust, text, len, r);
	if (r->outcome != VERIFY_VERIFIED)
		return r->outcome == VERIFY_REFUTED ? FOUND_FALSE : FOUND_NOT;
	memcpy(s->note, text, len);
	s->note_len = len;
	return note_parse(&n, s->note, len) || checkpoint_parse(&s->checkpoint, n.text, n.text_len) ? FOUND_FALSE
	                                                                                            : FOUND;
}

/* The newest, if what came after the state may be left out of it; else the first that covers the state. */
static enum found checkpoint_find(struct backupsource *s, struct verify_result *r)
{
	enum found found = FOUND_NOT;
	const void *text;
	uint64_t size;
	size_t len;

	if (store_view_checkpoint_last(s->view, &size, &text, &len) || size < s->state_size)
		return FOUND_NOT;
	found = checkpoint_take(s, text, len, r);
	if (found == FOUND_FALSE || (found == FOUND && tail_harmless(s)))
		return found;
	size = s->state_size;
	for (found = FOUND_NOT; found == FOUND_NOT && !store_view_checkpoint(s->view, size, &size, &text, &len); size++)
		found = checkpoint_take(s, text, len, r);
	return found;
}

/* wanted: entries that the state should have, where the node writes it soon; *ret_lacks NULL: that alone is missing. */
static int choose_once(struct backupsource *s, struct verify_result *r, const uint64_t *wanted, const char **ret_lacks)
{
	int err = store_view_renew(s->view);

	if (!err)
		err = state_find(s);
	*ret_lacks = "the node has not written its state yet";
	if (err < 0)
		return tool_fail(EXIT_LOCAL, s->command, "%s: the state: %s", s->path, err_text(err));
	if (err)
		return OPTIONS_GO_ON;
	switch (checkpoint_find(s, r)) {
	case FOUND_FALSE:
		return tool_fail(EXIT_REFUTED, s->command, "ALARM: %s: its checkpoint does not hold: %s", s->path,
		                 r->reason);
	case FOUND_NOT:
		*ret_lacks = "no checkpoint over its state is stored that a quorum by the trust policy has cosigned (a "
		             "member "
		             "that has just come back has it with the next decision; another node has it now)";
		return OPTIONS_GO_ON;
	case FOUND:
		break;
	}
	if (s->state_size < *wanted) {
		*ret_lacks = NULL;
		return OPTIONS_GO_ON;
	}
	*ret_lacks = "rules or enrolments are being changed all the time";
	return tail_harmless(s) ? 0 : OPTIONS_GO_ON;
}

int backupsource_choose(struct backupsource *s, uint64_t wait_ms)
{
	static const struct timespec nap = {.tv_nsec = NAP_MS * 1000000L};
	struct verify_result *r = malloc(sizeof *r);
	uint64_t began = text_now_ms(), wanted;
	const char *lacks = "";
	struct store_head head;
	int code = r ? OPTIONS_GO_ON : tool_fail(EXIT_LOCAL, s->command, "out of memory");

	store_view_release(s->view);
	while (text_now_ms() - began < (wait_ms < SETTLE_MS ? wait_ms : SETTLE_MS))
		nanosleep(&nap, NULL);
	int err = store_view_renew(s->view);
	if (err && code == OPTIONS_GO_ON)
		code = tool_fail(EXIT_LOCAL, s->command, "%s: %s", s->path, err_text(err));
	store_view_head(s->view, &head);
	wanted = head.size;
	while (code == OPTIONS_GO_ON) {
		code = choose_once(s, r, &wanted, &lacks);
		if (code != OPTIONS_GO_ON)
			break;
		store_view_release(s->view);
		if (text_now_ms() - began <= wait_ms)
			nanosleep(&nap, NULL);
		else if (!lacks)
			wanted = 0; /* The node does not run, or not well: what it has written must do. */
		else
			code = tool_fail(2, s->command, "%s: %s: nothing was written", s->path, lacks);
	}
	free(r);
	return code;
}
