/* The guard on raft_uv's disk: lengths that it loses (guard 5), damage that it hides (guard 9), a clean close. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <raft/uv.h>

#include "tests/script_io.h" /* script_fork */

#define ENTRIES      50
#define SEGMENT_SIZE (1 << 20)

struct node {
	uv_loop_t loop;
	struct raft_uv_transport transport;
	struct raft_io disk, io;
	struct raft raft;
	struct raft_fsm fsm;
	struct guard *guard;
	struct raft_apply req;
	unsigned applied, acked, to_propose;
	size_t size;
	bool closed;
};

static char dir[256];
static uint32_t child_off;
static size_t child_size;

/* A transport that carries nothing: the guard sends over the node's own links. */
static int transport_init(struct raft_uv_transport *t, raft_id id, const char *address)
{
	(void)t;
	(void)id;
	(void)address;
	return 0;
}

static int transport_listen(struct raft_uv_transport *t, raft_uv_accept_cb cb)
{
	(void)t;
	(void)cb;
	return 0;
}

static int transport_connect(struct raft_uv_transport *t, struct raft_uv_connect *req, raft_id id, const char *address,
                             raft_uv_connect_cb cb)
{
	(void)t;
	(void)req;
	(void)id;
	(void)address;
	(void)cb;
	return RAFT_NOCONNECTION;
}

static void transport_close(struct raft_uv_transport *t, raft_uv_transport_close_cb cb)
{
	cb(t);
}

static bool net_send(void *ctx, const struct raft_message *m)
{
	(void)ctx;
	(void)m;
	return false;
}

static void fatal(void *ctx, const char *why) __attribute__((noreturn));
static void fatal(void *ctx, const char *why)
{
	(void)ctx;
	fprintf(stderr, "fatal: %s\n", why);
	_exit(SCRIPT_FATAL);
}

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
	struct node *n = fsm->data;

	(void)buf;
	*result = NULL;
	n->applied++;
	return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n)
{
	(void)fsm;
	(void)bufs;
	(void)n;
	return RAFT_BUSY;
}

static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
	(void)fsm;
	raft_free(buf->base);
	return 0;
}

static void propose_done(struct raft_apply *req, int status, void *result)
{
	struct node *n = req->data;

	(void)result;
	n->acked += status == 0;
}

static void stepped(void *ctx)
{
	struct node *n = ctx;
	struct raft_buffer buf;

	if (!guard_leads(n->guard) || n->to_propose == 0)
		return;
	buf = (struct raft_buffer){.base = raft_calloc(1, n->size), .len = n->size};
	n->req.data = n;
	if (guard_propose(n->guard, &n->req, &buf, propose_done) == 0)
		n->to_propose--;
	else
		raft_free(buf.base);
}

static int node_open(struct node *n, uint32_t off, raft_index applied_index)
{
	struct guard_options o = {.id = 1,
	                          .applied_index = applied_index,
	                          .message_bytes_max = 1 << 20,
	                          .entry_bytes_max = 65536,
	                          .off = off};
	struct guard_hooks h = {.ctx = n, .net_send = net_send, .stepped = stepped, .fatal = fatal};
	struct raft_configuration c;

	memset(n, 0, sizeof *n);
	n->transport = (struct raft_uv_transport){.init = transport_init,
	                                          .listen = transport_listen,
	                                          .connect = transport_connect,
	                                          .close = transport_close};
	n->fsm = (struct raft_fsm){
	        .version = 1, .data = n, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore};
	assert_int_equal(uv_loop_init(&n->loop), 0);
	assert_int_equal(raft_uv_init(&n->disk, &n->loop, dir, &n->transport), 0);
	raft_uv_set_auto_recovery(&n->disk, false);
	raft_uv_set_segment_size(&n->disk, SEGMENT_SIZE);
	assert_int_equal(guard_new(&n->disk, &o, &h, &n->io, &n->guard), 0);
	assert_int_equal(raft_init(&n->raft, &n->io, &n->fsm, 1, "1"), 0);
	guard_attach(n->guard, &n->raft);
	raft_set_pre_vote(&n->raft, true);
	raft_configuration_init(&c);
	assert_int_equal(raft_configuration_add(&c, 1, "1", RAFT_VOTER), 0);
	(void)raft_bootstrap(&n->raft, &c); /* Refused when it has been done. */
	raft_configuration_close(&c);
	return raft_start(&n->raft);
}

