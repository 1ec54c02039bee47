/* Random commands decided one after another, and a hash of all that came of them: two builds must print the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/multiset.h"
#include "tests/decide_gen.h"

#define ERA         10000 /* Commands in one cluster's life; then another policy, other limits. */
#define TAKE        64    /* Commands, about, between two write-backs. */
#define RECORDS_MAX 65536 /* Of one state, here. */
#define KINDS_MAX   32
#define GROWTH_KIB                                                                                                     \
	65536      /* Of memory at its peak, after each of the limits had its turn: an allocator's ways, no leak. */
#define WATCH_S 60 /* No command takes as long, under any sanitizer: decide does not end. */

/* Small tables, so that each fills, evicts and refuses; and the ones that a cluster has. */
static const struct state_limits limits[] = {{.subjects_max = 5,
                                              .principals_max = 9,
                                              .people_max = 4,
                                              .challenges_max = 40,
                                              .challenges_per_principal_max = 25,
                                              .requests_max = 24,
                                              .requests_per_principal_max = 14,
                                              .requests_window_ms = 120000},
                                             {.subjects_max = 64, .requests_max = 2048},
                                             {0}};

static struct gen gen;
static crypto_generichash_state hash;

/* --- the records that a store would hold --- */

struct record {
	uint8_t key[16], *value;
	size_t key_len, value_len;
};
static struct record records[RECORDS_MAX];
static size_t n_records, record_bytes, record_bytes_most;
static struct multiset sum;

static size_t record_slot(const void *key, size_t len)
{
	uint8_t short_hash[crypto_shorthash_BYTES];
	static const uint8_t no_key[crypto_shorthash_KEYBYTES];
	uint64_t h;

	crypto_shorthash(short_hash, key, len, no_key);
	memcpy(&h, short_hash, sizeof(h));
	size_t i = h % RECORDS_MAX;
	while (records[i].key_len != 0 && (records[i].key_len != len || memcmp(records[i].key, key, len) != 0))
		i = (i + 1) % RECORDS_MAX;
	return i;
}

static void fail(const char *what)
{
	fprintf(stderr, "determinism: step %" PRIu64 ": %s\n", gen.steps, what);
	exit(1);
}

static void mix(const void *bytes, size_t len)
{
	uint8_t n[8];

	put_u64be(n, len);
	crypto_generichash_update(&hash, n, sizeof(n));
	crypto_generichash_update(&hash, bytes, len);
}

static void mix_number(uint64_t v)
{
	uint8_t n[8];

	put_u64be(n, v);
	crypto_generichash_update(&hash, n, sizeof(n));
}

/* Deleted records keep their place with no value. */
static int put(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	struct record *r = &records[record_slot(key, key_len)];
	uint8_t kind = *(const uint8_t *)key;

	(void)ctx;
	mix(key, key_len);
	mix(value, value_len);
	if (r->key_len == 0 && ++n_records == RECORDS_MAX)
		fail("more records than a state can have");
	memcpy(r->key, key, key_len);
	r->key_len = key_len;
	if (r->value != NULL) {
		multiset_remove(&sum, kind, r->value, r->value_len);
		record_bytes -= r->value_len;
		free(r->value);
	}
	r->value = value == NULL ? NULL : malloc(value_len > 0 ? value_len : 1);
	r->value_len = value_len;
	if (value == NULL)
		return 0;
	if (r->value == NULL)
		fail("no memory");
	memcpy(r->value, value, value_len);
	multiset_add(&sum, kind, value, value_len);
	record_bytes += value_len;
	record_bytes_most = record_bytes > record_bytes_most ? record_bytes : record_bytes_most;
	return 0;
}

static void records_clear(void)
{
	for (size_t i = 0; i < RECORDS_MAX; i++)
		free(records[i].value);
	memset(records, 0, sizeof(records));
	n_records = record_bytes = 0;
	memset(&sum, 0, sizeof(sum));
}

static void take(void)
{
	struct hash digest;

	if (state_take_dirty(gen.kit.s, put, NULL) != 0 || state_dirty(gen.kit.s) != 0)
		fail("the records cannot be taken");
	multiset_digest(&sum, &digest);
	mix(digest.b, sizeof(digest.b));
}

/* --- what came of a command --- */

static struct {
	uint64_t outcomes[DECIDE_NEWER + 1], kinds[KINDS_MAX], verdicts[VERDICT_DENY + 1];
	uint64_t policies, policies_refused;
	double slowest_us;
} seen;

