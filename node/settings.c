/* Reads a node's settings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <libfyaml.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/note.h"
#include "ledger/yaml_bytes.h"
#include "node/log.h"

#define TEXT_SIZE     512
#define FILE_SIZE_MAX 65536 /* A file of seven peers takes 2 KiB. */

/* One reading: what every step needs to say where it failed. */
struct reading {
	const char *path;
	char folder[SETTINGS_PATH_SIZE_MAX];
	char *text;
	struct settings *ret;
};

static int fail(struct reading *rd, struct fy_node *at, const char *what, const char *key)
{
	struct fy_token *token = at ? fy_node_get_scalar_token(at) : NULL;
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;

	if (mark)
		snprintf(rd->text, TEXT_SIZE, "%s:%d:%d: %s: %s", rd->path, mark->line + 1, mark->column + 1, key,
		         what);
	else
		snprintf(rd->text, TEXT_SIZE, "%s: %s: %s", rd->path, key, what);
	return CS_ERR_INVALID;
}

static int get_text(struct reading *rd, struct fy_node *n, const char *key, char *ret, size_t cap)
{
	size_t len;
	const char *s = fy_node_get_scalar(n, &len);

	if (!s || len == 0)
		return fail(rd, n, "must be a text", key);
	if (len >= cap)
		return fail(rd, n, "is too long", key);
	if (memchr(s, 0, len))
		return fail(rd, n, "holds a NUL byte", key);
	memcpy(ret, s, len);
	ret[len] = 0;
	return 0;
}

static int get_number(struct reading *rd, struct fy_node *n, const char *key, uint64_t min, uint64_t max, uint64_t *ret)
{
	char digits[24], text[96];
	int err = get_text(rd, n, key, digits, sizeof digits);

	if (err)
		return err;
	if (strspn(digits, "0123456789") != strlen(digits))
		return fail(rd, n, "must be a whole number", key);
	errno = 0;
	uint64_t v = strtoull(digits, NULL, 10);
	if (errno || v < min || v > max) {
		snprintf(text, sizeof text, "must be from %" PRIu64 " to %" PRIu64, min, max);
		return fail(rd, n, text, key);
	}
	*ret = v;
	return 0;
}

static int get_unsigned(struct reading *rd, struct fy_node *n, const char *key, unsigned min, unsigned max,
                        unsigned *ret)
{
	uint64_t v;
	int err = get_number(rd, n, key, min, max, &v);

	if (!err)
		*ret = (unsigned)v;
	return err;
}

static int get_path(struct reading *rd, struct fy_node *n, const char *key, char *ret)
{
	char path[SETTINGS_PATH_SIZE_MAX];
	int err = get_text(rd, n, key, path, sizeof path);

	if (err)
		return err;
	int len = path[0] == '/' ? snprintf(ret, SETTINGS_PATH_SIZE_MAX, "%s", path)
	                         : snprintf(ret, SETTINGS_PATH_SIZE_MAX, "%s/%s", rd->folder, path);
	return len < SETTINGS_PATH_SIZE_MAX ? 0 : fail(rd, n, "is too long", key);
}

static int get_bytes32(struct reading *rd, struct fy_node *n, const char *key, uint8_t ret[32])
{
	char text[64];
	uint8_t bytes[32];
	size_t len;
	int err = get_text(rd, n, key, text, sizeof text);

	if (err)
		return err;
	if (base64_decode(text, strlen(text), bytes, sizeof bytes, &len) || len != 32)
		return fail(rd, n, "must be 32 bytes in base64", key);
	memcpy(ret, bytes, 32);
	return 0;
}

/* "host:port"; the port is after the last colon, so that [::1]:7000 works. */
static int get_address(struct reading *rd, struct fy_node *n, const char *key, char host[WIRE_URL_SIZE_MAX],
                       uint16_t *port)
{
	char text[WIRE_URL_SIZE_MAX];
	int err = get_text(rd, n, key, text, sizeof text);

	if (err)
		return err;
	char *colon = strrchr(text, ':'), *end;
	if (!colon || colon == text)
		return fail(rd, n, "must be HOST:PORT", key);
	unsigned long v = strtoul(colon + 1, &end, 10);
	if (colon[1] < '0' || colon[1] > '9' || *end || v == 0 || v > 65535)
		return fail(rd, n, "must be HOST:PORT with a port from 1 to 65535", key);
	*colon = 0;
	char *start = text;
	size_t len = strlen(text);
	if (text[0] == '[' && text[len - 1] == ']') {
		text[len - 1] = 0;
		start++;
	}
	snprintf(host, WIRE_URL_SIZE_MAX, "%s", start);
	*port = (uint16_t)v;
	return 0;
}

