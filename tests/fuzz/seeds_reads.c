/* Seeds of what auditors ask for: searches, histories, what was read; and a history's lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/bundle.h"
#include "ledger/tree.h"
#include "node/decide/search.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"
#include "tests/verify_fixture.h"

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

static void seed_person(void)
{
	static const struct fixture_signers all = {.logs = 3, .cosigners = 7};
	static struct fixture f;
	char note[LIMIT_NOTE_SIZE_MAX], *head, *line, *both;
	struct field fields[LIMIT_FIELD_COUNT_MAX];
	const struct fixture_entry *e;
	unsigned n = 0;

	fixture_init(&f);
	e = &f.entry[0];
	size_t len = fixture_checkpoint(&f, 1, all, note);
	FUZZ_DEMAND(body_decode(fields, &n, e->body, e->body_len) == 0);
	FUZZ_DEMAND(bundle_history_head("subject", 1, note, len, &head) == 0);
	FUZZ_DEMAND(bundle_history_entry(e->leaf, e->leaf_len, fields, n, NULL, 0, &line) == 0);
	len = strlen(head) + strlen(line) + 3;
	both = malloc(len);
	FUZZ_DEMAND(both != NULL);
	snprintf(both, len, "%s\n%s\n", head, line);
	seed("person", "one", both, len - 1);
	free(both);
	free(line);
	free(head);
	fixture_free(&f);
}

void seeds_of_reads(void)
{
	struct search q = {.newest_first = true,
	                   .has_cursor = true,
	                   .cursor = 300,
	                   .hits_max = 50,
	                   .since_ms = 1700000000000,
	                   .kinds = 6,
	                   .verdicts = 2,
	                   .n = 2,
	                   .by = {{FIELD_SUBJECT, text("user:ada")}, {FIELD_ACTION, text("dep*")}}};
	struct history_order o = {HISTORY_SUBJECT, text("user"), text("ada"), text("case 7")};
	struct read_log l = {.n_rows = 1,
	                     .rows = {{7, READ_SEARCH, 0, 300, 2, 5, 6}},
	                     .n_lookups = 1,
	                     .lookups = {{FIELD_SUBJECT, text("user:ada")}}};
	uint8_t buf[4096];
	size_t len;

	FUZZ_DEMAND(search_encode(&q, buf, sizeof buf, &len) == 0);
	seed("reads", "search", buf, len);
	FUZZ_DEMAND(history_order_encode(&o, buf, sizeof buf, &len) == 0);
	seed("reads", "history", buf, len);
	FUZZ_DEMAND(read_log_encode(&l, buf, sizeof buf, &len) == 0);
	seed("reads", "log", buf, len);
	seed_person();
}
