/* The reading room over a real store: answers that wait, for whom they wait, and with which words they are refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/tree.h"
#include "node/clock.h"
#include "node/pace.h"
#include "node/readers.h"
#include "tests/verify_fixture.h"

#define READER 9

static struct fixture f;
static char folder[64], witnessed[96];
static struct store *store;
static struct ledger_writer *writer;
static struct board *board;
static struct readlog *readlog;
static struct reading_room *room;

/* A question, and what came of it. */
struct asked {
	struct job job; /* First: it is found by it. */
	uint8_t body[LIMIT_NOTE_SIZE_MAX + 64];
	sem_t done;
	int err;
	uint32_t retry_ms;
	char text[WIRE_TEXT_SIZE_MAX];
	size_t len;
	uint8_t reply[8192];
};

void job_reply(struct job *j, const void *body, size_t len)
{
	struct asked *a = (struct asked *)j;

	a->err = len <= sizeof a->reply ? 0 : CS_ERR_TOO_LARGE;
	a->len = len;
	if (!a->err)
		memcpy(a->reply, body, len);
	sem_post(&a->done);
}

void job_error(struct job *j, int err, const char *text, const char *leader_url, uint32_t retry_ms)
{
	struct asked *a = (struct asked *)j;

	(void)leader_url;
	a->err = err;
	a->retry_ms = retry_ms;
	snprintf(a->text, sizeof a->text, "%s", text ? text : "");
	sem_post(&a->done);
}

/* The room has no scrubber. */
void scrubber_ask(struct scrubber *s)
{
	(void)s;
	abort();
}

void scrubber_state(struct scrubber *s, struct wire_scrub *ret)
{
	(void)s;
	(void)ret;
	abort();
}

void scrubber_met(struct scrubber *s, unsigned level, uint64_t number)
{
	(void)s;
	(void)level;
	(void)number;
	abort();
}

static void progress(void *ctx)
{
	(void)ctx;
	board_ring(board);
}

__attribute__((noreturn)) static void fatal(void *ctx, int err, const char *what)
{
	(void)ctx;
	fprintf(stderr, "%s: %s\n", what, err_text(err));
	abort();
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static void ignore_size(void *ctx, uint64_t size)
{
	(void)ctx;
	(void)size;
}

static void want_proof(void *ctx, uint64_t index)
{
	(void)ctx;
	board_want_proof(board, index);
}

static void push_entries(void)
{
	struct entries *b = entries_new(1, 1, 0, FIXTURE_ENTRIES);

	assert_non_null(b);
	for (unsigned i = 0; i < FIXTURE_ENTRIES; i++) {
		const struct fixture_entry *e = &f.entry[i];
		assert_int_equal(entries_add(b, e->leaf, e->leaf_len, e->body, e->body_len, &e->hash), 0);
	}
	entries_seal(b);
	ledger_writer_push(writer, b);
	ledger_writer_flush(writer);
	if (ledger_writer_held(writer))
		return;
	for (uint64_t seen = 0; ledger_writer_stored_size(writer) < FIXTURE_ENTRIES;)
		board_wait(board, &seen, clock_mono_ns() + 100 * NS_PER_MS);
}

static void lead(uint64_t leader)
{
	const struct wire_status s = {.node_id = 1, .leader_id = leader, .size = FIXTURE_ENTRIES};

	board_set_status(board, &s, "");
}

static int open_room(void)
{
	const struct reader_options r = {.node_id = 1,
	                                 .origin = FIXTURE_ORIGIN,
	                                 .witnessed = witnessed,
	                                 .store = store,
	                                 .writer = writer,
	                                 .board = board,
	                                 .readlog = readlog,
	                                 .noted = ignore,
	                                 .want_proof = want_proof,
	                                 .want_cosigned = ignore_size};
	struct witness_members m = {.n = FIXTURE_NODES, .majority = 2};
	const struct witness one = {.principal = READER, .key = f.witness.key};

	if (reading_room_open(&r, &room))
		return -1;
	for (unsigned i = 0; i < FIXTURE_NODES; i++) {
		m.list[i].log_key = f.log[i].key;
		m.list[i].cosigner_key = f.cosigner[i].key;
	}
	reading_room_set_witnesses(room, &one, 1);
	reading_room_set_members(room, &m);
	return 0;
}

static bool held;

static int setup(void **state)
{
	const struct store_options o = {.map_size = 1 << 24, .create = true};
	struct ledger_writer_options w = {.interval_ms = 10, .progress = progress, .fatal = fatal};

	(void)state;
	snprintf(folder, sizeof folder, "%s/readers-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(folder) || store_open(folder, &o, &store) || board_new(&board) || readlog_new(&readlog))
		return -1;
	w.store = store;
	if (ledger_writer_open(&w, &writer))
		return -1;
	snprintf(witnessed, sizeof witnessed, "%s/witnessed", folder);
	if (open_room())
		return -1;
	ledger_writer_hold(writer, held);
	push_entries();
	lead(1);
	return 0;
}

static int setup_held(void **state)
{
	held = true;
	int err = setup(state);
	held = false;
	return err;
}

static int teardown(void **state)
{
	char path[100];

	(void)state;
	reading_room_close(room);
	ledger_writer_close(writer);
	store_close(store);
	readlog_free(readlog);
	board_free(board);
	unlink(witnessed);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, i == 0 ? "data.mdb" : i == 1 ? "lock.mdb" : "");
		if (i < 2 ? unlink(path) : rmdir(path))
			return -1;
	}
	return 0;
}

