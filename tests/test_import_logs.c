/* Tests of imports of what doors say: auth.log, journalctl's forms, and which times and writers are believed. */
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

#include "client/tool/import/authlog.h"
#include "client/tool/import/login.h"
#include "client/tool/import/when.h"
#include "tests/import_kit.h"

static struct import_kit kit;

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

/* --- times --- */

static void test_iso(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {
	        {"2026-11-30T00:05:00.5+01:00", 1795993500500},
	        {"2026-11-29 23:05:00", 1795993500000},
	        {"2026-11-29T23:05:00,123Z", 1795993500123},
	        {"2026-11-29t18:05:00-0500", 1795993500000},
	        {"1970-01-01T00:00:00z", 0},
	        {"2016-12-31T23:59:60Z", 1483228800000},
	};
	static const char *const bad[] = {
	        "",
	        "2026-11-31T00:00:00Z",
	        "2026-02-29T00:00:00Z",
	        "2026-11-30T24:00:00Z",
	        "2026-11-30T00:00:61Z",
	        "2026-11-30T00:00:00+25:00",
	        "2026-11-30T00:00:00.Z",
	        "2026-11-30T00:00:00Zx",
	        "1969-12-31T23:59:59Z",
	        "2026-11-30T00:00",
	        "2026-1-30T00:00:00ZZ",
	};
	uint64_t ms = 42;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(when_iso(bad[i], 0, &ms, NULL));
	assert_int_equal(ms, 42);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(when_iso(good[i].text, 0, &ms, NULL));
		assert_int_equal(ms, good[i].ms);
	}
	assert_true(when_iso("2026-11-30T01:05:00", 7200, &ms, NULL));
	assert_int_equal(ms, 1795993500000);
}

static void test_numbers(void **state)
{
	struct when w = {0};
	uint64_t ms;

	(void)state;
	assert_true(when_any("1795993500", &w, &ms) && ms == 1795993500000);
	assert_true(when_any("1795993500.25", &w, &ms) && ms == 1795993500250);
	assert_true(when_any("1795993500250", &w, &ms) && ms == 1795993500250);
	assert_true(when_any("1795993500250999", &w, &ms) && ms == 1795993500250);
	assert_false(when_any("9999999999999999999999", &w, &ms));
	assert_false(when_any("-5", &w, &ms));
	w.pattern = "ms";
	assert_true(when_any("5", &w, &ms) && ms == 5);
	w.pattern = "%d/%b/%Y:%H:%M:%S %z";
	assert_true(when_any("30/Nov/2026:01:05:00 +0200", &w, &ms) && ms == 1795993500000);
	assert_false(when_any("30/Nov/2026:01:05:00", &w, &ms));
	w.pattern = "%d.%m.%Y %H:%M";
	w.utc_offset_s = 3600;
	assert_true(when_any("30.11.2026 00:05", &w, &ms) && ms == 1795993500000);
}

/* Without a year: the latest that the file's own date allows; with one: January after December is the next. */
static void test_years(void **state)
{
	struct when w = {.latest_ms = 1767276000000}; /* 2026-01-01T14:00:00Z */
	uint64_t ms;

	(void)state;
	assert_true(when_syslog("Dec 31 23:00:00", &w, &ms) && ms == 1767222000000);
	assert_true(when_syslog("Jan  1 13:00:00", &w, &ms) && ms == 1767272400000);
	assert_true(when_syslog("Jan  1 15:00:00", &w, &ms) && ms == 1735743600000); /* Of 2025. */
	assert_true(when_syslog("Feb 29 00:00:00", &w, &ms) && ms == 1709164800000); /* Of 2024. */
	w = (struct when){.year = 2025};
	assert_true(when_syslog("Dec 31 23:00:00", &w, &ms) && ms == 1767222000000);
	assert_true(when_syslog("Jan  1 13:00:00", &w, &ms) && ms == 1767272400000);
	assert_true(when_syslog("Dec 31 23:00:00", &w, &ms) &&
	            ms == 1767222000000); /* Another host's, a little late. */
	assert_true(when_syslog("Jan  2 13:00:00", &w, &ms) && ms == 1767358800000);
	assert_false(when_syslog("Feb 29 00:00:00", &w, &ms));
	assert_false(when_syslog("Foo  1 00:00:00", &w, &ms));
	assert_false(when_syslog("Jan  1 0:00:00 ", &w, &ms));
}

