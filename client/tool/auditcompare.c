/* countersign audit compare: do two auditors, or an auditor and a node, see one history? */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/audit.h"

static const struct usage usage = {
        .command = "audit compare",
        .arguments = "STATE [STATE]",
        .about = "Holds two auditors' states against each other, or one against what node N shows (--node). Says "
                 "whether they\n"
                 "saw one history, one of them more of it, or two that part, and where. Two states need no server if "
                 "they\n"
                 "share enough of the tree; else the cluster proves (--cluster, --key) how each continues.\n",
        .exits = "  0  one history\n  1  ALARM: two histories\n  2  could not tell\n" TOOL_EXIT_TEXT,
        .n_min = 1,
        .n_max = 2,
};

/* One side: a state, or what a node says (then only size and root are known). */
struct side {
	const char *name;
	bool whole;
	struct auditstate s;
	struct hash root;
};

enum relation { RELATION_SAME, RELATION_PARTED, RELATION_UNKNOWN };

/* What the two files alone tell. a is not longer than b. */
static enum relation relate(const struct side *a, const struct side *b, struct auditrange *range)
{
	/* The high bits that both sizes have: subtrees over the same entries. */
	uint64_t differ = a->s.fold.size ^ b->s.fold.size, common = a->s.fold.size;

	*range = (struct auditrange){0, a->s.fold.size};
	for (unsigned i = 0; i < b->s.n_visits; i++)
		if (b->s.visits[i].size == a->s.fold.size)
			return hash_equal(&b->s.visits[i].root, &a->root) ? RELATION_SAME : RELATION_PARTED;
	if (!differ)
		return hash_equal(&a->root, &b->root) ? RELATION_SAME : RELATION_PARTED;
	if (!a->whole || !b->whole)
		return RELATION_UNKNOWN;
	for (; differ; differ >>= 1)
		common &= ~differ;
	if (auditproof_part(&a->s.fold, &b->s.fold, common, range))
		return RELATION_PARTED;
	return common == a->s.fold.size ? RELATION_SAME : RELATION_UNKNOWN;
}

/* Visits that both made at one size narrow the range, and so do the subtrees that both have. */
static void narrow(const struct side *a, const struct side *b, struct auditrange *range)
{
	for (unsigned i = 0; i < a->s.n_visits; i++)
		for (unsigned k = 0; k < b->s.n_visits; k++) {
			const struct auditvisit *x = &a->s.visits[i], *y = &b->s.visits[k];

			if (x->size != y->size)
				continue;
			if (hash_equal(&x->root, &y->root) && x->size > range->low)
				range->low = x->size;
			else if (!hash_equal(&x->root, &y->root) && x->size < range->high)
				range->high = x->size;
		}
}

static int told(const struct side *a, const struct side *b, enum relation relation, struct auditrange *range)
{
	struct auditrange closer;

	if (relation == RELATION_PARTED) {
		if (a->whole && b->whole && a->s.fold.size == b->s.fold.size &&
		    auditproof_part(&a->s.fold, &b->s.fold, a->s.fold.size, &closer))
			*range = closer;
		narrow(a, b, range);
		printf("ALARM: FORKED: %s (%" PRIu64 " entries) and %s (%" PRIu64 ") show two histories\n"
		       "entries before %" PRIu64 " are the same; the first that differs is one of %" PRIu64
		       " to %" PRIu64 "\nKeep both: each holds a checkpoint with its signatures.\n",
		       a->name, a->s.fold.size, b->name, b->s.fold.size, range->low, range->low, range->high - 1);
		return AUDIT_ALARM;
	}
	if (a->s.fold.size == b->s.fold.size)
		printf("one history: %s and %s both saw the same %" PRIu64 " entries\n", a->name, b->name,
		       a->s.fold.size);
	else
		printf("one history: %s saw %" PRIu64 " entries, %s the same and %" PRIu64 " more\n", a->name,
		       a->s.fold.size, b->name, b->s.fold.size - a->s.fold.size);
	return AUDIT_HELD;
}

/* 0: the cluster, under a quorum, shows this side's tree; AUDIT_ALARM: another one, and range says from where. */
static int hold_side(const struct auditsource *source, const struct side *x, struct auditrange *range)
{
	struct auditproof p;
	char text[256];
	int err, code = 0;

	switch (auditproof_ask(source, x->s.fold.size - 1, &p, text, &err)) {
	case AUDITPROOF_GOT:
		if (hash_equal(&p.root, &x->root))
			break;
		code = AUDIT_ALARM;
		*range = (struct auditrange){0, x->s.fold.size};
		if (x->whole)
			auditproof_narrow(source, &x->s, &p, range);
		break;
	case AUDITPROOF_FALSE:
		code = tool_fail(AUDIT_ALARM, usage.command, "ALARM: %s", text);
		break;
	case AUDITPROOF_MISSING:
		code = tool_fail(AUDIT_ALARM, usage.command,
		                 "ALARM: the cluster does not show the %" PRIu64 " entries that %s saw", x->s.fold.size,
		                 x->name);
		break;
	case AUDITPROOF_CLAIM:
		code = tool_fail(AUDIT_UNDECIDED, usage.command, "could not tell: %s", text);
		break;
	case AUDITPROOF_FAILED:
		code = tool_failed_call(usage.command, "proving", err);
	}
	auditproof_close(&p);
	return code;
}

