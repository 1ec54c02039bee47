/* Tests of imports by a mapping: tables, OPA's decision logs, and --map itself. */
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

#include "client/tool/import/jsonlist.h"
#include "tests/import_kit.h"

static struct import_kit kit;
static char reason[PAST_REASON_SIZE];

static int open_kit(void **state)
{
	(void)state;
	import_kit_open(&kit);
	return 0;
}

static int close_kit(void **state)
{
	(void)state;
	import_kit_close(&kit);
	return 0;
}

static void map(const char *text)
{
	memset(&kit.how.mapping, 0, sizeof kit.how.mapping);
	assert_true(mapping_parse(&kit.how.mapping, text, reason));
}

static void test_map(void **state)
{
	static const char *const bad[] = {"",
	                                  "subject",
	                                  "=x",
	                                  "subject=",
	                                  "subject==",
	                                  "who=x",
	                                  "context.=x",
	                                  "Subject=x",
	                                  "subject=a,",
	                                  "subject=a,,action=b",
	                                  "subject=a;action=b,ab",
	                                  "contexts.a=b"};
	struct mapping m = {0};

	(void)state;
	assert_true(mapping_parse(&m, "subject=user|login,action==read,context.dept=Department, Inc", reason) == false);
	memset(&m, 0, sizeof m);
	assert_true(mapping_parse(&m, "subject=user|login,action==read,context.dept=a b", reason));
	assert_int_equal(m.n, 3);
	assert_string_equal(mapping_find(&m, "subject")->source, "user|login");
	assert_true(mapping_find(&m, "action")->constant);
	assert_string_equal(mapping_find(&m, "action")->source, "read");
	assert_false(mapping_complete(&m, reason));
	assert_non_null(strstr(reason, "resource"));
	assert_true(mapping_parse(&m, "subject=other,resource=r,time=t", reason));
	assert_int_equal(m.n, 5);
	assert_string_equal(mapping_find(&m, "subject")->source, "other");
	assert_true(mapping_complete(&m, reason));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(mapping_parse(&m, bad[i], reason));
}

static void test_csv(void **state)
{
	(void)state;
	map("subject=who,action=what,resource=on "
	    "what,ip=src,time=when,allowed=ok,context.note=note,mfa=mfa,amount=sum");
	import_kit_text(&kit, NULL,
	                "\xef\xbb\xbfwhen,who,what,\"on what\",src,ok,note,mfa,sum\r\n"
	                "2026-01-02 03:04:05,ann,deploy,prod,192.0.2.1,yes,\"said \"\"go, \r\nnow\"\"\",true,12\r\n"
	                "1767323046,ben,read,x,desk7,allow,,,\r\n"
	                "1767323047,cal,read,x,,no,,,\r\n"
	                "1767323048,cal,read,x,,perhaps,,,\r\n"
	                "bad,cal,read,x,,yes,,,\r\n"
	                "1767323049,,read,x,,yes,,,\r\n"
	                "1767323049,dan,read,x,,yes,,maybe,\r\n"
	                "1767323049,dan,read,x,,yes,,,1.5\r\n"
	                "1767323049,dan,read,x,yes\r\n"
	                "1767323049,dan,\"read\"x,x,,yes,,,\r\n"
	                "1767323049,dan,read\"y\",x,,yes,,,\r\n"
	                "1767323050,eva,read,x,,1,,,");
	assert_string_equal(kit.events.files[0].format->name, "csv");
	assert_int_equal(kit.n, 3);
	assert_string_equal(import_kit_words(&kit, 0), "user:ann deploy resource:prod");
	assert_int_equal(kit.list[0]->time_ms, 1767323045000);
	assert_string_equal(import_kit_attribute(&kit, 0, "ip"), "192.0.2.1");
	assert_string_equal(import_kit_attribute(&kit, 0, "note"), "said \"go, \nnow\"");
	assert_string_equal(import_kit_attribute(&kit, 0, "mfa"), "1");
	assert_string_equal(import_kit_attribute(&kit, 0, "amount"), "12");
	assert_string_equal(import_kit_attribute(&kit, 1, "via"), "desk7");
	assert_string_equal(import_kit_attribute(&kit, 1, "note"), "(none)");
	assert_string_equal(import_kit_words(&kit, 2), "user:eva read resource:x");
	assert_int_equal(import_kit_failed(&kit, "denied"), 1);
	assert_int_equal(import_kit_failed(&kit, "not clearly allowed"), 1);
	assert_int_equal(kit.events.n_bad, 7);
	assert_int_equal(kit.events.bad[0].line, 7);
	assert_int_equal(kit.events.bad[0].position, 4);
}

