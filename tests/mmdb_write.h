/* Writes small databases of addresses in MaxMind's format (version 2.0), for tests. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_MMDB_WRITE_H
#define TESTS_MMDB_WRITE_H

#include <stddef.h>
#include <stdint.h>

#define MMDB_WRITE_SIZE_MAX 65536
#define MMDB_NETWORKS_MAX   16

/* What is known of one network: of the fields that are set. */
struct mmdb_network {
	const char *prefix; /* "198.51.100.0/24", "2001:db8::/32". */
	const char *country;
	double latitude, longitude; /* Both 0: none. */
	uint32_t as;
};

/* Networks must not contain each other. Returns the file's length. */
size_t mmdb_write(uint8_t ret[MMDB_WRITE_SIZE_MAX], const struct mmdb_network *networks, unsigned n, uint64_t built_s);
/* To a file. */
void mmdb_write_file(const char *path, const struct mmdb_network *networks, unsigned n, uint64_t built_s);

#endif
