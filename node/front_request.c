/* What a request must be before it becomes a job: a whole envelope, and within its asker's roles. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front_request.h"

#include <assert.h>

#include "ledger/bytes.h"
#include "node/decide/command.h"
#include "node/wire/messages.h"

#define ROLES_READ (ROLE_AUDIT | ROLE_DECIDE | ROLE_WITNESS) /* Leaves; private fields are open to auditors. */

/* Which roles a request needs (any one of them; 0: whoever is enrolled), and how to say so. */
static const struct {
	uint32_t roles;
	const char *text;
} needs[] = {
        [WIRE_HELLO] = {0, NULL},
        [WIRE_DECIDE] = {ROLE_DECIDE, "decide needs the role decide"},
        [WIRE_IMPORT] = {ROLE_IMPORT, "import needs the role import"},
        [WIRE_ANSWER] = {ROLE_DECIDE, "answer needs the role decide"},
        [WIRE_ENROLL] = {ROLE_ADMINISTER, "enroll needs the role administer"},
        [WIRE_REMOVE] = {ROLE_ADMINISTER, "remove needs the role administer"},
        [WIRE_POLICY_SET] = {ROLE_ADMINISTER, "policy set needs the role administer"},
        [WIRE_CHECK] = {ROLE_DECIDE, "check needs the role decide"},
        [WIRE_ENTRIES] = {ROLES_READ, "entries needs the role audit, decide or witness"},
        [WIRE_PROVE] = {ROLES_READ, "prove needs the role audit, decide or witness"},
        [WIRE_CONSISTENCY] = {ROLES_READ, "consistency needs the role audit, decide or witness"},
        [WIRE_CHECKPOINT] = {ROLES_READ, "checkpoint needs the role audit, decide or witness"},
        [WIRE_STATUS] = {0, NULL},
        [WIRE_MANY] = {0, NULL}, /* Each request in it has its own. */
        [WIRE_MEMBER] = {ROLE_ADMINISTER, "member needs the role administer"},
        [WIRE_MEMBERS] = {0, NULL},
        [WIRE_FEATURE] = {ROLE_ADMINISTER, "feature needs the role administer"},
        [WIRE_FEATURES] = {0, NULL},
        [WIRE_APPROVAL] = {ROLE_APPROVE, "approval needs the role approve"},
        [WIRE_GRANT_REVOKE] = {ROLE_ADMINISTER, "grant revoke needs the role administer"},
        [WIRE_OUTSIDE] = {ROLE_SIGNAL, "a signal from outside needs the role signal"},
        [WIRE_PENDING] = {ROLE_APPROVE | ROLE_AUDIT | ROLE_DECIDE, "pending needs the role approve, audit or decide"},
        [WIRE_GRANTS] = {ROLE_AUDIT | ROLE_ADMINISTER, "grants needs the role audit or administer"},
        [WIRE_PEOPLE] = {ROLE_ADMINISTER, "people needs the role administer"},
        [WIRE_GOVERNANCE] = {ROLE_ADMINISTER, "governance needs the role administer"},
        [WIRE_PEOPLE_LIST] = {ROLE_ADMINISTER | ROLE_AUDIT, "people list needs the role administer or audit"},
        [WIRE_CREDENTIAL_ENROL] = {ROLE_DECIDE | ROLE_ADMINISTER,
                                   "credential enrol needs the role decide or administer"},
        [WIRE_CREDENTIAL_REVOKE] = {ROLE_DECIDE | ROLE_ADMINISTER,
                                    "credential revoke needs the role decide or administer"},
        [WIRE_SCRUB] = {ROLE_ADMINISTER, "scrub needs the role administer"},
        [WIRE_KEY] = {ROLE_ADMINISTER, "key needs the role administer"},
        [WIRE_KEY_PREPARE] = {ROLE_ADMINISTER, "key prepare needs the role administer"},
        [WIRE_KEYS] = {0, NULL},
        [WIRE_CREDENTIALS] = {ROLE_AUDIT | ROLE_ADMINISTER, "credentials needs the role audit or administer"},
        [WIRE_WITNESS] = {ROLE_WITNESS, "witness needs the role witness"},
        [WIRE_HISTORY] = {ROLE_AUDIT, "history needs the role audit"},
        [WIRE_HISTORY_PAGE] = {ROLE_AUDIT, "history page needs the role audit"},
        [WIRE_SEARCH] = {ROLE_AUDIT, "search needs the role audit"},
        [WIRE_HOLD] = {ROLE_ADMINISTER, "hold needs the role administer"},
        [WIRE_ERASE] = {ROLE_ADMINISTER, "erase needs the role administer"},
        [WIRE_KEEPING] = {ROLE_AUDIT | ROLE_ADMINISTER, "keeping needs the role audit or administer"},
};

/* Reads an envelope that wire_request_decode refused again, step by step, to say what is wrong with it. */
const char *request_fault(const uint8_t *bytes, size_t len, uint8_t ret_id[WIRE_REQUEST_ID_SIZE])
{
	struct reader r;
	uint64_t v;
	const uint8_t *body;
	size_t body_len;

	reader_init(&r, bytes, len);
	if (len > WIRE_REQUEST_SIZE_MAX)
		return "the request is over 65536 bytes";
	if (reader_array_exact(&r, 5) < 0)
		return "the envelope is not an array of 5";
	if (reader_uint(&r, UINT8_MAX, &v) < 0)
		return "the version is not a number";
	if (v != WIRE_VERSION)
		return "the envelope is of another version; this node speaks version 1";
	if (reader_bin_exact(&r, ret_id, WIRE_REQUEST_ID_SIZE) < 0)
		return "the request id is not 16 bytes";
	if (reader_uint(&r, UINT8_MAX, &v) < 0 || wire_type_text((unsigned)v) == NULL)
		return "unknown type of request";
	if (reader_uint(&r, WIRE_DEADLINE_MS_MAX, &v) < 0)
		return "the deadline is not a number up to 60000";
	if (reader_peek(&r) != VALUE_ARRAY)
		return "the body is not an array";
	if (reader_skip(&r, &body, &body_len) < 0)
		return "the body is not canonical msgpack within the bounds of depth and size";
	return "there are bytes after the envelope";
}

const char *request_refusal(unsigned type, uint32_t roles)
{
	static_assert(WIRE_VERSION == 1, "request_fault says so");
	static_assert(sizeof(needs) / sizeof(needs[0]) == WIRE_KEYS + 1, "every type of request has its roles");
	return needs[type].roles == 0 || (needs[type].roles & roles) != 0 ? NULL : needs[type].text;
}
