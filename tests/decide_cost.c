/* What a decision costs in process, in time and memory: thirty rules, twelve signals, a hundred thousand subjects. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "node/decide/place.h"
#include "node/decide/policy.h"
#include "node/decide/state.h"
#include "tests/decide_kit.h"
#include "tests/past_kit.h"

#define RULES        30
#define WARM_UP      2000
#define MEASURED     20000
#define SUBJECTS     100000
#define SUBJECTS_MIB 256  /* The goal for so many, */
#define SUBJECT_SIZE 1024 /* and for one. */

static struct kit kit;

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

/* Rules of every sort: some match, most do not; bias decides what comes of it all. */
static void make_policy(int bias, char *ret, size_t cap)
{
	size_t n = (size_t)snprintf(ret, cap,
	                            "version: 2\nname: cost\nbias: %d\nthresholds: {step_up: 0, deny: 50000}\n"
	                            "valid_for: 5m\nrates: {subject: 1, client: 1}\nsensitive: ['deploy*']\n"
	                            "signals:\n  amount_history: 1\n  rarity_history: 1\n  travel_km: 0\n"
	                            "rules:\n- {id: by-risk, verdict: risk}\n",
	                            bias);

	for (unsigned i = 1; i < RULES; i++)
		n += (size_t)snprintf(ret + n, cap - n,
		                      "- id: rule-%u\n  match:\n    subject: ['svc-%u-*', 'ad*']\n    action: ['%s*', "
		                      "'purge-*']\n    resource: '*-%u'\n    context: {environment: [production, "
		                      "staging]}\n  weight: 10\n  reason_admin: rule %u matched\n",
		                      i, i, i % 3 ? "export" : "deploy", i % 7 + 1, i);
	assert_true(n < cap);
}

static void number(struct request *q, const char *name, int64_t v)
{
	q->context[q->n_context++] = (struct named_value){.name = text(name), .type = VALUE_INT, .integer = v};
}

static void word(struct request *q, const char *name, const char *v)
{
	q->context[q->n_context++] = (struct named_value){.name = text(name), .type = VALUE_STR, .str = text(v)};
}

/* How much of a request the subject has never shown. */
enum novelty { KNOWN, ELSEWHERE, STRANGE };

static void make_request(struct request *q, const char *subject, enum novelty n)
{
	bool place = n != KNOWN, strange = n == STRANGE;

	*q = (struct request){.subject_type = text("user"),
	                      .subject_id = text(subject),
	                      .action = text(strange ? "deploy" : "read"),
	                      .resource_type = text("model"),
	                      .resource_id = text(place ? "fraud-7" : "atlas-1")};
	number(q, "amount", place ? 90000 : 100);
	word(q, "country", place ? "BR" : "NL");
	word(q, "device", place ? "unknown-vm" : "laptop");
	word(q, "environment", "production");
	word(q, "ip", place ? "203.0.113.77" : "198.51.100.20");
	word(q, "region", place ? "br-1" : "nl-1");
	word(q, "session", place ? "s9" : "s1");
	word(q, "user_agent", place ? "curl/8.1 (linux)" : "deploy-cli/4.2 (macOS)");
	if (!strange)
		return;
	q->actor_type = text("agent");
	q->actor_id = text("copilot");
}

/* The command for the request, at the kit's time, in kit.command. */
static void make_command(const struct request *q)
{
	uint8_t payload[REQUEST_SIZE_MAX], facts[128], seed[32] = {0}, id[16];
	struct place p = {.looked = true, .country = "NL", .network = 64500, .has_position = true, .latitude = 520000};
	struct command c = {.type = COMMAND_DECIDE,
	                    .principal = KIT_GATEWAY,
	                    .seed = seed,
	                    .request_id = id,
	                    .payload = payload,
	                    .facts = facts};
	struct writer w;

	if (q->actor_id.len > 0) {
		p.network = 64501;
		p.longitude = -430000;
	}
	kit_next_id(&kit, id);
	memcpy(seed, id, sizeof(id));
	assert_int_equal(request_encode(q, payload, sizeof(payload), &c.payload_len), 0);
	writer_init(&w, facts, sizeof(facts));
	place_facts_write(&w, &p);
	assert_int_equal(writer_end(&w, &c.facts_len), 0);
	assert_int_equal(command_encode(&c, kit.command, sizeof(kit.command), &kit.command_len), 0);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static unsigned count_signals(void)
{
	struct field f;
	struct reader r;
	uint32_t n = 0;

	assert_true(kit_field(&kit, FIELD_SIGNALS, &f));
	reader_init(&r, f.value, f.value_len);
	reader_array(&r, SIGNAL_MAX, &n);
	return n;
}

/* A life for the subject first, so that what is strange can be told from it. */
static void begin(int bias)
{
	static char yaml[POLICY_SOURCE_SIZE_MAX];
	struct request q;

	make_policy(-30000, yaml, sizeof(yaml));
	kit_new(&kit, NULL, yaml);
	make_request(&q, "ada", KNOWN);
	for (unsigned i = 0; i < 200; i++) {
		kit.now_ms += KIT_HOUR_MS / 2 + (i % 16 == 15 ? 16 * KIT_HOUR_MS : 0);
		make_command(&q);
		decide(kit.s, kit.now_ms, kit.command, kit.command_len, kit.out);
		assert_int_equal(kit.out->outcome, DECIDE_ENTRY);
		assert_int_equal(kit.out->verdict, VERDICT_ALLOW);
	}
	make_policy(bias, yaml, sizeof(yaml));
	assert_int_equal(kit_policy(&kit, yaml), DECIDE_ENTRY);
}

static void measure(const char *name, int bias, enum novelty novelty, unsigned verdict, unsigned signals)
{
	static uint64_t took[MEASURED];
	struct request q;
	unsigned n_signals = 0;

	begin(bias);
	make_request(&q, "ada", novelty);
	for (unsigned i = 0; i < WARM_UP + MEASURED; i++) {
		kit.now_ms += 50; /* What waits expires: the tables are as full as those of a cluster that is asked so
		                     often. */
		make_command(&q);
		uint64_t start = now_ns();
		decide(kit.s, kit.now_ms, kit.command, kit.command_len, kit.out);
		if (i >= WARM_UP)
			took[i - WARM_UP] = now_ns() - start;
		if (kit.out->outcome != DECIDE_ENTRY || kit.out->verdict != verdict)
			fail_msg("%s: outcome %d, %s, risk %d: %s", name, kit.out->outcome,
			         verdict_text(kit.out->verdict), (int)kit.out->risk, kit.out->text);
		if (i == WARM_UP)
			n_signals = count_signals();
	}
	qsort(took, MEASURED, sizeof(took[0]), by_size);
	printf("decide in process, %-28s %d rules, %2u signals: p50 %.1f us, p99 %.1f us, at most %.1f us\n", name,
	       RULES, n_signals, (double)took[MEASURED / 2] / 1e3, (double)took[MEASURED * 99 / 100] / 1e3,
	       (double)took[MEASURED - 1] / 1e3);
	assert_int_equal(n_signals, signals);
	kit_free(&kit);
}

/* Resident, in KiB: what the kernel says that this process holds. */
static unsigned long resident_kib(void)
{
	unsigned long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &pages), 2);
	fclose(f);
	return pages * 4;
}

