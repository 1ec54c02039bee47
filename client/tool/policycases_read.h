/* Reading a file of policy cases: what its parts share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYCASES_READ_H
#define CLIENT_TOOL_POLICYCASES_READ_H

#include "client/tool/policycases.h"
#include "node/decide/policy_yaml.h"

/* The file that is being read; what the keys' functions get begins with it. */
struct reading {
	struct compile c; /* First: a key's function is given this. */
	struct policycases *cases;
	uint64_t clock_ms; /* Of the last thing that was read. */
	uint64_t played;
};
static inline struct reading *reading_of(struct compile *c)
{
	return (struct reading *)(void *)c;
}

#define CASES_STEP_MS UINT64_C(60000) /* Between things that name no time. */

/* Room for one more in an array that doubles; NULL: out of memory. */
void *cases_grow(struct compile *c, void *array, unsigned n, size_t size);
/* The line of a key. */
void cases_line(struct fy_node *key, unsigned *ret);
int cases_time(struct compile *c, struct fy_node *key, struct fy_node *value, uint64_t *ret);
int cases_answer(struct compile *c, struct fy_node *key, struct fy_node *value, enum policycase_answer *ret);
int cases_signals(struct compile *c, struct fy_node *key, struct fy_node *value, struct signal_list *ret);

/* policycases_expect.c: the mapping of what is expected; target: the case. */
int cases_expect(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);
/* policycases_history.c: one thing that happened before. */
int cases_event(struct compile *c, struct fy_node *key, struct fy_node *node);
/* policycases_people.c: the list of the table of people; target: the cases. */
int cases_people(struct compile *c, struct fy_node *key, struct fy_node *value, void *target);

#endif
