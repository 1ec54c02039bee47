/* What time makes an alarm: nodes that fall behind or go back, a cluster that is silent; and changes of members. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/monitor.h"
#include "client/tool/text.h"

#define FOLLOW_MS  5000  /* Between two tries to follow the policy. */
#define MEMBERS_MS 10000 /* Between two looks at who is a member. */

/* --- time --- */

/* Whether a condition has held for as long as is waited; *since is its beginning, 0: it does not hold. */
static bool lasts(uint64_t *since, bool holds, uint64_t now_ms, uint64_t limit_ms)
{
	if (!holds)
		*since = 0;
	else if (!*since)
		*since = now_ms;
	return holds && now_ms >= *since + limit_ms;
}

static unsigned answering(const struct monitor *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n_peers; i++)
		n += m->peers[i].answers;
	return n;
}

/* A node that starts again shows less for a moment, until it has read its log and heard of the leader's. */
static void look_at_peer(struct monitor *m, struct monitorpeer *p, uint64_t now_ms)
{
	bool missing = p->failing_ms && now_ms >= p->failing_ms + m->patience_ms;
	if (missing && !p->missing)
		monitor_say("node %" PRIu64 " does not answer: %s", p->id, p->error);
	p->missing = missing;
	bool back = p->answers && lasts(&p->behind_ms, p->shows < p->largest, now_ms, m->patience_ms);
	if (back && !p->back) /* Once each time, whoever acknowledges it meanwhile. */
		monitor_alarm(m, MONITORALARM_BACK, p->id,
		              "ROLLED BACK: it shows %" PRIu64 " entries, and has shown %" PRIu64 " before", p->shows,
		              p->largest);
	p->back = back;
}

/*
 * All who answer, and they are a majority, show less than a quorum has cosigned: no crash does that, for what was
 * cosigned is on a majority's disks.
 */
static void look_for_rollback(struct monitor *m, uint64_t now_ms)
{
	static uint64_t since;
	uint64_t most = 0;

	for (unsigned i = 0; i < m->n_peers; i++)
		if (m->peers[i].answers && m->peers[i].shows > most)
			most = m->peers[i].shows;
	if (lasts(&since, most < m->state.fold.size && answering(m) > m->n_peers / 2, now_ms, m->patience_ms))
		monitor_alarm(m, MONITORALARM_ROLLBACK, 0,
		              "ROLLED BACK: the cluster shows %" PRIu64 " entries, and a quorum had cosigned %" PRIu64
		              "; entry %" PRIu64 " is the first that is missing",
		              most, m->state.fold.size, most);
}

/*
 * A cluster of which nobody asks anything has no new checkpoint. It is silent only if no majority of its members
 * vouches that there is nothing new: each has exactly the tree that was checked last.
 */
static bool vouched_for(const struct monitor *m)
{
	struct hash root;
	unsigned n = 0;

	auditstate_root(&m->state, &root);
	for (unsigned i = 0; i < m->n_peers; i++) {
		const struct monitorpeer *p = &m->peers[i];

		n += p->answers && p->told_size == m->state.fold.size && hash_equal(&p->root, &root);
	}
	return n > m->n_peers / 2;
}

static void look_for_silence(struct monitor *m, uint64_t now_ms)
{
	if (vouched_for(m))
		m->fresh_ms = now_ms;
	bool silent = now_ms >= m->fresh_ms + m->silence_ms;
	if (silent && !m->silent)
		monitor_alarm(m, MONITORALARM_SILENCE, 0,
		              "SILENCE: no new checkpoint for %" PRIu64
		              " ms, and no majority says that there is none: %u of %u "
		              "nodes answer",
		              now_ms - m->fresh_ms, answering(m), m->n_peers);
	else if (!silent && m->silent)
		monitor_say("the silence is over");
	m->silent = silent;
}

void monitorhealth_look(struct monitor *m)
{
	uint64_t now_ms = text_clock_ms();

	for (unsigned i = 0; i < m->n_peers && !m->grave; i++)
		look_at_peer(m, &m->peers[i], now_ms);
	if (!m->grave)
		look_for_rollback(m, now_ms);
	if (!m->grave)
		look_for_silence(m, now_ms);
}

/* --- members, and the policy that follows them --- */

