/* Settings of the daemon: every key checked, every refusal with its place. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/settings.h"

#define KEY32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const char good[] = "node: 1\n"
                           "origin: acme-0123456789abcdef\n"
                           "genesis: genesis\n"
                           "genesis_hash: " KEY32 "\n"
                           "keys: node.key\n"
                           "data: /var/lib/countersign\n"
                           "listen: [tcp://127.0.0.1:7101, ipc:///run/cs.sock]\n"
                           "link: 127.0.0.1:7201\n"
                           "peers:\n"
                           "  - {id: 2, link: '[::1]:7202', url: tcp://127.0.0.1:7102, channel: " KEY32 "}\n";

static char folder[] = "/tmp/test-settings-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/s.yaml", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static int read_text(const char *yaml, struct settings *ret, char text[512])
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
	return settings_read(path, ret, text);
}

static void test_good(void **state)
{
	struct settings s;
	char text[512], want[96];

	(void)state;
	assert_int_equal(read_text(good, &s, text), 0);
	assert_int_equal(s.node, 1);
	snprintf(want, sizeof want, "%s/genesis", folder);
	assert_string_equal(s.genesis_path, want);
	assert_string_equal(s.data_path, "/var/lib/countersign");
	assert_int_equal(s.n_urls, 2);
	assert_int_equal(s.n_peers, 1);
	assert_string_equal(s.peers[0].host, "::1");
	assert_int_equal(s.peers[0].port, 7202);
	assert_int_equal(s.genesis_hash.b[31], 31);
	assert_string_equal(s.geo_city_path, "");
	char with_geo[2048];
	snprintf(with_geo, sizeof with_geo, "%sgeo: {city: city.mmdb, asn: /var/lib/asn.mmdb}\n", good);
	assert_int_equal(read_text(with_geo, &s, text), 0);
	snprintf(want, sizeof want, "%s/city.mmdb", folder);
	assert_string_equal(s.geo_city_path, want);
	assert_string_equal(s.geo_network_path, "/var/lib/asn.mmdb");
}

/* Replaces the first occurrence of `what` in the good settings by `by`. */
static void expect(const char *what, const char *by, const char *message)
{
	struct settings s = {.node = 77};
	const char *at = strstr(good, what);
	char yaml[2048], text[512];

	assert_non_null(at);
	snprintf(yaml, sizeof yaml, "%.*s%s%s", (int)(at - good), good, by, at + strlen(what));
	assert_int_not_equal(read_text(yaml, &s, text), 0);
	if (!strstr(text, message))
		fail_msg("got: %s\nwanted: %s", text, message);
	assert_int_equal(s.node, 77); /* Untouched. */
}

static void test_refusals(void **state)
{
	(void)state;
	expect("node: 1", "nodes: 1", ":1:1: nodes: is not a key that is known here");
	expect("node: 1\n", "", "node: is missing");
	expect("node: 1", "node: 0", ":1:7: node: must be from 1");
	expect("node: 1", "node: one", ":1:7: node: must be a whole number");
	expect("node: 1", "node: 1\nnode: 2", ":2:1: duplicate key");
	expect("link: 127.0.0.1:7201", "link: 127.0.0.1", "must be HOST:PORT");
	expect("link: 127.0.0.1:7201", "link: 127.0.0.1:70000", "from 1 to 65535");
	expect("tcp://127.0.0.1:7101", "http://x", "must begin with tcp:// or ipc://");
	expect("genesis_hash: " KEY32, "genesis_hash: AAEC", ":4:15: genesis_hash: must be 32 bytes in base64");
	expect("id: 2", "id: 1", "names this node itself");
	expect("id: 2", "idd: 2", "idd: is not a key that is known here");
	expect("peers:\n", "peers: x\nmore:\n", "must be a list");
	expect("node: 1\n", "node: 1\nheartbeat_ms: 200\n", "at least three times heartbeat_ms");
	expect("node: 1\n", "node: 1\nlog_level: loud\n", "must be error, warning, info or debug");
	expect("node: 1\n", "node: 1\ngeo: city.mmdb\n", "geo: must be a mapping");
	expect("node: 1\n", "node: 1\ngeo: {country: a}\n", "country: is not a key that is known here");
	expect("node: 1\n", "node: 1\ndisk_reserve_mib: 8\n", "disk_reserve_mib: must be from 16 to 1048576");
	expect("node: 1\n", "node: [1\n", "s.yaml:");
	expect("node: 1\n", "- node\n", "s.yaml:");
	expect("node: 1\n", "%M\nnode: 1\n", "s.yaml:1: directives");
	expect("node: 1\n", "%M\xe5\nnode: 1\n", "s.yaml:1: is not UTF-8"); /* libfyaml never returned. */
}

static void test_no_file(void **state)
{
	struct settings s;
	char text[512];

	(void)state;
	assert_int_not_equal(settings_read("/nonexistent/s.yaml", &s, text), 0);
	assert_non_null(strstr(text, "/nonexistent/s.yaml: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_good),
	        cmocka_unit_test(test_refusals),
	        cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
