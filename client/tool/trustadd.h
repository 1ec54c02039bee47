/* Witnesses from outside, added to a trust policy: the quorum asks for them too. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_TRUSTADD_H
#define CLIENT_TOOL_TRUSTADD_H

#include "client/tool/options.h"

/*
 * The policy of text with these verifier keys (type 04) as witnesses of their own names, and its quorum met only if, as
 * well as the old one, `need` of them have cosigned. Comments stay. malloc'ed text, or NULL and why (256 bytes).
 */
char *trustadd_witnesses(const char *text, const struct option_list *vkeys, unsigned need, char ret_why[256]);

#endif
