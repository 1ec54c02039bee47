/* The front: full tables, strangers that come and go, too many handshakes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/front_kit.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char url_tcp[64];

static void test_full_table(void **state)
{
	struct channel_keypair keys[6];
	struct front_principal p[6];
	struct channel_session x[6], own[4];
	struct front_stats st;
	uint8_t plain[128], frame[256];
	nng_socket s = front_kit_dial();

	(void)state; /* Four sessions at once, two of one key. */
	for (unsigned i = 0; i < 6; i++) {
		assert_int_equal(channel_keypair_random(&keys[i]), 0);
		p[i] = (struct front_principal){.id = i + 1, .roles = ROLE_DECIDE};
		memcpy(p[i].channel_pub, keys[i].pub, 32);
	}
	assert_int_equal(front_set_principals(front_kit_node.front, p, 6), 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(front_kit_handshake(s, &keys[i], &x[i]), 0);
	for (unsigned i = 4; i > 0; i--) /* 3 is now the longest idle one. */
		assert_int_equal(front_kit_ask_type(s, &x[i - 1], WIRE_HELLO), 0);
	assert_int_equal(front_kit_handshake(s, &keys[4], &x[4]), 0);
	size_t n = front_kit_seal(&x[3], plain, front_kit_request(plain, sizeof(plain), WIRE_HELLO, "\x90", 1), frame);
	front_kit_expect_refuse(s, frame, n, CS_ERR_UNAUTHENTICATED);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(front_kit_ask_type(s, &x[i], WIRE_HELLO), 0);
	assert_int_equal(front_kit_ask_type(s, &x[4], WIRE_HELLO), 0);
	/* One key cannot take the others' places: its third session costs it its first. */
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(front_kit_handshake(s, &keys[5], &own[i]), 0);
		assert_int_equal(front_kit_ask_type(s, &own[i], WIRE_HELLO), 0);
	}
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.sessions, 4);
	assert_int_equal(front_kit_ask_type(s, &x[2], WIRE_HELLO), 0);
	assert_int_equal(front_kit_ask_type(s, &x[4], WIRE_HELLO), 0);
	nng_close(s);
}

/* Connects and leaves at once; over TCP with a FIN, then a RST. */
static void stranger(const struct sockaddr *address, socklen_t len)
{
	const struct linger linger = {.l_onoff = 1};
	int fd = socket(address->sa_family, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, address, len), 0);
	shutdown(fd, SHUT_WR);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
}

static void test_strangers(void **state)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct channel_session x;

	(void)state; /* nng 1.5.2 alone accepts nobody after the first of them (front_sendmsg.c). */
	assert_true(strlen(front_kit_url) < sizeof(un.sun_path));
	strcpy(un.sun_path, front_kit_url + strlen("ipc://"));
	for (unsigned i = 0; i < 20; i++) {
		stranger((const struct sockaddr *)&un, sizeof(un));
		nng_socket s = front_kit_dial();
		assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
		assert_int_equal(front_kit_ask_type(s, &x, WIRE_HELLO), 0);
		nng_close(s);
	}
}

static void test_strangers_tcp(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(in);
	struct channel_session x;
	struct echo_node tcp;
	struct front_principal p = {.id = 7, .roles = ROLE_DECIDE};

	(void)state;
	int fd = socket(AF_INET, SOCK_STREAM, 0); /* A free port. */
	assert_int_equal(bind(fd, (const struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	close(fd);
	snprintf(url_tcp, sizeof(url_tcp), "tcp://127.0.0.1:%u", ntohs(in.sin_port));
	assert_int_equal(echo_node_start(&tcp, 1, ORIGIN, url_tcp, &(struct front_options){.keys = front_kit_node.keys},
	                                 NULL, NULL),
	                 0);
	memcpy(p.channel_pub, front_kit_alice.pub, sizeof(p.channel_pub));
	assert_int_equal(front_set_principals(tcp.front, &p, 1), 0);
	for (unsigned i = 0; i < 20; i++) {
		stranger((const struct sockaddr *)&in, sizeof(in));
		nng_socket s = front_kit_dial_url(url_tcp);
		assert_int_equal(front_kit_handshake(s, &front_kit_alice, &x), 0);
		assert_int_equal(front_kit_ask_type(s, &x, WIRE_HELLO), 0);
		nng_close(s);
	}
	echo_node_stop(&tcp);
}

static void test_handshake_rate(void **state)
{
	struct channel_session x;
	struct front_stats st;
	unsigned accepted = 0;
	nng_socket s = front_kit_dial();

	(void)state; /* Two a second, half of it for one address. */
	for (unsigned i = 0; i < 20; i++) {
		int err = front_kit_handshake(s, &front_kit_alice, &x);
		assert_true(err == 0 || err == CS_ERR_OVERLOADED);
		accepted += err == 0;
	}
	assert_in_range(accepted, 1, 19);
	front_stats(front_kit_node.front, &st);
	assert_int_equal(st.handshakes, accepted);
	assert_int_equal(st.refused_handshakes, 20 - accepted);
	assert_int_equal(front_kit_ask_type(s, &x, WIRE_HELLO), 0);
	nng_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_full_table, front_kit_setup_small, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_strangers, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_strangers_tcp, front_kit_setup, front_kit_teardown),
	        cmocka_unit_test_setup_teardown(test_handshake_rate, front_kit_setup_slow, front_kit_teardown),
	};

	int failed = cmocka_run_group_tests_name("front_strangers", tests, NULL, NULL);
	nng_fini(); /* Waits for what nng frees on a thread of its own, so that a leak checker finds no leak. */
	return failed;
}