/* Everybody has been asked for and then has lived a year, full in every slot and hour. Returns the mean of a past. */
static size_t fill_subjects(void)
{
	static struct past life;
	size_t sum = 0;

	for (uint32_t i = 0; i < kit.s->n_subjects; i++) {
		struct subject *u = &kit.s->subjects[i];
		if (i % 100 == 0)
			past_kit_full(&life, i);
		for (unsigned k = 0; k < PROFILE_SLOTS; k++)
			life.profile.slots[k].value += UINT64_C(0x9e3779b97f4a7c15);
		*subject_past_change(kit.s, u) = life;
		sum += pasts_packed_size(kit.s->pasts, &u->past);
	}
	return sum / kit.s->n_subjects;
}

static void measure_memory(void)
{
	static char yaml[POLICY_SOURCE_SIZE_MAX];
	unsigned long before = resident_kib(), after;
	char name[24];
	struct request q;

	make_policy(-30000, yaml, sizeof(yaml));
	kit_new(&kit, NULL, yaml);
	for (unsigned i = 0; i < SUBJECTS + 1000; i++) {
		snprintf(name, sizeof(name), "subject-%u", i);
		make_request(&q, name, i % 2 ? STRANGE : KNOWN);
		kit.now_ms += 5;
		make_command(&q);
		decide(kit.s, kit.now_ms, kit.command, kit.command_len, kit.out);
		assert_int_equal(kit.out->outcome, DECIDE_ENTRY);
	}
	assert_int_equal(kit.s->n_subjects, SUBJECTS);
	after = resident_kib();
	printf("%d subjects, asked for once or twice, with all other tables: %lu MiB\n", SUBJECTS,
	       (after - before) / 1024);
	size_t mean = fill_subjects();
	after = resident_kib();
	printf("%d subjects, all full in every slot: %zu bytes each, of them past %zu; with all other tables: %lu "
	       "MiB\n",
	       SUBJECTS, sizeof(struct subject) + mean, mean, (after - before) / 1024);
	if (sizeof(struct subject) + mean > SUBJECT_SIZE)
		fail_msg("a subject takes more than %u bytes", SUBJECT_SIZE);
	if ((after - before) / 1024 > SUBJECTS_MIB)
		fail_msg("more than %u MiB", SUBJECTS_MIB);
	kit_free(&kit);
}

/* usage: decide_cost [SHAPE]: that one alone, as a profiler wants it. */
int main(int argc, char **argv)
{
	static const struct {
		const char *name, *text;
		int bias;
		enum novelty novelty;
		unsigned verdict, signals;
	} shapes[] = {{"known", "allow, all of it known:", -30000, KNOWN, VERDICT_ALLOW, 6},
	              {"elsewhere", "deny, from elsewhere:", 60000, ELSEWHERE, VERDICT_DENY, 12},
	              {"strange", "deny, all of it strange:", 60000, STRANGE, VERDICT_DENY, 17},
	              {"step_up", "step_up, all of it strange:", 20000, STRANGE, VERDICT_STEP_UP, 17}};

	if (argc < 2)
		measure_memory();
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (argc < 2 || strcmp(argv[1], shapes[i].name) == 0)
			measure(shapes[i].text, shapes[i].bias, shapes[i].novelty, shapes[i].verdict,
			        shapes[i].signals);
	return 0;
}
