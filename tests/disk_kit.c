/* The log under test: driven as libraft drives it, one loop, real files. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/disk_kit.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/disk/segment.h"

void kit_init(struct kit *k, bool in_memory)
{
	const char *tmp = getenv("TMPDIR");

	if (in_memory && access("/dev/shm", W_OK) == 0)
		tmp = "/dev/shm";
	memset(k, 0, sizeof *k);
	memset(&kit_faults, 0, sizeof kit_faults);
	k->segment_size = DISK_SEGMENT_SIZE_MIN;
	k->trailing = 16;
	k->first = 1;
	snprintf(k->dir, sizeof k->dir, "%s/cs-disk-XXXXXX", tmp && strlen(tmp) < 40 ? tmp : "/tmp");
	assert_non_null(mkdtemp(k->dir));
}

void kit_free(struct kit *k)
{
	const struct kit_folder none = {.n = 0};

	if (k->is_open)
		kit_close(k);
	kit_restore(k, &none);
	assert_int_equal(rmdir(k->dir), 0);
}

/* --- open and close --- */

int kit_open(struct kit *k)
{
	struct disk_options o = {.id = KIT_ID, .segment_size = k->segment_size, .trailing = k->trailing};

	assert_int_equal(uv_loop_init(&k->loop), 0);
	k->is_open = true;
	k->closed = false;
	k->turns = 0;
	k->io.data = k;
	return disk_open(&k->loop, k->dir, &o, &k->io, &k->disk, k->text);
}

static void on_tick(struct raft_io *io)
{
	(void)io;
}

static void on_recv(struct raft_io *io, struct raft_message *m)
{
	(void)io, (void)m;
}

void kit_load(struct kit *k)
{
	assert_int_equal(k->io.init(&k->io, KIT_ID, "7"), 0);
	assert_int_equal(
	        k->io.load(&k->io, &k->term, &k->vote, &k->snapshot, &k->start_index, &k->entries, &k->n_entries), 0);
	assert_int_equal(k->io.start(&k->io, 1000, on_tick, on_recv), 0);
}

static void expect_entry(const struct kit *k, uint64_t index, uint64_t term, const void *bytes, size_t len)
{
	const struct kit_entry *e = &k->model[index - k->first];
	uint8_t *want = malloc(e->len + 1u);

	assert_true(index >= k->first && index < k->first + k->n);
	assert_int_equal(term, e->term);
	assert_int_equal(len, e->len);
	kit_fill(want, index, term, e->len);
	assert_memory_equal(bytes, want, len);
	free(want);
}

void kit_start(struct kit *k)
{
	int err = kit_open(k);

	if (err)
		print_error("%s\n", k->text);
	assert_int_equal(err, 0);
	assert_int_equal(disk_scan(k->disk)->n_lost, 0);
	kit_load(k);
	assert_int_equal(k->start_index + k->n_entries, k->first + k->n);
	if (k->snapshot == NULL || k->snapshot->index <= k->trailing)
		assert_int_equal(k->start_index, k->first);
	for (size_t i = 0; i < k->n_entries; i++) {
		const struct raft_entry *e = &k->entries[i];
		if (k->start_index + i == 1 && e->type == RAFT_CHANGE)
			continue; /* The bootstrap's. */
		assert_int_equal(e->type, RAFT_COMMAND);
		expect_entry(k, k->start_index + i, e->term, e->buf.base, e->buf.len);
	}
}

void kit_spin(struct kit *k, const bool *until)
{
	while (!*until)
		uv_run(&k->loop, UV_RUN_ONCE);
}

static void snapshot_free(struct raft_snapshot *s)
{
	if (s == NULL)
		return;
	raft_configuration_close(&s->configuration);
	for (unsigned i = 0; i < s->n_bufs; i++)
		raft_free(s->bufs[i].base);
	raft_free(s->bufs);
	raft_free(s);
}

static void on_closed(struct raft_io *io)
{
	struct kit *k = io->data;

	k->closed = true;
}

