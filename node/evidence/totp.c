/* TOTP: RFC 6238 by liboath, with a secret that only nodes can open. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <liboath/oath.h>
#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/credential.h"
#include "node/decide/policy_form.h"
#include "node/evidence/verify_internal.h"

#define WINDOW 1 /* Steps before and after: RFC 6238 5.2 recommends one for delay; a clock may be as much off. */

static int oath_flags(uint64_t algorithm)
{
	return algorithm == 512 ? OATH_TOTP_HMAC_SHA512 : algorithm == 256 ? OATH_TOTP_HMAC_SHA256 : 0;
}

static bool seal_open(uint8_t *ret, const uint8_t *sealed, size_t len, const struct evidence_node *node)
{
	bool opened = crypto_box_seal_open(ret, sealed, len, node->channel_pub, node->channel_secret) == 0;

	for (unsigned i = 0; i < node->n_others && !opened; i++)
		opened = crypto_box_seal_open(ret, sealed, len, node->others[i].pub, node->others[i].secret) == 0;
	return opened;
}

/* Of this node's own sealed copy. */
static size_t open_secret(struct evidence *e, const struct credential_totp *t, const struct evidence_node *node,
                          uint8_t ret[TOTP_PLAIN_SIZE_MAX])
{
	struct reader r = t->sealed;
	uint32_t n = 0;

	reader_array(&r, TOTP_NODES_MAX, &n);
	for (uint32_t i = 0; i < n && r.err == 0; i++) {
		uint64_t id = 0;
		const uint8_t *sealed = NULL;
		size_t len = 0;
		reader_array_exact(&r, 2);
		reader_uint(&r, UINT64_MAX, &id);
		if (reader_bin(&r, TOTP_SEALED_SIZE_MAX, &sealed, &len) != 0 || id != node->id)
			continue;
		if (len > crypto_box_SEALBYTES + TOTP_CONTEXT_SIZE && seal_open(ret, sealed, len, node))
			return len - crypto_box_SEALBYTES;
		evidence_fails(e, "totp: the secret is not sealed to this node's key: it must be enrolled again");
		return 0;
	}
	evidence_fails(e, "totp: this node was added since: it must be enrolled again");
	return 0;
}

static void validate(struct evidence *e, const struct credential_totp *t, const uint8_t *secret, size_t len)
{
	char code[TOTP_DIGITS_MAX + 1] = "";
	uint64_t step = 0;
	int pos;

	memcpy(code, e->offered, t->digits);
	int rv = oath_totp_validate4((const char *)secret, len, (time_t)(e->now_ms / 1000), (unsigned)t->period_s, 0,
	                             WINDOW, &pos, &step, oath_flags(t->algorithm), code);
	sodium_memzero(code, sizeof(code));
	if (rv < 0) {
		evidence_fails(e, "totp: the code is wrong");
		return;
	}
	if (step <= e->counter) { /* RFC 6238 5.2: never a second time. */
		evidence_fails(e, "totp: a code of this time step, or a later one, was used already");
		return;
	}
	e->found.counter = step;
	e->found.level = LEVEL_POSSESSION;
	e->found.verified = true;
}

void verify_totp(struct evidence *e, const struct evidence_node *node)
{
	uint8_t plain[TOTP_PLAIN_SIZE_MAX], context[TOTP_CONTEXT_SIZE];
	struct credential_totp t;

	if (credential_totp_read(&t, e->data, e->data_len) != 0) {
		evidence_fails(e, "totp: the enrolment is malformed");
		return;
	}
	bool digits = e->offered_len == t.digits;
	for (size_t i = 0; digits && i < e->offered_len; i++)
		digits = e->offered[i] >= '0' && e->offered[i] <= '9';
	if (!digits) {
		evidence_fails(e, "totp: a code has %u digits", (unsigned)t.digits);
		return;
	}
	size_t len = open_secret(e, &t, node, plain);
	crypto_generichash(context, sizeof(context), e->message, e->message_len, NULL, 0);
	if (len > sizeof(context) && sodium_memcmp(plain, context, sizeof(context)) == 0)
		validate(e, &t, plain + sizeof(context), len - sizeof(context));
	else if (len > 0)
		evidence_fails(e, "totp: the secret was sealed for another credential");
	sodium_memzero(plain, sizeof(plain));
}
