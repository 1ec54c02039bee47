/* What the nodes' own calls tell the checks: who opened what, what was signed; and the bounds that are drawn. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "node/decide/decide.h"
#include "node/writer.h"
#include "tests/sim/checks_internal.h"
#include "tests/sim/records.h"

uint64_t checks_guards[14];
uint32_t checks_guards_off;
uint64_t checks_snapshot_bytes_max, checks_message_bytes_max, checks_backlog_bytes_max;
unsigned checks_segment_size;

static bool (*core_backlogged)(void *ctx, size_t bytes);

int __wrap_disk_open(uv_loop_t *loop, const char *dir, const struct disk_options *o, struct raft_io *ret_io,
                     struct disk **ret, char *ret_text);
int __real_disk_open(uv_loop_t *loop, const char *dir, const struct disk_options *o, struct raft_io *ret_io,
                     struct disk **ret, char *ret_text);
int __wrap_guard_new(struct raft_io *disk, const struct guard_options *o, const struct guard_hooks *h,
                     struct raft_io *ret_io, struct guard **ret);
int __real_guard_new(struct raft_io *disk, const struct guard_options *o, const struct guard_hooks *h,
                     struct raft_io *ret_io, struct guard **ret);
void __wrap_guard_attach(struct guard *g, struct raft *r);
void __real_guard_attach(struct guard *g, struct raft *r);
void __wrap_guard_free(struct guard *g);
void __real_guard_free(struct guard *g);
int __wrap_core_open(const struct core_options *o, struct core **ret);
int __real_core_open(const struct core_options *o, struct core **ret);
int __wrap_signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap,
                       size_t *ret_len);
int __real_signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap,
                       size_t *ret_len);
int __wrap_signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf,
                         size_t cap, size_t *ret_len);
int __real_signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf,
                         size_t cap, size_t *ret_len);

int __wrap_signer_sign_too(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap,
                           size_t *ret_len);
int __real_signer_sign_too(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap,
                           size_t *ret_len);
int __wrap_state_new(const struct state_limits *l, struct state **ret);
int __real_state_new(const struct state_limits *l, struct state **ret);

static struct view *view_of_running(void)
{
	return &views[os_process()->id];
}

/*
 * Tables for what a simulated cluster ever holds: a node's own, of 80 MB, would have to be cleared at each of its
 * starts.
 */
int __wrap_state_new(const struct state_limits *l, struct state **ret)
{
	static const struct state_limits small = {.subjects_max = 256,
	                                          .principals_max = 128,
	                                          .credentials_max = 256,
	                                          .people_max = 256,
	                                          .challenges_max = 8192,
	                                          .deferred_max = 8192,
	                                          .standing_max = 4096,
	                                          .requests_max = 16384};

	return __real_state_new(l ? l : &small, ret);
}

/* Small segments, so that the log comes to their ends. */
int __wrap_disk_open(uv_loop_t *loop, const char *dir, const struct disk_options *o, struct raft_io *ret_io,
                     struct disk **ret, char *ret_text)
{
	struct disk_options mine = *o;

	mine.segment_size = checks_segment_size;
	return __real_disk_open(loop, dir, &mine, ret_io, ret, ret_text);
}

/* The core's own bound is more than a simulated node ever stores. */
static bool backlogged(void *ctx, size_t bytes)
{
	const struct core *c = ctx;

	return checks_behind(c) || core_backlogged(ctx, bytes);
}

int __wrap_guard_new(struct raft_io *disk, const struct guard_options *o, const struct guard_hooks *h,
                     struct raft_io *ret_io, struct guard **ret)
{
	struct guard_options mine = *o;
	struct guard_hooks hooks = *h;
	int rv;

	mine.off = checks_guards_off;
	if (checks_snapshot_bytes_max)
		mine.snapshot_bytes_max = checks_snapshot_bytes_max;
	if (checks_message_bytes_max)
		mine.message_bytes_max = checks_message_bytes_max;
	core_backlogged = h->backlogged;
	hooks.backlogged = backlogged;
	rv = __real_guard_new(disk, &mine, &hooks, ret_io, ret);
	*view_of_running() = (struct view){0};
	if (rv == 0)
		view_of_running()->guard = *ret;
	return rv;
}

void __wrap_guard_attach(struct guard *g, struct raft *r)
{
	view_of_running()->raft = r;
	__real_guard_attach(g, r);
}

static uint64_t ended_size; /* The largest ledger of those that ended. */

void checks_ended(unsigned node)
{
	struct guard_stats s;

	if (views[node].guard) {
		guard_stats(views[node].guard, &s);
		for (unsigned k = 0; k < 14; k++)
			checks_guards[k] += s.acted[k];
	}
	if (checks_node_size(node) > ended_size)
		ended_size = checks_node_size(node);
	views[node] = (struct view){0};
}

uint64_t checks_size(void)
{
	uint64_t size = ended_size;

	for (unsigned i = 1; i < OS_PROCESSES_MAX; i++)
		size = checks_node_size(i) > size ? checks_node_size(i) : size;
	return size;
}

void __wrap_guard_free(struct guard *g)
{
	if (g)
		checks_ended(os_process()->id);
	__real_guard_free(g);
}

int __wrap_core_open(const struct core_options *o, struct core **ret)
{
	int err = __real_core_open(o, ret);

	if (!err)
		view_of_running()->core = *ret;
	return err;
}

/* Whole notes, or lines alone: those get a text to be read by. */
static void look_at_lines(uint64_t size, const char *text, const char *bytes, size_t len)
{
	char whole[LIMIT_NOTE_SIZE_MAX + 8];
	struct note n;
	int written = snprintf(whole, sizeof whole, "%s%.*s", text, (int)len, bytes);

	if (written < 0 || (size_t)written >= sizeof whole || note_parse(&n, whole, (size_t)written))
		os_fail(os_process()->id, "it has signed what cannot be read");
	records_signed(os_process()->id, size, &n);
}

int __wrap_signer_sign(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap, size_t *ret_len)
{
	int err = __real_signer_sign(s, size, root, buf, cap, ret_len);

	if (!err) {
		checks_root(os_process()->id, size, root, "signed");
		look_at_lines(size, "", buf, *ret_len);
	}
	return err;
}

int __wrap_signer_sign_too(struct signer *s, uint64_t size, const struct hash *root, char *buf, size_t cap,
                           size_t *ret_len)
{
	int err = __real_signer_sign_too(s, size, root, buf, cap, ret_len);

	if (!err) {
		checks_root(os_process()->id, size, root, "signed");
		look_at_lines(size, "-\n\n", buf, *ret_len);
	}
	return err;
}

int __wrap_signer_cosign(struct signer *s, uint64_t size, const struct hash *root, uint64_t time_s, char *buf,
                         size_t cap, size_t *ret_len)
{
	int err = __real_signer_cosign(s, size, root, time_s, buf, cap, ret_len);

	if (!err) {
		checks_root(os_process()->id, size, root, "cosigned");
		look_at_lines(size, "-\n\n", buf, *ret_len);
	}
	return err;
}
