/* One record of an AWS CloudTrail log as a request: who, what, on which resource, in which context. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/cloudtrail.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/tool/awsresource.h"
#include "ledger/hash.h"

/* A string member, NULL if it is missing, empty or of another type. */
static const char *text_of(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s && *s ? s : NULL;
}

/* Copies s into ret of cap bytes; a longer one is cut between characters and ends in '#' and part of its hash. */
static void keep(const char *s, char *ret, size_t cap)
{
	char mark[1 + 16 + 1] = "#";
	size_t len = strlen(s), cut = cap - sizeof mark;
	struct hash h;

	if (len < cap) {
		memcpy(ret, s, len + 1);
		return;
	}
	hash_bytes(&h, s, len);
	sodium_bin2hex(mark + 1, sizeof mark - 1, h.b, 8);
	while (((unsigned char)s[cut] & 0xc0) == 0x80)
		cut--;
	memcpy(ret, s, cut);
	memcpy(ret + cut, mark, sizeof mark);
}

bool cloudtrail_time(const char *text, uint64_t *ret_ms)
{
	unsigned year, month, day, hour, minute, second, ms = 0, scale = 100;
	struct tm tm = {0}, back;
	int n = 0;
	time_t t;

	if (strlen(text) < 20 || strspn(text, "0123456789-T:.Z") != strlen(text) ||
	    sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u%n", &year, &month, &day, &hour, &minute, &second, &n) != 6 || n != 19)
		return false;
	text += n;
	if (*text == '.') {
		if (text[1] < '0' || text[1] > '9')
			return false;
		for (text++; *text >= '0' && *text <= '9'; text++, scale /= 10)
			ms += (unsigned)(*text - '0') * scale;
	}
	if (strcmp(text, "Z") != 0 || year < 1970)
		return false;
	tm = (struct tm){.tm_year = (int)year - 1900,
	                 .tm_mon = (int)month - 1,
	                 .tm_mday = (int)day,
	                 .tm_hour = (int)hour,
	                 .tm_min = (int)minute,
	                 .tm_sec = (int)second};
	back = tm;
	t = timegm(&back);
	/* timegm puts February 31st into March: whatever it had to move is no date. */
	if (t < 0 || back.tm_mday != tm.tm_mday || back.tm_mon != tm.tm_mon || back.tm_hour != tm.tm_hour ||
	    back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
		return false;
	*ret_ms = (uint64_t)t * 1000 + ms;
	return true;
}

/* Types of userIdentity (CloudTrail user guide, "userIdentity element") and what we call them. */
static const char *subject_type(const char *type)
{
	static const struct {
		const char *theirs, *ours;
	} types[] = {
	        {"IAMUser", "user"},
	        {"Root", "root"},
	        {"AssumedRole", "role"},
	        {"Role", "role"},
	        {"FederatedUser", "federated"},
	        {"SAMLUser", "saml"},
	        {"WebIdentityUser", "web"},
	        {"IdentityCenterUser", "user"},
	        {"Directory", "directory"},
	        {"AWSAccount", "account"},
	        {"AWSService", "service"},
	        {"Unknown", "unknown"},
	};

	for (size_t i = 0; type && i < sizeof types / sizeof *types; i++)
		if (!strcmp(type, types[i].theirs))
			return types[i].ours;
	return "unknown";
}

/* The name that stays the same from event to event. */
static const char *subject_id(const json_t *identity, const char *type)
{
	static const char *const names[] = {"arn", "userName", "principalId", "invokedBy", "accountId"};
	const json_t *issuer = json_object_get(json_object_get(identity, "sessionContext"), "sessionIssuer");
	const char *id = NULL;

	if (type && !strcmp(type, "AWSService"))
		id = text_of(identity, "invokedBy");
	else if (type && !strcmp(type, "AssumedRole"))
		id = text_of(issuer, "arn");
	for (size_t i = 0; !id && i < sizeof names / sizeof *names; i++)
		id = text_of(identity, names[i]);
	return id;
}

static bool read_identity(const json_t *record, struct cloudtrail_event *e, char *reason)
{
	const json_t *identity = json_object_get(record, "userIdentity");
	const char *type = text_of(identity, "type"), *id, *invoked_by = text_of(identity, "invokedBy");

	if (!json_is_object(identity)) {
		snprintf(reason, CLOUDTRAIL_REASON_SIZE, "userIdentity is missing");
		return false;
	}
	id = subject_id(identity, type);
	if (!id) {
		snprintf(reason, CLOUDTRAIL_REASON_SIZE,
		         "userIdentity names nobody: none of arn, userName, principalId, invokedBy, accountId");
		return false;
	}
	keep(subject_type(type), e->subject_type, sizeof e->subject_type);
	keep(id, e->subject_id, sizeof e->subject_id);
	if (invoked_by && strcmp(invoked_by, id) != 0) {
		keep("service", e->actor_type, sizeof e->actor_type);
		keep(invoked_by, e->actor_id, sizeof e->actor_id);
	}
	return true;
}

/* "ec2.amazonaws.com" is "ec2". */
static void service_of(const char *source, char ret[CLOUDTRAIL_TYPE_SIZE])
{
	char name[CLOUDTRAIL_TEXT_SIZE];
	char *dot;

	keep(source, name, sizeof name);
	dot = strchr(name, '.');
	if (dot && dot != name)
		*dot = 0;
	keep(name, ret, CLOUDTRAIL_TYPE_SIZE);
}

static struct cloudtrail_attribute *add(struct cloudtrail_event *e, const char *name, enum cs_type type)
{
	struct cloudtrail_attribute *a = &e->attributes[e->n_attributes++];

	a->name = name;
	a->type = type;
	return a;
}

static void add_text(struct cloudtrail_event *e, const char *name, const char *s)
{
	if (s)
		keep(s, add(e, name, CS_STRING)->string, CLOUDTRAIL_TEXT_SIZE);
}

static void add_boolean(struct cloudtrail_event *e, const char *name, bool v)
{
	add(e, name, CS_BOOLEAN)->integer = v;
}

/* Where a service called, sourceIPAddress holds its name: that is not an address. */
static void add_source(struct cloudtrail_event *e, const char *source)
{
	struct in6_addr a;

	if (source && (inet_pton(AF_INET, source, &a) == 1 || inet_pton(AF_INET6, source, &a) == 1))
		add_text(e, "ip", source);
	else
		add_text(e, "via", source);
}

/* Known in two places: the session's attributes, and a console login's own data. */
static void add_mfa(struct cloudtrail_event *e, const json_t *record)
{
	const json_t *session = json_object_get(json_object_get(record, "userIdentity"), "sessionContext");
	const json_t *flag = json_object_get(json_object_get(session, "attributes"), "mfaAuthenticated");
	const char *used = text_of(json_object_get(record, "additionalEventData"), "MFAUsed");
	const char *text = json_string_value(flag);

	if (used)
		add_boolean(e, "mfa", !strcmp(used, "Yes"));
	else if (json_is_boolean(flag))
		add_boolean(e, "mfa", json_is_true(flag));
	else if (text && (!strcmp(text, "true") || !strcmp(text, "false")))
		add_boolean(e, "mfa", *text == 't');
}

static void read_context(const json_t *record, struct cloudtrail_event *e)
{
	const json_t *identity = json_object_get(record, "userIdentity");
	const json_t *read_only = json_object_get(record, "readOnly");
	const char *arn = text_of(identity, "arn");

	add_source(e, text_of(record, "sourceIPAddress"));
	add_text(e, "user_agent", text_of(record, "userAgent"));
	add_text(e, "region", text_of(record, "awsRegion"));
	add_mfa(e, record);
	add_text(e, "session", text_of(identity, "accessKeyId"));
	if (!strcmp(e->subject_type, "role") && arn && strcmp(arn, e->subject_id) != 0)
		add_text(e, "session_arn", arn);
	add_text(e, "account", text_of(record, "recipientAccountId"));
	add_text(e, "error", text_of(record, "errorCode"));
	add_text(e, "event_id", text_of(record, "eventID"));
	if (json_is_boolean(read_only))
		add_boolean(e, "read_only", json_is_true(read_only));
}

bool cloudtrail_read(const json_t *record, struct cloudtrail_event *ret, char reason[CLOUDTRAIL_REASON_SIZE])
{
	const char *time = text_of(record, "eventTime"), *source = text_of(record, "eventSource");
	const char *name = text_of(record, "eventName");
	char action[2 * CLOUDTRAIL_TEXT_SIZE], service[CLOUDTRAIL_TYPE_SIZE], cut[CLOUDTRAIL_TEXT_SIZE];
	struct cloudtrail_event *e = ret;
	struct aws_resource resource;

	memset(e, 0, sizeof *e);
	if (!json_is_object(record) || !time || !source || !name) {
		snprintf(reason, CLOUDTRAIL_REASON_SIZE, "%s is missing",
		         !json_is_object(record) ? "an object"
		         : !time                 ? "eventTime"
		         : !source               ? "eventSource"
		                                 : "eventName");
		return false;
	}
	if (!cloudtrail_time(time, &e->time_ms)) {
		snprintf(reason, CLOUDTRAIL_REASON_SIZE, "eventTime \"%.40s\" is not a time in UTC", time);
		return false;
	}
	if (!read_identity(record, e, reason))
		return false;
	service_of(source, service);
	keep(name, cut, sizeof cut);
	snprintf(action, sizeof action, "%s:%s", service, cut);
	keep(action, e->action, sizeof e->action);
	aws_resource_find(record, service, &resource);
	keep(resource.type, e->resource_type, sizeof e->resource_type);
	keep(resource.id, e->resource_id, sizeof e->resource_id);
	read_context(record, e);
	return true;
}
