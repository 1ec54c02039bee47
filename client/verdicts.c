/* What waits and who decides about it; grants and their ends; signals from outside. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/entry_view.h"
#include "client/order.h"
#include "ledger/errors.h"
#include "node/decide/command_verdicts.h"

#define VERDICTS_BODY_MAX  4096
#define APPROVAL_EXPIRY_MS (5 * 60 * 1000) /* As an administrator's order: later it does not count. */

static struct text text_of(const char *s, size_t len_max)
{
	return (struct text){.s = s, .len = s == NULL ? 0 : strnlen(s, len_max + 1)};
}

/* --- approvals --- */

static int approval_sign(cs_client *c, struct approval *a, uint8_t ret_signature[64])
{
	uint8_t message[APPROVAL_MESSAGE_SIZE_MAX], pub[32], sk[64];

	int err = keyfile_public(&c->keys, KEY_SIGN, pub, sk);
	if (err < 0) {
		last_error_set("the key file has no sign key: approvers have one");
		return CS_ERR_NOT_PERMITTED;
	}
	a->expiry_ms = clock_wall_ns() / NS_PER_MS + APPROVAL_EXPIRY_MS;
	a->signature = ret_signature;
	crypto_sign_detached(ret_signature, NULL, message, approval_message(message, c->cluster.origin, a), sk);
	sodium_memzero(sk, sizeof(sk));
	return CS_OK;
}

