/* Tests of countersign monitor: what it makes of what nodes show, its record, its alarms and their program. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/keys.h"
#include "client/tool/monitor.h"
#include "client/tool/text.h"
#include "ledger/errors.h"
#include "tests/verify_fixture.h"

/* The tool's own says it on stderr. */
int tool_fail(int code, const char *command, const char *format, ...)
{
	(void)command;
	(void)format;
	return code;
}

int tool_open(const char *command, const struct tool_access *a, unsigned in_flight_max, cs_client **ret)
{
	(void)command;
	(void)a;
	(void)in_flight_max;
	(void)ret;
	return EXIT_LOCAL;
}

bool tool_parse_index(const char *text, uint64_t *ret)
{
	return sscanf(text, "%lu", ret) == 1;
}

/* No entries are read here: what a claim ahead of them is worth, the whole test on clusters shows. */
bool monitorwalk_to(struct monitor *m, const struct monitorpeer *whose, const struct monitorclaim *claim)
{
	(void)m;
	(void)whose;
	(void)claim;
	return false;
}

static struct fixture f;
static char folder[] = "/tmp/countersign-test-monitor.XXXXXX";

static void path_of(const char *name, char ret[FILES_PATH_SIZE])
{
	assert_true(files_join(ret, folder, name));
}

static void remove_file(const char *name)
{
	char path[FILES_PATH_SIZE];

	path_of(name, path);
	unlink(path);
}

/* A key file; its public half is another each time. */
static void make_key(const char *name, char ret[FILES_PATH_SIZE])
{
	struct keyfile k;

	path_of(name, ret);
	unlink(ret);
	assert_int_equal(keys_create("test", ret, "watch.example", KEYS_WITNESS, &k), 0);
	keyfile_wipe(&k);
}

/* --- the record --- */

static int cosign(struct monitorfolder *m, uint64_t size)
{
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t len = fixture_checkpoint(&f, size, (struct fixture_signers){.logs = 1, .cosigners = 3}, note);

	return monitorfolder_cosign("test", m, note, len, 1700000000);
}

/* The same size with a root that is not the ledger's. */
static int cosign_fork(struct monitorfolder *m, uint64_t size)
{
	struct checkpoint c = {.origin = FIXTURE_ORIGIN, .size = size};
	char note[LIMIT_NOTE_SIZE_MAX], text[512];
	size_t text_len, len;

	assert_int_equal(checkpoint_format(&c, text, sizeof text, &text_len), 0);
	memcpy(note, text, text_len);
	note[text_len] = '\n';
	len = text_len + 1;
	assert_int_equal(note_sign(&f.log[0].key, f.log[0].sk, text, text_len, note, sizeof note, &len), 0);
	return monitorfolder_cosign("test", m, note, len, 1700000000);
}

static void test_record(void **unused)
{
	char key[FILES_PATH_SIZE], other[FILES_PATH_SIZE], path[FILES_PATH_SIZE];
	struct monitorfolder m, second;
	struct note n;
	uint64_t time_s;

	(void)unused;
	make_key("key", key);
	make_key("other", other);
	assert_int_equal(monitorfolder_busy(folder), -1);
	assert_int_equal(monitorfolder_open("test", folder, key, &m), 0);
	assert_int_equal(monitorfolder_busy(folder), 1);
	assert_int_equal(monitorfolder_open("test", folder, key, &second), EXIT_LOCAL);
	monitorfolder_close(&second);
	assert_int_equal(cosign(&m, 5), 0);
	assert_int_equal(note_parse(&n, m.note, strlen(m.note)), 0);
	assert_int_equal(note_verify(&n, &m.key, &time_s), 0);
	assert_int_equal(time_s, 1700000000);
	assert_int_equal(cosign(&m, 5), 0); /* The same again is no second root. */
	assert_int_equal(cosign_fork(&m, 5), CS_ERR_DIVERGED);
	assert_int_equal(cosign(&m, 4), CS_ERR_DIVERGED);
	assert_int_equal(cosign(&m, 9), 0);
	monitorfolder_close(&m);
	assert_int_equal(monitorfolder_busy(folder), 0);

	/* What was signed is known to the next run, and the note is there to be handed out again. */
	assert_int_equal(monitorfolder_open("test", folder, key, &m), 0);
	assert_int_equal(m.record.size, 9);
	assert_true(*m.note);
	assert_int_equal(cosign_fork(&m, 9), CS_ERR_DIVERGED);
	assert_int_equal(cosign(&m, 8), CS_ERR_DIVERGED);
	/* Without its record synced nothing is signed. */
	path_of(MONITORFOLDER_SIGNED, path);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(cosign(&m, 10), CS_ERR_IO);
	assert_int_equal(m.record.size, 9);
	assert_int_equal(rmdir(path), 0);
	monitorfolder_close(&m);

	/* A folder and its key belong together; half a record is none. */
	assert_int_equal(monitorfolder_open("test", folder, key, &m), 0);
	assert_int_equal(cosign(&m, 10), 0);
	monitorfolder_close(&m);
	assert_int_equal(monitorfolder_open("test", folder, other, &m), EXIT_USAGE);
	monitorfolder_close(&m);
	assert_int_equal(truncate(path, 150), 0);
	assert_int_equal(monitorfolder_open("test", folder, key, &m), EXIT_USAGE);
	monitorfolder_close(&m);
	remove_file(MONITORFOLDER_SIGNED);
	remove_file(MONITORFOLDER_CHECKPOINT);
}