void kit_close(struct kit *k)
{
	struct kit_append *a;

	k->io.close(&k->io, on_closed);
	kit_spin(k, &k->closed);
	disk_free(k->disk);
	uv_run(&k->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&k->loop), 0);
	k->is_open = false;
	for (size_t i = 0; i < k->n_entries; i++)
		raft_free(k->entries[i].batch);
	raft_free(k->entries);
	snapshot_free(k->snapshot);
	snapshot_free(k->got);
	k->snapshot = k->got = NULL;
	k->entries = NULL;
	k->n_entries = 0;
	while ((a = k->appends) != NULL) {
		assert_true(a->done);
		k->appends = a->next;
		for (unsigned i = 0; i < a->n; i++)
			free(a->entries[i].buf.base);
		free(a->entries);
		free(a);
	}
}

void kit_restart(struct kit *k)
{
	kit_close(k);
	kit_start(k);
}

void kit_bootstrap(struct kit *k)
{
	struct raft_configuration c;

	raft_configuration_init(&c);
	assert_int_equal(raft_configuration_add(&c, KIT_ID, "7", RAFT_VOTER), 0);
	assert_int_equal(k->io.bootstrap(&k->io, &c), 0);
	raft_configuration_close(&c);
	k->model[0] = (struct kit_entry){.term = 1};
	k->n = 1;
}

/* --- entries --- */

uint64_t kit_last(const struct kit *k)
{
	return k->first + k->n - 1;
}

void kit_fill(uint8_t *p, uint64_t index, uint64_t term, uint32_t len)
{
	uint64_t x = index * UINT64_C(0x9e3779b97f4a7c15) + term;

	for (uint32_t i = 0; i < len; i++) {
		x = x * UINT64_C(6364136223846793005) + 1;
		p[i] = (uint8_t)(x >> 56);
	}
}

static void append_done(struct raft_io_append *req, int status)
{
	struct kit_append *a = req->data;

	assert_false(a->done);
	a->done = true;
	a->status = status;
	a->turn = ++a->kit->turns;
}

struct kit_append *kit_append(struct kit *k, uint64_t term, unsigned n, uint32_t len)
{
	struct kit_append *a = calloc(1, sizeof *a);

	assert_non_null(a);
	assert_true(k->n + n <= KIT_ENTRIES_MAX);
	a->kit = k;
	a->n = n;
	a->entries = calloc(n, sizeof *a->entries);
	assert_non_null(a->entries);
	a->req.data = a;
	a->next = k->appends;
	k->appends = a;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *p = malloc(len + 1u);
		assert_non_null(p);
		kit_fill(p, kit_last(k) + 1, term, len);
		a->entries[i] = (struct raft_entry){.term = term, .type = RAFT_COMMAND, .buf = {.base = p, .len = len}};
		k->model[k->n++] = (struct kit_entry){.term = term, .len = len};
	}
	assert_int_equal(k->io.append(&k->io, &a->req, a->entries, n, append_done), 0);
	return a;
}

void kit_wait(struct kit *k, struct kit_append *a)
{
	kit_spin(k, &a->done);
}

void kit_add(struct kit *k, uint64_t term, unsigned n, uint32_t len)
{
	struct kit_append *a = kit_append(k, term, n, len);

	kit_wait(k, a);
	assert_int_equal(a->status, 0);
}

void kit_truncate(struct kit *k, uint64_t index)
{
	assert_int_equal(k->io.truncate(&k->io, index), 0);
	k->n = index - k->first;
}

void kit_expect_slots(struct kit *k, uint64_t lo, uint64_t hi)
{
	for (uint64_t i = lo; i <= hi; i++) {
		const struct slot *s = scan_slot(disk_scan(k->disk), i);
		assert_non_null(s);
		assert_int_equal(s->state, SLOT_WHOLE);
		expect_entry(k, i, s->term, s->base, s->len);
	}
}

/* --- snapshots --- */

static struct raft_io_snapshot_put put;
static struct raft_io_snapshot_get get;
static struct raft_snapshot putting;
static struct raft_buffer payload;

static void put_done(struct raft_io_snapshot_put *req, int status)
{
	struct kit *k = req->data;

	raft_configuration_close(&putting.configuration);
	free(payload.base);
	k->put_done = true;
	k->put_status = status;
}