/* Asks with the body that w has written to a->body. */
static void ask(struct asked *a, unsigned type, uint32_t roles, const struct writer *w, unsigned deadline_ms)
{
	memset(&a->job, 0, sizeof a->job);
	a->err = 1;
	a->retry_ms = 0;
	a->text[0] = 0;
	sem_init(&a->done, 0, 0);
	a->job.principal = READER;
	a->job.roles = roles;
	a->job.received_ns = clock_mono_ns();
	a->job.deadline_ns = a->job.received_ns + deadline_ms * NS_PER_MS;
	a->job.request.type = type;
	a->job.request.body = a->body;
	assert_int_equal(writer_end(w, &a->job.request.body_len), 0);
	reading_room_submit(room, &a->job);
}

static void ask_entry(struct asked *a, uint64_t index, unsigned deadline_ms)
{
	struct writer w;

	writer_init(&w, a->body, sizeof a->body);
	writer_array(&w, 3);
	writer_uint(&w, index);
	writer_uint(&w, 1);
	writer_uint(&w, 0);
	ask(a, WIRE_ENTRIES, ROLE_AUDIT, &w, deadline_ms);
}

/* need: of the three members' cosigner keys. */
static void ask_proof(struct asked *a, unsigned need, unsigned wait_ms)
{
	struct writer w;

	writer_init(&w, a->body, sizeof a->body);
	writer_array(&w, need ? 4 : 2);
	writer_uint(&w, 4);
	writer_uint(&w, wait_ms);
	if (need) {
		writer_uint(&w, need);
		writer_array(&w, FIXTURE_NODES);
		for (unsigned i = 0; i < FIXTURE_NODES; i++)
			writer_uint(&w, f.cosigner[i].key.id);
	}
	ask(a, WIRE_PROVE, ROLE_DECIDE, &w, 10000);
}

static bool done_within(struct asked *a, unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += ms / 1000 + (unsigned)(t.tv_nsec / 1000000000);
	t.tv_nsec %= 1000000000;
	return sem_timedwait(&a->done, &t) == 0;
}

/* --- the log of readers --- */

static void test_unlogged(void **unused)
{
	static struct asked a;

	(void)unused;
	readlog_switch(readlog, true);
	ask_entry(&a, 3, 100);
	assert_true(done_within(&a, 5000));
	assert_int_equal(a.err, CS_ERR_OVERLOADED);
	assert_non_null(
	        strstr(a.text, "overloaded: private fields are shown only once the ledger says who reads them"));
	assert_in_range(a.retry_ms, WIRE_HELD_MS / 2, PACE_RETRY_MS_MAX);
	lead(0);
	ask_entry(&a, 3, 100);
	assert_true(done_within(&a, 5000));
	assert_int_equal(a.err, CS_ERR_NO_QUORUM);
	assert_non_null(strstr(a.text, "without a quorum nothing is logged"));
	assert_int_equal(a.retry_ms, 0);
}

static void test_logged(void **unused)
{
	static struct readlog_batch b;
	static struct asked a;

	(void)unused;
	readlog_switch(readlog, true);
	ask_entry(&a, 3, 10000);
	for (unsigned tries = 0; !done_within(&a, 10); tries++) {
		assert_true(tries < 1000);
		if (readlog_next(readlog, clock_mono_ns(), 1700000000000, &b))
			readlog_applied(readlog, b.id, clock_mono_ns());
		board_ring(board);
	}
	assert_int_equal(a.err, 0);
	ask_entry(&a, 3, 10000); /* Who goes on is answered at once. */
	assert_true(done_within(&a, 5000));
	assert_int_equal(a.err, 0);
}

