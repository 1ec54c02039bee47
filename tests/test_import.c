/* Tests of the import's parser: one CloudTrail record to a request, and files to events in order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/import/cloudtrail.h"
#include "tests/import_kit.h"

/* A record of an IAM user with the members of extra over it; " stands as '. */
static bool read_record(const char *extra, struct past_event *e, char *reason)
{
	static const char base[] =
	        "{'eventTime':'2023-07-10T11:58:14Z','eventSource':'ec2.amazonaws.com','eventName':'RunInstances',"
	        "'awsRegion':'us-east-1','sourceIPAddress':'192.0.2.7','userAgent':'aws-cli/2','eventID':'e-1',"
	        "'recipientAccountId':'123','readOnly':false,'requestParameters':null,"
	        "'userIdentity':{'type':'IAMUser','arn':'arn:aws:iam::123:user/"
	        "ann','userName':'ann','accessKeyId':'AK1'}}";
	char text[4096];
	json_t *record, *more;
	bool ok;

	snprintf(text, sizeof text, "%s", base);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	record = json_loads(text, 0, NULL);
	assert_non_null(record);
	snprintf(text, sizeof text, "%s", extra);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	more = json_loads(text, 0, NULL);
	assert_non_null(more);
	json_object_update(record, more);
	ok = cloudtrail_read(record, e, reason);
	json_decref(more);
	json_decref(record);
	return ok;
}

static const struct past_attribute *attribute(const struct past_event *e, const char *name)
{
	for (unsigned i = 0; i < e->n_attributes; i++)
		if (!strcmp(e->attributes[i].name, name))
			return &e->attributes[i];
	return NULL;
}

/* A text attribute; "(none)" if it is not there. */
static const char *text_attribute(const struct past_event *e, const char *name)
{
	const struct past_attribute *a = attribute(e, name);

	return a ? a->string : "(none)";
}

static struct past_event event;
static char reason[PAST_REASON_SIZE];

static void test_plain_record(void **state)
{
	(void)state;
	assert_true(read_record("{}", &event, reason));
	assert_int_equal(event.time_ms, 1688990294000);
	assert_string_equal(event.subject_type, "user");
	assert_string_equal(event.subject_id, "arn:aws:iam::123:user/ann");
	assert_string_equal(event.actor_id, "");
	assert_string_equal(event.action, "ec2:RunInstances");
	assert_string_equal(event.resource_type, "service");
	assert_string_equal(event.resource_id, "ec2");
	assert_string_equal(text_attribute(&event, "ip"), "192.0.2.7");
	assert_string_equal(text_attribute(&event, "user_agent"), "aws-cli/2");
	assert_string_equal(text_attribute(&event, "region"), "us-east-1");
	assert_string_equal(text_attribute(&event, "session"), "AK1");
	assert_int_equal(attribute(&event, "read_only")->integer, 0);
	assert_null(attribute(&event, "mfa"));
	assert_null(attribute(&event, "error"));
}

static void test_time(void **state)
{
	static const char *const bad[] = {"",
	                                  "2023-07-10",
	                                  "2023-07-10T11:58:14",
	                                  "2023-07-10T11:58:14+01:00",
	                                  "2023-02-29T00:00:00Z",
	                                  "2023-13-01T00:00:00Z",
	                                  "2023-07-10T24:00:00Z",
	                                  "1969-12-31T23:59:59Z",
	                                  "2023-07-10T11:58:14.Z",
	                                  "2023-07-10T11:58:14ZZ",
	                                  "2023-07-10 11:58:14Z"};
	uint64_t ms;

	(void)state;
	assert_true(cloudtrail_time("1970-01-01T00:00:00Z", &ms));
	assert_int_equal(ms, 0);
	assert_true(cloudtrail_time("2024-02-29T23:59:59.123456Z", &ms));
	assert_int_equal(ms, 1709251199123);
	ms = 42;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(cloudtrail_time(bad[i], &ms));
	assert_int_equal(ms, 42);
}