/* --- alarms --- */

static void test_alarms(void **unused)
{
	struct monitoralarm a = {.kind = MONITORALARM_SIGNATURE, .node = 2, .size = 12};
	struct monitoralarms list, again;
	char path[FILES_PATH_SIZE];
	unsigned n;
	int fd;

	(void)unused;
	assert_int_equal(monitoralarms_open("test", folder, &list), 0);
	snprintf(a.text, sizeof a.text, "bad\x1b[2J \"quoted\"\n");
	assert_non_null(monitoralarms_raise(&list, &a));
	assert_null(strchr(list.list[0].text, '\x1b'));
	assert_null(monitoralarms_raise(&list, &a)); /* It stands already. */
	a.node = 3;
	assert_non_null(monitoralarms_raise(&list, &a));
	assert_null(monitoralarms_grave(&list));
	a.kind = MONITORALARM_FORK;
	assert_non_null(monitoralarms_raise(&list, &a));
	assert_int_equal(monitoralarms_grave(&list)->id, 3);

	/* Another process acknowledges; a line that a crash has cut off is passed over. */
	assert_int_equal(monitoralarms_open("test", folder, &again), 0);
	assert_int_equal(again.n_open, 3);
	assert_string_equal(again.list[0].text, list.list[0].text);
	assert_int_equal(monitoralarms_acknowledge("test", &again, 4, &n), EXIT_USAGE);
	assert_int_equal(monitoralarms_acknowledge("test", &again, 3, &n), 0);
	assert_int_equal(n, 1);
	path_of(MONITORALARM_FILE, path);
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{\"id\":4,\"ki", 11), 11);
	close(fd);
	monitoralarms_refresh(&list);
	assert_int_equal(list.n, 3);
	assert_int_equal(list.n_open, 2);
	assert_null(monitoralarms_grave(&list));
	assert_non_null(monitoralarms_raise(&list, &a));
	monitoralarms_close(&again);
	assert_int_equal(monitoralarms_open("test", folder, &again), 0);
	assert_int_equal(again.n, 4);
	assert_int_equal(again.n_open, 3);
	monitoralarms_close(&again);
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "{\"id\":9}\n", 9), 9); /* Another's hand. */
	close(fd);
	assert_int_equal(monitoralarms_open("test", folder, &again), EXIT_LOCAL);
	monitoralarms_close(&again);
	monitoralarms_close(&list);
	remove_file(MONITORALARM_FILE);
}

/* The program gets the text as one argument, whatever is in it, and nothing of our environment. */
static void test_program(void **unused)
{
	struct monitoralarm a = {.id = 5, .kind = MONITORALARM_FORK, .size = 9};
	struct monitorrun r = {.dir = folder, .origin = FIXTURE_ORIGIN};
	char program[FILES_PATH_SIZE], told[FILES_PATH_SIZE], script[2 * FILES_PATH_SIZE], *text = NULL;
	size_t size;

	(void)unused;
	path_of("program", program);
	path_of("told", told);
	snprintf(script, sizeof script,
	         "#!/bin/sh\nprintf '%%s|' \"$#\" \"$1\" \"$2\" \"$COUNTERSIGN_ALARM_GRAVE\" \"${SECRET-none}\" >%s\n",
	         told);
	assert_int_equal(files_write(program, script, strlen(script), 0700), 0);
	snprintf(a.text, sizeof a.text, "$(touch /tmp/never); `id` 'a' \"b\"");
	setenv("SECRET", "x", 1);
	monitorrun_tell(&r, &a); /* None is asked for. */
	r.program = program;
	monitorrun_tell(&r, &a);
	monitorrun_finish(&r);
	assert_int_equal(files_read(told, 4096, &text, &size), 0);
	assert_string_equal(text, "2|fork|$(touch /tmp/never); `id` 'a' \"b\"|1|none|");
	free(text);
	remove_file("program");
	remove_file("told");
	monitorrun_tell(&r, &a); /* Gone meanwhile: said, and no more. */
	monitorrun_finish(&r);
}

