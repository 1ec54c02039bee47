/* Administration: enrolments, removals and policies, signed with the administrator's own key. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/errors.h"
#include "node/decide/command.h"
#include "node/decide/policy.h"

#define ADMIN_BODY_MAX 8192 /* An enrolment or removal with every signature that it may have. */

static struct text text_of(const char *s, size_t len_max)
{
	return (struct text){.s = s, .len = s == NULL ? 0 : strnlen(s, len_max + 1)};
}

/* Sends an encoded order, or drops the call if err < 0. */
int order_send(struct call *call, int err, size_t len, cs_result **ret)
{
	void *result;

	if (err < 0) {
		call_drop(call);
		return err;
	}
	err = call_wait(call, len, result_convert, &result);
	if (err == CS_OK)
		*ret = result;
	return err;
}

static int roles_parse(const char *s, uint32_t *ret)
{
	uint32_t roles = 0;

	for (;;) {
		size_t len = strcspn(s, ",");
		uint32_t bit;
		for (bit = 1; bit != 0; bit <<= 1) {
			const char *name = role_text(bit);
			if (name != NULL && strlen(name) == len && memcmp(name, s, len) == 0)
				break;
		}
		if (bit == 0 || bit == ROLE_NODE) {
			last_error_set("unknown role \"%.*s\": roles are decide, import, audit, administer, device, "
			               "approve, signal, witness",
			               (int)(len < 64 ? len : 64), s);
			return CS_ERR_INVALID;
		}
		roles |= bit;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	*ret = roles;
	return CS_OK;
}

int cs_enroll(cs_client *client, const struct cs_principal *principal, cs_result **ret)
{
	uint8_t elements[ADMIN_BODY_MAX];
	struct order_signatures signatures;
	struct enrolment e = {
	        .name = text_of(principal->name, REQUEST_STR_SIZE_MAX),
	        .channel_pub = principal->channel_pub,
	        .sign_pub = principal->sign_pub,
	        .subject_type = text_of(principal->subject_type, REQUEST_STR_SIZE_MAX),
	        .subject_id = text_of(principal->subject_id, REQUEST_STR_SIZE_MAX),
	};
	struct call *call;
	size_t len = 0;

	int err = roles_parse(principal->roles == NULL ? "" : principal->roles, &e.roles);
	if (err == CS_OK)
		err = call_new(client, WIRE_ENROLL, ADMIN_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = enrolment_encode_signed(&e, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = order_sign(client, COMMAND_ENROLL, elements, len, &e.admin, &signatures);
	else
		last_error_set("the enrolment: %s", err_text(err));
	if (err == CS_OK && (err = enrolment_encode(&e, call->body, call->body_cap, &len)) < 0)
		last_error_set("the enrolment: %s", err_text(err));
	return order_send(call, err, len, ret);
}

int cs_remove(cs_client *client, const char *name, const char *reason, cs_result **ret)
{
	uint8_t elements[ADMIN_BODY_MAX];
	struct order_signatures signatures;
	struct removal r = {
	        .name = text_of(name, REQUEST_STR_SIZE_MAX),
	        .reason = text_of(reason, REQUEST_STR_SIZE_MAX),
	};
	struct call *call;
	size_t len = 0;

	int err = call_new(client, WIRE_REMOVE, ADMIN_BODY_MAX, &call);
	if (err < 0)
		return err;
	err = removal_encode_signed(&r, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = order_sign(client, COMMAND_REMOVE, elements, len, &r.admin, &signatures);
	else
		last_error_set("the removal: %s", err_text(err));
	if (err == CS_OK && (err = removal_encode(&r, call->body, call->body_cap, &len)) < 0)
		last_error_set("the removal: %s", err_text(err));
	return order_send(call, err, len, ret);
}

int cs_policy_set(cs_client *client, const char *yaml, size_t size, cs_result **ret, char *error, size_t error_size)
{
	uint8_t compiled[POLICY_COMPILED_SIZE_MAX], elements[WIRE_REQUEST_SIZE_MAX];
	struct order_signatures signatures;
	struct policy_error pe = {0};
	struct policy_set p = {.source = (const uint8_t *)yaml, .source_len = size, .compiled = compiled};
	struct call *call;
	size_t len = 0;

	int err = policy_compile(yaml, size, compiled, sizeof(compiled), &p.compiled_len, &pe);
	if (err < 0) {
		last_error_set("%u:%u: %s", pe.line, pe.column, pe.text[0] == '\0' ? err_text(err) : pe.text);
		if (error != NULL && error_size > 0)
			snprintf(error, error_size, "%s", cs_last_error());
		return err;
	}
	err = call_new(client, WIRE_POLICY_SET, WIRE_REQUEST_SIZE_MAX, &call);
	if (err < 0)
		return err;
	err = policy_set_encode_signed(&p, elements, sizeof(elements), &len);
	if (err == CS_OK)
		err = order_sign(client, COMMAND_POLICY_SET, elements, len, &p.admin, &signatures);
	else
		last_error_set("the policy: %s", err_text(err));
	if (err == CS_OK && (err = policy_set_encode(&p, call->body, call->body_cap, &len)) < 0)
		last_error_set("the policy: %s", err_text(err));
	return order_send(call, err, len, ret);
}
