/* Databases of addresses: read, checked, asked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/geo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <maxminddb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/decide/fixed.h"

#define FILE_SIZE_MAX   (INT64_C(1) << 30) /* The largest databases of cities have an eighth of it. */
#define RECORDS_CHECKED 1048576            /* Half a second at a start. */
#define DEGREE          10000              /* Positions are in ten-thousandths. */

struct database {
	bool open;
	MMDB_s mmdb;
};
struct geo {
	struct database city, network;
};

/* --- reading a file into memory of our own --- */

static int copy(int from, int to)
{
	static const size_t chunk = 65536;
	uint8_t *buf = malloc(chunk);
	int64_t total = 0;
	int err = buf == NULL ? ENOMEM : 0;

	while (err == 0) {
		ssize_t n = read(from, buf, chunk);
		if (n == 0)
			break;
		total += n;
		if (n < 0)
			err = errno;
		else if (total > FILE_SIZE_MAX)
			err = EFBIG;
		else if (write(to, buf, (size_t)n) != n)
			err = ENOMEM; /* It is memory. */
	}
	free(buf);
	return err;
}

/* A file without a name in the file system, which is never changed again. Returns its descriptor, or -1 and errno. */
static int private_copy(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to = -1, err;
	struct stat st;

	if (from < 0)
		return -1;
	err = fstat(from, &st) != 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
	if (err == 0 && (to = memfd_create("countersign-geo", MFD_CLOEXEC)) < 0)
		err = errno;
	if (err == 0)
		err = copy(from, to);
	close(from);
	if (err == 0)
		return to;
	if (to >= 0)
		close(to);
	errno = err;
	return -1;
}

/* --- checking --- */

static bool read_place(MMDB_entry_s *entry, struct place *ret);
static bool read_network(MMDB_entry_s *entry, struct place *ret);

struct check {
	MMDB_s *m;
	bool (*read)(MMDB_entry_s *entry, struct place *ret);
	uint32_t every, seen;
};

static bool side_is_good(struct check *c, uint8_t type, uint64_t record, MMDB_entry_s *entry)
{
	struct place unused;

	switch (type) {
	case MMDB_RECORD_TYPE_SEARCH_NODE:
		return record < c->m->metadata.node_count;
	case MMDB_RECORD_TYPE_EMPTY:
		return true;
	case MMDB_RECORD_TYPE_DATA:
		return c->seen++ % c->every != 0 || c->read(entry, &unused);
	default:
		return false;
	}
}

/* Every way through the tree ends in the tree or in data, and the data can be read. */
static bool tree_is_good(struct check *c)
{
	c->every = c->m->metadata.node_count / RECORDS_CHECKED + 1;
	for (uint32_t i = 0; i < c->m->metadata.node_count; i++) {
		MMDB_search_node_s node;
		if (MMDB_read_node(c->m, i, &node) != MMDB_SUCCESS)
			return false;
		if (!side_is_good(c, node.left_record_type, node.left_record, &node.left_record_entry) ||
		    !side_is_good(c, node.right_record_type, node.right_record, &node.right_record_entry))
			return false;
	}
	return true;
}

static int open_database(const char *path, struct database *ret, bool (*reads)(MMDB_entry_s *, struct place *),
                         char *text)
{
	char name[64];
	int fd, status;

	if (path[0] == 0)
		return 0;
	fd = private_copy(path);
	if (fd < 0) {
		snprintf(text, GEO_TEXT_SIZE, "%s: %s", path, strerror(errno));
		return errno == ENOMEM ? CS_ERR_NOMEM : CS_ERR_IO;
	}
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	status = MMDB_open(name, MMDB_MODE_MMAP, &ret->mmdb);
	close(fd);
	if (status != MMDB_SUCCESS) {
		snprintf(text, GEO_TEXT_SIZE, "%s: is no MaxMind database: %s", path, MMDB_strerror(status));
		return CS_ERR_INVALID;
	}
	ret->open = true;
	struct check c = {.m = &ret->mmdb, .read = reads};
	if (ret->mmdb.metadata.node_count == 0 || ret->mmdb.metadata.build_epoch == 0 ||
	    ret->mmdb.metadata.build_epoch > PLACE_TIME_S_MAX || !tree_is_good(&c)) {
		snprintf(text, GEO_TEXT_SIZE, "%s: the database is damaged, or cut short", path);
		return CS_ERR_INVALID;
	}
	return 0;
}

int geo_open(const char *city_path, const char *network_path, struct geo **ret, char ret_text[GEO_TEXT_SIZE])
{
	struct geo *g = NULL;
	int err;

	*ret = NULL;
	if (city_path[0] == 0 && network_path[0] == 0)
		return 0;
	g = calloc(1, sizeof *g);
	if (g == NULL) {
		snprintf(ret_text, GEO_TEXT_SIZE, "out of memory");
		return CS_ERR_NOMEM;
	}
	err = open_database(city_path, &g->city, read_place, ret_text);
	if (!err)
		err = open_database(network_path, &g->network, read_network, ret_text);
	if (err)
		geo_close(g);
	else
		*ret = g;
	return err;
}

