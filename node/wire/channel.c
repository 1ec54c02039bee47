/* The channel: INIT and ACCEPT around the Noise handshake, DATA frames with explicit nonces and a replay window. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/wire/channel.h"

#include <sodium.h>
#include <string.h>

#include "ledger/bytes.h"
#include "ledger/limits.h"
#include "node/wire/channel_test.h"

#define NS_PER_S           UINT64_C(1000000000)
#define INIT_HEADER_SIZE   11
#define ACCEPT_HEADER_SIZE 1
#define TIMESTAMP_SIZE     8
#define SESSION_ID_SIZE    8

static const char prologue_label[] = "countersign/channel/v1"; /* Its NUL is part of the prologue. */
#define PROLOGUE_SIZE_MAX (sizeof prologue_label + 1 + 1 + 8 + LIMIT_ORIGIN_SIZE_MAX)

int channel_keypair_random(struct channel_keypair *ret)
{
	uint8_t secret[CHANNEL_KEY_SIZE];
	int rv;

	randombytes_buf(secret, sizeof secret);
	rv = channel_keypair_from_secret(ret, secret);
	sodium_memzero(secret, sizeof secret);
	return rv;
}

int channel_keypair_from_secret(struct channel_keypair *ret, const uint8_t secret[CHANNEL_KEY_SIZE])
{
	uint8_t pub[CHANNEL_KEY_SIZE];

	if (crypto_scalarmult_base(pub, secret) != 0)
		return CS_ERR_INVALID;
	memcpy(ret->pub, pub, sizeof ret->pub);
	memcpy(ret->secret, secret, sizeof ret->secret);
	return 0;
}

/* Both sides must mean the same protocol, role, node and cluster, or the first tag fails. */
static int make_prologue(uint8_t ret[PROLOGUE_SIZE_MAX], size_t *ret_len, enum channel_role role, uint64_t node_id,
                         const char *origin)
{
	size_t origin_len = strlen(origin);
	uint8_t *p = ret;

	if (origin_len > LIMIT_ORIGIN_SIZE_MAX)
		return CS_ERR_INVALID;
	memcpy(p, prologue_label, sizeof prologue_label);
	p += sizeof prologue_label;
	*p++ = CHANNEL_VERSION;
	*p++ = (uint8_t)role;
	put_u64be(p, node_id);
	p += 8;
	memcpy(p, origin, origin_len);
	*ret_len = (size_t)(p - ret) + origin_len;
	return 0;
}

static void session_start(struct channel_session *s, uint64_t id, uint64_t now_ns, const struct noise *ns)
{
	memset(s, 0, sizeof *s);
	s->id = id;
	s->born_ns = now_ns;
	memcpy(s->peer, ns->rs, sizeof s->peer);
}

int channel_initiate(struct channel_initiator *hs, const struct channel_keypair *self,
                     const uint8_t peer[CHANNEL_KEY_SIZE], enum channel_role role, uint64_t node_id, const char *origin,
                     uint64_t timestamp_ns, uint8_t ret_frame[CHANNEL_INIT_SIZE])
{
	uint8_t ephemeral[CHANNEL_KEY_SIZE];
	int rv;

	randombytes_buf(ephemeral, sizeof ephemeral);
	rv = channel_initiate_with(hs, self, peer, role, node_id, origin, timestamp_ns, ephemeral, ret_frame);
	sodium_memzero(ephemeral, sizeof ephemeral);
	return rv;
}

int channel_initiate_with(struct channel_initiator *hs, const struct channel_keypair *self,
                          const uint8_t peer[CHANNEL_KEY_SIZE], enum channel_role role, uint64_t node_id,
                          const char *origin, uint64_t timestamp_ns, const uint8_t ephemeral[CHANNEL_KEY_SIZE],
                          uint8_t ret_frame[CHANNEL_INIT_SIZE])
{
	uint8_t prologue[PROLOGUE_SIZE_MAX], frame[CHANNEL_INIT_SIZE], timestamp[TIMESTAMP_SIZE];
	size_t prologue_len;
	int rv;

	rv = make_prologue(prologue, &prologue_len, role, node_id, origin);
	if (rv != 0)
		return rv;
	frame[0] = CHANNEL_INIT;
	frame[1] = CHANNEL_VERSION;
	frame[2] = (uint8_t)role;
	put_u64be(frame + 3, node_id);
	put_u64be(timestamp, timestamp_ns);
	noise_init_initiator(&hs->noise, self->secret, self->pub, peer, prologue, prologue_len);
	rv = noise_write_first(&hs->noise, ephemeral, timestamp, sizeof timestamp, frame + INIT_HEADER_SIZE);
	if (rv != 0) {
		channel_initiator_wipe(hs);
		return rv;
	}
	memcpy(ret_frame, frame, sizeof frame);
	return 0;
}

