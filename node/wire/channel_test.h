/* The channel's handshake with ephemeral keys that are given, not drawn: for tests against golden bytes only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WIRE_CHANNEL_TEST_H
#define NODE_WIRE_CHANNEL_TEST_H

#include "node/wire/channel.h"

/* As channel_initiate and channel_accept, with this ephemeral secret key. A key used twice breaks the secrecy. */
int channel_initiate_with(struct channel_initiator *hs, const struct channel_keypair *self,
                          const uint8_t peer[CHANNEL_KEY_SIZE], enum channel_role role, uint64_t node_id,
                          const char *origin, uint64_t timestamp_ns, const uint8_t ephemeral[CHANNEL_KEY_SIZE],
                          uint8_t ret_frame[CHANNEL_INIT_SIZE]);
int channel_accept_with(struct channel_responder *hs, uint64_t session_id, uint64_t now_ns,
                        const uint8_t ephemeral[CHANNEL_KEY_SIZE], uint8_t ret_frame[CHANNEL_ACCEPT_SIZE],
                        struct channel_session *ret);

#endif