/* --- what nodes show --- */

static struct monitor *begin(void)
{
	static struct tool_access access;
	struct monitor *m = calloc(1, sizeof *m);
	char key[FILES_PATH_SIZE];

	make_key("key", key);
	m->access = &access;
	m->dir = folder;
	m->interval_ms = 1000;
	m->patience_ms = m->silence_ms = 100000;
	m->fresh_ms = text_clock_ms();
	snprintf(m->file.origin, sizeof m->file.origin, FIXTURE_ORIGIN);
	m->policy = f.policy;
	m->source.policy = f.policy;
	snprintf(m->state.origin, sizeof m->state.origin, FIXTURE_ORIGIN);
	assert_int_equal(monitorfolder_open("test", folder, key, &m->folder), 0);
	assert_int_equal(monitoralarms_open("test", folder, &m->alarms), 0);
	/* Nine entries are checked. */
	for (unsigned i = 0; i < 9; i++) {
		struct hash h = f.entry[i].hash, left;
		unsigned level = 0;
		for (; m->state.fold.size >> level & 1; level++) {
			memcpy(left.b, m->state.fold.frontier[level], HASH_SIZE);
			hash_node(&h, &left, &h);
		}
		memcpy(m->state.fold.frontier[level], h.b, HASH_SIZE);
		m->state.fold.size++;
		auditstate_visited(&m->state, i);
	}
	return m;
}

static void end(struct monitor *m)
{
	monitoralarms_close(&m->alarms);
	monitorfolder_close(&m->folder);
	remove_file(MONITORALARM_FILE);
	free(m);
}

static struct monitorview *shows(uint64_t id, uint64_t size, struct fixture_signers by)
{
	static struct monitorview v;

	v = (struct monitorview){.id = id, .rounds = v.rounds + 1, .has_status = true, .size = size};
	v.note_len = fixture_checkpoint(&f, size, by, v.note);
	v.note[v.note_len] = '\0';
	fixture_root(&f, size, &v.root);
	snprintf(v.health, sizeof v.health, "ok");
	return &v;
}

/* A checkpoint of a tree that is not the ledger's, with true signatures: what colluding nodes can make. */
static struct monitorview *shows_fork(uint64_t id, uint64_t size, unsigned cosigners)
{
	struct checkpoint c = {.origin = FIXTURE_ORIGIN, .size = size};
	struct monitorview *v = shows(id, size, (struct fixture_signers){.logs = 1});
	char text[512];
	size_t text_len;

	assert_int_equal(checkpoint_format(&c, text, sizeof text, &text_len), 0);
	memcpy(v->note, text, text_len);
	v->note[text_len] = '\n';
	v->note_len = text_len + 1;
	assert_int_equal(
	        note_sign(&f.log[0].key, f.log[0].sk, text, text_len, v->note, sizeof v->note - 1, &v->note_len), 0);
	for (unsigned i = 0; i < cosigners; i++)
		assert_int_equal(note_cosign(&f.cosigner[i].key, f.cosigner[i].sk, 1700000001, text, text_len, v->note,
		                             sizeof v->note - 1, &v->note_len),
		                 0);
	v->note[v->note_len] = '\0';
	return v;
}

static const struct fixture_signers quorum = {.logs = 1, .cosigners = 3};

static void expect_alarm(struct monitor *m, unsigned n, enum monitoralarm_kind kind, uint64_t node)
{
	assert_int_equal(m->alarms.n, n);
	assert_int_equal(m->alarms.list[n - 1].kind, kind);
	assert_int_equal(m->alarms.list[n - 1].node, node);
	assert_int_equal(m->grave, monitoralarm_is_grave(kind));
}

static void test_well(void **unused)
{
	struct monitor *m = begin();

	(void)unused;
	monitorcheck_views(m, shows(1, 9, quorum), 1);
	monitorcheck_views(m, shows(2, 5, quorum), 1);
	monitorcheck_views(m, shows(3, 11, quorum), 1);
	monitorcheck_views(m, shows(3, 12, quorum), 1);
	assert_int_equal(m->alarms.n, 0);
	assert_int_equal(m->peers[2].signed_.size, 12);
	assert_true(m->peers[2].signed_.quorum);
	monitorhealth_look(m);
	assert_int_equal(m->alarms.n, 0);
	end(m);
}

