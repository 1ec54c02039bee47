/* The requests of the load: ordinary ones, of many subjects, each with a device and an address of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_REQUEST_H
#define BENCH_REQUEST_H

#include <stdint.h>

#include "client/countersign.h"

#define REQUEST_ATTRIBUTES 6

/* A request with the memory that it points into. */
struct request_owned {
	char subject[24], resource[24], device[24], ip[16], session[20];
	struct cs_attribute attributes[REQUEST_ATTRIBUTES];
	struct cs_request request;
};
/* The request that this random number stands for; subjects: how many there are. */
void request_make(struct request_owned *ret, uint64_t random, unsigned subjects);

/* The policy that the load's cluster decides by: YAML text. */
const char *request_policy(void);

#endif