int channel_finish(struct channel_initiator *hs, const uint8_t *frame, size_t len, uint64_t now_ns,
                   struct channel_session *ret)
{
	uint8_t id[SESSION_ID_SIZE];
	int rv = CS_ERR_MALFORMED;

	if (len == CHANNEL_ACCEPT_SIZE && frame[0] == CHANNEL_ACCEPT)
		rv = noise_read_second(&hs->noise, frame + ACCEPT_HEADER_SIZE, len - ACCEPT_HEADER_SIZE, id);
	if (rv == 0) {
		session_start(ret, get_u64be(id), now_ns, &hs->noise);
		noise_split(&hs->noise, ret->send_key, ret->recv_key);
		ret->confirmed = true;
	}
	channel_initiator_wipe(hs);
	return rv;
}

void channel_initiator_wipe(struct channel_initiator *hs)
{
	noise_wipe(&hs->noise);
}

int channel_respond(struct channel_responder *hs, const struct channel_keypair *self, enum channel_role role,
                    uint64_t node_id, const char *origin, const uint8_t *frame, size_t len)
{
	uint8_t prologue[PROLOGUE_SIZE_MAX], timestamp[TIMESTAMP_SIZE];
	size_t prologue_len;
	int rv;

	if (len != CHANNEL_INIT_SIZE || frame[0] != CHANNEL_INIT || frame[1] != CHANNEL_VERSION)
		return CS_ERR_MALFORMED;
	if (frame[2] != (uint8_t)role || get_u64be(frame + 3) != node_id)
		return CS_ERR_UNAUTHENTICATED;
	rv = make_prologue(prologue, &prologue_len, role, node_id, origin);
	if (rv != 0)
		return rv;
	noise_init_responder(&hs->noise, self->secret, self->pub, prologue, prologue_len);
	rv = noise_read_first(&hs->noise, frame + INIT_HEADER_SIZE, len - INIT_HEADER_SIZE, timestamp);
	if (rv != 0) {
		noise_wipe(&hs->noise);
		return rv;
	}
	memcpy(hs->peer, hs->noise.rs, sizeof hs->peer);
	hs->timestamp_ns = get_u64be(timestamp);
	return 0;
}

int channel_respond_any(struct channel_responder *hs, const struct channel_keys *keys, enum channel_role role,
                        uint64_t node_id, const char *origin, const uint8_t *frame, size_t len)
{
	int rv = CS_ERR_UNAUTHENTICATED;

	for (unsigned i = 0; i < keys->n && rv == CS_ERR_UNAUTHENTICATED; i++)
		rv = channel_respond(hs, &keys->list[i], role, node_id, origin, frame, len);
	return rv;
}

int channel_accept(struct channel_responder *hs, uint64_t session_id, uint64_t now_ns,
                   uint8_t ret_frame[CHANNEL_ACCEPT_SIZE], struct channel_session *ret)
{
	uint8_t ephemeral[CHANNEL_KEY_SIZE];
	int rv;

	randombytes_buf(ephemeral, sizeof ephemeral);
	rv = channel_accept_with(hs, session_id, now_ns, ephemeral, ret_frame, ret);
	sodium_memzero(ephemeral, sizeof ephemeral);
	return rv;
}

int channel_accept_with(struct channel_responder *hs, uint64_t session_id, uint64_t now_ns,
                        const uint8_t ephemeral[CHANNEL_KEY_SIZE], uint8_t ret_frame[CHANNEL_ACCEPT_SIZE],
                        struct channel_session *ret)
{
	uint8_t frame[CHANNEL_ACCEPT_SIZE], id[SESSION_ID_SIZE];
	int rv;

	frame[0] = CHANNEL_ACCEPT;
	put_u64be(id, session_id);
	rv = noise_write_second(&hs->noise, ephemeral, id, sizeof id, frame + ACCEPT_HEADER_SIZE);
	if (rv == 0) {
		memcpy(ret_frame, frame, sizeof frame);
		session_start(ret, session_id, now_ns, &hs->noise);
		noise_split(&hs->noise, ret->recv_key, ret->send_key);
	}
	channel_responder_wipe(hs);
	return rv;
}

void channel_responder_wipe(struct channel_responder *hs)
{
	sodium_memzero(hs, sizeof *hs);
}

void channel_session_wipe(struct channel_session *s)
{
	sodium_memzero(s, sizeof *s);
}

