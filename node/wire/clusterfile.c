/* The cluster file: which nodes there are, under which keys and addresses, and whom to trust (YAML, public). */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <libfyaml.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "ledger/yaml_bytes.h"
#include "node/wire/keyfile.h"
#include "node/wire/textfile.h"

#define CLUSTER_FILE_SIZE_MAX 16384 /* Seven nodes take under 2 KiB; the rest is room for comments. */
#define BASE64_32_LEN         44    /* Base64 of 32 bytes, padding included. */

struct parser {
	const char *path;
	char *ret_text;
	struct cluster_file c;
};

/* What is wrong, where: libfyaml counts from 0, people from 1. */
static int fail(const struct parser *p, struct fy_node *at, const char *what, const char *name, size_t name_len)
{
	struct fy_token *token = fy_node_get_scalar_token(at);
	const struct fy_mark *mark = token == NULL ? NULL : fy_token_start_mark(token);

	textfile_error(p->ret_text, "%s:%d:%d: %.*s: %s", p->path, mark == NULL ? 1 : mark->line + 1,
	               mark == NULL ? 1 : mark->column + 1, (int)(name_len > 64 ? 64 : name_len), name, what);
	return CS_ERR_MALFORMED;
}

static const char *scalar(struct fy_node *n, size_t *ret_len)
{
	/* An alias would be read as its anchor's name: none are followed, none are taken. */
	if (!fy_node_is_scalar(n) || fy_node_is_alias(n))
		return NULL;
	const char *s = fy_node_get_scalar(n, ret_len);
	return s == NULL || memchr(s, '\0', *ret_len) != NULL ? NULL : s;
}

static bool string_into(char *ret, size_t cap, struct fy_node *n)
{
	size_t len;
	const char *s = scalar(n, &len);

	if (s == NULL || len == 0 || len >= cap)
		return false;
	memcpy(ret, s, len);
	ret[len] = '\0';
	return true;
}

