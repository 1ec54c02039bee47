/* Evidence: what an answer must be verified against, Ed25519, and the facts that come of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/evidence.h"

#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"

void evidence_verify_ed25519(struct evidence *e)
{
	e->verified = e->offered_len == crypto_sign_BYTES &&
	              crypto_sign_verify_detached(e->offered, e->message, e->message_len, e->key) == 0;
}

int evidence_facts(const struct evidence *e, uint8_t *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 3);
	writer_bool(&w, e->verified);
	writer_uint(&w, e->credential);
	writer_uint(&w, e->version);
	return writer_end(&w, ret_len);
}

void evidence_fill(struct evidence *ret, const struct state *s, const struct challenge_slot *c, const struct answer *a,
                   const struct principal *credential)
{
	ret->method = 0;
	ret->verified = false;
	ret->credential = credential != NULL ? credential->id : 0;
	ret->version = credential != NULL ? credential->version : 0;
	if (credential == NULL || !credential_fits(credential, c, a))
		return;
	ret->method = METHOD_ED25519;
	memcpy(ret->key, credential->sign_pub, sizeof(ret->key));
	memcpy(ret->offered, a->evidence, a->evidence_len);
	ret->offered_len = a->evidence_len;
	ret->message_len =
	        answer_message(ret->message, s->origin, c->c.index, &c->c.digest, c->c.nonce, c->c.expiry_ms);
}
