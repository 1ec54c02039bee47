/* A request out of a YAML file of cases, and out of an entry's opened fields. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policyrequest.h"

#include <string.h>

#include "ledger/errors.h"
#include "node/decide/codec.h"
#include "node/decide/fixed.h"

/* Order by bytes, as requests have it. CS_ERR_TOO_LARGE, CS_ERR_EXISTS. */
static int add_context(struct request *q, const struct named_value *v)
{
	unsigned at = q->n_context;

	if (at == REQUEST_CONTEXT_MAX)
		return CS_ERR_TOO_LARGE;
	while (at > 0 && text_compare(q->context[at - 1].name, v->name) > 0)
		at--;
	if (at > 0 && text_compare(q->context[at - 1].name, v->name) == 0)
		return CS_ERR_EXISTS;
	memmove(&q->context[at + 1], &q->context[at], (q->n_context - at) * sizeof *v);
	q->context[at] = *v;
	q->n_context++;
	return 0;
}

/* --- from YAML --- */

int policyrequest_typed(struct compile *c, struct fy_node *key, struct fy_node *value, struct text *type,
                        struct text *id)
{
	struct text t;
	int err = yaml_text(c, key, value, 3, 2 * REQUEST_STR_SIZE_MAX + 1, &t);
	const char *colon = err ? NULL : memchr(t.s, ':', t.len);

	if (err)
		return err;
	if (!colon || colon == t.s || colon + 1 == t.s + t.len || (size_t)(colon - t.s) > SUBJECT_TYPE_SIZE_MAX ||
	    t.len - (size_t)(colon - t.s) - 1 > REQUEST_STR_SIZE_MAX)
		return yaml_fail(c, value, "TYPE:ID is wanted here, as user:ada (type up to %d bytes, id up to %d)",
		                 SUBJECT_TYPE_SIZE_MAX, REQUEST_STR_SIZE_MAX);
	*type = (struct text){t.s, (size_t)(colon - t.s)};
	*id = (struct text){colon + 1, t.len - type->len - 1};
	return 0;
}

static int request_subject(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct request *q = &((struct policyrequest *)target)->q;

	return policyrequest_typed(c, key, value, &q->subject_type, &q->subject_id);
}

/* One, or a chain: the first acts for the second, and so on; the last for the subject. */
static int request_actor(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct request *q = &((struct policyrequest *)target)->q;
	struct fy_node *item;
	unsigned n = 0;
	void *i = NULL;
	int err = 0;

	if (!value || !fy_node_is_sequence(value))
		return policyrequest_typed(c, key, value, &q->actor_type, &q->actor_id);
	for (; !err && (item = fy_node_sequence_iterate(value, &i)); n++) {
		if (n == REQUEST_ACTORS_MAX)
			return yaml_fail(c, item, "too many actors: at most %d", REQUEST_ACTORS_MAX);
		err = policyrequest_typed(c, key, item, n ? &q->via[n - 1].type : &q->actor_type,
		                          n ? &q->via[n - 1].id : &q->actor_id);
	}
	if (!err && !n)
		return yaml_fail(c, key, "an empty list of actors: leave \"actor\" out");
	q->n_via = n ? n - 1 : 0;
	return err;
}

static int request_resource(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct request *q = &((struct policyrequest *)target)->q;

	return policyrequest_typed(c, key, value, &q->resource_type, &q->resource_id);
}

static int request_action(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	return yaml_text(c, key, value, 1, REQUEST_STR_SIZE_MAX, &((struct policyrequest *)target)->q.action);
}

/* As a policy's own values: without quotes, numbers and booleans are such. */
static int read_attribute(struct compile *c, struct fy_node *key, struct fy_node *value, struct request *q)
{
	struct named_value v = {0};
	struct span span;
	int err = yaml_text(c, key, key, 1, REQUEST_STR_SIZE_MAX, &v.name);

	if (!err && value && !fy_node_is_scalar(value))
		return yaml_fail(c, key, "an attribute is a text, a whole number, true or false");
	c->p->n_values = 0;
	if (!err)
		err = yaml_values(c, key, value, true, &span);
	if (err)
		return err;
	v.type = c->p->values[span.first].type;
	v.str = c->p->values[span.first].str;
	v.integer = c->p->values[span.first].integer;
	err = add_context(q, &v);
	if (err == CS_ERR_EXISTS)
		return yaml_fail(c, key, "\"%.*s\" is there twice", (int)v.name.len, v.name.s);
	return err ? yaml_fail(c, key, "too many attributes: at most %d", REQUEST_CONTEXT_MAX) : 0;
}