/* Each is held against the cluster's tree: whoever both agree with it agree with each other. */
static int by_cluster(const struct auditsource *source, const struct side *a, const struct side *b)
{
	struct auditrange range = {0, 0};
	const struct side *bad = b;
	int code = hold_side(source, b, &range);

	if (!code) {
		bad = a;
		code = hold_side(source, a, &range);
	}
	if (!code)
		return told(a, b, RELATION_SAME, &range);
	if (code == AUDIT_ALARM && range.high)
		printf("ALARM: FORKED: what %s saw (%" PRIu64 " entries) is not what the cluster shows\nentries before "
		       "%" PRIu64 " are the same; the first that differs is one of %" PRIu64 " to %" PRIu64 "\n",
		       bad->name, bad->s.fold.size, range.low, range.low, range.high - 1);
	return code;
}

static int load(const char *path, struct side *ret)
{
	int there, code = auditstate_load(usage.command, path, &ret->s, &there);

	ret->name = path;
	ret->whole = true;
	if (!code && !there)
		code = tool_fail(EXIT_LOCAL, usage.command, "%s: there is no such file", path);
	auditstate_root(&ret->s, &ret->root);
	return code;
}

static int load_node(const struct auditcluster *c, uint64_t node, struct side *ret, char name[32])
{
	char *text = NULL;
	int err = cs_status(c->source.client, node, &text);
	size_t len = 0;

	if (err)
		return tool_failed_call(usage.command, "asking the node", err);
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	const char *root = json_string_value(json_object_get(o, "root"));
	json_int_t size = json_integer_value(json_object_get(o, "size"));
	bool ok = root && size > 0 && !sodium_hex2bin(ret->root.b, HASH_SIZE, root, strlen(root), NULL, &len, NULL) &&
	          len == HASH_SIZE;

	json_decref(o);
	free(text);
	snprintf(name, 32, "node %" PRIu64, node);
	ret->name = name;
	snprintf(ret->s.origin, sizeof ret->s.origin, "%s", c->file.origin);
	ret->s.fold.size = (uint64_t)size;
	return ok ? 0 : tool_fail(EXIT_UNREACHABLE, usage.command, "%s has no entry yet", name);
}

/* 0 after it was told, or the exit code; AUDIT_UNDECIDED with ret_unknown: the two alone cannot tell. */
static int compare(const struct side *one, const struct side *two, const struct side **ret_short,
                   const struct side **ret_long, bool *ret_unknown)
{
	const struct side *a = one->s.fold.size <= two->s.fold.size ? one : two, *b = a == one ? two : one;
	struct auditrange range;
	enum relation relation;

	if (strcmp(a->s.origin, b->s.origin) != 0)
		return tool_fail(EXIT_USAGE, usage.command, "two ledgers: %s is of %s, and %s of %s", a->name,
		                 a->s.origin, b->name, b->s.origin);
	*ret_short = a;
	*ret_long = b;
	relation = relate(a, b, &range);
	*ret_unknown = relation == RELATION_UNKNOWN;
	return *ret_unknown ? AUDIT_UNDECIDED : told(a, b, relation, &range);
}

struct words {
	struct tool_access access;
	const char *trust, *paths[2];
	uint64_t node;
};

/* Without a cluster two states may still tell: it is asked only if they do not. */
static int run(const struct words *w, struct side sides[2], struct auditcluster *c)
{
	bool unknown = false, online = w->access.cluster || getenv("COUNTERSIGN_CLUSTER");
	const struct side *a = NULL, *b = NULL;
	char name[32];
	int code = load(w->paths[0], &sides[0]);

	if (!code && !w->node)
		code = load(w->paths[1], &sides[1]);
	if (!code && w->node)
		code = auditcluster_open(usage.command, &w->access, w->trust, c);
	if (!code && w->node)
		code = load_node(c, w->node, &sides[1], name);
	if (!code)
		code = compare(&sides[0], &sides[1], &a, &b, &unknown);
	if (!unknown)
		return code;
	if (!online)
		return tool_fail(AUDIT_UNDECIDED, usage.command,
		                 "could not tell: %s saw %" PRIu64 " entries and %s %" PRIu64
		                 "; give --cluster and --key, so that the cluster proves how one continues the other",
		                 a->name, a->s.fold.size, b->name, b->s.fold.size);
	code = w->node ? 0 : auditcluster_open(usage.command, &w->access, w->trust, c);
	if (!code && strcmp(c->file.origin, a->s.origin) != 0)
		code = tool_fail(EXIT_USAGE, usage.command, "%s is of %s, and the cluster is %s", a->name, a->s.origin,
		                 c->file.origin);
	return code ? code : by_cluster(&c->source, a, b);
}

int auditcompare_run(int argc, char **argv)
{
	struct words w = {.access.timeout_ms = 10000};
	const struct option options[] = {
	        TOOL_ACCESS_OPTIONS(&w.access),
	        {"node", OPTION_NUMBER, &w.node, "N", "hold the state against what this node shows", 1, 999},
	        {"trust", OPTION_TEXT, &w.trust, "POLICY",
	         "whose signatures count (default: the cluster file's policy)", 0, 0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct auditcluster *c;
	struct side *sides;
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if ((n == 2) == (w.node != 0))
		return tool_fail(EXIT_USAGE, usage.command, "give two states, or one and --node N");
	sides = calloc(2, sizeof *sides);
	c = calloc(1, sizeof *c);
	w.paths[0] = argv[0];
	w.paths[1] = n == 2 ? argv[1] : NULL;
	code = sides && c ? run(&w, sides, c) : tool_fail(EXIT_LOCAL, usage.command, "out of memory");
	if (c)
		auditcluster_close(c);
	free(c);
	free(sides);
	return code;
}