static void test_forked(void **unused)
{
	struct monitor *m = begin();

	(void)unused;
	monitorcheck_views(m, shows_fork(2, 9, 1), 1); /* One node alone. */
	expect_alarm(m, 1, MONITORALARM_DIFFERS, 2);
	monitorcheck_views(m, shows_fork(3, 9, 2), 1);
	expect_alarm(m, 2, MONITORALARM_FORK, 0);
	end(m);
	m = begin();
	monitorcheck_views(m, shows_fork(3, 5, 2), 1); /* Of the past. */
	expect_alarm(m, 1, MONITORALARM_FORK, 0);
	end(m);
	m = begin();
	monitorcheck_views(m, shows(1, 12, quorum), 1); /* Two of one size, ahead of what is checked. */
	monitorcheck_views(m, shows_fork(2, 12, 2), 1);
	expect_alarm(m, 1, MONITORALARM_FORK, 0);
	end(m);
}

static void test_one_lies(void **unused)
{
	struct monitor *m = begin();
	struct monitorview *v = shows(2, 9, quorum);

	(void)unused;
	v->root.b[0] ^= 1; /* Its word alone. */
	monitorcheck_views(m, v, 1);
	expect_alarm(m, 1, MONITORALARM_DIFFERS, 2);
	v = shows(3, 10, quorum);
	v->note[v->note_len - 4] ^= 2;
	monitorcheck_views(m, v, 1);
	expect_alarm(m, 2, MONITORALARM_SIGNATURE, 3);
	v = shows(1, 10, quorum);
	v->err = CS_E_DIVERGED;
	v->diverged = true;
	monitorcheck_views(m, v, 1);
	expect_alarm(m, 3, MONITORALARM_DIVERGED, 1);
	v = shows(4, 10, quorum);
	v->kept = 77; /* Signed by this key, and not by this folder's word. */
	monitorcheck_views(m, v, 1);
	expect_alarm(m, 4, MONITORALARM_RECORD, 0);
	end(m);
}

/* Signed by nobody whom the policy asks for: the members may have changed; later it is an alarm. */
static void test_unknown(void **unused)
{
	struct monitor *m = begin();

	(void)unused;
	monitorcheck_views(m, shows(1, 10, (struct fixture_signers){.stranger = true}), 1);
	assert_int_equal(m->alarms.n, 0);
	assert_true(m->follow);
	m->peers[0].unknown_ms -= m->patience_ms;
	monitorcheck_views(m, shows(1, 10, (struct fixture_signers){.stranger = true}), 1);
	expect_alarm(m, 1, MONITORALARM_SIGNATURE, 1);
	end(m);
}

static void test_time(void **unused)
{
	struct monitor *m = begin();

	(void)unused;
	monitorcheck_views(m, shows(1, 9, quorum), 1);
	monitorcheck_views(m, shows(2, 9, quorum), 1);
	monitorcheck_views(m, shows(3, 9, quorum), 1);
	m->silence_ms = 1000;
	m->patience_ms = 0;
	monitorhealth_look(m); /* A majority vouches that there is nothing new. */
	assert_int_equal(m->alarms.n, 0);
	monitorcheck_views(m, shows(2, 7, quorum), 1);
	monitorhealth_look(m);
	expect_alarm(m, 1, MONITORALARM_BACK, 2);
	monitorcheck_views(m, shows(3, 8, quorum), 1);
	m->silence_ms = 1;
	m->fresh_ms -= 2;
	monitorhealth_look(m);
	assert_int_equal(m->alarms.n, 3);
	assert_int_equal(m->alarms.list[2].kind, MONITORALARM_SILENCE);
	assert_false(m->grave);
	monitorhealth_look(m); /* Once each time. */
	assert_int_equal(m->alarms.n, 3);
	monitorcheck_views(m, shows(1, 8, quorum), 1); /* Nobody shows what a quorum had signed. */
	monitorhealth_look(m);
	assert_int_equal(m->alarms.list[m->alarms.n - 1].kind, MONITORALARM_ROLLBACK);
	assert_true(m->grave);
	end(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_record),  cmocka_unit_test(test_alarms), cmocka_unit_test(test_program),
	        cmocka_unit_test(test_well),    cmocka_unit_test(test_forked), cmocka_unit_test(test_one_lies),
	        cmocka_unit_test(test_unknown), cmocka_unit_test(test_time),
	};
	char command[64];

	if (sodium_init() < 0 || !mkdtemp(folder))
		return 99;
	fixture_init(&f);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fixture_free(&f);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) || failed;
}