static void test_identities(void **state)
{
	static const struct {
		const char *identity, *type, *id, *actor;
	} cases[] = {
	        {"{'type':'IAMUser','userName':'bob','principalId':'AID'}", "user", "bob", ""},
	        {"{'type':'IAMUser','principalId':'AID'}", "user", "AID", ""},
	        {"{'type':'Root','arn':'arn:aws:iam::1:root'}", "root", "arn:aws:iam::1:root", ""},
	        {"{'type':'AssumedRole','arn':'arn:aws:sts::1:assumed-role/R/"
	         "s7','sessionContext':{'sessionIssuer':{'arn':"
	         "'arn:aws:iam::1:role/R'}}}",
	         "role", "arn:aws:iam::1:role/R", ""},
	        {"{'type':'AssumedRole','arn':'arn:aws:sts::1:assumed-role/R/s7'}", "role",
	         "arn:aws:sts::1:assumed-role/R/s7", ""},
	        {"{'type':'AWSService','invokedBy':'rds.amazonaws.com'}", "service", "rds.amazonaws.com", ""},
	        {"{'type':'IAMUser','arn':'arn:x:user/a','invokedBy':'health.amazonaws.com'}", "user", "arn:x:user/a",
	         "health.amazonaws.com"},
	        {"{'accountId':'123','invokedBy':'ec2.amazonaws.com'}", "unknown", "ec2.amazonaws.com", ""},
	        {"{'type':'NewThing','accountId':'123'}", "unknown", "123", ""},
	};
	char extra[1024];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(extra, sizeof extra, "{'userIdentity':%s}", cases[i].identity);
		assert_true(read_record(extra, &event, reason));
		assert_string_equal(event.subject_type, cases[i].type);
		assert_string_equal(event.subject_id, cases[i].id);
		assert_string_equal(event.actor_id, cases[i].actor);
	}
	read_record("{'userIdentity':{'type':'AssumedRole','arn':'arn:aws:sts::1:assumed-role/R/s7','sessionContext':"
	            "{'sessionIssuer':{'arn':'arn:aws:iam::1:role/R'},'attributes':{'mfaAuthenticated':'true'}}}}",
	            &event, reason);
	assert_string_equal(text_attribute(&event, "session_arn"), "arn:aws:sts::1:assumed-role/R/s7");
	assert_int_equal(attribute(&event, "mfa")->integer, 1);
}

static void test_mfa(void **state)
{
	(void)state;
	assert_true(read_record("{'additionalEventData':{'MFAUsed':'No'}}", &event, reason));
	assert_int_equal(attribute(&event, "mfa")->type, CS_BOOLEAN);
	assert_int_equal(attribute(&event, "mfa")->integer, 0);
	assert_true(read_record("{'additionalEventData':{'MFAUsed':'Yes'}}", &event, reason));
	assert_int_equal(attribute(&event, "mfa")->integer, 1);
}

static void test_resources(void **state)
{
	static const struct {
		const char *extra, *type, *id;
	} cases[] = {
	        {"{'requestParameters':{'instanceId':'i-1'}}", "ec2", "instance/i-1"},
	        {"{'requestParameters':{'policyArn':'arn:aws:iam::aws:policy/P','roleName':'R'}}", "ec2", "role/R"},
	        {"{'requestParameters':{'policyArn':'arn:aws:iam::aws:policy/P'}}", "iam", "arn:aws:iam::aws:policy/P"},
	        {"{'requestParameters':{'filterSet':{'items':[{'name':'n'}]},'vpcSet':{'items':[{'vpcId':'vpc-1'}]}}}",
	         "ec2", "vpc/vpc-1"},
	        {"{'requestParameters':{'maxResults':5,'instanceId':''}}", "service", "ec2"},
	        {"{'requestParameters':'none','resources':'none'}", "service", "ec2"},
	        {"{'resources':[{'ARN':'arn:aws:kms:r:1:key/K'},{'ARN':'arn:aws:ec2:r:1:volume/"
	         "V'}],'requestParameters':"
	         "{'instanceId':'i-1'}}",
	         "ec2", "arn:aws:ec2:r:1:volume/V"},
	        {"{'resources':[{'accountId':'1'},{'ARN':'arn:aws:kms:r:1:key/K'}]}", "kms", "arn:aws:kms:r:1:key/K"},
	        {"{'resources':[{'ARN':'arn:broken'}]}", "ec2", "resource/arn:broken"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_true(read_record(cases[i].extra, &event, reason));
		assert_string_equal(event.resource_type, cases[i].type);
		assert_string_equal(event.resource_id, cases[i].id);
	}
}

static void test_addresses(void **state)
{
	(void)state;
	assert_true(read_record("{'sourceIPAddress':'2001:db8::1'}", &event, reason));
	assert_string_equal(text_attribute(&event, "ip"), "2001:db8::1");
	assert_true(read_record("{'sourceIPAddress':'secretsmanager.amazonaws.com'}", &event, reason));
	assert_null(attribute(&event, "ip"));
	assert_string_equal(text_attribute(&event, "via"), "secretsmanager.amazonaws.com");
}

/* Strings at the limit stay; longer ones are cut at a character, and differ if they differed. */
static void test_long_strings(void **state)
{
	char extra[1400], agent[600], first[PAST_TEXT_SIZE];
	const char *cut;

	(void)state;
	memset(agent, 'x', sizeof agent);
	agent[256] = 0;
	snprintf(extra, sizeof extra, "{'userAgent':'%s'}", agent);
	assert_true(read_record(extra, &event, reason));
	assert_string_equal(text_attribute(&event, "user_agent"), agent);

	for (size_t i = 0; i < 500; i += 2)
		memcpy(agent + i, "\xc3\xa9", 2);
	agent[500] = 0;
	agent[0] = agent[1] = 'y';
	snprintf(extra, sizeof extra, "{'userAgent':'x%s'}", agent);
	assert_true(read_record(extra, &event, reason));
	cut = text_attribute(&event, "user_agent");
	assert_in_range(strlen(cut), 251, 256);
	assert_non_null(strchr(cut, '#'));
	assert_int_not_equal((unsigned char)cut[strcspn(cut, "#") - 1], 0xc3);
	snprintf(first, sizeof first, "%s", cut);
	extra[strlen(extra) - 3] = 'z'; /* The last character, far behind the cut. */
	extra[strlen(extra) - 4] = 'z';
	assert_true(read_record(extra, &event, reason));
	assert_string_not_equal(text_attribute(&event, "user_agent"), first);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *extra, *named;
	} cases[] = {
	        {"{'eventTime':'yesterday'}", "eventTime"}, {"{'eventTime':null}", "eventTime"},
	        {"{'eventSource':''}", "eventSource"},      {"{'eventName':7}", "eventName"},
	        {"{'userIdentity':null}", "userIdentity"},  {"{'userIdentity':{'type':'IAMUser'}}", "names nobody"},
	};
	json_t *list = json_array();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_false(read_record(cases[i].extra, &event, reason));
		assert_non_null(strstr(reason, cases[i].named));
	}
	assert_false(cloudtrail_read(list, &event, reason));
	json_decref(list);
}

