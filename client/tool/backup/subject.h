/* Whom a piece of the ledger tells of: the one whose key seals it in a backup. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_SUBJECT_H
#define CLIENT_TOOL_BACKUP_SUBJECT_H

#include <stddef.h>
#include <stdint.h>

/* subject_key of node/decide/decide.h; 32 zero bytes: nobody's in particular, or a form that is not known. */
void subject_of_record(uint8_t kind, const void *value, size_t len, uint8_t ret[32]);
void subject_of_body(const void *body, size_t len, uint8_t ret[32]);

#endif