/* Associated data: the frame's header, behind the header of the request that it answers. Returns the length. */
static size_t associated_data(uint8_t ret[2 * CHANNEL_DATA_HEADER_SIZE], const uint8_t *reply_to, const uint8_t *header)
{
	size_t n = 0;

	if (reply_to != NULL) {
		memcpy(ret, reply_to, CHANNEL_DATA_HEADER_SIZE);
		n = CHANNEL_DATA_HEADER_SIZE;
	}
	memcpy(ret + n, header, CHANNEL_DATA_HEADER_SIZE);
	return n + CHANNEL_DATA_HEADER_SIZE;
}

int channel_seal(struct channel_session *s, const uint8_t *reply_to, const void *plain, size_t len, uint8_t *out)
{
	uint8_t ad[2 * CHANNEL_DATA_HEADER_SIZE], header[CHANNEL_DATA_HEADER_SIZE];
	size_t ad_len;

	if (s->send_nonce >= CHANNEL_MESSAGES_MAX)
		return CS_ERR_EXPIRED;
	header[0] = CHANNEL_DATA;
	put_u64be(header + 1, s->id);
	put_u64be(header + 9, s->send_nonce);
	ad_len = associated_data(ad, reply_to, header);
	noise_encrypt(s->send_key, s->send_nonce, ad, ad_len, plain, len, out + CHANNEL_DATA_HEADER_SIZE);
	memcpy(out, header, sizeof header); /* Last: plain may overlap all but its place in out. */
	s->send_nonce++;
	return 0;
}

/*
 * Takes an authenticated nonce, once. The window is a ring of bits, one for each nonce in
 * [recv_newest - CHANNEL_REPLAY_WIDTH, recv_newest); as in RFC 6479, but cleared bit by bit, so that it is exactly as
 * wide as it says.
 */
static bool take_nonce(struct channel_session *s, uint64_t nonce)
{
	uint64_t *word = &s->recv_window[nonce / 64 % (CHANNEL_REPLAY_WIDTH / 64)];
	uint64_t bit = UINT64_C(1) << (nonce % 64);

	if (nonce + CHANNEL_REPLAY_WIDTH < s->recv_newest)
		return false;
	if (nonce >= s->recv_newest) {
		if (nonce - s->recv_newest >= CHANNEL_REPLAY_WIDTH)
			memset(s->recv_window, 0, sizeof s->recv_window);
		else
			for (uint64_t i = s->recv_newest; i <= nonce; i++)
				s->recv_window[i / 64 % (CHANNEL_REPLAY_WIDTH / 64)] &= ~(UINT64_C(1) << (i % 64));
		s->recv_newest = nonce + 1;
	} else if (*word & bit) {
		return false;
	}
	*word |= bit;
	return true;
}

int channel_open(struct channel_session *s, const uint8_t *reply_to, uint8_t *frame, size_t len, uint8_t **ret_plain,
                 size_t *ret_len)
{
	uint8_t ad[2 * CHANNEL_DATA_HEADER_SIZE], *sealed = frame + CHANNEL_DATA_HEADER_SIZE;
	uint64_t nonce;
	size_t ad_len;

	if (len < CHANNEL_OVERHEAD || frame[0] != CHANNEL_DATA)
		return CS_ERR_MALFORMED;
	nonce = get_u64be(frame + 9);
	if (get_u64be(frame + 1) != s->id || nonce >= CHANNEL_MESSAGES_MAX)
		return CS_ERR_UNAUTHENTICATED;
	ad_len = associated_data(ad, reply_to, frame);
	if (noise_decrypt(s->recv_key, nonce, ad, ad_len, sealed, len - CHANNEL_DATA_HEADER_SIZE, sealed) != 0)
		return CS_ERR_UNAUTHENTICATED;
	if (!take_nonce(s, nonce))
		return CS_ERR_UNAUTHENTICATED;
	s->confirmed = true;
	*ret_plain = sealed;
	*ret_len = len - CHANNEL_OVERHEAD;
	return 0;
}

int channel_frame_type(const uint8_t *frame, size_t len)
{
	return len > 0 ? frame[0] : 0;
}

int channel_frame_session(const uint8_t *frame, size_t len, uint64_t *ret)
{
	if (len < CHANNEL_OVERHEAD || frame[0] != CHANNEL_DATA)
		return CS_ERR_MALFORMED;
	*ret = get_u64be(frame + 1);
	return 0;
}

bool channel_session_spent(const struct channel_session *s, uint64_t now_ns)
{
	return s->send_nonce >= CHANNEL_MESSAGES_MAX || now_ns - s->born_ns >= CHANNEL_SESSION_S_MAX * NS_PER_S;
}