int cs_approve(cs_client *client, uint64_t index, enum cs_say say, const uint8_t digest[32], const char *reason,
               cs_result **ret)
{
	struct approval a = {.index = index,
	                     .say = (unsigned)say,
	                     .digest = digest,
	                     .reason = text_of(reason == NULL ? "" : reason, APPROVAL_REASON_SIZE_MAX)};
	uint8_t signature[64];
	struct call *call;
	size_t len = 0;

	if (a.say < SAY_APPROVE || a.say > SAY_BREAK_GLASS || a.reason.len > APPROVAL_REASON_SIZE_MAX) {
		last_error_set("an approval approves, rejects or breaks the glass, with a reason of at most %d bytes",
		               APPROVAL_REASON_SIZE_MAX);
		return CS_ERR_INVALID;
	}
	int err = call_new(client, WIRE_APPROVAL, VERDICTS_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = approval_sign(client, &a, signature);
	if (err == CS_OK && (err = approval_encode(&a, call->body, call->body_cap, &len)) < 0)
		last_error_set("the approval: %s", err_text(err));
	call->number = index;
	return order_send(call, err, len, ret);
}

/* --- grants --- */

int cs_grant_revoke(cs_client *client, uint64_t index, const char *subject_type, const char *subject_id,
                    const char *reason, cs_result **ret)
{
	struct grant_revoke g = {.one = subject_id == NULL,
	                         .index = index,
	                         .subject_type = text_of(subject_type, REQUEST_STR_SIZE_MAX),
	                         .subject_id = text_of(subject_id, REQUEST_STR_SIZE_MAX),
	                         .reason = text_of(reason == NULL ? "" : reason, APPROVAL_REASON_SIZE_MAX)};
	uint8_t elements[VERDICTS_BODY_MAX];
	struct order_signatures signatures;
	struct call *call;
	size_t len = 0;

	int err = call_new(client, WIRE_GRANT_REVOKE, VERDICTS_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = grant_revoke_encode_signed(&g, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = order_sign(client, COMMAND_GRANT_REVOKE, elements, len, &g.admin, &signatures);
	if (err == CS_OK && (err = grant_revoke_encode(&g, call->body, call->body_cap, &len)) < 0)
		last_error_set("the order: %s", err_text(err));
	return order_send(call, err, len, ret);
}

/* --- signals from outside --- */

int cs_event_send(cs_client *client, const struct cs_event *event, cs_result **ret)
{
	struct outside o = {.event = outside_parse(text_of(event->name, 64)),
	                    .about = event->about == NULL ? 0 : about_parse(text_of(event->about, 64)),
	                    .level = event->level == NULL ? OUTSIDE_NONE
	                                                  : outside_level_parse(text_of(event->level, 64)),
	                    .subject_type = text_of(event->subject_type, REQUEST_STR_SIZE_MAX),
	                    .subject_id = text_of(event->subject_id, REQUEST_STR_SIZE_MAX),
	                    .session = text_of(event->session, REQUEST_STR_SIZE_MAX),
	                    .device = text_of(event->device, REQUEST_STR_SIZE_MAX),
	                    .credential = text_of(event->credential, REQUEST_STR_SIZE_MAX),
	                    .event_ms = event->time_ms != 0 ? event->time_ms : clock_wall_ns() / NS_PER_MS,
	                    .reason = text_of(event->reason == NULL ? "" : event->reason, APPROVAL_REASON_SIZE_MAX)};
	struct call *call;
	size_t len = 0;

	if (o.event == 0) {
		last_error_set("unknown event \"%.64s\": session-revoked, risk-level-change, credential-change or "
		               "assurance-level-change",
		               event->name == NULL ? "" : event->name);
		return CS_ERR_INVALID;
	}
	int err = call_new(client, WIRE_OUTSIDE, VERDICTS_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = outside_encode(&o, call->body, call->body_cap, &len);
	if (err < 0)
		last_error_set("the event: %s (a session, a device, a credential or a level that it does not take, or "
		               "lacks)",
		               err_text(err));
	return order_send(call, err, len, ret);
}

/* --- waiting --- */

static int view_of(const struct cs_entry *stored, struct entry *ret, struct entry_view *ret_view)
{
	int err = entry_decode(ret, stored->leaf, stored->leaf_size);

	return err < 0 ? err : entry_view_read(ret_view, ret);
}

static uint64_t ms_left(uint64_t until_ns)
{
	uint64_t now_ns = clock_mono_ns();

	return now_ns < until_ns ? (until_ns - now_ns) / NS_PER_MS : 0;
}

static void end_set(struct cs_end *ret, const struct entry *e, const struct entry_view *v)
{
	*ret = (struct cs_end){
	        .index = e->index, .verdict = (int)v->verdict, .kind = entry_kind_text(e->kind), .time_ms = e->time_ms};
}

/* What the entry at an index waits for: itself, or the decision that it speaks of. */
static int wait_begin(cs_client *client, uint64_t index, uint64_t *ret_first, struct cs_end *ret)
{
	struct entry_view v;
	struct entry e;
	cs_page *page;

	int err = cs_leaves(client, index, 1, 1000, &page);
	if (err < 0)
		return err;
	err = page->n == 0 ? CS_ERR_NOT_FOUND : view_of(&page->entries[0], &e, &v);
	if (err == CS_OK && (e.index != index || v.verdict == 0))
		err = CS_ERR_INVALID;
	if (err == CS_OK) {
		end_set(ret, &e, &v);
		*ret_first = v.has_waited ? v.waited : index;
	} else {
		last_error_set("entry %llu is no decision", (unsigned long long)index);
	}
	cs_page_free(page);
	return err;
}

/* The entries of a page that speak of it: true at its end. */
static bool look_for_end(const cs_page *page, uint64_t first, struct cs_end *ret)
{
	struct entry_view v;
	struct entry e;

	for (size_t i = 0; i < page->n; i++) {
		if (view_of(&page->entries[i], &e, &v) < 0 || !v.has_waited || v.waited != first)
			continue;
		end_set(ret, &e, &v);
		if (v.verdict != CS_DEFER)
			return true;
	}
	return false;
}

int cs_wait(cs_client *client, uint64_t index, unsigned wait_ms, struct cs_end *ret)
{
	uint64_t until_ns = clock_mono_ns() + wait_ms * NS_PER_MS, first = 0, next = index + 1;
	struct cs_end end;

	int err = wait_begin(client, index, &first, &end);
	while (err == CS_OK && end.verdict == CS_DEFER) {
		uint64_t left = ms_left(until_ns);
		cs_page *page;
		err = cs_leaves(client, next, WIRE_PAGE_ENTRIES_MAX, left < 2000 ? (unsigned)left : 2000, &page);
		if (err < 0)
			break;
		next += page->n;
		look_for_end(page, first, &end);
		bool idle = page->n == 0 && left == 0;
		cs_page_free(page);
		if (idle && end.verdict == CS_DEFER) {
			last_error_set("entry %llu waits still", (unsigned long long)first);
			return CS_E_TIMEOUT;
		}
	}
	if (err == CS_OK)
		*ret = end;
	return err;
}
