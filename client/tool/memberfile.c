/* A member's public file, written and read back; the members as the cluster tells them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/memberfile.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/keys.h"
#include "client/tool/tool.h"

#define HEAD          "countersign-member/v1"
#define FILE_SIZE_MAX 4096

char *memberfile_text(const struct memberfile *m)
{
	char log[KEYS_PUBLIC_TEXT_SIZE], cosigner[KEYS_PUBLIC_TEXT_SIZE], channel[KEYS_PUBLIC_TEXT_SIZE], *text = NULL;

	keys_public_text(m->log_pub, log);
	keys_public_text(m->cosigner_pub, cosigner);
	keys_public_text(m->channel_pub, channel);
	if (asprintf(&text, HEAD "\nid %" PRIu64 "\nurl %s\nlink %s\nlog %s\ncosigner %s\nchannel %s\n", m->id, m->url,
	             m->link, log, cosigner, channel) < 0)
		return NULL;
	return text;
}

/* "NAME value\n" off the front of *text; false: it is another line. */
static bool take_line(char **text, const char *name, const char **ret)
{
	size_t len = strlen(name);
	char *end = strchr(*text, '\n');

	if (!end || strncmp(*text, name, len) != 0 || (*text)[len] != ' ')
		return false;
	*end = 0;
	*ret = *text + len + 1;
	*text = end + 1;
	return true;
}

static bool parse(char *text, struct memberfile *m)
{
	const char *id, *url, *link, *log, *cosigner, *channel;
	size_t head = strlen(HEAD "\n");

	if (strncmp(text, HEAD "\n", head) != 0)
		return false;
	text += head;
	if (!take_line(&text, "id", &id) || !take_line(&text, "url", &url) || !take_line(&text, "link", &link) ||
	    !take_line(&text, "log", &log) || !take_line(&text, "cosigner", &cosigner) ||
	    !take_line(&text, "channel", &channel) || *text)
		return false;
	return tool_parse_index(id, &m->id) && snprintf(m->url, sizeof m->url, "%s", url) < (int)sizeof m->url &&
	       snprintf(m->link, sizeof m->link, "%s", link) < (int)sizeof m->link &&
	       keys_parse_public(log, m->log_pub) && keys_parse_public(cosigner, m->cosigner_pub) &&
	       keys_parse_public(channel, m->channel_pub);
}

int memberfile_read(const char *command, const char *path, bool quiet, struct memberfile *ret)
{
	char *text = NULL;
	size_t size;
	int err = files_read(path, FILE_SIZE_MAX, &text, &size);
	bool ok = !err && strlen(text) == size && parse(text, ret);

	free(text);
	if (ok)
		return 0;
	return quiet ? EXIT_USAGE
	             : tool_fail(EXIT_USAGE, command, "%s: %s", path,
	                         err ? strerror(err)
	                             : "is not the file \"" MEMBERFILE_NAME
	                               "\" that `countersign member prepare` writes");
}

/* --- as the cluster tells it --- */

static uint64_t number(const json_t *o, const char *name)
{
	json_int_t v = json_integer_value(json_object_get(o, name));

	return v < 0 ? 0 : (uint64_t)v;
}

static void string(const json_t *o, const char *name, char *ret, size_t cap)
{
	const char *s = json_string_value(json_object_get(o, name));

	snprintf(ret, cap, "%s", s ? s : "");
}

static void key(const json_t *o, const char *name, uint8_t ret[32])
{
	const char *s = json_string_value(json_object_get(o, name));

	if (s)
		keys_parse_public(s, ret);
}

static unsigned role(const json_t *o, const char *name)
{
	const char *s = json_string_value(json_object_get(o, name));

	return !s                    ? ROSTER_REMOVED
	       : !strcmp(s, "voter") ? ROSTER_VOTER
	       : !strcmp(s, "spare") ? ROSTER_SPARE
	                             : ROSTER_REMOVED;
}

static void read_node(const json_t *o, struct memberview_node *n)
{
	n->id = number(o, "id");
	n->behind = number(o, "behind");
	n->role = role(o, "role");
	n->in_raft = role(o, "in_raft");
	n->whole = json_is_true(json_object_get(o, "whole"));
	n->link_up = json_is_true(json_object_get(o, "link_up"));
	string(o, "url", n->url, sizeof n->url);
	string(o, "link", n->link, sizeof n->link);
	key(o, "log", n->log_pub);
	key(o, "cosigner", n->cosigner_pub);
	key(o, "channel", n->channel_pub);
}

static int read_view(const char *text, struct memberview *v)
{
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *o;
	size_t i;

	if (!json_is_object(j)) {
		json_decref(j);
		return CS_E_MALFORMED;
	}
	memset(v, 0, sizeof *v);
	v->node = number(j, "node");
	v->version = number(j, "version");
	v->leads = json_is_true(json_object_get(j, "leads"));
	string(j, "pending", v->pending, sizeof v->pending);
	json_array_foreach(json_object_get(j, "members"), i, o)
	{
		if (i == ROSTER_NODES_MAX)
			break;
		read_node(o, &v->nodes[v->n]);
		v->voters += v->nodes[v->n].role == ROSTER_VOTER;
		if (v->nodes[v->n].id > v->highest_id)
			v->highest_id = v->nodes[v->n].id;
		v->n++;
	}
	json_array_foreach(json_object_get(j, "removed"), i, o)
	{
		if (number(o, "id") > v->highest_id)
			v->highest_id = number(o, "id");
	}
	json_decref(j);
	return 0;
}

static int ask(cs_client *client, uint64_t node, struct memberview *ret)
{
	char *text;
	int err = cs_members(client, node, &text);

	if (err)
		return err;
	err = read_view(text, ret);
	free(text);
	return err;
}

static uint64_t leader_of(cs_client *client)
{
	char *text;
	json_t *j;
	uint64_t id;

	if (cs_status(client, 0, &text))
		return 0;
	j = json_loads(text, 0, NULL);
	id = number(j, "leader_id");
	json_decref(j);
	free(text);
	return id;
}

int memberview_ask(cs_client *client, struct memberview *ret)
{
	struct memberview v;
	uint64_t leader;
	int err = ask(client, 0, ret);

	if (err || ret->leads)
		return err;
	leader = leader_of(client);
	if (leader && !ask(client, leader, &v) && v.leads)
		*ret = v;
	return 0;
}

const struct memberview_node *memberview_find(const struct memberview *v, uint64_t id)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->nodes[i].id == id)
			return &v->nodes[i];
	return NULL;
}
