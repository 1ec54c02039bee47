/* The trust policy after a change of members: only proven keys come in, and whose word is needed stays its writer's. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/client_internal.h"
#include "ledger/errors.h"
#include "ledger/note.h"

#define ORIGIN "example.org/follow-0011223344556677"

static struct trust trust;
static struct roster roster;
static char path[64], text[TEXT_SIZE];
static const bool all[ROSTER_NODES_MAX] = {true, true, true, true, true, true, true}, none[ROSTER_NODES_MAX];

static void add_node(uint64_t id, unsigned role)
{
	struct roster_node *n = &roster.nodes[roster.n++];

	*n = (struct roster_node){.id = id, .role = role, .added = id};
	randombytes_buf(n->log_pub, sizeof n->log_pub);
	randombytes_buf(n->cosigner_pub, sizeof n->cosigner_pub);
}

static void vkey(const struct roster_node *n, bool cosigner, char ret[256])
{
	char name[128] = ORIGIN;
	struct note_key k;

	if (cosigner)
		snprintf(name, sizeof name, ORIGIN "/node-%u", (unsigned)n->id);
	assert_int_equal(note_key_init(&k, name, cosigner ? NOTE_KEY_COSIGNATURE : NOTE_KEY_ED25519,
	                               cosigner ? n->cosigner_pub : n->log_pub),
	                 0);
	assert_int_equal(note_key_format(&k, ret, 256), 0);
}

/* A policy that names the roster as it is, as `init` writes it; extra: lines before the group, quorum: behind it. */
static void open_trust(const char *extra, const char *quorum)
{
	char key[256];
	FILE *f;

	snprintf(path, sizeof path, "/tmp/cs-follow-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	fprintf(f, "# Whom to trust.\n");
	for (unsigned i = 0; i < roster.n; i++) {
		vkey(&roster.nodes[i], false, key);
		fprintf(f, "log %s\n", key);
		vkey(&roster.nodes[i], true, key);
		fprintf(f, "witness node-%u %s\n", (unsigned)roster.nodes[i].id, key);
	}
	fputs(extra, f);
	fprintf(f, "group nodes %u", roster.n / 2 + 1);
	for (unsigned i = 0; i < roster.n; i++)
		fprintf(f, " node-%u", (unsigned)roster.nodes[i].id);
	fprintf(f, "\n%s\n", quorum);
	assert_int_equal(fclose(f), 0);
	memset(&trust, 0, sizeof trust);
	if (trust_open(&trust, path, text) != 0)
		fail_msg("%s", text);
	unlink(path);
}

static int setup(void **state)
{
	(void)state;
	memset(&roster, 0, sizeof roster);
	for (uint64_t id = 1; id <= 3; id++)
		add_node(id, ROSTER_VOTER);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	trust_close(&trust);
	return 0;
}

static bool has(const struct roster_node *n, bool cosigner)
{
	char key[256], *policy = trust_text(&trust);

	vkey(n, cosigner, key);
	bool ret = strstr(policy, key) != NULL;
	free(policy);
	return ret;
}

static bool says(const char *line)
{
	char *policy = trust_text(&trust);
	bool ret = strstr(policy, line) != NULL;

	free(policy);
	return ret;
}

static void only_what_is_proven(void **state)
{
	char *before, *after;
	bool one[ROSTER_NODES_MAX] = {false};

	(void)state;
	open_trust("", "quorum nodes");
	add_node(4, ROSTER_VOTER);
	roster.version = 9;
	assert_true(trust_knows(&trust, ORIGIN, &roster.nodes[0]));
	assert_false(trust_knows(&trust, ORIGIN, &roster.nodes[3]));
	before = trust_text(&trust);
	assert_int_equal(trust_follow(&trust, ORIGIN, &roster, none, true, NULL, text), CS_ERR_REFUTED);
	assert_non_null(strstr(text, "ALARM"));
	assert_int_equal(trust_follow(&trust, ORIGIN, &roster, all, false, NULL, text), CS_ERR_REFUTED);
	/* An old node under another key is a new one. */
	one[3] = true;
	roster.nodes[1].cosigner_pub[0] ^= 1;
	assert_int_equal(trust_follow(&trust, ORIGIN, &roster, one, true, NULL, text), CS_ERR_REFUTED);
	roster.nodes[1].cosigner_pub[0] ^= 1;
	after = trust_text(&trust);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_int_equal(trust_follow(&trust, ORIGIN, &roster, one, true, NULL, text), 0);
	assert_true(has(&roster.nodes[3], false) && has(&roster.nodes[3], true));
	assert_true(says("group nodes 3 node-1 node-2 node-3 node-4\n"));
	assert_true(says("entry 8 "));
}

static void who_goes_and_who_waits(void **state)
{
	struct roster_node gone;

	(void)state;
	open_trust("", "quorum nodes");
	gone = roster.nodes[0];
	memmove(roster.nodes, roster.nodes + 1, 2 * sizeof *roster.nodes);
	roster.n = 2;
	add_node(4, ROSTER_SPARE);
	assert_int_equal(trust_follow(&trust, ORIGIN, &roster, all, true, NULL, text), 0);
	assert_false(has(&gone, false) || has(&gone, true));
	assert_true(has(&roster.nodes[2], false)); /* It could lead one day: its proof comes before. */
	assert_false(has(&roster.nodes[2], true));
	assert_true(says("group nodes 2 node-2 node-3\n"));
	/* Once it votes it must be proven again, for its cosigner's key is not in the policy. */
	roster.nodes[2].role = ROSTER_VOTER;
	assert_false(trust_knows(&trust, ORIGIN, &roster.nodes[2]));
	assert_int_equal(trust_follow(&trust, ORIGIN, &roster, none, true, NULL, text), CS_ERR_REFUTED);
	assert_int_equal(trust_follow(&trust, ORIGIN, &roster, all, true, NULL, text), 0);
	assert_true(says("group nodes 2 node-2 node-3 node-4\n"));
}

/* Where others must sign too, that stays: new nodes may lead, and count for nobody's quorum. */
static void own_policies_stay(void **state)
{
	uint8_t pub[32];
	char key[256], line[512];
	struct note_key k;

	(void)state;
	randombytes_buf(pub, sizeof pub);
	assert_int_equal(note_key_init(&k, "auditor.example", NOTE_KEY_COSIGNATURE, pub), 0);
	assert_int_equal(note_key_format(&k, key, sizeof key), 0);
	snprintf(line, sizeof line, "witness auditor %s\n", key);
	open_trust(line, "quorum auditor");
	struct roster_node gone = roster.nodes[0];
	memmove(roster.nodes, roster.nodes + 1, 2 * sizeof *roster.nodes);
	roster.n = 2;
	add_node(4, ROSTER_VOTER);
	assert_int_equal(trust_follow(&trust, ORIGIN, &roster, all, true, NULL, text), 0);
	assert_true(has(&roster.nodes[2], false));
	assert_false(has(&roster.nodes[2], true));
	assert_true(has(&gone, true));
	assert_true(says("group nodes 2 node-1 node-2 node-3\nquorum auditor\n"));
	assert_true(trust_knows(&trust, ORIGIN, &roster.nodes[2]));
}

/* Witnesses from outside stay, and the nodes beside them are those of today. */
static void witnesses_stay(void **state)
{
	uint8_t pub[32];
	char key[256], line[512];
	struct note_key k;

	(void)state;
	randombytes_buf(pub, sizeof pub);
	assert_int_equal(note_key_init(&k, "watch.example", NOTE_KEY_COSIGNATURE, pub), 0);
	assert_int_equal(note_key_format(&k, key, sizeof key), 0);
	snprintf(line, sizeof line,
	         "witness watch.example %s\ngroup outside 1 watch.example\ngroup quorum-and-outside all nodes "
	         "outside\nquorum quorum-and-outside",
	         key);
	open_trust("", line);
	struct roster_node gone = roster.nodes[0];
	memmove(roster.nodes, roster.nodes + 1, 2 * sizeof *roster.nodes);
	roster.n = 2;
	add_node(4, ROSTER_VOTER);
	assert_false(trust_knows(&trust, ORIGIN, &roster.nodes[2]));
	assert_int_equal(trust_follow(&trust, ORIGIN, &roster, all, true, NULL, text), 0);
	assert_true(has(&roster.nodes[2], true));
	assert_false(has(&gone, true));
	assert_true(says("group nodes 2 node-2 node-3 node-4\nwitness watch.example "));
	assert_true(says("\ngroup quorum-and-outside all nodes outside\nquorum quorum-and-outside\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(only_what_is_proven, setup, teardown),
	        cmocka_unit_test_setup_teardown(who_goes_and_who_waits, setup, teardown),
	        cmocka_unit_test_setup_teardown(own_policies_stay, setup, teardown),
	        cmocka_unit_test_setup_teardown(witnesses_stay, setup, teardown),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