void kit_put_start(struct kit *k, uint64_t index, uint64_t term, unsigned trailing)
{
	payload = (struct raft_buffer){.base = malloc(96), .len = 96};
	assert_non_null(payload.base);
	kit_fill(payload.base, index, term, 96);
	putting = (struct raft_snapshot){
	        .index = index, .term = term, .configuration_index = 1, .bufs = &payload, .n_bufs = 1};
	raft_configuration_init(&putting.configuration);
	assert_int_equal(raft_configuration_add(&putting.configuration, KIT_ID, "7", RAFT_VOTER), 0);
	put.data = k;
	k->put_done = false;
	assert_int_equal(k->io.snapshot_put(&k->io, trailing, &put, &putting, put_done), 0);
}

void kit_put(struct kit *k, uint64_t index, uint64_t term, unsigned trailing)
{
	kit_put_start(k, index, term, trailing);
	kit_spin(k, &k->put_done);
	assert_int_equal(k->put_status, 0);
	if (trailing != 0)
		return;
	k->first = index + 1;
	k->n = 0;
}

static void get_done(struct raft_io_snapshot_get *req, struct raft_snapshot *s, int status)
{
	struct kit *k = req->data;

	k->got = s;
	k->get_status = status;
	k->get_done = true;
}

void kit_get(struct kit *k)
{
	snapshot_free(k->got);
	k->got = NULL;
	get.data = k;
	k->get_done = false;
	assert_int_equal(k->io.snapshot_get(&k->io, &get, get_done), 0);
	assert_false(k->get_done); /* Never within the call. */
	kit_spin(k, &k->get_done);
}

/* --- files --- */

static void path_of(const struct kit *k, const char *name, char path[160])
{
	snprintf(path, 160, "%s/%s", k->dir, name);
}

static void read_file(const struct kit *k, const char *name, struct kit_file *ret)
{
	char path[160];
	struct stat st;
	FILE *f;

	path_of(k, name, path);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	snprintf(ret->name, sizeof ret->name, "%s", name);
	ret->len = (size_t)st.st_size;
	ret->bytes = malloc(ret->len + 1);
	assert_non_null(ret->bytes);
	assert_int_equal(fread(ret->bytes, 1, ret->len, f), ret->len);
	fclose(f);
}

void kit_save(const struct kit *k, struct kit_folder *ret)
{
	DIR *dir = opendir(k->dir);

	assert_non_null(dir);
	ret->n = 0;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		assert_true(ret->n < KIT_FILES_MAX);
		read_file(k, e->d_name, &ret->files[ret->n++]);
	}
	closedir(dir);
}

struct kit_file *kit_file(struct kit_folder *f, const char *name)
{
	for (unsigned i = 0; i < f->n; i++)
		if (strcmp(f->files[i].name, name) == 0)
			return &f->files[i];
	return NULL;
}

void kit_write_file(const struct kit *k, const char *name, const void *bytes, size_t len)
{
	char path[160];
	FILE *f;

	path_of(k, name, path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

void kit_remove_file(const struct kit *k, const char *name)
{
	char path[160];

	path_of(k, name, path);
	assert_int_equal(unlink(path), 0);
}

void kit_restore(const struct kit *k, const struct kit_folder *f)
{
	struct kit_folder now;

	kit_save(k, &now);
	for (unsigned i = 0; i < now.n; i++)
		kit_remove_file(k, now.files[i].name);
	kit_folder_free(&now);
	for (unsigned i = 0; i < f->n; i++)
		kit_write_file(k, f->files[i].name, f->files[i].bytes, f->files[i].len);
}

void kit_expect_folder(const struct kit *k, const struct kit_folder *f)
{
	struct kit_folder now;

	kit_save(k, &now);
	assert_int_equal(now.n, f->n);
	for (unsigned i = 0; i < f->n; i++) {
		const struct kit_file *was = &f->files[i], *is = kit_file(&now, was->name);
		assert_non_null(is);
		assert_int_equal(is->len, was->len);
		assert_true(memcmp(is->bytes, was->bytes, was->len) == 0);
	}
	kit_folder_free(&now);
}

void kit_folder_free(struct kit_folder *f)
{
	for (unsigned i = 0; i < f->n; i++)
		free(f->files[i].bytes);
	f->n = 0;
}

void kit_segment(char name[32], uint64_t number)
{
	segment_name(name, number);
}

unsigned kit_count_segments(const struct kit *k)
{
	DIR *dir = opendir(k->dir);
	unsigned n = 0;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		n += strncmp(e->d_name, "segment-", 8) == 0;
	closedir(dir);
	return n;
}
