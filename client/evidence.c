/* Answers by other methods than a device key: what each must speak of, and how it goes to the cluster. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <jansson.h>
#include <sodium.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/credential_internal.h"
#include "ledger/errors.h"
#include "node/decide/command.h"

#define HEAD_SIZE_MAX 512

int cs_answer_challenge(const char *origin, uint64_t challenge_index, const uint8_t digest[32], const uint8_t nonce[32],
                        uint64_t expiry_ms, char ret[44])
{
	uint8_t message[ANSWER_MESSAGE_SIZE_MAX];
	struct hash d, bound;

	if (strnlen(origin, LIMIT_ORIGIN_SIZE_MAX + 1) > LIMIT_ORIGIN_SIZE_MAX) {
		last_error_set("the origin is over %d bytes", LIMIT_ORIGIN_SIZE_MAX);
		return CS_E_INVALID;
	}
	memcpy(d.b, digest, HASH_SIZE);
	hash_bytes(&bound, message, answer_message(message, origin, challenge_index, &d, nonce, expiry_ms));
	sodium_bin2base64(ret, 44, bound.b, HASH_SIZE, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return CS_OK;
}

int cs_answer_evidence(cs_client *client, uint64_t challenge_index, const char *method, const char *credential,
                       const void *evidence, size_t size, cs_result **ret)
{
	const struct answer a = {
	        .challenge = challenge_index,
	        .method = {.s = method, .len = strnlen(method, 33)},
	        .credential = {.s = credential, .len = strnlen(credential, PRINCIPAL_NAME_SIZE_MAX + 1)},
	        .evidence = evidence,
	        .evidence_len = size,
	};
	struct call *call;
	size_t len;
	void *result;

	int err = call_new(client, WIRE_ANSWER, HEAD_SIZE_MAX + EVIDENCE_SIZE_MAX, &call);
	if (err < 0)
		return err;
	err = answer_encode(&a, call->body, call->body_cap, &len);
	if (err < 0) {
		last_error_set("the answer: %s (evidence has up to %d bytes)", err_text(err), EVIDENCE_SIZE_MAX);
		call_drop(call);
		return err;
	}
	call->number = challenge_index;
	err = call_wait(call, len, result_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

int cs_answer_totp(cs_client *client, uint64_t challenge_index, const char *credential, const char *code,
                   cs_result **ret)
{
	return cs_answer_evidence(client, challenge_index, "totp", credential, code, strlen(code), ret);
}

int cs_answer_oidc(cs_client *client, uint64_t challenge_index, const char *credential, const char *id_token,
                   cs_result **ret)
{
	return cs_answer_evidence(client, challenge_index, "oidc", credential, id_token, strlen(id_token), ret);
}

bool json_base64url(const json_t *o, const char *name, uint8_t *buf, size_t cap, size_t *ret_len)
{
	const json_t *v = json_object_get(o, name);

	return json_is_string(v) && sodium_base642bin(buf, cap, json_string_value(v), json_string_length(v), NULL,
	                                              ret_len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

/* The members of a browser's PublicKeyCredential.toJSON(). */
static int assertion_encode(const json_t *o, uint8_t *buf, size_t cap, size_t *ret_len)
{
	const char *const names[] = {"authenticatorData", "clientDataJSON", "signature"};
	const json_t *response = json_object_get(o, "response");
	uint8_t part[EVIDENCE_SIZE_MAX];
	struct writer w;
	size_t len;

	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	if (!json_base64url(o, "rawId", part, sizeof(part), &len) &&
	    !json_base64url(o, "id", part, sizeof(part), &len)) {
		last_error_set("the assertion has no rawId in base64url");
		return CS_E_INVALID;
	}
	writer_bin(&w, part, len);
	for (unsigned i = 0; i < 3; i++) {
		if (!json_base64url(response, names[i], part, sizeof(part), &len)) {
			last_error_set("the assertion has no response.%s in base64url", names[i]);
			return CS_E_INVALID;
		}
		writer_bin(&w, part, len);
	}
	return writer_end(&w, ret_len);
}

int cs_answer_webauthn(cs_client *client, uint64_t challenge_index, const char *credential, const char *assertion_json,
                       cs_result **ret)
{
	uint8_t evidence[EVIDENCE_SIZE_MAX];
	json_t *o = json_loads(assertion_json, JSON_REJECT_DUPLICATES, NULL);
	size_t len = 0;

	if (o == NULL) {
		last_error_set("the assertion is no JSON");
		return CS_E_INVALID;
	}
	int err = assertion_encode(o, evidence, sizeof(evidence), &len);
	json_decref(o);
	return err < 0 ? err : cs_answer_evidence(client, challenge_index, "webauthn", credential, evidence, len, ret);
}
