/* The front: many requests in one message. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/front_kit.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <nng/protocol/reqrep0/req.h>

#include "ledger/errors.h"
#include "node/decide/command.h"

static size_t many_begin(struct writer *w, uint8_t *buf, size_t cap, unsigned n)
{
	writer_init(w, buf, cap);
	wire_many_begin(w, (const uint8_t *)"fedcba9876543210", 1000, n);
	return w->len;
}

static void many_add(struct writer *w, uint8_t number, unsigned type, const void *body, size_t len)
{
	struct wire_request r = {.id = {number}, .type = type, .deadline_ms = 1000, .body = body, .body_len = len};

	wire_many_add(w, &r);
}

/* Sends it; the parts of its reply. */
static unsigned many_ask(nng_socket s, struct channel_session *x, const struct writer *w, struct wire_reply *ret,
                         nng_msg **ret_msg)
{
	struct wire_part parts[WIRE_MANY_MAX];
	struct wire_reply whole;
	unsigned n;

	assert_int_equal(w->err, 0);
	front_kit_ask(s, x, w->base, w->len, &whole, ret_msg);
	assert_int_equal(whole.err, 0);
	assert_memory_equal(whole.id, "fedcba9876543210", 16);
	assert_int_equal(wire_many_decode(parts, &n, whole.body, whole.body_len), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(wire_reply_decode(&ret[i], parts[i].bytes, parts[i].len), 0);
	return n;
}

/* Answers the jobs of a message only when all are there, the last one first, every third with an error. */
static void answer_backwards(void *ctx, struct job *j)
{
	static struct job *kept;
	static unsigned n;
	const unsigned *all = ctx;

	j->next = kept;
	kept = j;
	if (++n < *all)
		return;
	n = 0;
	while (kept != NULL) {
		struct job *next = kept->next;
		if (kept->request.id[0] % 3 == 0)
			job_error(kept, CS_ERR_NOT_LEADER, "elsewhere", "tcp://other:1", 7);
		else
			job_reply(kept, kept->request.body, kept->request.body_len);
		kept = next;
	}
}

static void test_many(void **state)
{
	static uint8_t plain[WIRE_REQUEST_SIZE_MAX];
	static struct wire_reply r[WIRE_MANY_MAX];
	static unsigned all;
	struct channel_session x;
	struct front_stats st;
	struct writer w;
	nng_socket s = front_kit_dial();
	nng_msg *m;

	(void)state;
	front_kit_node.answer = answer_backwards;
	front_kit_node.ctx = &all;
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	for (all = WIRE_MANY_MIN; all <= WIRE_MANY_MAX; all += 31) {
		many_begin(&w, plain, sizeof(plain), all);
		for (unsigned i = 0; i < all; i++) {
			const uint8_t body[] = {0x91, (uint8_t)i};
			many_add(&w, (uint8_t)i, i % 2 == 0 ? WIRE_DECIDE : WIRE_CHECK, body, sizeof(body));
		}
		assert_int_equal(many_ask(s, &x, &w, r, &m), all);
		for (unsigned i = 0; i < all; i++) {
			assert_int_equal(r[i].id[0], i);
			assert_int_equal(r[i].err, i % 3 == 0 ? CS_ERR_NOT_LEADER : 0);
			if (i % 3 == 0)
				assert_string_equal(r[i].leader_url, "tcp://other:1");
			else
				assert_int_equal(r[i].body[1], i);
		}
		nng_msg_free(m);
	}
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.requests, 2 + 33 + 64);
	assert_int_equal(st.replies, 2 + 33 + 64);
	nng_close(s);
}

static void test_many_mixed(void **state)
{
	static uint8_t plain[WIRE_REQUEST_SIZE_MAX];
	static struct wire_reply r[WIRE_MANY_MAX];
	struct channel_session x;
	struct front_stats st;
	struct writer w;
	nng_socket s = front_kit_dial();
	nng_msg *m;

	(void)state; /* What is wrong with one is nothing to the others. */
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	many_begin(&w, plain, sizeof(plain), 8);
	many_add(&w, 1, WIRE_DECIDE, "\x90", 1);
	writer_bin(&w, "", 0);
	writer_bin(&w, "\x95\x01\xff", 3);
	many_add(&w, 4, WIRE_IMPORT, "\x90", 1); /* Not within her roles. */
	many_add(&w, 5, WIRE_HELLO, "\x90", 1);
	many_add(&w, 6, WIRE_MANY, "\x92\xc4\x00\xc4\x00", 5);
	many_add(&w, 7, WIRE_DECIDE, "\x92\x01", 2); /* Cut within its body. */
	many_add(&w, 8, WIRE_CHECK, "\x90", 1);
	assert_int_equal(many_ask(s, &x, &w, r, &m), 8);
	static const int errors[] = {0,
	                             CS_ERR_MALFORMED,
	                             CS_ERR_MALFORMED,
	                             CS_ERR_NOT_PERMITTED,
	                             CS_ERR_MALFORMED,
	                             CS_ERR_MALFORMED,
	                             CS_ERR_MALFORMED,
	                             0};
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(r[i].err, errors[i]);
	assert_non_null(strstr(r[3].text, "role import"));
	assert_non_null(strstr(r[5].text, "may be one of many"));
	assert_int_equal(r[6].id[0], 7);
	nng_msg_free(m);
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.requests, 2);
	assert_int_equal(st.malformed, 5);
	nng_close(s);
}

