/* What the library's files about credentials share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_CREDENTIAL_INTERNAL_H
#define CLIENT_CREDENTIAL_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A member in base64url without padding, into buf. */
bool json_base64url(const json_t *o, const char *name, uint8_t *buf, size_t cap, size_t *ret_len);

#endif