/* --- files --- */

static struct import_kit kit;

static void put_file(const char *name, const char *text)
{
	char copy[1024];

	snprintf(copy, sizeof copy, "%s", text);
	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	import_kit_put(&kit, name, copy, strlen(copy));
}

#define RECORD(time, name)                                                                                             \
	"{'eventTime':'2023-07-10T" time "Z','eventSource':'s3.amazonaws.com','eventName':'" name                      \
	"','userIdentity':{'type':'Root','arn':'arn:aws:iam::1:root'}}"

static int make_folder(void **state)
{
	char path[512];

	(void)state;
	import_kit_open(&kit);
	snprintf(path, sizeof path, "%s/sub", kit.folder);
	if (mkdir(path, 0700))
		return -1;
	put_file("b.json", "{'Records':[" RECORD("10:00:02", "B0") "," RECORD("10:00:01", "B1") ",{'eventTime':5}]}");
	put_file("a.json", "{'Records':[" RECORD("10:00:01", "A0") "," RECORD("10:00:01", "A1") "]}");
	put_file("sub/c.json", "{'Records':[" RECORD("10:00:00", "C0") "]}");
	put_file("broken.json", "{'Records':[\n{]}");
	put_file("twice.json", "{'Records':[],'Records':[]}");
	put_file("other.json", "{'records':[]}");
	put_file("log.json.gz", "x");
	put_file("notes.txt", "x");
	put_file(".hidden", "x");
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	import_kit_close(&kit);
	return 0;
}

static void expect_order(void)
{
	static const char *const order[] = {"s3:C0", "s3:A0", "s3:A1", "s3:B1", "s3:B0"};

	assert_int_equal(kit.n, 5);
	for (unsigned i = 0; i < kit.n; i++)
		assert_string_equal(kit.list[i]->request.action, order[i]);
	assert_int_equal(kit.list[3]->position, 1);
	assert_string_equal(kit.events.files[kit.list[3]->file].name, "b.json");
}

static void test_files(void **state)
{
	(void)state;
	kit.how.format = format_named("cloudtrail");
	import_kit_read(&kit, NULL);
	assert_int_equal(kit.events.n_files, 7);
	expect_order();
	assert_int_equal(kit.events.n_bad, 5);
	for (size_t i = 0; i < kit.events.n_bad; i++) {
		const struct events_bad *bad = &kit.events.bad[i];

		assert_int_equal(bad->position, strstr(bad->path, "/b.json") ? 2 : -1);
		if (strstr(bad->path, "broken.json"))
			assert_non_null(strstr(bad->reason, "line 2"));
	}
}

/* Each file by its looks: those of no known kind are named, too. */
static void test_detected(void **state)
{
	(void)state;
	kit.how.format = NULL;
	import_kit_read(&kit, NULL);
	assert_int_equal(kit.events.n_files, 8);
	expect_order();
	assert_int_equal(kit.events.n_bad, 6);
}

/* A copy of a file is the same events. */
static void test_same_file(void **state)
{
	(void)state;
	put_file("d.json", "{'Records':[" RECORD("10:00:01", "A0") "," RECORD("10:00:01", "A1") "]}");
	kit.how.format = format_named("cloudtrail");
	import_kit_read(&kit, NULL);
	assert_int_equal(kit.n, 7);
	assert_int_equal(kit.events.n, 5);
	for (unsigned i = 0; i < kit.n; i++)
		assert_int_equal(kit.events.files[kit.list[i]->file].same,
		                 !strcmp(kit.events.files[kit.list[i]->file].name, "d.json"));
	assert_int_equal(kit.events.n_bad, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_plain_record),
	        cmocka_unit_test(test_time),
	        cmocka_unit_test(test_identities),
	        cmocka_unit_test(test_mfa),
	        cmocka_unit_test(test_resources),
	        cmocka_unit_test(test_addresses),
	        cmocka_unit_test(test_long_strings),
	        cmocka_unit_test(test_refusals),
	        cmocka_unit_test_setup_teardown(test_files, make_folder, remove_folder),
	        cmocka_unit_test_setup_teardown(test_detected, make_folder, remove_folder),
	        cmocka_unit_test_setup_teardown(test_same_file, make_folder, remove_folder),
	};

	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
