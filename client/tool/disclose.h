/* --disclose: which private fields are shown. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_DISCLOSE_H
#define CLIENT_TOOL_DISCLOSE_H

#include <stdint.h>

#include "client/tool/options.h"
#include "ledger/entry.h"

/* text: names of fields with commas between them, '-' or '_' for spaces; "none", "all". A bit for each kind. 0 or the
 * exit code. */
int disclose_parse(const char *command, const char *text, uint64_t *ret);
/* Leaves those of these kinds, in their order; returns how many. */
unsigned disclose_filter(struct field *fields, unsigned n, uint64_t kinds);

#define DISCLOSE_ALL UINT64_MAX

#endif
