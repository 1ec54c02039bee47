/* Searches, and one person's history. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/errors.h"
#include "node/decide/search.h"

_Static_assert(CS_FILTERS_MAX == READ_LOOKUPS_MAX, "as many as a search has");

static struct text text_of(const char *s, size_t len_max)
{
	return (struct text){.s = s == NULL ? "" : s, .len = s == NULL ? 0 : strnlen(s, len_max + 1)};
}

static void read_entry(struct reader *r, struct cs_entry *ret)
{
	reader_bin(r, LIMIT_ENTRY_SIZE_MAX, &ret->leaf, &ret->leaf_size);
	if (!reader_nil(r))
		reader_bin(r, LIMIT_BODY_SIZE_MAX, &ret->body, &ret->body_size);
}

/* --- searches --- */

/* Filters in the order of their fields' numbers, each once. */
static int search_fill(struct search *ret, const struct cs_search *s)
{
	*ret = (struct search){.newest_first = s->newest_first,
	                       .has_cursor = s->has_cursor,
	                       .cursor = s->cursor,
	                       .hits_max = s->hits_max,
	                       .since_ms = s->since_ms,
	                       .until_ms = s->until_ms,
	                       .kinds = s->kinds,
	                       .verdicts = s->verdicts};
	for (size_t i = 0; i < s->n_filters; i++) {
		struct read_lookup l = {search_field_of(s->filters[i].field),
		                        text_of(s->filters[i].text, READ_TEXT_SIZE_MAX)};
		unsigned at = ret->n;

		if (l.kind == 0 || ret->n == READ_LOOKUPS_MAX || l.text.len == 0 || l.text.len > READ_TEXT_SIZE_MAX) {
			last_error_set("a search by %.32s takes 1 to %d bytes; it goes by subject, actor, action, "
			               "resource, device, address and client",
			               s->filters[i].field, READ_TEXT_SIZE_MAX);
			return CS_ERR_INVALID;
		}
		for (; at > 0 && ret->by[at - 1].kind >= l.kind; at--)
			ret->by[at] = ret->by[at - 1];
		if (at < ret->n && ret->by[at].kind == l.kind) {
			last_error_set("a search takes %.32s once", s->filters[i].field);
			return CS_ERR_INVALID;
		}
		ret->by[at] = l;
		ret->n++;
	}
	return CS_OK;
}

static int hits_read(struct reader *r, cs_hits *ret)
{
	uint32_t n = 0;

	reader_array_exact(r, 3);
	reader_uint(r, UINT64_MAX, &ret->size);
	ret->more = !reader_nil(r);
	if (ret->more)
		reader_uint(r, INT64_MAX, &ret->cursor);
	reader_array(r, SEARCH_HITS_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++) {
		reader_array_exact(r, 2);
		read_entry(r, &ret->entries[i]);
	}
	ret->n = n;
	return reader_end(r);
}

static int hits_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result, char *text)
{
	cs_hits *hits = calloc(1, sizeof(*hits));
	struct reader r;

	(void)call;
	(void)text;
	if (hits == NULL) {
		nng_msg_free(msg);
		return CS_ERR_NOMEM;
	}
	hits->owned = msg;
	reader_init(&r, reply->body, reply->body_len);
	int err = hits_read(&r, hits);
	if (err < 0)
		cs_hits_free(hits);
	else
		*ret_result = hits;
	return err;
}

