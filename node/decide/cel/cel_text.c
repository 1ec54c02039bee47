/* An expression from its text to the text of its value. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/cel/cel_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/decide/cel/cel_internal.h"

#define BINDINGS_MAX (CEL_UNKNOWN - 32)
#define FIRST_NUMBER 32 /* Above those of requests. */

struct session {
	struct cel_work *work;
	struct cel_program program, again;
	struct cel_run run[1 + BINDINGS_MAX]; /* Values live in the run that made them: each binding has its own. */
	struct cel_declaration declarations[CEL_VARIABLES_MAX];
	struct cel_env env;
	struct cel_value bound[BINDINGS_MAX];
	struct cel_request *q;
	uint8_t bytes[CEL_TEXT_MAX];
};

void cel_place(struct text source, uint32_t offset, unsigned *ret_line, unsigned *ret_column)
{
	*ret_line = *ret_column = 1;
	for (uint32_t i = 0; i < offset && i < source.len; i++) {
		if (source.s[i] == '\n') {
			++*ret_line;
			*ret_column = 1;
		} else if (((unsigned char)source.s[i] & 0xc0) != 0x80) {
			++*ret_column;
		}
	}
}

static struct cel_value variable(void *ctx, unsigned number)
{
	struct session *s = ctx;

	if (number == CEL_UNKNOWN || (number < FIRST_NUMBER && s->q == NULL))
		return cel_fault(CEL_FAULT_VARIABLE);
	if (number >= FIRST_NUMBER)
		return s->bound[number - FIRST_NUMBER];
	return cel_request_variable(s->q, number);
}

/* As a replica would: from its bytes. */
static int through_bytes(struct session *s, uint16_t *root)
{
	size_t len;
	int err = cel_write(&s->program, *root, s->bytes, sizeof(s->bytes), &len);

	s->again.n = 0;
	if (err == 0)
		err = cel_read(&s->again, s->bytes, len, root);
	if (err == 0)
		s->program = s->again;
	return err;
}

static enum cel_outcome evaluate(struct session *s, unsigned run, const char *source, unsigned flags, bool bytes,
                                 struct cel_value *ret, char *ret_text, size_t cap)
{
	struct text t = {source, strlen(source)};
	struct cel_error e;
	uint16_t root;
	uint32_t cost;
	unsigned line, column;

	int err = cel_compile(s->work, &s->env, t, flags, &s->program, &root, &cost, &e);
	if (err == 0 && bytes)
		err = through_bytes(s, &root);
	if (err != 0) {
		cel_place(t, e.offset, &line, &column);
		snprintf(ret_text, cap, "line %u column %u: %s", line, column, e.text);
		return CEL_OUTCOME_REFUSED;
	}
	cel_run_init(&s->run[run], &s->program, variable, s);
	*ret = cel_evaluate(&s->run[run], root);
	if (ret->kind == CEL_ERROR) {
		snprintf(ret_text, cap, "%s", cel_fault_text((unsigned)ret->as.u));
		return CEL_OUTCOME_FAULT;
	}
	return CEL_OUTCOME_VALUE;
}

static void declare(struct session *s, const char *name, unsigned number)
{
	s->declarations[s->env.n++] = (struct cel_declaration){.name = name,
	                                                       .number = number,
	                                                       .kind = CEL_DYN,
	                                                       .of = CEL_DYN,
	                                                       .bytes_max = REQUEST_STR_SIZE_MAX,
	                                                       .count_max = REQUEST_CONTEXT_MAX};
}

enum cel_outcome cel_eval_text(const char *source, const struct cel_binding *bindings, unsigned n_bindings,
                               struct cel_request *q, unsigned flags, char *ret_text, size_t cap)
{
	struct session *s = calloc(1, sizeof(*s));
	enum cel_outcome outcome = CEL_OUTCOME_VALUE;
	struct cel_value v;

	if (s == NULL || (s->work = cel_work_new()) == NULL || n_bindings > BINDINGS_MAX) {
		free(s);
		snprintf(ret_text, cap, "out of memory");
		return CEL_OUTCOME_REFUSED;
	}
	s->q = q;
	s->env.declarations = s->declarations;
	for (unsigned i = 0; q != NULL && i < cel_request_env()->n; i++)
		s->declarations[s->env.n++] = cel_request_env()->declarations[i];
	for (unsigned i = 0; i < n_bindings && outcome == CEL_OUTCOME_VALUE; i++) {
		outcome = evaluate(s, i + 1, bindings[i].source, flags | CEL_UNCHECKED, false, &s->bound[i], ret_text,
		                   cap);
		declare(s, bindings[i].name, FIRST_NUMBER + i);
	}
	if (outcome == CEL_OUTCOME_VALUE)
		outcome = evaluate(s, 0, source, flags, true, &v, ret_text, cap);
	if (outcome == CEL_OUTCOME_VALUE)
		cel_print(&v, ret_text, cap);
	cel_work_free(s->work);
	free(s);
	return outcome;
}