void monitorhealth_forget(struct monitor *m, uint64_t id)
{
	monitornodes_gone(&m->nodes, id);
	for (unsigned i = 0; i < m->n_peers; i++)
		if (m->peers[i].id == id) {
			monitor_say("node %" PRIu64 " is no member any more", id);
			m->peers[i] = m->peers[--m->n_peers];
			return;
		}
}

/*
 * What a node says of who is a member brings no trust, and takes nobody away (a liar would blind us): only that
 * somebody more is asked. Who is removed is told by an entry of the ledger.
 */
static void look_at_members(struct monitor *m)
{
	json_t *o, *list, *one;
	char *text = NULL;
	size_t i;

	m->members_ms = text_clock_ms();
	if (cs_members(m->source.client, 0, &text))
		return;
	o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	list = json_object_get(o, "members");
	json_array_foreach(list, i, one)
	        monitornodes_add(&m->nodes, (uint64_t)json_integer_value(json_object_get(one, "id")));
	json_decref(o);
}

/* A policy by which this monitor is to cosign must not wait for witnesses: itself, or those who wait for it. */
static int take_policy(struct monitor *m, const char *text, const char *where)
{
	struct verify_policy *p;
	char reason[256] = "";

	if (verify_policy_parse(text, strlen(text), &p, reason, sizeof reason))
		return tool_fail(EXIT_USAGE, MONITOR_COMMAND, "%s: %s", where, reason);
	verify_policy_presume_outside(p, m->file.origin);
	verify_policy_free(m->policy);
	m->policy = p;
	m->source.policy = p;
	return 0;
}

static int read_policy(const char *path, char **ret)
{
	size_t size;
	int err = files_read(path, VERIFY_POLICY_SIZE_MAX, ret, &size);

	if (!err && strlen(*ret) != size)
		err = EINVAL;
	return err;
}

/* "# followed from HASH": of the policy that a followed one begins with, so that a new one given by hand counts. */
static void followed_head(const char *base, char ret[128])
{
	struct hash h;
	char hex[80];

	hash_bytes(&h, base, strlen(base));
	auditwalk_hex(h.b, hex);
	snprintf(ret, 128, "# followed from %s\n", hex);
}

int monitorhealth_open(struct monitor *m)
{
	const char *path = m->trust ? m->trust : m->file.trust_path;
	char *base = NULL, *followed = NULL, name[FILES_PATH_SIZE], head[128];
	int err = read_policy(path, &base), code;

	if (err)
		return tool_fail(EXIT_USAGE, MONITOR_COMMAND, "%s: %s", path, strerror(err));
	code = take_policy(m, base, path);
	followed_head(base, head);
	if (!code && !m->trust && files_join(name, m->dir, MONITORFOLDER_TRUST) && !read_policy(name, &followed) &&
	    strncmp(followed, head, strlen(head)) == 0)
		code = take_policy(m, followed, name);
	free(base);
	free(followed);
	return code;
}

static void keep_policy(struct monitor *m, const char *text)
{
	char *base = NULL, *whole = NULL, head[128];

	if (read_policy(m->file.trust_path, &base))
		return;
	followed_head(base, head);
	if (asprintf(&whole, "%s%s", head, text) >= 0 && !take_policy(m, whole, "the policy that was followed"))
		monitorfolder_put(MONITOR_COMMAND, &m->folder, MONITORFOLDER_TRUST, whole, strlen(whole));
	free(whole);
	free(base);
}

/* A client that checks carries the cluster file's policy over, entry by entry that changed the members. */
static void follow_policy(struct monitor *m)
{
	struct tool_access access = *m->access;
	cs_client *client = NULL;
	char *text = NULL;

	access.skip_proof = false;
	m->followed_ms = text_clock_ms();
	m->follow = false;
	if (m->trust) {
		monitor_say("%s does not know all who sign: give a newer policy", m->trust);
		return;
	}
	if (tool_open(MONITOR_COMMAND, &access, 0, &client))
		return;
	if (!cs_follow(client, &text))
		keep_policy(m, text);
	else
		monitor_say("the trust policy cannot follow the members: %s", cs_last_error());
	free(text);
	cs_close(client);
}

void monitorhealth_follow(struct monitor *m)
{
	uint64_t now_ms = text_clock_ms();

	if (m->follow && now_ms >= m->followed_ms + FOLLOW_MS)
		follow_policy(m);
	if (now_ms >= m->members_ms + MEMBERS_MS)
		look_at_members(m);
}
