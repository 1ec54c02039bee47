/* Fuzzing: what auditors ask for and nodes say of it, and a person's history for the offline verifier. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "node/decide/search.h"
#include "tests/fuzz/fuzz.h"
#include "tests/verify_fixture.h"

static void check_question(const uint8_t *bytes, size_t len)
{
	static uint8_t again[SEARCH_SIZE_MAX];
	struct search q;
	size_t n;

	if (search_decode(&q, bytes, len))
		return;
	FUZZ_DEMAND(search_encode(&q, again, sizeof again, &n) == 0 && n == len && memcmp(again, bytes, len) == 0);
	(void)search_body_matches(&q, bytes, len);
}

static void check_orders(const uint8_t *bytes, size_t len)
{
	static uint8_t again[READ_LOG_SIZE_MAX];
	struct history_order o;
	struct read_log l;
	size_t n;

	if (history_order_decode(&o, bytes, len) == 0)
		FUZZ_DEMAND(history_order_encode(&o, again, sizeof again, &n) == 0 && n == len &&
		            memcmp(again, bytes, len) == 0);
	if (read_log_decode(&l, bytes, len) == 0)
		FUZZ_DEMAND(read_log_encode(&l, again, sizeof again, &n) == 0 && n == len &&
		            memcmp(again, bytes, len) == 0);
}

/* As a question, as an order, and as what a store may hold. */
void fuzz_reads(const uint8_t *bytes, size_t len)
{
	static const struct search whole = {
	        .hits_max = 1, .n = 2, .by = {{FIELD_SUBJECT, {"user:ada", 8}}, {FIELD_CLIENT, {"g*", 2}}}};
	struct search_leaf e;

	check_question(bytes, len);
	check_orders(bytes, len);
	if (search_leaf_read(&e, bytes, len))
		FUZZ_DEMAND(e.kind <= ENTRY_KIND_MAX);
	(void)search_body_matches(&whole, bytes, len);
}

/* The fixture's ledger has nobody's history: nothing can verify. */
void fuzz_person(const uint8_t *bytes, size_t len)
{
	static struct fixture f;
	static struct verify_result result;
	struct verify_history *h;

	if (f.policy == NULL)
		fixture_init(&f);
	FUZZ_DEMAND(verify_history_begin(f.policy, &result, &h) == 0);
	for (const uint8_t *p = bytes, *end = bytes + len; p < end;) {
		const uint8_t *newline = memchr(p, '\n', (size_t)(end - p));
		size_t n = (size_t)((newline ? newline : end) - p);

		if (!verify_history_line(h, (const char *)p, n))
			break;
		p += n + 1;
	}
	verify_history_end(h);
	FUZZ_DEMAND(result.outcome != VERIFY_VERIFIED && result.reason[0]);
}
