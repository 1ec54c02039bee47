/* What subject and world learn from a request, beside the profile: of policies of version 2 only. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/evaluate.h"

void learn_asked(struct state *s, struct subject *u, const struct evaluation *e, uint64_t now_ms)
{
	if (!e->further)
		return;
	history_asked(&subject_past_change(s, u)->history, now_ms);
	world_learn_asked(&s->world, &e->observation, &e->sight, now_ms);
}

void learn_allowed(struct state *s, struct subject *u, const struct evaluation *e, uint64_t now_ms, bool strong)
{
	if (!e->further)
		return;
	history_train(&subject_past_change(s, u)->history, &e->sight, e->observation.value[FEATURE_NETWORK], now_ms,
	              strong);
	world_learn(&s->world, &e->observation, &e->sight, e->groups, e->n_groups, WORLD_DECISION);
}

void learn_import(struct state *s, struct subject *u, const struct evaluation *e, uint64_t event_ms)
{
	if (!e->further)
		return;
	struct past *p = subject_past_change(s, u);
	history_train_import(&p->history, &e->sight, event_ms, p->profile.trained > 0);
	world_learn(&s->world, &e->observation, &e->sight, e->groups, e->n_groups, WORLD_IMPORT);
}
