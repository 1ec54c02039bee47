/* A running cluster against strangers: wrong keys, oversized and malformed messages are refused, and it goes on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/wire/channel.h"
#include "node/wire/keyfile.h"
#include "node/wire/limits.h"
#include "tests/cluster.h"

static struct cluster cluster;
static struct cluster_file file;

static void fail(const char *what)
{
	fprintf(stderr, "FAILED: %s\n", what);
	abort();
}

/* The cluster still decides, with a proof that holds. */
static void check_alive(cs_client *client, const char *after)
{
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "alice",
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main"};
	cs_result *result;

	if (cs_decide(client, &r, &result)) {
		fprintf(stderr, "after %s: %s\n", after, cs_last_error());
		abort();
	}
	if (!result->proven)
		fail("no proof");
	cs_result_free(result);
	fprintf(stderr, "goes on after %s\n", after);
}

/* Sends bytes to node 1 as a stranger; the frame type of the answer, 0 if none comes. */
static int send_stranger(const void *bytes, size_t len)
{
	nng_socket s;
	void *reply;
	size_t reply_len;
	int type = 0;

	if (nng_req0_open(&s) || nng_dial(s, file.nodes[0].url, NULL, 0))
		fail("dialling");
	nng_setopt_ms(s, NNG_OPT_RECVTIMEO, 500);
	nng_setopt_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (nng_send(s, (void *)(uintptr_t)bytes, len, 0))
		fail("sending");
	if (nng_recv(s, &reply, &reply_len, NNG_FLAG_ALLOC) == 0) {
		type = channel_frame_type(reply, reply_len);
		nng_free(reply, reply_len);
	}
	nng_close(s);
	return type;
}

static void expect_refused(const void *bytes, size_t len, const char *what)
{
	int type = send_stranger(bytes, len);

	if (type != 0 && type != CHANNEL_REFUSE)
		fail(what);
}

static void test_malformed(void)
{
	static uint8_t bytes[WIRE_REQUEST_SIZE_MAX * 4];

	for (int type = 0; type < 8; type++) {
		randombytes_buf(bytes, 256);
		bytes[0] = (uint8_t)type;
		for (size_t len = 1; len <= 256; len *= 4)
			expect_refused(bytes, len, "a malformed message was answered");
	}
	randombytes_buf(bytes, sizeof bytes);
	bytes[0] = CHANNEL_DATA;
	expect_refused(bytes, sizeof bytes, "an oversized message was answered");
}

/* A well-formed handshake with a key that nobody enrolled. */
static void test_unknown_key(void)
{
	uint8_t frame[CHANNEL_INIT_SIZE];
	struct channel_initiator hs;
	struct channel_keypair keys;

	channel_keypair_random(&keys);
	if (channel_initiate(&hs, &keys, file.nodes[0].channel_pub, CHANNEL_CLIENT, 1, file.origin, UINT64_C(1) << 62,
	                     frame))
		fail("making a handshake");
	if (send_stranger(frame, sizeof frame) != CHANNEL_REFUSE)
		fail("an unknown key was not refused");
	/* And for another node, or as a node. */
	if (channel_initiate(&hs, &keys, file.nodes[0].channel_pub, CHANNEL_NODE, 1, file.origin, UINT64_C(1) << 62,
	                     frame))
		fail("making a handshake");
	expect_refused(frame, sizeof frame, "a client came in as a node");
}

/* The library says so in words. */
static void test_wrong_key_file(void)
{
	struct keyfile k = {0};
	char path[400], text[256];
	struct cs_options o = {.cluster_file = cluster.cluster_file, .key_file = path, .timeout_ms = 3000};
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = "mallory",
	                       .action = "deploy",
	                       .resource_type = "model",
	                       .resource_id = "m"};
	cs_client *client = NULL;
	cs_result *result;
	int err;

	snprintf(path, sizeof path, "%s/stranger.key", cluster.dir);
	keyfile_random(&k, "stranger", 1u << KEY_CHANNEL);
	if (keyfile_write(path, &k, text) || cs_open(&o, &client, text, sizeof text))
		fail(text);
	err = cs_decide(client, &r, &result);
	if (err != CS_E_UNAUTHENTICATED) {
		fprintf(stderr, "got %d: %s\n", err, cs_last_error());
		fail("a key that is not enrolled was not refused as such");
	}
	cs_close(client);
}

/* Bytes on the nodes' own port. */
static void test_link_port(void)
{
	char path[400], line[256];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint8_t junk[4096];
	unsigned port = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/c/node-1/countersignd.yaml", cluster.dir);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "link: \"127.0.0.1:%u", &port) == 1 || sscanf(line, "link: 127.0.0.1:%u", &port) == 1)
			break;
	if (!f || !port)
		fail("no link port in the settings");
	fclose(f);
	a.sin_port = htons((uint16_t)port);
	for (int i = 0; i < 20; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a))
			fail("connecting to the link port");
		randombytes_buf(junk, sizeof junk);
		if (i % 2)
			memset(junk, 0, 3); /* A length that would be believed. */
		if (send(fd, junk, sizeof junk, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
			fail("sending to the link port");
		close(fd);
	}
}

int main(void)
{
	char text[256];
	cs_client *client;

	if (sodium_init() < 0)
		return 1;
	cluster_create(&cluster, NULL);
	if (cluster_file_read(cluster.cluster_file, &file, text))
		fail(text);
	client = cluster_client(&cluster);
	check_alive(client, "the start");
	test_malformed();
	check_alive(client, "malformed and oversized messages");
	test_unknown_key();
	check_alive(client, "unknown keys");
	test_wrong_key_file();
	check_alive(client, "a client with a wrong key");
	test_link_port();
	check_alive(client, "noise on the link port");
	for (unsigned n = 1; n <= 3; n++)
		if (cluster_status(client, n, "uptime_ms") < 0)
			fail("a node is gone");
	cs_close(client);
	cluster_destroy(&cluster);
	return 0;
}