static void test_many_refused(void **state)
{
	static uint8_t plain[WIRE_REQUEST_SIZE_MAX + 64];
	struct channel_session x;
	struct front_stats st;
	struct wire_reply r;
	struct writer w;
	nng_socket s = front_kit_dial();
	nng_msg *m;

	(void)state; /* As a whole: nothing of it is done. */
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	for (unsigned n = 0; n <= WIRE_MANY_MAX + 1; n += n == 1 ? WIRE_MANY_MAX : 1) {
		many_begin(&w, plain, sizeof(plain), n);
		for (unsigned i = 0; i < n; i++)
			many_add(&w, 1, WIRE_DECIDE, "\x90", 1);
		front_kit_ask(s, &x, plain, w.len, &r, &m);
		assert_int_equal(r.err, n > WIRE_MANY_MAX ? CS_ERR_TOO_LARGE : CS_ERR_MALFORMED);
		nng_msg_free(m);
	}
	many_begin(&w, plain, sizeof(plain), 2);
	many_add(&w, 1, WIRE_DECIDE, "\x90", 1);
	writer_uint(&w, 7); /* Not a bin. */
	front_kit_ask(s, &x, plain, w.len, &r, &m);
	assert_int_equal(r.err, CS_ERR_MALFORMED);
	nng_msg_free(m);
	front_kit_ask(s, &x, plain, WIRE_REQUEST_SIZE_MAX + 1, &r, &m);
	assert_int_equal(r.err, CS_ERR_TOO_LARGE);
	nng_msg_free(m);
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.requests, 0);
	nng_close(s);
}

/* 300 KiB for each: only three have room in one reply. */
static void answer_big(void *ctx, struct job *j)
{
	static uint8_t big[300 << 10];
	struct writer w;

	(void)ctx;
	writer_init(&w, big, sizeof(big));
	writer_array(&w, 1);
	static const uint8_t zeros[(300 << 10) - 16];
	writer_bin(&w, zeros, sizeof(zeros));
	job_reply(j, big, w.len);
}

static void test_many_overflow(void **state)
{
	static uint8_t plain[4096];
	static struct wire_reply r[WIRE_MANY_MAX];
	struct channel_session x;
	struct writer w;
	nng_socket s = front_kit_dial();
	nng_msg *m;

	(void)state;
	front_kit_node.answer = answer_big;
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	many_begin(&w, plain, sizeof(plain), 6);
	for (unsigned i = 0; i < 6; i++)
		many_add(&w, (uint8_t)i, WIRE_DECIDE, "\x90", 1);
	assert_int_equal(many_ask(s, &x, &w, r, &m), 6);
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(r[i].err, i < 3 ? 0 : CS_ERR_TOO_LARGE);
		assert_int_equal(r[i].id[0], i);
	}
	nng_msg_free(m);
	nng_close(s);
}

static void test_many_hostile(void **state)
{
	uint8_t good[256], plain[256];
	struct channel_session x;
	struct wire_reply r;
	struct writer w;
	nng_socket s = front_kit_dial();
	nng_msg *m;

	(void)state; /* Any byte changed: some answer, and the next is served. */
	assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
	many_begin(&w, good, sizeof(good), 3);
	for (unsigned i = 0; i < 3; i++)
		many_add(&w, (uint8_t)i, WIRE_DECIDE, "\x91\x01", 2);
	for (size_t at = 0; at < w.len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(plain, good, w.len);
			plain[at] ^= (uint8_t)(1u << bit);
			front_kit_ask(s, &x, plain, w.len, &r, &m);
			nng_msg_free(m);
		}
	assert_int_equal(front_kit_ask_type(s, &x, WIRE_HELLO), 0);
	nng_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_many, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_many_mixed, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_many_refused, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_many_overflow, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_many_hostile, front_kit_setup, front_kit_teardown),
	};

	int failed = cmocka_run_group_tests_name("front_many", tests, NULL, NULL);
	nng_fini(); /* Waits for what nng frees on a thread of its own, so that a leak checker finds no leak. */
	return failed;
}
