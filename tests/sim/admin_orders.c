/* The simulated administrators' orders about people, governance and grants; what is held, kept and erased. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/erasure.h"
#include "tests/sim/admin_internal.h"
#include "tests/sim/erased.h"
#include "tests/sim/os.h"
#include "tests/sim/swarm.h"

#define ELEMENTS_SIZE 2048
#define QUIET_NS      (2 * OS_S) /* So long after the last request about a person nothing of it is on its way. */
#define KEEP_MS_MIN   UINT64_C(4000)

static uint8_t elements[ELEMENTS_SIZE];
static size_t len;
static unsigned eve, erasing;        /* Who is asked about now; whose erasure is next. Numbers from 0. */
static uint64_t erased[CLIENT_EVES]; /* The entries that say so. */
static struct hold_order hold_order;
static uint64_t hold; /* One that was set, and is not lifted; 0: none. */

/* --- people, governance, grants --- */

bool admin_ask_people(struct client *c)
{
	const struct draw d = admin_draw();
	struct people_change changes[DRAW_PEOPLE_MAX];
	struct people_order o = {.n = draw_people(&d, changes), .changes = elements};
	struct writer w;

	writer_init(&w, elements, sizeof elements);
	writer_array(&w, o.n);
	for (unsigned i = 0; i < o.n; i++)
		people_change_write(&w, &changes[i]);
	admin_good(writer_end(&w, &o.changes_len));
	client_begin(c, WIRE_PEOPLE);
	admin_sign(COMMAND_PEOPLE, elements, o.changes_len, &o.admin);
	admin_good(people_order_encode(&o, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
	return true;
}

bool admin_ask_governance(struct client *c)
{
	const struct draw d = admin_draw();
	unsigned before = governance_largest(admin_thresholds()), after;
	struct governance_order o = {0};

	draw_governance(&d, before, &o.thresholds);
	after = governance_largest(&o.thresholds);
	client_begin(c, WIRE_GOVERNANCE);
	admin_good(governance_order_encode_signed(&o, elements, sizeof elements, &len));
	after = before > after ? before : after;
	admin_sign_by(COMMAND_GOVERNANCE, after, after, elements, len, &o.admin);
	admin_good(governance_order_encode(&o, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
	return true;
}

bool admin_ask_grants(struct client *c)
{
	const struct draw d = admin_draw();
	struct grant_revoke o;

	draw_grant_revoke(&d, os_below(client_highest() + 1), &o);
	client_begin(c, WIRE_GRANT_REVOKE);
	if (!o.one)
		c->about = (unsigned)(o.subject_id.s[o.subject_id.len - 1] - '0');
	else
		c->about = CLUSTER_DEVICES;
	admin_good(grant_revoke_encode_signed(&o, elements, sizeof elements, &len));
	admin_sign(COMMAND_GRANT_REVOKE, elements, len, &o.admin);
	admin_good(grant_revoke_encode(&o, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
	return true;
}

/* --- what is held and kept --- */

/* Each sweep is a pass over the store: kinds of which there are few, and of decisions what is old. */
bool admin_ask_hold(struct client *c)
{
	static const unsigned kinds[] = {ENTRY_HISTORY, ENTRY_OUTSIDE, ENTRY_PEOPLE, ENTRY_DECISION};
	const struct draw d = admin_draw();
	struct hold_order *o = &hold_order;
	unsigned persons, needed = governance_largest(admin_thresholds());

	draw_hold(&d, hold ? hold : client_highest() + 1, kinds, 4, o);
	if (o->keep_ms)
		o->keep_ms = KEEP_MS_MIN + o->keep_ms % (4 * KEEP_MS_MIN);
	if (o->action == HOLD_LIFT && !hold)
		return false;
	persons = o->action == HOLD_SET ? 1 : needed > 2 ? needed : 2;
	client_begin(c, WIRE_HOLD);
	admin_good(hold_order_encode_signed(o, elements, sizeof elements, &len));
	admin_sign_by(COMMAND_HOLD, o->action == HOLD_SET ? 1 : needed, persons, elements, len, &o->admin);
	admin_good(hold_order_encode(o, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
	return true;
}

/* --- erasures --- */

unsigned admin_eve(void)
{
	return swarm.ordered[ORDER_ERASURES] && eve < CLIENT_EVES ? WHO_EVE + eve : WHO_NOBODY;
}

uint64_t admin_erased(unsigned who)
{
	return erased[who - WHO_EVE];
}

/* Somebody whom nobody asks about any more; else some entry. */
static void draw_target(struct erase_order *o, char subject[WHO_SIZE])
{
	const struct draw d = admin_draw();
	static uint8_t blind[32];

	os_random_bytes(blind, sizeof blind);
	draw_erase(&d, os_below(client_highest() + 1), blind, o);
	if (erasing >= eve || (o->target != ERASE_SUBJECT && os_chance(200000)))
		return;
	o->target = ERASE_SUBJECT;
	o->index = 0;
	o->fields = ERASE_FIELDS_ALL;
	o->subject_type = client_text("user");
	client_who(WHO_EVE + erasing, subject);
	o->subject_id = client_text(subject);
}

bool admin_ask_erasure(struct client *c)
{
	unsigned largest = governance_largest(admin_thresholds()), n = 0;
	char subject[WHO_SIZE] = "";
	struct erase_order o;
	uint64_t named;

	if (eve == erasing && eve + 1 < CLIENT_EVES && os_chance(700000)) {
		eve++; /* From now on nobody is asked about who is to be erased. */
		return false;
	}
	named = erasing < eve ? clients_named_ns(WHO_EVE + erasing) : 0;
	if (named == UINT64_MAX || (erasing < eve && named + QUIET_NS > os_now))
		return false;
	draw_target(&o, subject);
	n = *subject ? 1 : 0;
	client_begin(c, WIRE_ERASE);
	c->about = n;
	admin_good(erase_order_encode_signed(&o, elements, sizeof elements, &len));
	admin_sign_by(COMMAND_ERASE, largest, largest > 2 ? largest : 2, elements, len, &o.admin);
	admin_good(erase_order_encode(&o, c->request.body, sizeof c->request.body, &c->request.body_len));
	client_ask(c);
	return true;
}

/* --- what came of it --- */

void admin_hold_gone(void)
{
	if (hold_order.action == HOLD_LIFT)
		hold = 0;
}

void admin_order_done(const struct client *c, const struct entry *e)
{
	switch (c->now.type) {
	case WIRE_GRANT_REVOKE:
		persons_grants_ended(c->about, e->index);
		break;
	case WIRE_HOLD:
		if (hold_order.action == HOLD_SET)
			hold = e->index;
		else if (hold_order.action == HOLD_LIFT)
			hold = 0;
		break;
	case WIRE_ERASE:
		if (c->about)
			erased[erasing++] = e->index;
		break;
	default:
		break;
	}
}
