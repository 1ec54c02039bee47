/* The family of a user agent: which program, which system. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_AGENT_H
#define NODE_DECIDE_AGENT_H

#include "node/decide/command.h"

/*
 * By the product tokens of RFC 9110 10.1.5: the first name of our lists that the text holds; a program in no list is
 * its first product without the version. Texts point into agent or are static; len 0: nothing to tell.
 */
struct agent {
	struct text program, system;
};
void agent_parse(struct agent *ret, struct text agent);

#endif
