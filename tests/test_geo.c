/* Databases of addresses: what they say, what they do not know, and that no broken file is taken or brings a crash. */
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

#include "ledger/errors.h"
#include "node/geo.h"
#include "tests/mmdb_write.h"

#define BUILT_S UINT64_C(1760000000)

static const struct mmdb_network cities[] = {
        {.prefix = "198.51.100.0/24", .country = "NL", .latitude = 52.37402, .longitude = 4.88969},
        {.prefix = "203.0.113.0/25", .country = "BR", .latitude = -23.5475, .longitude = -46.63611},
        {.prefix = "192.0.2.0/24", .country = "JP"},
        {.prefix = "2001:db8::/32", .country = "FR", .latitude = 48.85341, .longitude = 2.3488},
        {.prefix = "198.18.0.0/15", .latitude = 91, .longitude = 5}};
static const struct mmdb_network networks[] = {{.prefix = "198.51.100.0/24", .as = 64496},
                                               {.prefix = "2001:db8::/32", .as = 4200000000u}};
static char folder[] = "/tmp/countersign-geo-XXXXXX", city_path[64], network_path[64];

static struct place find(const struct geo *g, const char *address)
{
	struct place_source s;
	struct place p;

	geo_source(g, &s);
	s.find(s.ctx, address, strlen(address), &p);
	return p;
}

static struct geo *open_good(const char *city, const char *network)
{
	char text[GEO_TEXT_SIZE] = "";
	struct geo *g = NULL;

	if (geo_open(city, network, &g, text) != 0)
		fail_msg("%s", text);
	return g;
}

static void known_and_unknown(void **state)
{
	struct geo *g = open_good(city_path, network_path);
	struct place p = find(g, "198.51.100.77");

	(void)state;
	assert_true(p.looked && p.has_position);
	assert_memory_equal(p.country, "NL", 2);
	assert_int_equal(p.latitude, 523740);
	assert_int_equal(p.longitude, 48897);
	assert_int_equal(p.network, 64496);
	assert_int_equal(p.city_built_s, BUILT_S);
	assert_int_equal(p.network_built_s, BUILT_S + 1);
	p = find(g, "203.0.113.1");
	assert_memory_equal(p.country, "BR", 2);
	assert_int_equal(p.latitude, -235475);
	assert_int_equal(p.longitude, -466361);
	assert_int_equal(p.network, 0);
	p = find(g, "203.0.113.200"); /* The other half of the network. */
	assert_true(p.looked && p.country[0] == 0 && !p.has_position);
	p = find(g, "192.0.2.9");
	assert_true(p.country[0] == 'J' && !p.has_position);
	p = find(g, "2001:db8:1::7");
	assert_memory_equal(p.country, "FR", 2);
	assert_int_equal(p.network, 4200000000u);
	p = find(g, "198.19.1.1"); /* No such latitude. */
	assert_true(p.looked && !p.has_position && p.latitude == 0 && p.longitude == 0);
	static const char *const none[] = {"",           "no address",
	                                   "198.51.100", "198.51.100.77 ",
	                                   "::1",        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		p = find(g, none[i]);
		assert_true(p.looked && p.country[0] == 0 && p.network == 0 && !p.has_position);
		assert_int_equal(p.city_built_s, BUILT_S);
	}
	geo_close(g);
}

static void one_or_none(void **state)
{
	struct place_source s;
	struct geo *g = open_good("", network_path);
	struct place p = find(g, "198.51.100.77");

	(void)state;
	assert_true(p.looked && p.country[0] == 0 && p.network == 64496 && p.city_built_s == 0);
	geo_close(g);
	assert_null(open_good("", ""));
	geo_source(NULL, &s);
	assert_true(s.find == NULL && s.city_built_s == 0);
	geo_close(NULL);
}

static void write_bytes(const char *path, const uint8_t *b, size_t len)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(b, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* A file that is cut anywhere is refused, with its name. */
static void cut_short(void **state)
{
	static uint8_t bytes[MMDB_WRITE_SIZE_MAX];
	size_t len = mmdb_write(bytes, cities, 5, BUILT_S);
	char path[80], text[GEO_TEXT_SIZE];
	struct geo *g;

	(void)state;
	snprintf(path, sizeof(path), "%s/cut.mmdb", folder);
	for (size_t n = 0; n < len; n += 7) {
		write_bytes(path, bytes, n);
		text[0] = 0;
		assert_int_not_equal(geo_open(path, "", &g, text), 0);
		assert_non_null(strstr(text, path));
		assert_null(g);
	}
	assert_int_equal(geo_open("/nowhere/at all", "", &g, text), CS_ERR_IO);
	assert_int_equal(geo_open(folder, "", &g, text), CS_ERR_IO);
	/* Cut while it is in use: what was read stays. */
	write_bytes(path, bytes, len);
	g = open_good(path, "");
	assert_int_equal(truncate(path, 0), 0);
	assert_memory_equal(find(g, "198.51.100.77").country, "NL", 2);
	geo_close(g);
	unlink(path);
}

/* Whatever a byte becomes: refused or taken, and asked without harm. */
static void any_byte(void **state)
{
	static uint8_t bytes[MMDB_WRITE_SIZE_MAX];
	size_t len = mmdb_write(bytes, cities, 5, BUILT_S);
	unsigned taken = 0, refused = 0;
	char path[80], text[GEO_TEXT_SIZE];
	struct geo *g;

	(void)state;
	snprintf(path, sizeof(path), "%s/byte.mmdb", folder);
	for (size_t i = 0; i<len; i += len> 2000 && i < len - 600 ? 13 : 1)
		for (unsigned k = 0; k < 3; k++) {
			uint8_t was = bytes[i];
			bytes[i] = (uint8_t)(k == 0 ? was ^ 0x80 : k == 1 ? 0xff : was ^ 1);
			write_bytes(path, bytes, len);
			bytes[i] = was;
			if (geo_open(path, "", &g, text) != 0) {
				refused++;
				continue;
			}
			taken++;
			for (unsigned n = 0; n < 5; n++) {
				struct place p = find(g, n == 3 ? "2001:db8::1" : cities[n].prefix);
				p = find(g, n == 0 ? "198.51.100.1" : n == 1 ? "203.0.113.9" : "192.0.2.1");
				assert_true(p.looked);
			}
			geo_close(g);
		}
	print_message("%u changed files refused, %u taken\n", refused, taken);
	assert_true(refused > 0);
	unlink(path);
}

static int setup(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(city_path, sizeof(city_path), "%s/city.mmdb", folder);
	snprintf(network_path, sizeof(network_path), "%s/asn.mmdb", folder);
	mmdb_write_file(city_path, cities, 5, BUILT_S);
	mmdb_write_file(network_path, networks, 2, BUILT_S + 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(city_path);
	unlink(network_path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known_and_unknown), cmocka_unit_test(one_or_none),
	                                   cmocka_unit_test(cut_short), cmocka_unit_test(any_byte)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
