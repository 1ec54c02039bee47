/* Seeded random commands of every type, sound and hostile ones, for whatever wants to see decide under all of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DECIDE_GEN_H
#define TESTS_DECIDE_GEN_H

#include "tests/decide_kit.h"
#include "tests/draw.h"

#define GEN_PAST 64 /* Commands that are kept, to be asked again. */

struct gen {
	struct kit kit;            /* After a step: the command and what came of it. */
	uint8_t second_sk[64];     /* Of the administrator "second", if one is enrolled. */
	uint8_t device_before[64]; /* The key before the kit's device key; zeros: none. */
	uint64_t random;
	uint64_t steps;
	size_t last_len; /* Of the command before: its bytes are in the kit still. */
	unsigned n_past;
	struct {
		uint8_t bytes[4096];
		size_t len;
	} past[GEN_PAST];
	uint64_t policies, policies_refused; /* Random ones that were set, and that did not compile. */
};

/* What a step does, one after another in a file of its own part; weights say how often. Ends with a NULL. */
struct gen_step {
	unsigned weight;
	void (*run)(struct gen *g);
};
extern const struct gen_step gen_steps_asks[], gen_steps_orders[], gen_steps_hostile[], gen_steps_verdicts[],
        gen_steps_credentials[], gen_steps_reads[], gen_steps_erase[];

/*
 * A number below n: the same on every machine. One draw in an expression, for compilers choose the order of arguments,
 * operands and initialisers: two builds would draw differently.
 */
uint64_t gen_below(struct gen *g, uint64_t n);
/* The same chance, for what is drawn elsewhere; subjects: ids of users. */
struct draw gen_draw(struct gen *g, const char *const *subjects, unsigned n);
/* One of the texts. */
#define GEN_ONE_OF(g, array) ((array)[gen_below(g, sizeof(array) / sizeof *(array))])

/* yaml NULL: a random policy. */
void gen_open(struct gen *g, uint64_t seed, const struct state_limits *l, const char *yaml);
void gen_close(struct gen *g);
/* Time goes on, and one command is decided; kit.command_len is 0 where there was none that a leader would propose. */
void gen_step(struct gen *g);

/* A random policy; version 1, or one that the feature `decisions` allows. Most compile. */
void gen_policy(struct gen *g, unsigned version, char *ret, size_t cap);
/* A random request, whose texts live as long as the program. */
void gen_request(struct gen *g, struct request *ret);
/* The newest entry's index, or one of the 80 before it. */
uint64_t gen_recent(struct gen *g);
/* The newest open challenge of who has the kit's device key, and that the gateway asked; 0: there is none of late. */
uint64_t gen_ada_challenge(const struct gen *g);
/* By root, or by both administrators where that is needed, mostly; at times a signature does not fit. */
void gen_order(struct gen *g, unsigned type, const void *elements, size_t len, unsigned n);
/* Enrolled keys besides the kit's are called p0 to p5. */
const struct principal *gen_client(struct gen *g);
void gen_name(struct gen *g, char ret[8]);

#endif