int cs_search(cs_client *client, const struct cs_search *search, cs_hits **ret)
{
	struct search q;
	struct call *call;
	void *result;
	size_t len;

	int err = search_fill(&q, search);
	if (err == CS_OK)
		err = call_new(client, WIRE_SEARCH, SEARCH_SIZE_MAX, &call);
	if (err < 0)
		return err;
	err = search_encode(&q, call->body, call->body_cap, &len);
	if (err < 0) {
		last_error_set("the search: %s (1 to %d hits a page)", err_text(err), SEARCH_HITS_MAX);
		call_drop(call);
		return err;
	}
	err = call_wait(call, len, hits_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

void cs_hits_free(cs_hits *hits)
{
	if (hits == NULL)
		return;
	nng_msg_free(hits->owned);
	free(hits);
}

/* --- histories --- */

int cs_history_request(cs_client *client, enum cs_whose whose, const char *type, const char *id, const char *reason,
                       cs_result **ret)
{
	struct history_order o = {.whose = (unsigned)whose,
	                          .type = text_of(type, REQUEST_STR_SIZE_MAX),
	                          .id = text_of(id, REQUEST_STR_SIZE_MAX),
	                          .reason = text_of(reason, HISTORY_REASON_SIZE_MAX)};
	struct call *call;
	size_t len = 0;

	int err = call_new(client, WIRE_HISTORY, HISTORY_REASON_SIZE_MAX + 2 * REQUEST_STR_SIZE_MAX + 32, &call);
	if (err < 0)
		return err;
	err = history_order_encode(&o, call->body, call->body_cap, &len);
	if (err < 0)
		last_error_set(
		        "the history: %s (a subject or actor has a type and an id of at most %d bytes, an approver "
		        "a name, and a reason at most %d)",
		        err_text(err), REQUEST_STR_SIZE_MAX, HISTORY_REASON_SIZE_MAX);
	return order_send(call, err, len, ret);
}

static void read_proven(struct reader *r, struct cs_history_entry *ret)
{
	reader_array_exact(r, 3);
	read_entry(r, &ret->entry);
	if (reader_bin(r, LIMIT_PROOF_HASHES_MAX * HASH_SIZE, &ret->hashes, &ret->n_hashes) < 0)
		return;
	if (ret->n_hashes % HASH_SIZE != 0)
		r->err = CS_ERR_MALFORMED;
	ret->n_hashes /= HASH_SIZE;
}

static int history_read(struct reader *r, cs_history_page *ret)
{
	uint32_t n = 0;

	reader_array_exact(r, 5);
	reader_bool(r, &ret->quorum);
	reader_uint(r, INT64_MAX, &ret->size);
	reader_str(r, LIMIT_NOTE_SIZE_MAX, &ret->checkpoint, &ret->checkpoint_size);
	ret->more = !reader_nil(r);
	if (ret->more)
		reader_uint(r, INT64_MAX, &ret->next);
	reader_array(r, SEARCH_HITS_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++)
		read_proven(r, &ret->entries[i]);
	ret->n = n;
	return reader_end(r);
}

static int history_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                           char *text)
{
	cs_history_page *page = calloc(1, sizeof(*page));
	struct reader r;

	(void)call;
	(void)text;
	if (page == NULL) {
		nng_msg_free(msg);
		return CS_ERR_NOMEM;
	}
	page->owned = msg;
	reader_init(&r, reply->body, reply->body_len);
	int err = history_read(&r, page);
	if (err < 0)
		cs_history_page_free(page);
	else
		*ret_result = page;
	return err;
}

int cs_history(cs_client *client, uint64_t head, uint64_t at, uint64_t size, unsigned wait_ms, cs_history_page **ret)
{
	struct writer w;
	struct call *call;
	void *result;
	size_t len;

	if (wait_ms > WIRE_DEADLINE_MS_MAX)
		wait_ms = WIRE_DEADLINE_MS_MAX;
	int err = call_new(client, WIRE_HISTORY_PAGE, 64, &call);
	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 4);
	writer_uint(&w, head);
	writer_uint(&w, at);
	writer_uint(&w, size);
	writer_uint(&w, wait_ms);
	err = writer_end(&w, &len);
	if (err < 0) {
		call_drop(call);
		return err;
	}
	call->wait_ms = wait_ms;
	err = call_wait(call, len, history_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

void cs_history_page_free(cs_history_page *page)
{
	if (page == NULL)
		return;
	nng_msg_free(page->owned);
	free(page);
}
