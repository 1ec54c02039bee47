/* One record of an AWS CloudTrail log as a request: who, what, on which resource, in which context. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/import/cloudtrail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/import/awsresource.h"
#include "client/tool/import/format.h"
#include "client/tool/import/when.h"

/* A string member, NULL if it is missing, empty or of another type. */
static const char *text_of(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s && *s ? s : NULL;
}

bool cloudtrail_time(const char *text, uint64_t *ret_ms)
{
	size_t n = strlen(text);

	return n >= 20 && text[10] == 'T' && text[n - 1] == 'Z' && when_iso(text, 0, ret_ms, NULL);
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

static bool read_identity(const json_t *record, struct past_event *e, char *reason)
{
	const json_t *identity = json_object_get(record, "userIdentity");
	const char *type = text_of(identity, "type"), *id, *invoked_by = text_of(identity, "invokedBy");

	if (!json_is_object(identity)) {
		snprintf(reason, PAST_REASON_SIZE, "userIdentity is missing");
		return false;
	}
	id = subject_id(identity, type);
	if (!id) {
		snprintf(reason, PAST_REASON_SIZE,
		         "userIdentity names nobody: none of arn, userName, principalId, invokedBy, accountId");
		return false;
	}
	past_keep(subject_type(type), e->subject_type, sizeof e->subject_type);
	past_keep(id, e->subject_id, sizeof e->subject_id);
	if (invoked_by && strcmp(invoked_by, id) != 0) {
		past_keep("service", e->actor_type, sizeof e->actor_type);
		past_keep(invoked_by, e->actor_id, sizeof e->actor_id);
	}
	return true;
}

/* "ec2.amazonaws.com" is "ec2". */
static void service_of(const char *source, char ret[PAST_TYPE_SIZE])
{
	char name[PAST_TEXT_SIZE];
	char *dot;

	past_keep(source, name, sizeof name);
	dot = strchr(name, '.');
	if (dot && dot != name)
		*dot = 0;
	past_keep(name, ret, PAST_TYPE_SIZE);
}

/* Known in two places: the session's attributes, and a console login's own data. */
static void add_mfa(struct past_event *e, const json_t *record)
{
	const json_t *session = json_object_get(json_object_get(record, "userIdentity"), "sessionContext");
	const json_t *flag = json_object_get(json_object_get(session, "attributes"), "mfaAuthenticated");
	const char *used = text_of(json_object_get(record, "additionalEventData"), "MFAUsed");
	const char *text = json_string_value(flag);

	if (used)
		past_add_boolean(e, "mfa", !strcmp(used, "Yes"));
	else if (json_is_boolean(flag))
		past_add_boolean(e, "mfa", json_is_true(flag));
	else if (text && (!strcmp(text, "true") || !strcmp(text, "false")))
		past_add_boolean(e, "mfa", *text == 't');
}

static void read_context(const json_t *record, struct past_event *e)
{
	const json_t *identity = json_object_get(record, "userIdentity");
	const json_t *read_only = json_object_get(record, "readOnly");
	const char *arn = text_of(identity, "arn");

	past_add_source(e, text_of(record, "sourceIPAddress"));
	past_add_text(e, "user_agent", text_of(record, "userAgent"));
	past_add_text(e, "region", text_of(record, "awsRegion"));
	add_mfa(e, record);
	past_add_text(e, "session", text_of(identity, "accessKeyId"));
	if (!strcmp(e->subject_type, "role") && arn && strcmp(arn, e->subject_id) != 0)
		past_add_text(e, "session_arn", arn);
	past_add_text(e, "account", text_of(record, "recipientAccountId"));
	past_add_text(e, "error", text_of(record, "errorCode"));
	past_add_text(e, "event_id", text_of(record, "eventID"));
	if (json_is_boolean(read_only))
		past_add_boolean(e, "read_only", json_is_true(read_only));
}

bool cloudtrail_read(const json_t *record, struct past_event *ret, char reason[PAST_REASON_SIZE])
{
	const char *time = text_of(record, "eventTime"), *source = text_of(record, "eventSource");
	const char *name = text_of(record, "eventName");
	char action[2 * PAST_TEXT_SIZE], service[PAST_TYPE_SIZE], cut[PAST_TEXT_SIZE];
	struct past_event *e = ret;
	struct aws_resource resource;

	memset(e, 0, sizeof *e);
	if (!json_is_object(record) || !time || !source || !name) {
		snprintf(reason, PAST_REASON_SIZE, "%s is missing",
		         !json_is_object(record) ? "an object"
		         : !time                 ? "eventTime"
		         : !source               ? "eventSource"
		                                 : "eventName");
		return false;
	}
	if (!cloudtrail_time(time, &e->time_ms)) {
		snprintf(reason, PAST_REASON_SIZE, "eventTime \"%.40s\" is not a time in UTC", time);
		return false;
	}
	if (!read_identity(record, e, reason))
		return false;
	service_of(source, service);
	past_keep(name, cut, sizeof cut);
	snprintf(action, sizeof action, "%s:%s", service, cut);
	past_keep(action, e->action, sizeof e->action);
	aws_resource_find(record, service, &resource);
	past_keep(resource.type, e->resource_type, sizeof e->resource_type);
	past_keep(resource.id, e->resource_id, sizeof e->resource_id);
	read_context(record, e);
	return true;
}

/* --- files --- */

static void take_records(struct reading *r, const json_t *records)
{
	const json_t *record;
	size_t i;

	json_array_foreach(records, i, record)
	{
		bool ok = cloudtrail_read(record, &r->event, r->reason);

		if (!reading_take(r, ok ? PAST_EVENT : PAST_BAD))
			return;
	}
}

void cloudtrail_read_log(struct reading *r)
{
	char *text;
	json_error_t where;
	json_t *root;
	const json_t *records;
	size_t size;
	enum input_got got = input_all(r->in, CLOUDTRAIL_FILE_SIZE_MAX, &text, &size);

	if (got == INPUT_LONG)
		reading_fail(r, "more than %u MiB", CLOUDTRAIL_FILE_SIZE_MAX >> 20);
	if (got == INPUT_LONG || reading_broken(r, got))
		return;
	root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	free(text);
	records = json_object_get(root, "Records");
	if (!root)
		reading_fail(r, "line %d, column %d: %s", where.line, where.column, where.text);
	else if (!json_is_array(records))
		reading_fail(r, "holds no array \"Records\": not a CloudTrail log");
	else
		take_records(r, records);
	json_decref(root);
}
