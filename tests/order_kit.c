/* Orders signed by several administrators, for the tests of decide. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/order_kit.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "ledger/bytes.h"

static void sign(struct kit *k, struct writer *w, unsigned type, const void *elements, size_t len,
                 const struct signer *g)
{
	uint64_t sequence = g->sequence != 0 ? g->sequence : ++k->sequence,
	         expiry_ms = g->expiry_ms != 0 ? g->expiry_ms : k->now_ms + 60000,
	         governance = g->governance != 0 ? g->governance : state_governance(k->s);
	uint8_t message[ADMIN_MESSAGE_SIZE_MAX], sig[64];
	size_t n = admin_message(message, KIT_ORIGIN, governance, type, sequence, expiry_ms, elements, len);

	crypto_sign_detached(sig, NULL, message, n, g->sk);
	sig[5] ^= (uint8_t)g->spoil;
	writer_array(w, 4);
	writer_cstr(w, g->name);
	writer_uint(w, sequence);
	writer_uint(w, expiry_ms);
	writer_bin(w, sig, sizeof(sig));
}

enum decide_outcome order_apply(struct kit *k, unsigned type, uint64_t principal, const void *elements, size_t len,
                                unsigned n, const struct signer *signers, unsigned n_signers)
{
	static uint8_t body[65536];
	struct writer w;

	writer_init(&w, body, sizeof(body));
	writer_array(&w, n + 1);
	writer_raw(&w, elements, len);
	if (n_signers > 1)
		writer_array(&w, n_signers);
	for (unsigned i = 0; i < n_signers; i++)
		sign(k, &w, type, elements, len, &signers[i]);
	assert_int_equal(w.err, 0);
	return kit_apply(k, type, principal, NULL, body, w.len, NULL, 0);
}

enum decide_outcome order_by_root(struct kit *k, unsigned type, const void *elements, size_t len, unsigned n)
{
	const struct signer root = {.name = "root", .sk = k->admin_sk};

	return order_apply(k, type, KIT_ADMIN, elements, len, n, &root, 1);
}

enum decide_outcome order_feature(struct kit *k, const char *name)
{
	uint8_t elements[64];
	struct writer w;

	writer_init(&w, elements, sizeof(elements));
	writer_cstr(&w, name);
	return order_by_root(k, COMMAND_FEATURE, elements, w.len, 1);
}

enum decide_outcome order_people(struct kit *k, const struct people_change *c, unsigned n)
{
	static uint8_t elements[65536];
	struct writer w;

	writer_init(&w, elements, sizeof(elements));
	writer_array(&w, n);
	for (unsigned i = 0; i < n; i++)
		people_change_write(&w, &c[i]);
	assert_int_equal(w.err, 0);
	return order_by_root(k, COMMAND_PEOPLE, elements, w.len, 1);
}

void order_refused(const struct kit *k, enum decide_outcome outcome, int err, const char *says)
{
	if (outcome != DECIDE_REFUSED || k->out->err != err || strstr(k->out->text, says) == NULL)
		fail_msg("outcome %d err %d (%s), not %d (%s)", outcome, k->out->err, k->out->text, err, says);
}
