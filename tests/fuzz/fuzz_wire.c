/* Fuzzing: what comes over the network, from peers, strangers and clients. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/core/batch.h"
#include "node/core/frame.h"
#include "node/decide/command.h"
#include "node/front_many.h"
#include "node/front_request.h"
#include "node/wire/channel.h"
#include "node/wire/messages.h"
#include "tests/fuzz/fuzz.h"

/* --- peers --- */

/* libraft's configurations end in padding that means nothing, so those bytes need not come out again. */
static bool has_configuration(const struct frame *f)
{
	if (f->type == FRAME_INSTALL_SNAPSHOT)
		return true;
	for (unsigned i = 0; f->type == FRAME_APPEND_ENTRIES && i < f->raft.append_entries.n_entries; i++)
		if (f->raft.append_entries.entries[i].type == RAFT_CHANGE)
			return true;
	return false;
}

void fuzz_frame(const uint8_t *bytes, size_t len)
{
	static struct frame_parts parts;
	static uint8_t copy[8192];
	struct frame f;
	size_t at = 0;

	if (len > sizeof copy)
		return;
	memcpy(copy, bytes, len);
	if (frame_decode(copy, len, &f))
		return;
	FUZZ_DEMAND(memcmp(copy, bytes, len) == 0);
	if (f.type == FRAME_HELLO && f.hello.version != FRAME_VERSION)
		return; /* The rest of it is that version's own. */
	if (f.type <= FRAME_TIMEOUT_NOW) {
		frame_set_sender(&f, 2, "node-2");
		FUZZ_DEMAND(f.raft.server_id == 2);
		FUZZ_DEMAND(frame_encode_raft(&f.raft, &parts) == 0);
	} else {
		FUZZ_DEMAND(frame_encode(&f, &parts) == 0);
	}
	for (unsigned i = 0; i < parts.n && !has_configuration(&f); i++) {
		FUZZ_DEMAND(parts.parts[i].len <= len - at);
		FUZZ_DEMAND(memcmp(parts.parts[i].base, bytes + at, parts.parts[i].len) == 0);
		at += parts.parts[i].len;
	}
	FUZZ_DEMAND(at == len || has_configuration(&f));
	frame_free(&f);
}

void fuzz_batch(const uint8_t *bytes, size_t len)
{
	struct batch b;
	struct command c;
	const uint8_t *command, *end = NULL;
	size_t command_len;

	if (batch_decode(&b, bytes, len))
		return;
	FUZZ_DEMAND(b.count <= len / 4);
	for (uint32_t i = 0; i < b.count; i++) {
		batch_next(&b, &command, &command_len);
		FUZZ_DEMAND(command >= bytes && command_len <= len && command + command_len <= bytes + len);
		FUZZ_DEMAND(end == NULL || command == end + 4);
		end = command + command_len;
		(void)command_decode(&c, command, command_len);
	}
}

/* The first byte: what the bytes are given to. */
void fuzz_channel(const uint8_t *bytes, size_t len)
{
	static const uint8_t secrets[2][32] = {{1, 2, 3}, {4, 5, 6}};
	static const char origin[] = "example-00112233aabbccdd";
	struct channel_keypair a, b;
	struct channel_initiator i;
	struct channel_responder r;
	struct channel_session s = {.id = 7}, before;
	uint8_t init[CHANNEL_INIT_SIZE], accept[CHANNEL_ACCEPT_SIZE], frame[512], *plain;
	uint64_t id;
	size_t plain_len;

	if (len == 0 || len > sizeof frame)
		return;
	FUZZ_DEMAND(channel_keypair_from_secret(&a, secrets[0]) == 0 &&
	            channel_keypair_from_secret(&b, secrets[1]) == 0);
	memcpy(frame, bytes + 1, len - 1);
	len--;
	(void)channel_frame_type(frame, len);
	(void)channel_frame_session(frame, len, &id);
	switch (bytes[0] % 4) {
	case 0:
		if (channel_respond(&r, &b, CHANNEL_CLIENT, 1, origin, frame, len) == 0)
			(void)channel_accept(&r, 9, 1, accept, &s);
		channel_responder_wipe(&r);
		break;
	case 1:
		FUZZ_DEMAND(channel_initiate(&i, &a, b.pub, CHANNEL_NODE, 1, origin, 5, init) == 0);
		FUZZ_DEMAND(channel_finish(&i, frame, len, 1, &s) != 0); /* Ephemeral keys are fresh each time. */
		break;
	default: /* A session with keys that are all zero: the fuzzer cannot make a tag, the seeds have one. */
		before = s;
		if (channel_open(&s, bytes[0] % 4 == 2 ? NULL : init, frame, len, &plain, &plain_len) != 0)
			FUZZ_DEMAND(memcmp(&s, &before, sizeof s) == 0);
		else
			FUZZ_DEMAND(plain >= frame && plain + plain_len <= frame + len);
	}
}