void geo_close(struct geo *g)
{
	if (!g)
		return;
	if (g->city.open)
		MMDB_close(&g->city.mmdb);
	if (g->network.open)
		MMDB_close(&g->network.mmdb);
	free(g);
}

/* --- asking --- */

/* False: what is there cannot be read. Not there is fine. */
static bool value_at(MMDB_entry_s *entry, MMDB_entry_data_s *ret, const char *const *path)
{
	int status = MMDB_aget_value(entry, ret, path);

	if (status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
		ret->has_data = false;
	return status == MMDB_SUCCESS || status == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR;
}

static bool read_degrees(MMDB_entry_s *entry, const char *name, int32_t max, bool *ret_known, int32_t *ret)
{
	const char *path[] = {"location", name, NULL};
	MMDB_entry_data_s d;

	if (!value_at(entry, &d, path))
		return false;
	*ret_known = d.has_data && d.type == MMDB_DATA_TYPE_DOUBLE && fabs(d.double_value) * DEGREE <= max;
	/* The one place where a fraction becomes whole: from here on it is in the command. */
	*ret = *ret_known ? (int32_t)lround(d.double_value * DEGREE) : 0;
	return true;
}

static bool read_country(MMDB_entry_s *entry, const char *whose, char ret[2])
{
	const char *path[] = {whose, "iso_code", NULL};
	MMDB_entry_data_s d;

	if (!value_at(entry, &d, path))
		return false;
	if (d.has_data && d.type == MMDB_DATA_TYPE_UTF8_STRING && d.data_size == 2 && d.utf8_string[0] >= 'A' &&
	    d.utf8_string[0] <= 'Z' && d.utf8_string[1] >= 'A' && d.utf8_string[1] <= 'Z')
		memcpy(ret, d.utf8_string, 2);
	return true;
}

static bool read_place(MMDB_entry_s *entry, struct place *ret)
{
	bool latitude = false, longitude = false;

	/* Where the address is used, else where it is registered. */
	if (!read_country(entry, "country", ret->country) ||
	    (ret->country[0] == 0 && !read_country(entry, "registered_country", ret->country)) ||
	    !read_degrees(entry, "latitude", FIXED_LATITUDE_MAX, &latitude, &ret->latitude) ||
	    !read_degrees(entry, "longitude", FIXED_LONGITUDE_MAX, &longitude, &ret->longitude))
		return false;
	ret->has_position = latitude && longitude;
	if (!ret->has_position)
		ret->latitude = ret->longitude = 0;
	return true;
}

static bool read_network(MMDB_entry_s *entry, struct place *ret)
{
	static const char *const path[] = {"autonomous_system_number", NULL};
	MMDB_entry_data_s d;

	if (!value_at(entry, &d, path))
		return false;
	if (d.has_data && d.type == MMDB_DATA_TYPE_UINT32)
		ret->network = d.uint32;
	return true;
}

static void look_up(const struct database *d, const struct sockaddr *at, bool (*reads)(MMDB_entry_s *, struct place *),
                    struct place *ret)
{
	struct place p = *ret;
	int error = 0;

	if (!d->open)
		return;
	MMDB_lookup_result_s r = MMDB_lookup_sockaddr((MMDB_s *)&d->mmdb, at, &error);
	if (error == MMDB_SUCCESS && r.found_entry && reads(&r.entry, &p))
		*ret = p;
}

static void find(const void *ctx, const char *address, size_t len, struct place *ret)
{
	const struct geo *g = ctx;
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	const struct sockaddr *at = NULL;
	char text[PLACE_ADDRESS_MAX + 1];

	*ret = (struct place){.looked = true,
	                      .city_built_s = g->city.open ? g->city.mmdb.metadata.build_epoch : 0,
	                      .network_built_s = g->network.open ? g->network.mmdb.metadata.build_epoch : 0};
	if (len > PLACE_ADDRESS_MAX)
		return;
	memcpy(text, address, len);
	text[len] = 0;
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		at = (const struct sockaddr *)&v4;
	else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		at = (const struct sockaddr *)&v6;
	if (at == NULL)
		return;
	look_up(&g->city, at, read_place, ret);
	look_up(&g->network, at, read_network, ret);
}

void geo_source(const struct geo *g, struct place_source *ret)
{
	*ret = (struct place_source){0};
	if (g == NULL)
		return;
	ret->find = find;
	ret->ctx = g;
	ret->city_built_s = g->city.open ? g->city.mmdb.metadata.build_epoch : 0;
	ret->network_built_s = g->network.open ? g->network.mmdb.metadata.build_epoch : 0;
}