static void account(void)
{
	const struct decide_out *o = gen.kit.out;

	mix(gen.kit.command, gen.kit.command_len);
	mix_number(o->outcome);
	seen.outcomes[o->outcome]++;
	if (o->outcome == DECIDE_REFUSED || o->outcome == DECIDE_NEWER) {
		mix_number((uint64_t)o->err);
		mix(o->text, strlen(o->text));
		return;
	}
	mix_number(o->index);
	mix_number(o->verdict);
	if (o->outcome != DECIDE_ENTRY)
		return;
	mix_number((uint64_t)o->risk);
	mix(o->leaf, o->leaf_len);
	mix(o->body, o->body_len);
	mix(o->leaf_hash.b, sizeof(o->leaf_hash.b));
	seen.kinds[o->kind % KINDS_MAX]++;
	seen.verdicts[o->verdict]++;
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void era(uint64_t seed, uint64_t n)
{
	uint64_t number = seed % (sizeof(limits) / sizeof(limits[0]));

	gen_open(&gen, seed, &limits[number], NULL);
	for (uint64_t i = 0; i < n; i++) {
		double start_us = now_us();
		alarm(WATCH_S);
		gen_step(&gen);
		double took_us = now_us() - start_us;
		seen.slowest_us = took_us > seen.slowest_us ? took_us : seen.slowest_us;
		if (gen.kit.command_len > 0)
			account();
		if (gen_below(&gen, TAKE) == 0)
			take();
	}
	take();
	seen.policies += gen.policies;
	seen.policies_refused += gen.policies_refused;
	gen_close(&gen);
	records_clear();
}

static long peak_kib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

/* The hash of all so far, without ending it. */
static void print_hash(uint64_t n)
{
	crypto_generichash_state copy = hash;
	uint8_t h[32];
	char hex[2 * sizeof(h) + 1];

	crypto_generichash_final(&copy, h, sizeof(h));
	printf("%" PRIu64 " %s\n", n, sodium_bin2hex(hex, sizeof(hex), h, sizeof(h)));
	fflush(stdout);
}

static void print_seen(double took_s, uint64_t n, long first_kib)
{
	fprintf(stderr,
	        "%" PRIu64 " commands in %.1f s; %" PRIu64 " entries, %" PRIu64 " repeated, %" PRIu64
	        " refused, %" PRIu64 " of later builds\n",
	        n, took_s, seen.outcomes[DECIDE_ENTRY], seen.outcomes[DECIDE_REPEAT], seen.outcomes[DECIDE_REFUSED],
	        seen.outcomes[DECIDE_NEWER]);
	for (unsigned k = 0; k < KINDS_MAX; k++)
		if (seen.kinds[k] > 0)
			fprintf(stderr, "  %s %" PRIu64, entry_kind_text(k), seen.kinds[k]);
	fprintf(stderr, "\n");
	for (unsigned v = VERDICT_ALLOW; v <= VERDICT_DENY; v++)
		fprintf(stderr, "  %s %" PRIu64, verdict_text(v), seen.verdicts[v]);
	fprintf(stderr,
	        "\npolicies set %" PRIu64 ", not compiled %" PRIu64
	        "; slowest step %.0f us; records at most %zu bytes; memory at most %ld KiB, %ld after the first eras\n",
	        seen.policies, seen.policies_refused, seen.slowest_us, record_bytes_most, peak_kib(), first_kib);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
	        {"commands", required_argument, NULL, 'c'}, {"seed", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
	uint64_t n = 30000, seed = 1, done = 0;
	long first_kib = 0;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'c')
			n = strtoull(optarg, NULL, 10);
		else if (o == 's')
			seed = strtoull(optarg, NULL, 10);
		else
			return 2;
	}
	if (sodium_init() < 0)
		return 1;
	crypto_generichash_init(&hash, NULL, 0, 32);
	double start_us = now_us();
	for (uint64_t k = 0; done < n; k++) {
		uint64_t some = n - done < ERA ? n - done : ERA;
		era(seed + k, some);
		done += some;
		print_hash(done);
		/* By then each of the limits has had its turn. */
		if (k == sizeof(limits) / sizeof(limits[0]) - 1)
			first_kib = peak_kib();
	}
	print_seen((now_us() - start_us) / 1e6, n, first_kib);
	if (first_kib > 0 && peak_kib() > first_kib + first_kib / 2 + GROWTH_KIB)
		fail("memory grows with the number of commands");
	return 0;
}
