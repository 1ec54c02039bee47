/* Where an address is: found by the leader in its databases, carried in the command, taken by decide as it comes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_PLACE_H
#define NODE_DECIDE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/bytes.h"

#define PLACE_TIME_S_MAX  UINT64_C(253402300799) /* A database's build: to the end of the year 9999. */
#define PLACE_ADDRESS_MAX 45                     /* Characters of an address: RFC 4291 with an IPv4 tail. */

/* All zero: the leader had no database, or did not look. */
struct place {
	bool looked;      /* There was a database; what it does not know of the address is 0. */
	char country[2];  /* ISO 3166-1 alpha-2; 0: unknown. */
	uint32_t network; /* Number of the autonomous system; 0: unknown. */
	bool has_position;
	int32_t latitude, longitude; /* In ten-thousandths of a degree. */
	uint64_t city_built_s;       /* When the databases were built, in POSIX seconds; 0: there is none. */
	uint64_t network_built_s;
};

/* Who can tell where an address is, and when what it knows was built (0: it knows nothing of the kind). */
struct place_source {
	void (*find)(const void *ctx, const char *address, size_t len, struct place *ret);
	const void *ctx;
	uint64_t city_built_s, network_built_s;
};

/*
 * [country or nil, network or nil, latitude or nil, longitude or nil, city database's build or nil, network database's
 * build or nil]: element of the facts, private field, part of a challenge's record.
 */
void place_write(struct writer *w, const struct place *p);
void place_read(struct reader *r, struct place *ret);

struct state;
/*
 * The leader's part: the address whose place decide would ask for, of such a command with such a payload (it has been
 * prepared). Borrowed from payload. False: none, or the policy is of version 1.
 */
bool place_wanted(const struct state *s, unsigned command_type, const void *payload, size_t len, const char **ret,
                  size_t *ret_len);

/* The facts of a decision or an import: [] or [place]. */
int place_facts_decode(struct place *ret, const void *facts, size_t len);
void place_facts_write(struct writer *w, const struct place *p); /* p NULL: []. */

#endif