static bool key_into(uint8_t ret[32], struct fy_node *n)
{
	size_t len, n_bytes;
	const char *s = scalar(n, &len);

	return s != NULL && len == BASE64_32_LEN &&
	       sodium_base642bin(ret, 32, s, len, NULL, &n_bytes, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       n_bytes == 32;
}

static bool id_into(uint64_t *ret, struct fy_node *n)
{
	char text[21], *end;

	if (!string_into(text, sizeof(text), n) || text[0] < '1' || text[0] > '9')
		return false;
	errno = 0;
	uint64_t v = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	*ret = v;
	return true;
}

/* A path in the file is relative to the file's folder. */
static bool path_into(const struct parser *p, char *ret, size_t cap, struct fy_node *n)
{
	char text[PATH_MAX];
	const char *slash = strrchr(p->path, '/');

	if (!string_into(text, sizeof(text), n))
		return false;
	int folder_len = slash == NULL || text[0] == '/' ? 0 : (int)(slash - p->path + 1);
	int len = snprintf(ret, cap, "%.*s%s", folder_len, p->path, text);
	return len > 0 && (size_t)len < cap;
}

/* Calls f for each pair of a mapping; f returns 1 for a key that it knows, 0 for another, or an error. */
static int each_pair(const struct parser *p, struct fy_node *mapping,
                     int (*f)(void *ctx, const char *key, size_t len, struct fy_node *key_node, struct fy_node *value),
                     void *ctx)
{
	void *iter = NULL;
	struct fy_node_pair *pair;

	while ((pair = fy_node_mapping_iterate(mapping, &iter)) != NULL) {
		struct fy_node *key_node = fy_node_pair_key(pair), *value = fy_node_pair_value(pair);
		size_t len;
		const char *key = scalar(key_node, &len);
		if (key == NULL)
			return fail(p, key_node, "not a key", "mapping", 7);
		int r = value == NULL ? 0 : f(ctx, key, len, key_node, value);
		if (r < 0)
			return r;
		if (r == 0)
			return fail(p, key_node, "unknown key", key, len);
	}
	return CS_OK;
}

static bool key_is(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && memcmp(key, name, len) == 0;
}

static int node_pair(void *ctx, const char *key, size_t len, struct fy_node *at, struct fy_node *value)
{
	struct parser *p = ctx;
	unsigned i = p->c.n_nodes;

	if (key_is(key, len, "id"))
		return id_into(&p->c.nodes[i].id, value) ? 1 : fail(p, at, "must be a number from 1", key, len);
	if (key_is(key, len, "url"))
		return string_into(p->c.nodes[i].url, sizeof(p->c.nodes[i].url), value)
		               ? 1
		               : fail(p, at, "must be an address of at most 127 bytes", key, len);
	if (key_is(key, len, "channel"))
		return key_into(p->c.nodes[i].channel_pub, value)
		               ? 1
		               : fail(p, at, "must be the base64 of a 32-byte key", key, len);
	return 0;
}

static int nodes_read(struct parser *p, struct fy_node *at, struct fy_node *nodes)
{
	void *iter = NULL;
	struct fy_node *node;

	if (!fy_node_is_sequence(nodes))
		return fail(p, at, "must be a list", "nodes", 5);
	while ((node = fy_node_sequence_iterate(nodes, &iter)) != NULL) {
		unsigned i = p->c.n_nodes;
		if (i == CLUSTER_NODES_MAX)
			return fail(p, at, "there are more than 7", "nodes", 5);
		if (!fy_node_is_mapping(node))
			return fail(p, at, "each must have id, url and channel", "nodes", 5);
		int err = each_pair(p, node, node_pair, p);
		if (err < 0)
			return err;
		if (p->c.nodes[i].id == 0 || p->c.nodes[i].url[0] == '\0' ||
		    sodium_is_zero(p->c.nodes[i].channel_pub, 32))
			return fail(p, at, "each must have id, url and channel", "nodes", 5);
		for (unsigned k = 0; k < i; k++)
			if (p->c.nodes[k].id == p->c.nodes[i].id)
				return fail(p, at, "two nodes have the same id", "nodes", 5);
		p->c.n_nodes++;
	}
	return p->c.n_nodes > 0 ? 1 : fail(p, at, "there is none", "nodes", 5);
}

static int top_pair(void *ctx, const char *key, size_t len, struct fy_node *at, struct fy_node *value)
{
	struct parser *p = ctx;

	if (key_is(key, len, "origin"))
		return string_into(p->c.origin, sizeof(p->c.origin), value)
		               ? 1
		               : fail(p, at, "must be a string of 1 to 128 bytes", key, len);
	if (key_is(key, len, "genesis"))
		return key_into(p->c.genesis.b, value) ? 1
		                                       : fail(p, at, "must be the base64 of a 32-byte hash", key, len);
	if (key_is(key, len, "trust"))
		return path_into(p, p->c.trust_path, sizeof(p->c.trust_path), value)
		               ? 1
		               : fail(p, at, "must be a path", key, len);
	if (key_is(key, len, "nodes"))
		return nodes_read(p, at, value);
	return 0;
}

static int document_read(struct parser *p, struct fy_document *doc)
{
	struct fy_node *root = fy_document_root(doc);

	if (root == NULL || !fy_node_is_mapping(root)) {
		textfile_error(p->ret_text, "%s: must have origin, genesis, trust and nodes", p->path);
		return CS_ERR_MALFORMED;
	}
	int err = each_pair(p, root, top_pair, p);
	if (err < 0)
		return err;
	const char *missing = p->c.origin[0] == '\0'                      ? "origin"
	                      : sodium_is_zero(p->c.genesis.b, HASH_SIZE) ? "genesis"
	                      : p->c.trust_path[0] == '\0'                ? "trust"
	                      : p->c.n_nodes == 0                         ? "nodes"
	                                                                  : NULL;
	if (missing == NULL)
		return CS_OK;
	textfile_error(p->ret_text, "%s: %s is missing", p->path, missing);
	return CS_ERR_MALFORMED;
}

/* A library is silent: what libfyaml would print beside the errors that it collects goes nowhere. */
static void diag_drop(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
	(void)diag;
	(void)user;
	(void)buf;
	(void)len;
}

/* The first error that libfyaml met. */
static int syntax_error(const struct parser *p, struct fy_diag *diag)
{
	void *iter = NULL;
	const struct fy_diag_error *e = fy_diag_errors_iterate(diag, &iter);

	if (e == NULL)
		textfile_error(p->ret_text, "%s: not a YAML file", p->path);
	else
		textfile_error(p->ret_text, "%s:%d:%d: %s", p->path, e->line, e->column, e->msg);
	return CS_ERR_MALFORMED;
}

int cluster_file_read(const char *path, struct cluster_file *ret, char *ret_text)
{
	char text[CLUSTER_FILE_SIZE_MAX];
	size_t len;
	unsigned line;
	struct fy_diag_cfg diag_cfg;
	struct parser p = {.path = path, .ret_text = ret_text};

	int err = textfile_read(path, false, text, sizeof(text), &len, ret_text);
	if (err < 0)
		return err;
	const char *why = yaml_bytes_refusal(text, len, &line);
	if (why != NULL) {
		textfile_error(ret_text, "%s:%u: %s", path, line, why);
		return CS_ERR_MALFORMED;
	}
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.output_fn = diag_drop;
	struct fy_diag *diag = fy_diag_create(&diag_cfg);
	if (diag == NULL)
		return CS_ERR_NOMEM;
	fy_diag_set_collect_errors(diag, true);
	struct fy_parse_cfg cfg = {.flags = FYPCF_DEFAULT_PARSE, .diag = diag};
	struct fy_document *doc = fy_document_build_from_string(&cfg, text, len);
	err = doc == NULL ? syntax_error(&p, diag) : document_read(&p, doc);
	if (err == CS_OK)
		*ret = p.c;
	fy_document_destroy(doc);
	fy_diag_destroy(diag);
	return err;
}

/* Whether s can stand between double quotes as it is. */
static bool plain(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f || *s == '"' || *s == '\\')
			return false;
	return true;
}

