/* What tests of the front share: a front that echoes, and a raw nng client. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FRONT_KIT_H
#define TESTS_FRONT_KIT_H

#include <nng/nng.h>
#include <stddef.h>
#include <stdint.h>

#include "node/front.h"
#include "node/wire/channel.h"
#include "tests/echo_node.h"

#define ORIGIN     "test-0123456789abcdef"
#define TIMEOUT_MS 10000 /* Only a broken front ever waits so long. */

extern char front_kit_url[128];
extern struct echo_node front_kit_node;
extern struct channel_keypair front_kit_alice; /* A client that is enrolled. */

void front_kit_enroll_alice(uint32_t roles);
int front_kit_setup(void **state);
int front_kit_setup_small(void **state);
int front_kit_setup_crowd(void **state);
int front_kit_setup_slow(void **state);
int front_kit_teardown(void **state);
nng_socket front_kit_dial_url(const char *to);
nng_socket front_kit_dial(void);
nng_msg *front_kit_message(const void *frame, size_t len);
nng_msg *front_kit_exchange(nng_socket s, const void *frame, size_t len);
void front_kit_expect_refuse(nng_socket s, const void *frame, size_t len, int err);
uint64_t front_kit_timestamp(void);
int front_kit_handshake(nng_socket s, const struct channel_keypair *self, struct channel_session *ret);
size_t front_kit_seal(struct channel_session *x, const void *plain, size_t len, uint8_t *frame);
void front_kit_ask(nng_socket s, struct channel_session *x, const void *plain, size_t len, struct wire_reply *ret,
                   nng_msg **ret_msg);
size_t front_kit_request(uint8_t *buf, size_t cap, unsigned type, const void *body, size_t body_len);
int front_kit_ask_type(nng_socket s, struct channel_session *x, unsigned type);

#endif