static void closed(struct raft *r)
{
	struct node *n = (struct node *)((char *)r - offsetof(struct node, raft));

	n->closed = true;
}

static void node_close(struct node *n)
{
	guard_close(n->guard, closed);
	while (!n->closed)
		uv_run(&n->loop, UV_RUN_ONCE);
	uv_run(&n->loop, UV_RUN_DEFAULT);
	raft_uv_close(&n->disk);
	guard_free(n->guard);
	assert_int_equal(uv_loop_close(&n->loop), 0);
}

/* Acknowledges ENTRIES entries, then ends as by a crash. */
static void write_and_crash(void)
{
	static struct node n;

	assert_int_equal(node_open(&n, child_off, 0), 0);
	n.size = child_size;
	n.to_propose = ENTRIES;
	guard_started(n.guard);
	while (n.acked < ENTRIES)
		uv_run(&n.loop, UV_RUN_ONCE);
	_exit(0);
}

static void folder_new(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%s/guard-XXXXXX", tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir));
}

static void each_file(void (*fn)(const char *path))
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[600];

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		fn(path);
	}
	closedir(d);
}

static void remove_file(const char *path)
{
	unlink(path);
}

static void folder_remove(void)
{
	each_file(remove_file);
	rmdir(dir);
}

static void crash_after(size_t size, uint32_t off)
{
	child_size = size;
	child_off = off;
	folder_new();
	assert_int_equal(script_fork(write_and_crash, NULL, 0), 0);
}

static void everything_is_there_after_a_crash(void **state)
{
	struct node n;

	(void)state;
	crash_after(64, 0);
	assert_int_equal(node_open(&n, 0, ENTRIES + 2), 0);
	guard_started(n.guard);
	assert_int_equal(n.applied, ENTRIES);
	node_close(&n);
	folder_remove();
}

static void guard_5_off_loses_acknowledged_entries(void **state)
{
	struct node n;

	(void)state;
	crash_after(13, GUARD_BIT(5));
	assert_int_equal(node_open(&n, GUARD_BIT(9), 0), 0);
	guard_started(n.guard);
	assert_true(n.applied <= 1); /* Of 50, without a word. */
	node_close(&n);

	assert_int_equal(node_open(&n, 0, ENTRIES), RAFT_CORRUPT); /* Guard 9 sees it. */
	node_close(&n);
	folder_remove();
}

/* One bit in the middle of what an open segment holds. */
static void flip(const char *path)
{
	unsigned char byte;
	int fd;

	if (strstr(path, "/open-1") == NULL)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, 2000), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 2000), 1);
	close(fd);
}

static void guard_9_names_what_raft_uv_hides(void **state)
{
	struct node n;

	(void)state;
	crash_after(64, 0);
	each_file(flip);
	assert_int_equal(node_open(&n, 0, ENTRIES), RAFT_CORRUPT);
	assert_non_null(strstr(raft_errmsg(&n.raft), "shortened"));
	node_close(&n);
	folder_remove();

	crash_after(64, 0);
	each_file(flip);
	assert_int_equal(node_open(&n, GUARD_BIT(9), ENTRIES), 0);
	guard_started(n.guard);
	assert_in_range(n.applied, 1, ENTRIES - 1);
	node_close(&n);
	folder_remove();
}

static void close_in_the_middle_of_a_write(void **state)
{
	struct node n;

	(void)state;
	folder_new();
	assert_int_equal(node_open(&n, 0, 0), 0);
	n.size = 64;
	n.to_propose = 5;
	guard_started(n.guard);
	while (n.acked < 2)
		uv_run(&n.loop, UV_RUN_ONCE);
	node_close(&n);
	folder_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(everything_is_there_after_a_crash),
	        cmocka_unit_test(guard_5_off_loses_acknowledged_entries),
	        cmocka_unit_test(guard_9_names_what_raft_uv_hides),
	        cmocka_unit_test(close_in_the_middle_of_a_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