/* --- messages --- */

static struct past_event event;
static char reason[PAST_REASON_SIZE];

static enum past_kind read_message(const char *service, const char *message)
{
	struct login_line l = {.service = service, .host = "web1", .message = message, .time_ms = 7};

	*reason = 0;
	return login_read(&l, &event, reason);
}

static const char *attribute(const char *name)
{
	for (unsigned i = 0; i < event.n_attributes; i++)
		if (!strcmp(event.attributes[i].name, name))
			return event.attributes[i].string;
	return "(none)";
}

static void test_sshd(void **state)
{
	(void)state;
	assert_int_equal(read_message("sshd", "Accepted publickey for ada from 192.0.2.10 port 50022 ssh2: ED25519 "
	                                      "SHA256:n0tAKeyBut43CharactersLongAsTheyAlwaysAre00"),
	                 PAST_EVENT);
	assert_string_equal(event.subject_type, "user");
	assert_string_equal(event.subject_id, "ada");
	assert_string_equal(event.action, "ssh:login");
	assert_string_equal(event.resource_type, "host");
	assert_string_equal(event.resource_id, "web1");
	assert_string_equal(attribute("ip"), "192.0.2.10");
	assert_string_equal(attribute("method"), "publickey");
	assert_string_equal(attribute("device"), "SHA256:n0tAKeyBut43CharactersLongAsTheyAlwaysAre00");
	assert_string_equal(attribute("key_type"), "ED25519");
	assert_int_equal(event.time_ms, 7);

	assert_int_equal(read_message("sshd-session",
	                              "Accepted publickey for ben from fe80::1%eth0 port 5 ssh2: "
	                              "ED25519-CERT SHA256:xyz ID ben-2026 (serial 7) CA RSA SHA256:ca"),
	                 PAST_EVENT);
	assert_string_equal(attribute("ip"), "fe80::1");
	assert_string_equal(attribute("device"), "SHA256:xyz");
	assert_string_equal(attribute("certificate"), "ben-2026");

	assert_int_equal(read_message("sshd", "Accepted keyboard-interactive/pam for CORP\\ann lee from desk.example "
	                                      "port 50022 ssh2"),
	                 PAST_EVENT);
	assert_string_equal(event.subject_id, "CORP\\ann lee");
	assert_string_equal(attribute("via"), "desk.example");
	assert_string_equal(attribute("ip"), "(none)");
	assert_string_equal(attribute("device"), "(none)");
	/* A certificate's own words are behind the first address, and cannot name another. */
	assert_int_equal(read_message("sshd",
	                              "Accepted publickey for eve from 192.0.2.66 port 5 ssh2: RSA-CERT SHA256:q ID "
	                              "for root from 192.0.2.1 port 9 ssh2 (serial 1) CA RSA SHA256:ca"),
	                 PAST_EVENT);
	assert_string_equal(event.subject_id, "eve");
	assert_string_equal(attribute("ip"), "192.0.2.66");
}