/* Notes beyond all bounds: that, too, says when to come again. */
static void test_too_much(void **unused)
{
	struct read_log one = {.n_rows = 1, .n_lookups = 1};
	static struct asked a;
	uint64_t ticket;
	char text[24];
	int err = 0;

	(void)unused;
	readlog_switch(readlog, true);
	for (unsigned i = 0; !err; i++) { /* Each search is an entry of its own. */
		assert_true(i < 10000);
		snprintf(text, sizeof text, "somebody-%u", i);
		one.rows[0] = (struct read_row){.principal = READER + 1, .what = READ_SEARCH, .reads = 1};
		one.lookups[0] = (struct read_lookup){FIELD_SUBJECT, {text, strlen(text)}};
		err = readlog_note(readlog, &one, clock_mono_ns(), &ticket);
	}
	assert_int_equal(err, CS_ERR_OVERLOADED);
	ask_entry(&a, 3, 5000);
	assert_true(done_within(&a, 5000));
	assert_int_equal(a.err, CS_ERR_OVERLOADED);
	assert_non_null(strstr(a.text, "too much waits to be logged as read"));
	assert_true(a.retry_ms > 0);
}

/* --- whose cosignatures a proof waits for --- */

static void cosigned_by(unsigned cosigners, char note[LIMIT_NOTE_SIZE_MAX])
{
	struct fixture_signers by = {.logs = 1, .cosigners = cosigners};
	size_t len = fixture_checkpoint(&f, FIXTURE_ENTRIES, by, note);

	board_set_cosigned_note(board, FIXTURE_ENTRIES, note, len);
	board_cosigned_reached(board);
}

static bool has_note(const struct asked *a, const char *note)
{
	return a->err == 0 && memmem(a->reply, a->len, note, strlen(note)) != NULL;
}

static void test_members(void **unused)
{
	static char two[LIMIT_NOTE_SIZE_MAX], three[LIMIT_NOTE_SIZE_MAX];
	static struct asked a;

	(void)unused;
	cosigned_by(5, two);
	ask_proof(&a, 0, 5000);
	assert_true(done_within(&a, 2000));
	assert_true(has_note(&a, two));
	ask_proof(&a, 2, 5000);
	assert_true(done_within(&a, 2000));
	assert_true(has_note(&a, two));
	/* A third is not there: held until the time is over, and then what there is. */
	ask_proof(&a, 3, 60);
	assert_true(done_within(&a, 2000));
	assert_true(clock_mono_ns() - a.job.received_ns >= 60 * NS_PER_MS);
	assert_true(has_note(&a, two));
	/* Or until it comes. */
	ask_proof(&a, 3, 8000);
	assert_false(done_within(&a, 50));
	cosigned_by(7, three);
	assert_true(done_within(&a, 2000));
	assert_true(has_note(&a, three));
}

/* --- what witnesses have cosigned --- */

static void ask_witnessed(struct asked *a)
{
	struct writer w;

	writer_init(&w, a->body, sizeof a->body);
	writer_array(&w, 4);
	writer_uint(&w, 4);
	writer_uint(&w, 200);
	writer_uint(&w, 1);
	writer_array(&w, 1);
	writer_uint(&w, f.witness.key.id);
	ask(a, WIRE_PROVE, ROLE_DECIDE, &w, 10000);
}

/* It is there again after a restart. */
static void test_witnessed(void **unused)
{
	static char note[LIMIT_NOTE_SIZE_MAX], members[LIMIT_NOTE_SIZE_MAX];
	const struct fixture_signers by = {.logs = 1, .cosigners = 7, .witness = true};
	static struct asked a;
	struct writer w;

	(void)unused;
	cosigned_by(7, members);
	ask_witnessed(&a);
	assert_true(done_within(&a, 2000));
	assert_true(has_note(&a, members)); /* Better than nothing. */
	size_t len = fixture_checkpoint(&f, FIXTURE_ENTRIES, by, note);
	writer_init(&w, a.body, sizeof a.body);
	writer_array(&w, 3);
	writer_uint(&w, 0);
	writer_uint(&w, 0);
	writer_str(&w, note, len);
	ask(&a, WIRE_WITNESS, ROLE_WITNESS, &w, 10000);
	assert_true(done_within(&a, 2000));
	assert_int_equal(a.err, 0);
	for (unsigned start = 0; start < 2; start++) {
		ask_witnessed(&a);
		assert_true(done_within(&a, 2000));
		assert_true(has_note(&a, note));
		reading_room_close(room);
		assert_int_equal(open_room(), 0);
	}
}

/* --- what is not stored yet --- */

