/* What tests of the front share: a front that echoes, and a raw nng client. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/front_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <nng/protocol/reqrep0/req.h>

static char folder[64];
char front_kit_url[128];
struct echo_node front_kit_node;
struct channel_keypair front_kit_alice;
static uint64_t last_timestamp;

void front_kit_enroll_alice(uint32_t roles)
{
	struct front_principal p = {.id = 7, .roles = roles};

	memcpy(p.channel_pub, front_kit_alice.pub, sizeof(p.channel_pub));
	assert_int_equal(front_set_principals(front_kit_node.front, &p, 1), 0);
}

static int start(const struct front_options *o)
{
	if (sodium_init() < 0)
		return -1;
	snprintf(folder, sizeof(folder), "/tmp/cs-front-XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(front_kit_url, sizeof(front_kit_url), "ipc://%s/front", folder);
	if (channel_keypair_random(&front_kit_alice) < 0 ||
	    echo_node_start(&front_kit_node, 1, ORIGIN, front_kit_url, o, NULL, NULL) < 0)
		return -1;
	front_kit_enroll_alice(ROLE_DECIDE);
	return 0;
}

int front_kit_setup(void **state)
{
	(void)state;
	return start(NULL);
}

int front_kit_setup_small(void **state)
{
	const struct front_options o = {.contexts = 4, .sessions_max = 4, .handshakes_per_s = 100000};

	(void)state;
	return start(&o);
}

int front_kit_setup_crowd(void **state)
{
	const struct front_options o = {.contexts = 8};

	(void)state;
	return start(&o);
}

int front_kit_setup_slow(void **state)
{
	const struct front_options o = {.handshakes_per_s = 2};

	(void)state;
	return start(&o);
}

int front_kit_teardown(void **state)
{
	(void)state;
	echo_node_stop(&front_kit_node);
	unlink(front_kit_url + strlen("ipc://"));
	return rmdir(folder);
}

nng_socket front_kit_dial_url(const char *to)
{
	nng_socket s;

	assert_int_equal(nng_req0_open(&s), 0);
	assert_int_equal(nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE), 0);
	assert_int_equal(nng_socket_set_ms(s, NNG_OPT_RECVTIMEO, TIMEOUT_MS), 0);
	assert_int_equal(nng_dial(s, to, NULL, 0), 0);
	return s;
}

nng_socket front_kit_dial(void)
{
	return front_kit_dial_url(front_kit_url);
}

nng_msg *front_kit_message(const void *frame, size_t len)
{
	nng_msg *m;

	assert_int_equal(nng_msg_alloc(&m, 0), 0);
	assert_int_equal(nng_msg_append(m, frame, len), 0);
	return m;
}

nng_msg *front_kit_exchange(nng_socket s, const void *frame, size_t len)
{
	nng_msg *m = front_kit_message(frame, len);

	assert_int_equal(nng_sendmsg(s, m, 0), 0);
	assert_int_equal(nng_recvmsg(s, &m, 0), 0);
	return m;
}

void front_kit_expect_refuse(nng_socket s, const void *frame, size_t len, int err)
{
	nng_msg *m = front_kit_exchange(s, frame, len);
	const uint8_t *b = nng_msg_body(m);

	assert_int_equal(nng_msg_len(m), 2);
	assert_int_equal(b[0], CHANNEL_REFUSE);
	assert_int_equal(-(int)b[1], err);
	nng_msg_free(m);
}

uint64_t front_kit_timestamp(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	uint64_t v = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	last_timestamp = v > last_timestamp ? v : last_timestamp + 1;
	return last_timestamp;
}

/* Returns 0, or the error of a REFUSE. */
int front_kit_handshake(nng_socket s, const struct channel_keypair *self, struct channel_session *ret)
{
	struct channel_initiator hs;
	uint8_t init[CHANNEL_INIT_SIZE];

	assert_int_equal(channel_initiate(&hs, self, front_kit_node.keys.pub, CHANNEL_CLIENT, 1, ORIGIN,
	                                  front_kit_timestamp(), init),
	                 0);
	nng_msg *m = front_kit_exchange(s, init, sizeof(init));
	const uint8_t *b = nng_msg_body(m);
	int err = nng_msg_len(m) == 2 && b[0] == CHANNEL_REFUSE ? -(int)b[1]
	                                                        : channel_finish(&hs, b, nng_msg_len(m), 0, ret);
	nng_msg_free(m);
	return err;
}

size_t front_kit_seal(struct channel_session *x, const void *plain, size_t len, uint8_t *frame)
{
	assert_int_equal(channel_seal(x, NULL, plain, len, frame), 0);
	return len + CHANNEL_OVERHEAD;
}

/* Sends plain bytes; the reply's envelope is in *ret, its memory in *ret_msg. */
void front_kit_ask(nng_socket s, struct channel_session *x, const void *plain, size_t len, struct wire_reply *ret,
                   nng_msg **ret_msg)
{
	uint8_t *frame = malloc(len + CHANNEL_OVERHEAD), *back;
	size_t n = front_kit_seal(x, plain, len, frame), back_len;

	*ret_msg = front_kit_exchange(s, frame, n);
	assert_int_equal(channel_open(x, frame, nng_msg_body(*ret_msg), nng_msg_len(*ret_msg), &back, &back_len), 0);
	assert_int_equal(wire_reply_decode(ret, back, back_len), 0);
	free(frame);
}

size_t front_kit_request(uint8_t *buf, size_t cap, unsigned type, const void *body, size_t body_len)
{
	struct wire_request r = {.type = type, .deadline_ms = 1000, .body = body, .body_len = body_len};
	size_t len;

	randombytes_buf(r.id, sizeof(r.id));
	assert_int_equal(wire_request_encode(&r, buf, cap, &len), 0);
	return len;
}

int front_kit_ask_type(nng_socket s, struct channel_session *x, unsigned type)
{
	static const uint8_t body[] = {0x92, 0x01, 0x02}; /* [1, 2] */
	uint8_t plain[128];
	struct wire_reply r;
	nng_msg *m;

	front_kit_ask(s, x, plain, front_kit_request(plain, sizeof(plain), type, body, sizeof(body)), &r, &m);
	if (r.err == 0) {
		assert_int_equal(r.body_len, sizeof(body));
		assert_memory_equal(r.body, body, sizeof(body));
	} else {
		assert_true(r.text[0] != '\0');
	}
	nng_msg_free(m);
	return r.err;
}