static void test_csv_types(void **state)
{
	(void)state;
	map("subject=u,subject.type==service,actor=bot,actor.type==agent,action==query,resource=db,resource.type=="
	    "database,"
	    "time=t");
	kit.how.when.pattern = "%d.%m.%Y %H:%M:%S";
	import_kit_text(&kit, "csv",
	                "t;u;bot;db\n02.01.2026 03:04:05;billing;helper;ledger\n02.01.2026 03:04:06;billing;;x\n");
	assert_int_equal(kit.n, 2);
	assert_string_equal(import_kit_words(&kit, 0), "service:billing query database:ledger");
	assert_string_equal(kit.list[0]->request.actor_type, "agent");
	assert_string_equal(kit.list[0]->request.actor_id, "helper");
	assert_null(kit.list[1]->request.actor_id);
}

static void test_csv_whole(void **state)
{
	static const struct {
		const char *text, *named;
	} cases[] = {
	        {"t,u,x\n1,2,3\n", "no column \"a\""},
	        {"", "no header row"},
	        {"t,u,\"a\n", "within quotes"},
	        {"t,u,\"a\"b,r\n", "header row"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		map("subject=u,action=a,resource=r,time=t");
		import_kit_text(&kit, "csv", cases[i].text);
		assert_int_equal(kit.n, 0);
		assert_int_equal(kit.events.n_bad, 1);
		assert_int_equal(kit.events.bad[0].position, -1);
	}
	map("subject=u");
	import_kit_text(&kit, "csv", "u\n1\n");
	assert_non_null(strstr(kit.events.bad[0].reason, "action"));
	/* Quotes that are never closed: one bad record, not a silent end. */
	map("subject=u,action=a,resource=r,time=t");
	import_kit_text(&kit, "csv", "u,a,r,t\n1,2,3,4\n\"1,2,3,4\n1,2,3,4\n");
	assert_int_equal(kit.n, 1);
	assert_int_equal(kit.events.n_bad, 1);
}

#define OPA_LOG                                                                                                        \
	"{\"decision_id\":\"d1\",\"input\":{\"user\":\"ann\",\"method\":\"GET\",\"path\":[\"finance\",\"salary\","     \
	"\"ann\"]"                                                                                                     \
	",\"source_ip\":\"192.0.2.1\"},\"path\":\"httpapi/authz\",\"result\":true,\"timestamp\":"                      \
	"\"2026-01-01T00:00:01.123456789Z\"}"
#define OPA_AUTHZEN                                                                                                    \
	"{\"decision_id\":\"d2\",\"input\":{\"subject\":{\"type\":\"agent\",\"id\":\"bot-7\"},\"action\":{\"name\":"   \
	"\"delete\"},\"resource\":{\"type\":\"doc\",\"id\":7},\"context\":{\"ip\":\"192.0.2.2\"}},\"result\":{"        \
	"\"allow\":"                                                                                                   \
	"true},\"timestamp\":\"2026-01-01T00:00:00Z\"}"
#define OPA_DENIED                                                                                                     \
	"{\"decision_id\":\"d3\",\"input\":{\"user\":\"ben\",\"method\":\"PUT\",\"path\":\"x\"},\"result\":false,"     \
	"\"timestamp\":\"2026-01-01T00:00:02Z\"}"
#define OPA_UNDEFINED                                                                                                  \
	"{\"decision_id\":\"d4\",\"input\":{\"user\":\"ben\",\"method\":\"PUT\",\"path\":\"x\"},"                      \
	"\"timestamp\":\"2026-01-01T00:00:02Z\"}"

static void check_opa(void)
{
	assert_string_equal(kit.events.files[0].format->name, "opa");
	assert_int_equal(kit.n, 2);
	assert_string_equal(import_kit_words(&kit, 0), "agent:bot-7 delete doc:7");
	assert_string_equal(import_kit_words(&kit, 1), "user:ann GET resource:finance/salary/ann");
	assert_int_equal(kit.list[1]->time_ms, 1767225601123);
	assert_string_equal(import_kit_attribute(&kit, 1, "ip"), "192.0.2.1");
	assert_string_equal(import_kit_attribute(&kit, 1, "path"), "httpapi/authz");
	assert_string_equal(import_kit_attribute(&kit, 1, "event_id"), "d1");
	assert_int_equal(import_kit_failed(&kit, "denied"), 1);
	assert_int_equal(import_kit_failed(&kit, "not clearly allowed"), 1);
	assert_int_equal(kit.events.n_bad, 1);
	assert_int_equal(kit.events.n_other, 1);
}

/* The console's lines, and the arrays that are uploaded. */
static void test_opa(void **state)
{
	(void)state;
	import_kit_text(&kit, NULL,
	                "{\"level\":\"info\",\"msg\":\"Initializing server.\"}\n" OPA_LOG "\n\n" OPA_AUTHZEN
	                "\n" OPA_DENIED "\n" OPA_UNDEFINED "\n{\"decision_id\":\"d5\",\"result\":true,\"input\":{}}\n");
	check_opa();
	import_kit_text(&kit, NULL,
	                " [{\"a\":\"]\\\"\"}," OPA_LOG " ,\n" OPA_AUTHZEN "," OPA_DENIED "," OPA_UNDEFINED
	                ",{\"decision_id\":\"d5\",\"result\":true,\"input\":{}}]");
	check_opa();
}

static void test_opa_map(void **state)
{
	(void)state;
	map("subject=/input/claims/https:~1~1example~1sub,action=input.parsed_path.0,resource=input.parsed_path.1,"
	    "context.team=input.claims.team|input.team,context.level=input.level,context.vip=input.vip");
	import_kit_text(
	        &kit, "opa",
	        "{\"decision_id\":\"d\",\"input\":{\"claims\":{\"https://example/sub\":\"ann\",\"team\":\"\"},\"team\":"
	        "\"blue\",\"level\":3,\"vip\":false,\"parsed_path\":[\"orders\",\"17\"]},\"result\":true,\"timestamp\":"
	        "\"2026-01-01T00:00:00Z\"}\n");
	assert_int_equal(kit.n, 1);
	assert_string_equal(import_kit_words(&kit, 0), "user:ann orders resource:17");
	assert_string_equal(import_kit_attribute(&kit, 0, "team"), "blue");
	assert_string_equal(import_kit_attribute(&kit, 0, "level"), "3");
	assert_string_equal(import_kit_attribute(&kit, 0, "vip"), "0");
}

/* An element may be longer than what is looked at first; one without an end is bounded. */
static void test_json_list(void **state)
{
	size_t size = 3 * (size_t)INPUT_LINE_SIZE_MAX, n;
	char *text = malloc(size);
	struct input *in;
	const char *element;
	uint8_t hash[32];

	(void)state;
	assert_non_null(text);
	memset(text, 'x', size);
	memcpy(text, "[\"", 2);
	memcpy(text + 100000, "\",5]", 4);
	assert_int_equal(input_open_bytes(text, 100004, &in), 0);
	assert_true(jsonlist_begins(in));
	assert_int_equal(jsonlist_next(in, &element, &n), INPUT_GOT);
	assert_int_equal(n, 100000);
	assert_int_equal(jsonlist_next(in, &element, &n), INPUT_GOT);
	assert_int_equal(n, 1);
	assert_int_equal(jsonlist_next(in, &element, &n), INPUT_END);
	input_close(in, hash);
	text[100000] = 'x';
	assert_int_equal(input_open_bytes(text, size, &in), 0);
	assert_true(jsonlist_begins(in));
	assert_int_equal(jsonlist_next(in, &element, &n), INPUT_LONG);
	assert_int_equal(jsonlist_next(in, &element, &n), INPUT_END);
	input_close(in, hash);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_map),
	        cmocka_unit_test_setup_teardown(test_csv, open_kit, close_kit),
	        cmocka_unit_test_setup_teardown(test_csv_types, open_kit, close_kit),
	        cmocka_unit_test_setup_teardown(test_csv_whole, open_kit, close_kit),
	        cmocka_unit_test_setup_teardown(test_opa, open_kit, close_kit),
	        cmocka_unit_test_setup_teardown(test_opa_map, open_kit, close_kit),
	        cmocka_unit_test(test_json_list),
	};

	return cmocka_run_group_tests_name("import_tables", tests, NULL, NULL);
}