static int get_url(struct reading *rd, struct fy_node *n, const char *key, char ret[WIRE_URL_SIZE_MAX])
{
	int err = get_text(rd, n, key, ret, WIRE_URL_SIZE_MAX);

	if (err)
		return err;
	if (strncmp(ret, "tcp://", 6) != 0 && strncmp(ret, "ipc://", 6) != 0)
		return fail(rd, n, "must begin with tcp:// or ipc://", key);
	return 0;
}

typedef int (*key_fn)(struct reading *rd, struct fy_node *n, const char *key, void *into);

struct key {
	const char *name;
	key_fn read;
	bool required;
};

/* Walks a mapping: each key once, only known ones, all required ones. into is handed to each key's function. */
static int read_mapping(struct reading *rd, struct fy_node *map, const char *what, const struct key *keys,
                        unsigned n_keys, void *into)
{
	struct fy_node_pair *pair;
	uint64_t seen = 0;
	void *it = NULL;

	if (!fy_node_is_mapping(map))
		return fail(rd, map, "must be a mapping", what);
	while ((pair = fy_node_mapping_iterate(map, &it))) {
		struct fy_node *kn = fy_node_pair_key(pair);
		char name[64];
		unsigned k;
		int err = get_text(rd, kn, what, name, sizeof name);

		if (err)
			return err;
		for (k = 0; k < n_keys && strcmp(keys[k].name, name) != 0; k++)
			;
		if (k == n_keys)
			return fail(rd, kn, "is not a key that is known here", name);
		if (seen & (UINT64_C(1) << k))
			return fail(rd, kn, "stands here twice", name);
		seen |= UINT64_C(1) << k;
		err = keys[k].read(rd, fy_node_pair_value(pair), name, into);
		if (err)
			return err;
	}
	for (unsigned k = 0; k < n_keys; k++)
		if (keys[k].required && !(seen & (UINT64_C(1) << k)))
			return fail(rd, NULL, "is missing", keys[k].name);
	return 0;
}

#define KEY(function, body)                                                                                            \
	static int function(struct reading *rd, struct fy_node *n, const char *key, void *into)                        \
	{                                                                                                              \
		struct settings *s = into;                                                                             \
		body                                                                                                   \
	}

KEY(key_node, return get_number(rd, n, key, 1, UINT32_MAX, &s->node);)
KEY(key_origin, return get_text(rd, n, key, s->origin, sizeof s->origin);)
KEY(key_genesis, return get_path(rd, n, key, s->genesis_path);)
KEY(key_genesis_hash, return get_bytes32(rd, n, key, s->genesis_hash.b);)
KEY(key_keys, return get_path(rd, n, key, s->keys_path);)
KEY(key_data, return get_path(rd, n, key, s->data_path);)
KEY(key_link, return get_address(rd, n, key, s->link_host, &s->link_port);)
KEY(key_election, return get_unsigned(rd, n, key, 50, 60000, &s->election_timeout_ms);)
KEY(key_heartbeat, return get_unsigned(rd, n, key, 5, 10000, &s->heartbeat_ms);)
KEY(key_batch, return get_unsigned(rd, n, key, 1, 256, &s->batch_commands_max);)
/* Each is an entry too: below 16 they would be about each other. */
KEY(key_state_digest, int err = get_unsigned(rd, n, key, 0, 1u << 30, &s->state_digest_entries);
    if (!err) err = s->state_digest_entries && s->state_digest_entries < 16
                            ? fail(rd, n, "must be 0 (none), or from 16 to 1073741824", key)
                            : 0;
    return err;)
KEY(key_snapshot, return get_unsigned(rd, n, key, 16, 1u << 20, &s->snapshot_entries);)
KEY(key_contexts, return get_unsigned(rd, n, key, 1, 8192, &s->contexts);)
KEY(key_map, uint64_t mib; int err = get_number(rd, n, key, 16, 1 << 20, &mib); if (!err) s->map_size = mib << 20;
    return err;)
