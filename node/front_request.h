/* What a request must be before it becomes a job: a whole envelope, and within its asker's roles. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_FRONT_REQUEST_H
#define NODE_FRONT_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "node/wire/limits.h"

/*
 * Reads an envelope that wire_request_decode refused again, and says what is wrong with it. ret_id gets the request id
 * if it came that far, else stays as it is. The text is static.
 */
const char *request_fault(const uint8_t *bytes, size_t len, uint8_t ret_id[WIRE_REQUEST_ID_SIZE]);
/* NULL if one of these roles may send requests of this type (of the list); else a static text that names what is
 * needed. */
const char *request_refusal(unsigned type, uint32_t roles);

#endif
