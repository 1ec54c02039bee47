/* What administrators order, drawn by chance. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/draw.h"

#include <string.h>

#include "tests/people_kit.h"

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

uint64_t draw_below(const struct draw *d, uint64_t n)
{
	return d->below(d->ctx, n);
}

static struct text subject(const struct draw *d)
{
	return text(d->subjects[draw_below(d, d->n_subjects)]);
}

unsigned draw_people(const struct draw *d, struct people_change ret[DRAW_PEOPLE_MAX])
{
	static const char *const who[] = {"user:ada", "user:bob", "user:cyd", "agent:ada", "agent:dee", "service:x"};
	static const char *const groups[] = {NULL, "eng", "eng ops", "legal"};
	static const char *const owners[] = {NULL, "user:ada", "user:bob", "agent:dee"};
	static const char *const for_whom[] = {NULL, "user:ada", "group:eng", "*:*"};
	unsigned n = 1 + (unsigned)draw_below(d, DRAW_PEOPLE_MAX);

	for (unsigned i = 0; i < n; i++) {
		const char *name = DRAW_ONE_OF(d, who);
		unsigned kind = name[0] == 'u' ? PERSON_USER : name[0] == 'a' ? PERSON_AGENT : PERSON_SERVICE;
		bool owned = kind != PERSON_USER || draw_below(d, 10) == 0;
		const char *group = DRAW_ONE_OF(d, groups), *owner = DRAW_ONE_OF(d, owners),
		           *whom = DRAW_ONE_OF(d, for_whom);
		if (draw_below(d, 3) == 0)
			ret[i] = change_of(PEOPLE_DISABLE + (unsigned)draw_below(d, 3), name);
		else
			ret[i] = person_of(name, kind, group, owned ? owner : NULL, owned ? whom : NULL);
	}
	return n;
}

void draw_hold(const struct draw *d, uint64_t hold, const unsigned *kinds, unsigned n_kinds, struct hold_order *ret)
{
	*ret = (struct hold_order){.action = 1 + (unsigned)draw_below(d, 3), .reason = text("because")};
	if (ret->action == HOLD_SET) {
		ret->subject_type = text("user");
		ret->subject_id = subject(d);
	} else if (ret->action == HOLD_LIFT) {
		ret->index = hold;
	} else {
		ret->kind = kinds[draw_below(d, n_kinds)];
		ret->keep_ms = draw_below(d, 4) == 0 ? 0 : 1000 + draw_below(d, 100000);
	}
}

void draw_erase(const struct draw *d, uint64_t index, const uint8_t blind[32], struct erase_order *ret)
{
	*ret = (struct erase_order){.target = 1 + (unsigned)draw_below(d, 2),
	                            .fields = ERASE_FIELDS_ALL,
	                            .blind = blind,
	                            .reason = text("asked for")};
	if (ret->target == ERASE_SUBJECT) {
		ret->subject_type = text("user");
		ret->subject_id = subject(d);
	} else {
		ret->index = index;
		ret->fields = draw_below(d, 2) == 0 ? ERASE_FIELDS_ALL : 2 + 4 * draw_below(d, 256);
	}
}

void draw_grant_revoke(const struct draw *d, uint64_t grant, struct grant_revoke *ret)
{
	*ret = (struct grant_revoke){.reason = text("over"), .one = draw_below(d, 2) == 0};
	if (ret->one) {
		ret->index = grant;
	} else {
		ret->subject_type = text("user");
		ret->subject_id = subject(d);
	}
}

void draw_governance(const struct draw *d, unsigned k, struct governance *ret)
{
	governance_all(ret, draw_below(d, 4) == 0 ? 3 : 3 - k);
}