KEY(key_reserve, uint64_t mib; int err = get_number(rd, n, key, 16, 1 << 20, &mib);
    if (!err) s->disk_reserve = mib << 20; return err;)

KEY(key_scrub_rate, uint64_t mib; int err = get_number(rd, n, key, 0, 4096, &mib); if (!err) s->scrub_rate = mib << 20;
    return err;)
KEY(key_scrub_interval, return get_unsigned(rd, n, key, 1, 8760, &s->scrub_interval_h);)

static int key_log_level(struct reading *rd, struct fy_node *n, const char *key, void *into)
{
	struct settings *s = into;
	char text[16];
	int err = get_text(rd, n, key, text, sizeof text);

	if (err)
		return err;
	s->log_level = log_level_parse(text);
	return s->log_level < 0 ? fail(rd, n, "must be error, warning, info or debug", key) : 0;
}

static int key_listen(struct reading *rd, struct fy_node *n, const char *key, void *into)
{
	struct settings *s = into;
	struct fy_node *item;
	void *it = NULL;

	if (!fy_node_is_sequence(n))
		return fail(rd, n, "must be a list of urls", key);
	while ((item = fy_node_sequence_iterate(n, &it))) {
		if (s->n_urls == FRONT_URLS_MAX)
			return fail(rd, item, "has too many urls", key);
		int err = get_url(rd, item, key, s->urls[s->n_urls]);
		if (err)
			return err;
		s->n_urls++;
	}
	return s->n_urls ? 0 : fail(rd, n, "is empty", key);
}

static int peer_id(struct reading *rd, struct fy_node *n, const char *key, void *into)
{
	return get_number(rd, n, key, 1, UINT32_MAX, &((struct settings_peer *)into)->id);
}
static int peer_link(struct reading *rd, struct fy_node *n, const char *key, void *into)
{
	struct settings_peer *p = into;
	return get_address(rd, n, key, p->host, &p->port);
}
static int peer_url(struct reading *rd, struct fy_node *n, const char *key, void *into)
{
	return get_url(rd, n, key, ((struct settings_peer *)into)->url);
}
static int peer_channel(struct reading *rd, struct fy_node *n, const char *key, void *into)
{
	return get_bytes32(rd, n, key, ((struct settings_peer *)into)->channel_pub);
}

static int key_peers(struct reading *rd, struct fy_node *n, const char *key, void *into)
{
	static const struct key keys[] = {{"id", peer_id, true},
	                                  {"link", peer_link, true},
	                                  {"url", peer_url, true},
	                                  {"channel", peer_channel, true}};
	struct settings *s = into;
	struct fy_node *item;
	void *it = NULL;

	if (!fy_node_is_sequence(n))
		return fail(rd, n, "must be a list", key);
	while ((item = fy_node_sequence_iterate(n, &it))) {
		if (s->n_peers == LINK_PEERS_MAX)
			return fail(rd, item, "has too many peers", key);
		int err = read_mapping(rd, item, key, keys, sizeof keys / sizeof *keys, &s->peers[s->n_peers]);
		if (err)
			return err;
		s->n_peers++;
	}
	return 0;
}

KEY(geo_city, return get_path(rd, n, key, s->geo_city_path);)
KEY(geo_asn, return get_path(rd, n, key, s->geo_network_path);)

static int key_geo(struct reading *rd, struct fy_node *n, const char *key, void *into)
{
	static const struct key keys[] = {{"city", geo_city, false}, {"asn", geo_asn, false}};

	return read_mapping(rd, n, key, keys, sizeof keys / sizeof *keys, into);
}

static const struct key top_keys[] = {
        {"node", key_node, true},
        {"origin", key_origin, true},
        {"genesis", key_genesis, true},
        {"genesis_hash", key_genesis_hash, true},
        {"keys", key_keys, true},
        {"data", key_data, true},
        {"listen", key_listen, true},
        {"link", key_link, true},
        {"peers", key_peers, true},
        {"election_timeout_ms", key_election, false},
        {"heartbeat_ms", key_heartbeat, false},
        {"batch_commands_max", key_batch, false},
        {"contexts", key_contexts, false},
        {"snapshot_entries", key_snapshot, false},
        {"state_digest_entries", key_state_digest, false},
        {"map_size_mib", key_map, false},
        {"disk_reserve_mib", key_reserve, false},
        {"scrub_mib_per_s", key_scrub_rate, false},
        {"scrub_interval_h", key_scrub_interval, false},
        {"geo", key_geo, false},
        {"log_level", key_log_level, false},
};

