/* Fuzzing: CEL conditions, as text through all of the compiler, and as the bytes of a compiled policy. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/cel/cel_text.h"
#include "tests/decide_kit.h"
#include "tests/fuzz/fuzz.h"

#define FORM_SIZE_MAX 65536

/* It ends within its steps, and its value can be printed. */
static void evaluate(const struct cel_program *p, unsigned root, uint32_t *ret_steps)
{
	static struct cel_run run;
	static char text[262144];
	static struct signal_list signals = {.n = 1, .s = {{SIGNAL_NEW_DEVICE, 1}}};
	static const struct text groups[] = {{"staff", 5}};
	struct request q;

	kit_request(&q, "ada", "deploy", "laptop", "192.0.2.7");
	struct cel_request variables = {.request = &q,
	                                .signals = &signals,
	                                .risk = 400,
	                                .now_ms = UINT64_C(1707172215250),
	                                .groups = groups,
	                                .n_groups = 1};
	cel_run_init(&run, p, cel_request_variable, &variables);
	struct cel_value v = cel_evaluate(&run, root);
	*ret_steps = CEL_POLICY_COST_MAX - run.budget;
	(void)cel_print(&v, text, sizeof(text));
}

/* What is written reads as what it was. */
static void demand_same(const struct cel_program *p, unsigned root, const uint8_t *bytes, size_t len)
{
	static uint8_t again[FORM_SIZE_MAX];
	size_t n;

	FUZZ_DEMAND(cel_write(p, root, again, sizeof(again), &n) == 0);
	FUZZ_DEMAND(n == len && memcmp(again, bytes, len) == 0);
}

void fuzz_condition(const uint8_t *bytes, size_t len)
{
	static struct cel_program p, other;
	static uint8_t form[FORM_SIZE_MAX];
	struct cel_work *w = cel_work_new();
	struct cel_error e;
	uint16_t root, other_root;
	uint32_t cost, steps;
	size_t n;

	FUZZ_DEMAND(w != NULL);
	p.n = other.n = 0;
	int err = cel_compile(w, cel_request_env(), (struct text){(const char *)bytes, len}, CEL_WANTS_BOOL, &p, &root,
	                      &cost, &e);
	if (err != 0) {
		FUZZ_DEMAND(err == CS_ERR_INVALID || err == CS_ERR_TOO_LARGE);
		FUZZ_DEMAND(e.text[0] != 0 && memchr(e.text, 0, sizeof(e.text)) != NULL && e.offset <= len && p.n == 0);
	} else {
		FUZZ_DEMAND(cel_write(&p, root, form, sizeof(form), &n) == 0);
		FUZZ_DEMAND(cel_read(&other, form, n, &other_root) == 0);
		demand_same(&other, other_root, form, n);
		evaluate(&other, other_root, &steps);
		FUZZ_DEMAND(steps <= cost); /* What was worked out before holds. */
	}
	cel_work_free(w);
}

void fuzz_conditions(const uint8_t *bytes, size_t len)
{
	static struct cel_program p;
	uint16_t root;
	uint32_t steps;

	p.n = 0;
	if (cel_read(&p, bytes, len, &root) != 0) {
		FUZZ_DEMAND(p.n == 0);
		return;
	}
	demand_same(&p, root, bytes, len);
	evaluate(&p, root, &steps);
}
