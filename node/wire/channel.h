/* The channel: Noise_IK_25519_ChaChaPoly_BLAKE2b (rev. 34) handshakes and sessions, for clients and nodes alike. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WIRE_CHANNEL_H
#define NODE_WIRE_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/errors.h"
#include "node/wire/noise.h"

#define CHANNEL_VERSION       1
#define CHANNEL_KEY_SIZE      32
#define CHANNEL_TAG_SIZE      16
#define CHANNEL_SESSION_S_MAX 120                 /* New handshake after this (design: wire). */
#define CHANNEL_MESSAGES_MAX  (UINT64_C(1) << 32) /* Or after this many messages. */
#define CHANNEL_REPLAY_WIDTH  2048 /* Contexts reorder: how far behind the newest nonce is still taken. */

/* Who opens a channel to a node; part of the prologue, so that a link cannot be taken for a client. */
enum channel_role { CHANNEL_CLIENT = 1, CHANNEL_NODE = 2 };

/*
 * Frames, first byte = type. Integers big-endian.
 *   INIT   01 | version 1 | role 1 | node id u64 (whom the initiator wants) | Noise message 1 (payload: timestamp u64
 * ns, strictly increasing per key) ACCEPT 02 | Noise message 2 (payload: session id u64; inside, so that nobody between
 * can change it) DATA   03 | session id u64 | nonce u64 | ciphertext || tag        (associated data: the 17 bytes
 * before; a reply's associated data has, besides, the 17 bytes of the request that it answers in front) REFUSE 04 |
 * error u8 (negated cs_err)                             (unauthenticated: a hint only) Prologue:
 * "countersign/channel/v1\0" || version 1 || role 1 || node id u64be || origin.
 */
enum channel_frame { CHANNEL_INIT = 1, CHANNEL_ACCEPT = 2, CHANNEL_DATA = 3, CHANNEL_REFUSE = 4 };
#define CHANNEL_INIT_SIZE        (11 + 32 + 48 + 8 + 16)
#define CHANNEL_ACCEPT_SIZE      (1 + 32 + 8 + 16)
#define CHANNEL_DATA_HEADER_SIZE 17
#define CHANNEL_OVERHEAD         (CHANNEL_DATA_HEADER_SIZE + CHANNEL_TAG_SIZE)

/* A static key pair (X25519). */
struct channel_keypair {
	uint8_t pub[CHANNEL_KEY_SIZE];
	uint8_t secret[CHANNEL_KEY_SIZE];
};
int channel_keypair_random(struct channel_keypair *ret);
int channel_keypair_from_secret(struct channel_keypair *ret, const uint8_t secret[CHANNEL_KEY_SIZE]);

/*
 * The pairs that one side has while one takes another's place: the first is what it initiates with, and by any of them
 * it answers. Wipe with sodium_memzero.
 */
#define CHANNEL_KEYS_MAX 8
struct channel_keys {
	unsigned n;
	struct channel_keypair list[CHANNEL_KEYS_MAX];
};

/* A session's keys and counters. Plain memory: wipe with channel_session_wipe. */
struct channel_session {
	uint64_t id; /* Chosen by the responder. */
	uint8_t send_key[32], recv_key[32];
	uint64_t send_nonce;  /* Next to use; the caller serialises senders. */
	uint64_t recv_newest; /* Highest nonce taken, plus one. */
	uint64_t recv_window[CHANNEL_REPLAY_WIDTH / 64];
	uint8_t peer[CHANNEL_KEY_SIZE]; /* The other side's static public key. */
	bool confirmed;   /* Responder: a first valid transport message has come (no session counts before). */
	uint64_t born_ns; /* CLOCK_MONOTONIC, set by the caller's now_ns. */
};
void channel_session_wipe(struct channel_session *s);

/* Initiator: half a handshake, between INIT sent and ACCEPT received. */
struct channel_initiator {
	struct noise noise; /* Wiped by _finish and _wipe. */
};
/* Writes INIT (CHANNEL_INIT_SIZE bytes). timestamp_ns: wall clock, made strictly increasing by the caller per key. */
int channel_initiate(struct channel_initiator *hs, const struct channel_keypair *self,
                     const uint8_t peer[CHANNEL_KEY_SIZE], enum channel_role role, uint64_t node_id, const char *origin,
                     uint64_t timestamp_ns, uint8_t ret_frame[CHANNEL_INIT_SIZE]);
/* Reads ACCEPT and makes the session. Wipes hs whatever comes. */
int channel_finish(struct channel_initiator *hs, const uint8_t *frame, size_t len, uint64_t now_ns,
                   struct channel_session *ret);
void channel_initiator_wipe(struct channel_initiator *hs);

/*
 * Responder: reads INIT and, if it is well-formed, for this node and role, decrypts the initiator's static key and
 * timestamp (two DHs: limit how often this is called before calling it). The caller then looks the key up, checks that
 * the timestamp is above the key's last, and calls channel_accept.
 */
struct channel_responder {
	struct noise noise; /* Wiped by _accept, _wipe and a failed _respond. */
	uint8_t peer[CHANNEL_KEY_SIZE];
	uint64_t timestamp_ns;
};
int channel_respond(struct channel_responder *hs, const struct channel_keypair *self, enum channel_role role,
                    uint64_t node_id, const char *origin, const uint8_t *frame, size_t len);
/* The same by whichever of the keys the initiator wants: each costs a DH before it is known not to be that. */
int channel_respond_any(struct channel_responder *hs, const struct channel_keys *keys, enum channel_role role,
                        uint64_t node_id, const char *origin, const uint8_t *frame, size_t len);
int channel_accept(struct channel_responder *hs, uint64_t session_id, uint64_t now_ns,
                   uint8_t ret_frame[CHANNEL_ACCEPT_SIZE], struct channel_session *ret);
void channel_responder_wipe(struct channel_responder *hs);

/*
 * Seals plain (len bytes) into out (len + CHANNEL_OVERHEAD bytes) as a DATA frame with the session's next nonce.
 * reply_to: the 17 header bytes of the request that this answers, or NULL. plain may lie at out + 17 (in place).
 * CS_ERR_EXPIRED when the session is spent.
 */
int channel_seal(struct channel_session *s, const uint8_t *reply_to, const void *plain, size_t len, uint8_t *out);
/*
 * Opens a DATA frame of this session in place; *ret_plain points into frame. reply_to as in channel_seal: the header of
 * our request that this must answer. The replay window is checked and moved only after authentication.
 * CS_ERR_UNAUTHENTICATED for a bad tag or a repeated or too old nonce; CS_ERR_MALFORMED for a short frame.
 */
int channel_open(struct channel_session *s, const uint8_t *reply_to, uint8_t *frame, size_t len, uint8_t **ret_plain,
                 size_t *ret_len);
/* Type byte of a frame, or 0 if it is empty; session id of a DATA frame (len must be checked by the caller). */
int channel_frame_type(const uint8_t *frame, size_t len);
int channel_frame_session(const uint8_t *frame, size_t len, uint64_t *ret);
bool channel_session_spent(const struct channel_session *s, uint64_t now_ns);

#endif