/* What no single key can say. */
static int check_whole(struct reading *rd, const struct settings *s)
{
	if (s->heartbeat_ms * 3 > s->election_timeout_ms)
		return fail(rd, NULL, "must be at least three times heartbeat_ms", "election_timeout_ms");
	for (unsigned i = 0; i < s->n_peers; i++) {
		if (s->peers[i].id == s->node)
			return fail(rd, NULL, "names this node itself", "peers");
		for (unsigned k = 0; k < i; k++)
			if (s->peers[i].id == s->peers[k].id)
				return fail(rd, NULL, "names a node twice", "peers");
	}
	return 0;
}

static int read_document(struct reading *rd, struct fy_document *doc)
{
	struct settings s = {.election_timeout_ms = 200,
	                     .heartbeat_ms = 40,
	                     .batch_commands_max = 256,
	                     .contexts = 1024,
	                     .snapshot_entries = 16384,
	                     .state_digest_entries = 65536,
	                     .disk_reserve = UINT64_C(512) << 20,
	                     .scrub_rate = UINT64_C(4) << 20,
	                     .scrub_interval_h = 24,
	                     .log_level = LOG_LEVEL_INFO};
	int err;

	err = read_mapping(rd, fy_document_root(doc), "settings", top_keys, sizeof top_keys / sizeof *top_keys, &s);
	if (!err)
		err = check_whole(rd, &s);
	if (!err)
		*rd->ret = s;
	return err;
}

static int load_file(struct reading *rd, char **ret, size_t *ret_len)
{
	FILE *f = fopen(rd->path, "re");
	char *bytes = malloc(FILE_SIZE_MAX + 1);
	size_t len = 0;

	if (f && bytes)
		len = fread(bytes, 1, FILE_SIZE_MAX + 1, f);
	if (!f || !bytes || ferror(f) || len > FILE_SIZE_MAX) {
		snprintf(rd->text, TEXT_SIZE, "%s: %s", rd->path,
		         f && len > FILE_SIZE_MAX ? "too large" : strerror(errno));
		if (f)
			fclose(f);
		free(bytes);
		return CS_ERR_IO;
	}
	fclose(f);
	*ret = bytes;
	*ret_len = len;
	return 0;
}

/* libfyaml's first complaint about the text itself, with its place. */
static int fail_parse(struct reading *rd, struct fy_diag *diag)
{
	void *it = NULL;
	struct fy_diag_error *e = fy_diag_errors_iterate(diag, &it);

	if (e)
		snprintf(rd->text, TEXT_SIZE, "%s:%d:%d: %s", rd->path, e->line, e->column, e->msg);
	else
		snprintf(rd->text, TEXT_SIZE, "%s: is not YAML", rd->path);
	return CS_ERR_INVALID;
}

static int parse(struct reading *rd, const char *bytes, size_t len)
{
	unsigned line;
	const char *why = yaml_bytes_refusal(bytes, len, &line);
	struct fy_document *doc;
	int err;

	if (why) {
		snprintf(rd->text, TEXT_SIZE, "%s:%u: %s", rd->path, line, why);
		return CS_ERR_INVALID;
	}
	struct fy_diag *diag = fy_diag_create(NULL);
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET, .diag = diag};
	if (!diag)
		return CS_ERR_NOMEM;
	fy_diag_set_collect_errors(diag, true);
	doc = fy_document_build_from_string(&cfg, bytes, len);
	err = doc && fy_document_root(doc) ? read_document(rd, doc) : fail_parse(rd, diag);
	fy_document_destroy(doc);
	fy_diag_destroy(diag);
	return err;
}

int settings_read(const char *path, struct settings *ret, char *ret_text)
{
	struct reading rd = {.path = path, .text = ret_text};
	const char *slash = strrchr(path, '/');
	char *bytes;
	size_t len;
	int err;

	snprintf(rd.folder, sizeof rd.folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
	rd.ret = ret;
	err = load_file(&rd, &bytes, &len);
	if (err)
		return err;
	err = parse(&rd, bytes, len);
	free(bytes);
	return err;
}