/* --- clients --- */

static void check_bodies(const struct wire_request *r)
{
	static uint8_t again[WIRE_REQUEST_SIZE_MAX];
	struct request request;
	struct import import;
	struct answer answer;
	struct enrolment enrolment;
	struct removal removal;
	struct policy_set policy;
	size_t len = 0;
	int err = CS_ERR_MALFORMED;

	if (request_decode(&request, r->body, r->body_len) == 0)
		err = request_encode(&request, again, sizeof again, &len);
	else if (import_decode(&import, r->body, r->body_len) == 0)
		err = import_encode(&import, again, sizeof again, &len);
	else if (answer_decode(&answer, r->body, r->body_len) == 0)
		err = answer_encode(&answer, again, sizeof again, &len);
	else if (enrolment_decode(&enrolment, r->body, r->body_len) == 0)
		err = enrolment_encode(&enrolment, again, sizeof again, &len);
	else if (removal_decode(&removal, r->body, r->body_len) == 0)
		err = removal_encode(&removal, again, sizeof again, &len);
	else if (policy_set_decode(&policy, r->body, r->body_len) == 0)
		err = policy_set_encode(&policy, again, sizeof again, &len);
	else
		return;
	/* One value has one encoding. */
	FUZZ_DEMAND(err == 0 && len == r->body_len && memcmp(again, r->body, len) == 0);
}

/* As front.c does it, with a refusal or a small answer for each of the many. */
static void take_many(struct wire_request *r)
{
	static uint8_t body[WIRE_REPLY_SIZE_MAX];
	static const uint8_t nothing = 0x90;
	struct job whole = {.request = *r, .roles = UINT32_MAX};
	struct many *m, *done = NULL;
	struct writer w;
	size_t len;

	if (many_open(&whole, &m))
		return;
	for (unsigned i = 0; i < many_count(m); i++) {
		struct wire_reply reply = {0};
		const char *text;
		int err;
		struct job *j = many_job(m, i, &err, &text);

		FUZZ_DEMAND(done == NULL && many_whole(j) == &whole && (err == 0) == (text == NULL));
		memcpy(reply.id, j->request.id, sizeof reply.id);
		reply.err = err;
		if (err == 0 && many_room(j, 1)) {
			reply.body = &nothing;
			reply.body_len = 1;
		} else if (err == 0) {
			reply.err = CS_ERR_TOO_LARGE;
		}
		done = many_keep(j, &reply);
	}
	FUZZ_DEMAND(done == m && many_reply_size(m) <= sizeof body);
	writer_init(&w, body, sizeof body);
	many_reply_write(m, &w);
	FUZZ_DEMAND(writer_end(&w, &len) == 0 && len <= many_reply_size(m));
	many_free(m);
}

void fuzz_request(const uint8_t *bytes, size_t len)
{
	static uint8_t again[WIRE_REQUEST_SIZE_MAX];
	struct wire_request r;
	uint8_t id[WIRE_REQUEST_ID_SIZE];
	size_t again_len;

	if (wire_request_decode(&r, bytes, len)) {
		FUZZ_DEMAND(request_fault(bytes, len, id) != NULL);
		return;
	}
	FUZZ_DEMAND(wire_type_text(r.type) != NULL);
	FUZZ_DEMAND(wire_request_encode(&r, again, sizeof again, &again_len) == 0);
	FUZZ_DEMAND(again_len == len && memcmp(again, bytes, len) == 0);
	(void)request_refusal(r.type, (uint32_t)len);
	if (r.type == WIRE_MANY)
		take_many(&r);
	else
		check_bodies(&r);
}
