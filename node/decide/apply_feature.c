/* Features switched on by administrators, and the leaders' builds where that feature is on: each becomes an entry. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/apply.h"
#include "node/decide/codec.h"

int check_feature(const struct state *s, const struct feature_order *o, const struct refusal *why)
{
	unsigned number = feature_find(o->name);

	if (number == 0)
		return refuse(why, CS_ERR_VERSION, "the feature %.*s is none of this build", (int)o->name.len,
		              o->name.s);
	if (state_feature(s, number))
		return refuse(why, CS_ERR_EXISTS, "the feature %s is on since entry %llu", feature_name(number),
		              (unsigned long long)s->features.since[number]);
	return 0;
}

int check_feature_on(const struct state *s, unsigned number, const char *what, const struct refusal *why)
{
	if (state_feature(s, number))
		return 0;
	return refuse(why, CS_ERR_INVALID, "%s needs the feature %s, which is off (countersign feature enable %s)",
	              what, feature_name(number), feature_name(number));
}

int check_policy_version(const struct state *s, unsigned version, const struct refusal *why)
{
	return version == POLICY_VERSION_1 ? 0 : check_feature_on(s, FEATURE_DECISIONS, "a policy of version 2", why);
}

int apply_feature(struct apply *a)
{
	struct state *s = a->s;
	struct feature_order o;
	const struct principal *admin = NULL;
	int err = feature_order_decode(&o, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the order: %s", err_text(err));
	err = check_admin(s, a->now_ms, COMMAND_FEATURE, &o.admin, o.signed_elements, o.signed_len, &admin, &a->why);
	if (err == 0)
		err = check_feature(s, &o, &a->why);
	if (err == CS_ERR_VERSION)
		refuse(&a->why, err, FEATURE_NEWER_TEXT, (int)o.name.len, o.name.s, (unsigned long long)s->head.size);
	if (err != 0)
		return err;
	unsigned number = feature_find(o.name);
	struct writer *w = &entry_start(a, ENTRY_FEATURE)->public_;
	writer_array(w, 4);
	writer_uint(w, number);
	codec_write_text(w, o.name);
	writer_uint(w, s->governance);
	admin_signature_write(w, &o.admin);
	field_client(a);
	err = entry_finish(a);
	if (err != 0)
		return err;

	s->features.on |= FEATURE_BIT(number);
	s->features.since[number] = s->head.size;
	s->features_dirty = true;
	admin_used(a, &o.admin);
	entry_commit(a, 0, 0);
	return 0;
}

int apply_build(struct apply *a)
{
	struct state *s = a->s;
	struct build b;
	int err = build_decode(&b, a->c->payload, a->c->payload_len);

	if (err != 0)
		return refuse(&a->why, err, "the build: %s", err_text(err));
	if (!state_feature(s, FEATURE_BUILDS))
		return refuse(&a->why, CS_ERR_INVALID, "the build: the feature %s is not on",
		              feature_name(FEATURE_BUILDS));
	if (text_is(b.version, s->features.build))
		return refuse(&a->why, CS_ERR_EXISTS, "the build: it led last");
	struct writer *w = &entry_start(a, ENTRY_BUILD)->public_;
	writer_array(w, 2);
	writer_uint(w, b.node);
	codec_write_text(w, b.version);
	err = entry_finish(a);
	if (err != 0)
		return err;

	memset(s->features.build, 0, sizeof(s->features.build));
	memcpy(s->features.build, b.version.s, b.version.len);
	s->features_dirty = true;
	entry_commit(a, 0, 0);
	return 0;
}