static int request_attributes(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct fy_node_pair *pair;
	void *i = NULL;
	int err = 0;

	if (!value || !fy_node_is_mapping(value))
		return yaml_fail(c, key, "a mapping (attribute: value) is wanted here");
	while (!err && (pair = fy_node_mapping_iterate(value, &i)))
		err = read_attribute(c, fy_node_pair_key(pair), fy_node_pair_value(pair),
		                     &((struct policyrequest *)target)->q);
	return err;
}

/* --- the place of its address --- */

static int place_country(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct place *p = target;
	struct text t;
	int err = yaml_text(c, key, value, 2, 2, &t);

	if (err)
		return err;
	for (unsigned i = 0; i < 2; i++)
		if (t.s[i] < 'A' || t.s[i] > 'Z')
			return yaml_fail(c, value, "a country is two capital letters (ISO 3166-1)");
	memcpy(p->country, t.s, 2);
	return 0;
}

static int place_network(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	int64_t v = 0;
	int err = yaml_int(c, key, value, 1, UINT32_MAX, &v);

	((struct place *)target)->network = (uint32_t)v;
	return err;
}

/* Decimal degrees, up to four digits behind the point, to ten-thousandths of a degree. */
static bool read_degrees(struct text t, int32_t max, int32_t *ret)
{
	bool negative = t.len && t.s[0] == '-';
	int64_t v = 0;
	unsigned behind = 0;
	bool point = false;

	if (t.len == (size_t)negative || t.len > 10)
		return false;
	for (size_t i = negative; i < t.len; i++) {
		if (t.s[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (t.s[i] < '0' || t.s[i] > '9' || (point && ++behind > 4))
			return false;
		v = v * 10 + (t.s[i] - '0');
	}
	for (; behind < 4; behind++)
		v *= 10;
	*ret = (int32_t)(negative ? -v : v);
	return v <= max;
}

/* "52.52, 13.405": latitude, longitude. */
static int place_position(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	struct place *p = target;
	struct text t, latitude, longitude;
	int err = yaml_text(c, key, value, 1, 40, &t);
	const char *comma = err ? NULL : memchr(t.s, ',', t.len);

	if (err)
		return err;
	if (comma) {
		latitude = (struct text){t.s, (size_t)(comma - t.s)};
		longitude = (struct text){comma + 1, t.len - latitude.len - 1};
		for (; longitude.len && *longitude.s == ' '; longitude.s++)
			longitude.len--;
		p->has_position = read_degrees(latitude, FIXED_LATITUDE_MAX, &p->latitude) &&
		                  read_degrees(longitude, FIXED_LONGITUDE_MAX, &p->longitude);
	}
	return p->has_position
	               ? 0
	               : yaml_fail(c, value, "latitude and longitude in degrees are wanted here: \"52.52, 13.405\"");
}

/* What a leader's databases would say of the address. */
static int request_place(struct compile *c, struct fy_node *key, struct fy_node *value, void *target)
{
	static const struct yaml_key keys[] = {{"country", place_country, 0},
	                                       {"network", place_network, 0},
	                                       {"position", place_position, 0},
	                                       {NULL, NULL, 0}};
	struct policyrequest *r = target;

	r->place = (struct place){.looked = true};
	return yaml_mapping(c, key, value, keys, &r->place);
}

int policyrequest_read(struct compile *c, struct fy_node *key, struct fy_node *value, struct policyrequest *ret)
{
	static const struct yaml_key keys[] = {{"subject", request_subject, YAML_REQUIRED},
	                                       {"actor", request_actor, 0},
	                                       {"action", request_action, YAML_REQUIRED},
	                                       {"resource", request_resource, YAML_REQUIRED},
	                                       {"context", request_attributes, 0},
	                                       {"place", request_place, 0},
	                                       {NULL, NULL, 0}};
	uint8_t bytes[REQUEST_SIZE_MAX];
	size_t len;

	memset(ret, 0, sizeof *ret);
	int err = yaml_mapping(c, key, value, keys, ret);
	if (!err && request_encode(&ret->q, bytes, sizeof bytes, &len))
		return yaml_fail(c, key, "the request is too large: at most %d bytes", REQUEST_SIZE_MAX);
	return err;
}

struct request policyrequest_placed(const struct policyrequest *p)
{
	struct request q = p->q;

	q.place = p->place.looked ? &p->place : NULL;
	return q;
}

/* --- from an entry --- */

static int field_pair(const struct field *f, struct text *type, struct text *id)
{
	struct reader r;

	if (!f)
		return CS_ERR_ERASED;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	codec_text(&r, 1, REQUEST_STR_SIZE_MAX, type);
	codec_text(&r, 1, REQUEST_STR_SIZE_MAX, id);
	return reader_end(&r);
}

static int field_text(const struct field *f, struct text *ret)
{
	struct reader r;

	reader_init(&r, f->value, f->value_len);
	codec_text(&r, 0, REQUEST_STR_SIZE_MAX, ret);
	return reader_end(&r);
}

static int add_text(struct request *q, const char *name, struct text value)
{
	const struct named_value v = {.name = {name, strlen(name)}, .type = VALUE_STR, .str = value};

	return add_context(q, &v) ? CS_ERR_MALFORMED : 0;
}

static int take_text(struct request *q, const char *name, const struct field *f)
{
	struct text t = {0};
	int err = f ? field_text(f, &t) : 0;

	return f && !err ? add_text(q, name, t) : err;
}

/* [region or nil, country or nil] */
static int take_location(struct request *q, const struct field *f)
{
	static const char *const names[] = {"region", "country"};
	struct text t[2] = {{NULL, 0}, {NULL, 0}};
	struct reader r;
	int err;

	if (!f)
		return 0;
	reader_init(&r, f->value, f->value_len);
	reader_array_exact(&r, 2);
	for (unsigned i = 0; i < 2; i++)
		if (!reader_nil(&r))
			codec_text(&r, 0, REQUEST_STR_SIZE_MAX, &t[i]);
	err = reader_end(&r);
	for (unsigned i = 0; i < 2 && !err; i++)
		if (t[i].s)
			err = add_text(q, names[i], t[i]);
	return err;
}

static void read_value(struct reader *r, struct named_value *v)
{
	bool b = false;

	v->type = reader_peek(r);
	if (v->type == VALUE_BOOL) {
		reader_bool(r, &b);
		v->integer = b;
	} else if (v->type == VALUE_INT) {
		reader_int(r, &v->integer);
	} else {
		codec_text(r, 0, REQUEST_STR_SIZE_MAX, &v->str);
	}
}

static int take_context(struct request *q, const struct field *f)
{
	struct reader r;
	uint32_t n = 0;

	if (!f)
		return 0;
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, REQUEST_CONTEXT_MAX, &n);
	for (uint32_t i = 0; i < n && !r.err; i++) {
		struct named_value v = {0};
		reader_array_exact(&r, 2);
		codec_text(&r, 1, REQUEST_STR_SIZE_MAX, &v.name);
		read_value(&r, &v);
		if (!r.err && add_context(q, &v))
			return CS_ERR_MALFORMED;
	}
	return reader_end(&r);
}

/* [[type, id]…]: who acts, for whom, up to the subject. The first is the actor, who has a field of its own too. */
static int take_chain(struct request *q, const struct field *f)
{
	struct text type, id;
	struct reader r;
	uint32_t n = 0;

	if (!f)
		return 0;
	reader_init(&r, f->value, f->value_len);
	reader_array(&r, REQUEST_ACTORS_MAX, &n);
	for (uint32_t i = 0; i < n && !r.err; i++) {
		reader_array_exact(&r, 2);
		codec_text(&r, 1, REQUEST_STR_SIZE_MAX, i ? &q->via[i - 1].type : &type);
		codec_text(&r, 1, REQUEST_STR_SIZE_MAX, i ? &q->via[i - 1].id : &id);
	}
	q->n_via = n ? n - 1 : 0;
	return reader_end(&r);
}

static int take_place(struct place *p, const struct field *f)
{
	struct reader r;

	*p = (struct place){0};
	if (!f)
		return 0;
	reader_init(&r, f->value, f->value_len);
	place_read(&r, p);
	return reader_end(&r);
}

int policyrequest_of_fields(struct policyrequest *ret, const struct field *fields, unsigned n)
{
	const struct field *action = body_find(fields, n, FIELD_ACTION), *actor = body_find(fields, n, FIELD_ACTOR);
	struct request *q = &ret->q;
	int err = action ? 0 : CS_ERR_ERASED;

	memset(q, 0, sizeof *q);
	if (!err)
		err = field_text(action, &q->action);
	if (!err)
		err = field_pair(body_find(fields, n, FIELD_SUBJECT), &q->subject_type, &q->subject_id);
	if (!err)
		err = field_pair(body_find(fields, n, FIELD_RESOURCE), &q->resource_type, &q->resource_id);
	if (!err && actor)
		err = field_pair(actor, &q->actor_type, &q->actor_id);
	if (!err)
		err = take_chain(q, body_find(fields, n, FIELD_DELEGATION));
	if (!err)
		err = take_context(q, body_find(fields, n, FIELD_CONTEXT));
	if (!err)
		err = take_text(q, "device", body_find(fields, n, FIELD_DEVICE));
	if (!err)
		err = take_text(q, "ip", body_find(fields, n, FIELD_ADDRESS));
	if (!err)
		err = take_location(q, body_find(fields, n, FIELD_LOCATION));
	return err ? err : take_place(&ret->place, body_find(fields, n, FIELD_PLACE));
}