/* The trust policy's path as the file will have it, or NULL: it lies elsewhere and its path is relative. */
static const char *trust_relative(const char *path, const char *trust)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL || trust[0] == '/' || strchr(trust, '/') == NULL)
		return trust;
	size_t folder_len = (size_t)(slash - path + 1);
	return strncmp(path, trust, folder_len) == 0 ? trust + folder_len : NULL;
}

int cluster_file_write(const char *path, const struct cluster_file *c, char *ret_text)
{
	char *text = NULL, b64[BASE64_32_LEN + 1];
	size_t len;
	const char *trust = trust_relative(path, c->trust_path);
	bool ok =
	        plain(c->origin) && trust != NULL && plain(trust) && c->n_nodes > 0 && c->n_nodes <= CLUSTER_NODES_MAX;

	for (unsigned i = 0; ok && i < c->n_nodes; i++)
		ok = plain(c->nodes[i].url);
	if (!ok) {
		textfile_error(ret_text, "%s: a name or path cannot be written, or there are no nodes", path);
		return CS_ERR_INVALID;
	}
	FILE *f = open_memstream(&text, &len);
	if (f == NULL)
		return CS_ERR_NOMEM;
	sodium_bin2base64(b64, sizeof(b64), c->genesis.b, HASH_SIZE, sodium_base64_VARIANT_ORIGINAL);
	fprintf(f, "# Public. genesis is the leaf hash of entry 0; compare it with the ceremony's sheet.\n");
	fprintf(f, "origin: \"%s\"\ngenesis: \"%s\"\ntrust: \"%s\"\nnodes:\n", c->origin, b64, trust);
	for (unsigned i = 0; i < c->n_nodes; i++) {
		sodium_bin2base64(b64, sizeof(b64), c->nodes[i].channel_pub, 32, sodium_base64_VARIANT_ORIGINAL);
		fprintf(f, "  - {id: %llu, url: \"%s\", channel: \"%s\"}\n", (unsigned long long)c->nodes[i].id,
		        c->nodes[i].url, b64);
	}
	if (fclose(f) != 0) {
		free(text);
		return CS_ERR_NOMEM;
	}
	int err = textfile_create(path, 0644, text, len, ret_text);
	free(text);
	return err;
}