static void prove_as_core(void)
{
	uint64_t wanted[BOARD_PROOFS_MAX];
	struct board_proof p = {.n = 0};
	struct tree *t;
	unsigned n = 0;

	for (unsigned tries = 0; !n; tries++) {
		assert_true(tries < 2000);
		usleep(1000);
		n = board_wanted_proofs(board, FIXTURE_ENTRIES, wanted);
	}
	assert_int_equal(n, 1);
	p.index = wanted[0];
	assert_int_equal(tree_new(&(struct tree_tiles){0}, &t), 0);
	for (unsigned i = 0; i < FIXTURE_ENTRIES; i++)
		assert_int_equal(tree_append(t, &f.entry[i].hash), 0);
	board_reached_note(board, &p.note);
	assert_int_equal(tree_inclusion(t, p.index, p.note.size, p.hashes, &p.n), 0);
	tree_free(t);
	board_set_proof(board, &p);
	board_ring(board);
}

/* The core proves it, and nobody waits for the disk. */
static void test_prompt(void **unused)
{
	static char note[LIMIT_NOTE_SIZE_MAX];
	static struct asked a;

	(void)unused;
	ask_proof(&a, 0, 8000);
	assert_false(done_within(&a, 20));
	cosigned_by(7, note);
	prove_as_core();
	assert_true(done_within(&a, 2000));
	assert_true(has_note(&a, note));
	assert_non_null(memmem(a.reply, a.len, f.entry[4].leaf, f.entry[4].leaf_len));
	assert_null(memmem(a.reply, a.len, "db-1", 4)); /* It is no auditor's. */
	assert_int_equal(ledger_writer_stored_size(writer), 0);
	/* Who asks later is not given what was made under an older note. */
	static char newer[LIMIT_NOTE_SIZE_MAX];
	cosigned_by(3, newer);
	ask_proof(&a, 0, 8000);
	prove_as_core();
	assert_true(done_within(&a, 2000));
	assert_true(has_note(&a, newer));
	cosigned_by(7, note);
	/* Once the note is there already, too; and an auditor is shown what is private. */
	struct writer w;
	writer_init(&w, a.body, sizeof a.body);
	writer_array(&w, 2);
	writer_uint(&w, 7);
	writer_uint(&w, 8000);
	ask(&a, WIRE_PROVE, ROLE_AUDIT, &w, 10000);
	prove_as_core();
	assert_true(done_within(&a, 2000));
	assert_true(has_note(&a, note));
	assert_non_null(memmem(a.reply, a.len, "db-1", 4));
	assert_int_equal(ledger_writer_stored_size(writer), 0);
	/* A page of entries that were decided waits until they are stored, however short its own waiting. */
	ledger_writer_hold(writer, false);
	ask_entry(&a, 4, 8000);
	assert_true(done_within(&a, 2000));
	assert_int_equal(a.err, 0);
	assert_non_null(memmem(a.reply, a.len, f.entry[4].leaf, f.entry[4].leaf_len));
	assert_int_equal(ledger_writer_stored_size(writer), FIXTURE_ENTRIES);
}

/* A note of more entries than this node has: its bringer is told of what there is, and sees that it went back. */
static void test_beyond(void **unused)
{
	static char note[LIMIT_NOTE_SIZE_MAX], offered[LIMIT_NOTE_SIZE_MAX];
	const struct fixture_signers by = {.logs = 1, .cosigners = 7, .witness = true};
	static struct asked a;
	struct writer w;

	(void)unused;
	size_t offered_len = fixture_checkpoint(&f, 5, by, offered);
	board_set_cosigned_note(board, 5, offered, offered_len);
	board_cosigned_reached(board);
	size_t len = fixture_checkpoint(&f, FIXTURE_ENTRIES, by, note);
	writer_init(&w, a.body, sizeof a.body);
	writer_array(&w, 3);
	writer_uint(&w, FIXTURE_ENTRIES);
	writer_uint(&w, 50);
	writer_str(&w, note, len);
	ask(&a, WIRE_WITNESS, ROLE_WITNESS, &w, 10000); /* The store is held: nothing of it is there. */
	assert_true(done_within(&a, 2000));
	assert_true(has_note(&a, offered));
}

#define ROOM_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {ROOM_TEST(test_unlogged),
	                                   ROOM_TEST(test_logged),
	                                   ROOM_TEST(test_too_much),
	                                   ROOM_TEST(test_members),
	                                   ROOM_TEST(test_witnessed),
	                                   cmocka_unit_test_setup_teardown(test_prompt, setup_held, teardown),
	                                   cmocka_unit_test_setup_teardown(test_beyond, setup_held, teardown)};

	fixture_init(&f);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fixture_free(&f);
	return failed;
}