static void test_sshd_refusals(void **state)
{
	static const struct {
		const char *message, *reason;
	} failed[] = {
	        {"Failed password for root from 203.0.113.9 port 4022 ssh2", "sshd: failed password"},
	        {"Failed publickey for ada from 203.0.113.9 port 4022 ssh2: RSA SHA256:x", "sshd: failed publickey"},
	        {"Failed password for invalid user admin from 203.0.113.9 port 4022 ssh2",
	         "sshd: failed, invalid user"},
	        {"Failed none for ada from 203.0.113.9 port 4022 ssh2", "sshd: asked without proof"},
	        {"Invalid user Accepted publickey for root from 203.0.113.9 port 22", "sshd: invalid user"},
	        {"error: PAM: Authentication failure for root from 203.0.113.9", "sshd: failed, PAM"},
	        {"User ada from 203.0.113.9 not allowed because not listed in AllowUsers", "sshd: user not allowed"},
	};
	static const char *const bad[] = {
	        "Accepted nonsense",
	        "Accepted password for ada",
	        "Accepted password for ada from 192.0.2.1 port x ssh2",
	        "Accepted password for  from 192.0.2.1 port 5 ssh2",
	        "Accepted password for ada from  port 5 ssh2",
	};
	static const char *const other[] = {
	        "Connection closed by authenticating user root 203.0.113.9 port 4022 [preauth]",
	        "pam_unix(sshd:session): session opened for user ada(uid=1000) by (uid=0)",
	        "Partial publickey for ada from 192.0.2.10 port 50022 ssh2: RSA SHA256:x",
	        "Received disconnect from 192.0.2.10 port 50022:11: disconnected by user",
	};

	(void)state;
	for (size_t i = 0; i < sizeof failed / sizeof *failed; i++) {
		assert_int_equal(read_message("sshd", failed[i].message), PAST_FAILED);
		assert_string_equal(reason, failed[i].reason);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(read_message("sshd", bad[i]), PAST_BAD);
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		assert_int_equal(read_message("sshd", other[i]), PAST_OTHER);
	assert_int_equal(read_message("sshd",
	                              "message repeated 3 times: [ Failed password for root from 203.0.113.9 port "
	                              "4022 ssh2]"),
	                 PAST_FAILED);
	assert_int_equal(event.times, 3);
}

static void test_sudo(void **state)
{
	static const struct {
		const char *message, *reason;
	} failed[] = {
	        {"     ben : user NOT in sudoers ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
	         "sudo: user not in sudoers"},
	        {"ben : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
	         "sudo: wrong password"},
	        {"ben : command not allowed ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
	         "sudo: command not allowed"},
	        {"ben : a password is required ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "sudo: no password given"},
	        {"ben : something new ; PWD=/ ; USER=root ; COMMAND=/bin/sh", "sudo: refused"},
	};
	static const char *const other[] = {
	        "pam_unix(sudo:session): session opened for user root(uid=0) by ada(uid=1000)",
	        "pam_unix(sudo:auth): authentication failure; logname=ada uid=1000 euid=0",
	        "ada : (command continued) --force",
	        "ada : problem with defaults entries ; TTY=pts/0 ; PWD=/ ; ",
	        "unable to resolve host web1",
	};

	(void)state;
	assert_int_equal(read_message("sudo", "     ada : TTY=pts/0 ; PWD=/home/ada ; USER=root ; GROUP=adm ; "
	                                      "COMMAND=/usr/bin/systemctl restart nginx ; true"),
	                 PAST_EVENT);
	assert_string_equal(event.subject_id, "ada");
	assert_string_equal(event.action, "sudo:/usr/bin/systemctl");
	assert_string_equal(attribute("run_as"), "root");
	assert_string_equal(attribute("run_as_group"), "adm");
	assert_string_equal(attribute("cwd"), "/home/ada");
	assert_string_equal(attribute("tty"), "pts/0");
	assert_string_equal(attribute("command"), "/usr/bin/systemctl restart nginx ; true");
	assert_int_equal(read_message("sudo", "ada : PWD=/ ; USER=root ; COMMAND=list"), PAST_EVENT);
	assert_string_equal(event.action, "sudo:list");
	for (size_t i = 0; i < sizeof failed / sizeof *failed; i++) {
		assert_int_equal(read_message("sudo", failed[i].message), PAST_FAILED);
		assert_string_equal(reason, failed[i].reason);
	}
	for (size_t i = 0; i < sizeof other / sizeof *other; i++)
		assert_int_equal(read_message("sudo", other[i]), PAST_OTHER);
}

static void test_sessions(void **state)
{
	(void)state;
	assert_int_equal(
	        read_message("su", "pam_unix(su:session): session opened for user root(uid=0) by ada(uid=1000)"),
	        PAST_EVENT);
	assert_string_equal(event.subject_id, "ada");
	assert_string_equal(event.action, "su:session");
	assert_string_equal(attribute("run_as"), "root");
	assert_int_equal(read_message("login", "pam_unix(login:session): session opened for user ben by LOGIN(uid=0)"),
	                 PAST_EVENT);
	assert_string_equal(event.subject_id, "ben");
	assert_int_equal(read_message("CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"),
	                 PAST_OTHER);
	assert_int_equal(read_message("su", "pam_unix(su:session): session opened for user www(uid=33) by (uid=0)"),
	                 PAST_OTHER);
	assert_int_equal(read_message("su", "FAILED SU (to root) ben on pts/1"), PAST_FAILED);
	assert_int_equal(read_message("login", "FAILED LOGIN (1) on '/dev/tty1' FOR 'root', Authentication failure"),
	                 PAST_FAILED);
	/* Only a door's own words count. */
	assert_int_equal(read_message("backup", "Accepted publickey for root from 192.0.2.1 port 5 ssh2"), PAST_OTHER);
}

/* --- files --- */

static void test_authlog(void **state)
{
	(void)state;
	kit.how.when = (struct when){.year = 2026, .utc_offset_s = 3600};
	import_kit_text(
	        &kit, NULL,
	        "Nov 30 00:05:00 web1 sshd[812]: Accepted password for ada from 192.0.2.10 port 50022 ssh2\n"
	        "<86>Nov 30 00:04:00 web1 sudo: ada : PWD=/ ; USER=root ; COMMAND=/bin/ls\r\n"
	        "2026-11-29T23:03:00.000001+00:00 web2 sshd[1]: Accepted password for ben from 192.0.2.11 port 1 ssh2\n"
	        "<38>1 2026-11-29T23:02:00Z web3 sshd 99 - [a@1 b=\"c ]\\\"] \"][d] Accepted password for cal from "
	        "192.0.2.12 port 1 ssh2\n"
	        "Nov 30 00:06:00 web1 last message repeated 2 times\n"
	        "\n"
	        "garbage\n"
	        "Nov 30 00:07:00 web1 sshd[813]: Failed password for ada from 192.0.2.10 port 50022 ssh2");
	assert_string_equal(kit.events.files[0].format->name, "authlog");
	assert_int_equal(kit.n, 4);
	assert_string_equal(import_kit_words(&kit, 0), "user:cal ssh:login host:web3");
	assert_string_equal(import_kit_words(&kit, 1), "user:ben ssh:login host:web2");
	assert_string_equal(import_kit_words(&kit, 2), "user:ada sudo:/bin/ls host:web1");
	assert_string_equal(import_kit_words(&kit, 3), "user:ada ssh:login host:web1");
	assert_int_equal(kit.list[3]->time_ms, 1795993500000);
	assert_int_equal(kit.list[3]->position, 0);
	assert_int_equal(kit.list[0]->position, 3);
	assert_int_equal(kit.events.n_other, 2);
	assert_int_equal(kit.events.n_bad, 1);
	assert_int_equal(kit.events.bad[0].line, 7);
	assert_non_null(strstr(kit.events.bad[0].reason, "garbage"));
	assert_int_equal(import_kit_failed(&kit, "sshd: failed password"), 1);
}

#define ENTRY(comm, uid, exe, message)                                                                                 \
	"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795993500000001\n_BOOT_ID=b\nSYSLOG_IDENTIFIER=" comm "\n_COMM=" comm \
	"\n_UID=" uid "\n_EXE=" exe "\n_HOSTNAME=web1\nMESSAGE=" message "\n\n"
#define ACCEPTED "Accepted password for ada from 192.0.2.10 port 50022 ssh2"
#define SUDO     "ben : PWD=/ ; USER=root ; COMMAND=/bin/ls"

/* Whoever calls itself sshd is not believed for that. */
static void test_journal_export(void **state)
{
	static const char log[] = ENTRY("sshd", "0", "/usr/sbin/sshd", ACCEPTED)
	        ENTRY("sshd", "1001", "/usr/bin/logger", ACCEPTED) ENTRY("sudo", "1001", "/usr/bin/sudo", SUDO)
	                ENTRY("sudo", "1001", "/home/eve/sudo", SUDO) ENTRY("sudo", "1001", "/usr/local/bin/sudo", SUDO)
	                        ENTRY("cron", "0", "/usr/sbin/cron", "(root) CMD (true)") "MESSAGE=no time\n\n";

	(void)state;
	import_kit_text(&kit, NULL, log);
	assert_string_equal(kit.events.files[0].format->name, "journal-export");
	assert_int_equal(kit.n, 2);
	assert_string_equal(import_kit_words(&kit, 0), "user:ada ssh:login host:web1");
	assert_int_equal(kit.list[0]->time_ms, 1795993500000);
	assert_string_equal(import_kit_words(&kit, 1), "user:ben sudo:/bin/ls host:web1");
	assert_int_equal(kit.list[1]->position, 2);
	assert_int_equal(import_kit_failed(&kit, "journal: said in a door's name by another program"), 3);
	assert_int_equal(kit.events.n_other, 1);
	assert_int_equal(kit.events.n_bad, 1);
}

/* A value with its length in front may hold anything, new lines and other entries included. */
static void test_journal_binary(void **state)
{
	static const char head[] =
	        "__REALTIME_TIMESTAMP=1795993500000000\n_UID=0\nSYSLOG_IDENTIFIER=sudo\n_HOSTNAME=web1\n";
	static const char value[] = "ben : PWD=/ ; USER=root ; COMMAND=/bin/echo \n\n__REALTIME_TIMESTAMP=1\n_UID=0\n";
	char log[1024];
	size_t n = 0;

	(void)state;
	memcpy(log, head, sizeof head - 1);
	n = sizeof head - 1;
	memcpy(log + n, "MESSAGE\n", 8);
	n += 8;
	memset(log + n, 0, 8);
	log[n] = (char)(sizeof value - 1);
	n += 8;
	memcpy(log + n, value, sizeof value - 1);
	n += sizeof value - 1;
	log[n++] = '\n';
	kit.how.format = format_named("journal-export");
	import_kit_put(&kit, "log", log, n);
	import_kit_read(&kit, "log");
	assert_int_equal(kit.n, 1);
	assert_int_equal(kit.events.n_bad, 0);
	assert_string_equal(import_kit_words(&kit, 0), "user:ben sudo:/bin/echo host:web1");
	/* Cut anywhere, it is told, not read beyond. */
	for (size_t cut = sizeof head - 1 + 9; cut < n; cut++) {
		import_kit_put(&kit, "log", log, cut);
		import_kit_read(&kit, "log");
		assert_int_equal(kit.n, 0);
		assert_int_equal(kit.events.n_bad, 1);
		assert_int_equal(kit.events.bad[0].position, -1);
	}
}

static void test_journal_json(void **state)
{
	(void)state;
	import_kit_text(
	        &kit, NULL,
	        "{\"__REALTIME_TIMESTAMP\":\"1795993500000000\",\"_UID\":\"0\",\"SYSLOG_IDENTIFIER\":\"sshd\","
	        "\"_HOSTNAME\":\"web1\",\"MESSAGE\":\"" ACCEPTED "\",\"_GID\":null}\n"
	        "{\"__REALTIME_TIMESTAMP\":\"1795993501000000\",\"_UID\":\"1\",\"_EXE\":\"/usr/bin/sudo\","
	        "\"SYSLOG_IDENTIFIER\":[\"sudo\",\"x\"],\"_HOSTNAME\":\"web1\",\"MESSAGE\":[98,32,58,32,67,79,77,"
	        "77,65,78,68,61,255]}\n"
	        "{\"MESSAGE\":\"x\"}\n[1]\n{\n");
	assert_string_equal(kit.events.files[0].format->name, "journal-json");
	assert_int_equal(kit.n, 2);
	assert_string_equal(import_kit_words(&kit, 0), "user:ada ssh:login host:web1");
	assert_string_equal(import_kit_words(&kit, 1), "user:b sudo:? host:web1");
	assert_int_equal(kit.events.n_bad, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_iso),
	        cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_years),
	        cmocka_unit_test(test_sshd),
	        cmocka_unit_test(test_sshd_refusals),
	        cmocka_unit_test(test_sudo),
	        cmocka_unit_test(test_sessions),
	        cmocka_unit_test_setup_teardown(test_authlog, open_kit, close_kit),
	        cmocka_unit_test_setup_teardown(test_journal_export, open_kit, close_kit),
	        cmocka_unit_test_setup_teardown(test_journal_binary, open_kit, close_kit),
	        cmocka_unit_test_setup_teardown(test_journal_json, open_kit, close_kit),
	};

	return cmocka_run_group_tests_name("import_logs", tests, NULL, NULL);
}
