/* The simulated machine below tests/simulate: threads, clocks, loop, disk and store behave, and fail, as they say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "tests/sim/drive.h"
#include "tests/sim/faults.h"
#include "tests/sim/lmdb_map.h"
#include "tests/sim/loop.h"
#include "tests/sim/memory.h"
#include "tests/sim/os.h"
#include "tests/sim/store_env.h"

#define ROUNDS 200 /* Of what chance decides. */

static struct process *const p = &os_processes[1];
static struct drive disk;

/* What the rest of the simulator would do. Assertions are made outside of coroutines, so threads leave notes here. */
static char notes[256];

void os_after_slice(struct process *q)
{
	(void)q;
}

void os_ended(struct process *q)
{
	(void)q;
}

_Noreturn void os_fail(unsigned node, const char *format, ...)
{
	(void)node;
	fail_msg("%s", format);
	abort();
}

struct drive *faults_drive(unsigned node)
{
	(void)node;
	return &disk;
}

static void note(const char *text)
{
	strncat(notes, text, sizeof notes - strlen(notes) - 1);
}

static int set_up(void **state)
{
	(void)state;
	os_seed(1);
	notes[0] = 0;
	p->id = 1;
	p->rate_ppm = 1000000;
	drive_init(&disk, 1);
	disk.faults = (struct drive_faults){.torn_ppm = 1000000, .write_ns = OS_MS, .write_ns_max = OS_MS};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (p->alive)
		os_kill(p, 0);
	return 0;
}

/* Runs fn as the process's main thread, to its end or for ten seconds. */
static void run(void (*fn)(void *arg))
{
	os_start(p, fn, NULL);
	os_run(os_now + 10 * OS_S);
}

/* --- threads and clocks --- */

static pthread_mutex_t lock;
static pthread_cond_t cond;
static bool full;

static void *give(void *arg)
{
	for (int i = 0; i < 3; i++) {
		pthread_mutex_lock(&lock);
		while (full)
			pthread_cond_wait(&cond, &lock);
		full = true;
		note(arg);
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void give_and_take(void *arg)
{
	pthread_t t;

	(void)arg;
	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&cond, NULL);
	pthread_create(&t, NULL, give, (void *)(uintptr_t) "a");
	for (int i = 0; i < 3; i++) {
		pthread_mutex_lock(&lock);
		while (!full)
			pthread_cond_wait(&cond, &lock);
		full = false;
		note("b");
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	pthread_join(t, NULL);
	note(".");
}

static void threads_take_turns(void **state)
{
	(void)state;
	run(give_and_take);
	assert_string_equal(notes, "ababab.");
}

static uint64_t waited_ns;

static void wait_in_vain(void *arg)
{
	struct timespec t;

	(void)arg;
	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&cond, NULL);
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += 2;
	waited_ns = os_now;
	pthread_mutex_lock(&lock);
	while (pthread_cond_timedwait(&cond, &lock, &t) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&lock);
	waited_ns = os_now - waited_ns;
}

static void a_slow_clock_waits_longer(void **state)
{
	(void)state;
	run(wait_in_vain);
	assert_in_range(waited_ns, 2 * OS_S, 2 * OS_S + OS_MS);
	os_kill(p, 0);
	os_clock_rate(p, 500000);
	run(wait_in_vain);
	assert_in_range(waited_ns, 4 * OS_S, 4 * OS_S + OS_MS);
}

static void paused_sleep(void *arg)
{
	(void)arg;
	os_sleep(OS_S);
	note("awake");
}

static void a_paused_process_does_nothing(void **state)
{
	(void)state;
	os_start(p, paused_sleep, NULL);
	p->paused_until = os_now + 5 * OS_S;
	os_run(os_now + 4 * OS_S);
	assert_string_equal(notes, "");
	os_run(os_now + 3 * OS_S);
	assert_string_equal(notes, "awake");
}

/* --- loop --- */

static void on_timer(uv_timer_t *t)
{
	note(t->data);
}

static void on_wake(uv_async_t *a)
{
	note("w");
	uv_close((uv_handle_t *)a, NULL);
}

static void work(uv_work_t *w)
{
	note(w->data);
}

static void worked(uv_work_t *w, int status)
{
	(void)w, (void)status;
	note("W");
}

static void run_loop(void *arg)
{
	static uv_loop_t loop;
	static uv_timer_t late, early;
	static uv_async_t wake;
	static uv_work_t w = {.data = (void *)(uintptr_t) "k"};

	(void)arg;
	uv_loop_init(&loop);
	uv_timer_init(&loop, &late);
	uv_timer_init(&loop, &early);
	uv_async_init(&loop, &wake, on_wake);
	late.data = (void *)(uintptr_t) "l";
	early.data = (void *)(uintptr_t) "e";
	uv_timer_start(&late, on_timer, 200, 0);
	uv_timer_start(&early, on_timer, 100, 0);
	uv_async_send(&wake);
	uv_async_send(&wake);
	uv_queue_work(&loop, &w, work, worked);
	uv_run(&loop, UV_RUN_DEFAULT);
	note(uv_loop_close(&loop) == UV_EBUSY ? "busy" : "?");
	uv_close((uv_handle_t *)&late, NULL);
	uv_close((uv_handle_t *)&early, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	note(uv_loop_close(&loop) == 0 ? "closed" : "?");
}

static void a_loop_runs_what_is_due_in_order(void **state)
{
	(void)state;
	run(run_loop);
	assert_string_equal(notes, "wkWelbusyclosed");
}

/* --- disk --- */

static void write_files(void *arg)
{
	static uint8_t block[2 * DISK_PAGE];
	int fd;

	(void)arg;
	memset(block, 1, sizeof block);
	fd = open("/sim/1/a", O_RDWR | O_CREAT, 0600);
	(void)!pwrite(fd, block, sizeof block, 0);
	fsync(fd);
	close(fd);
	fd = open("/sim/1", O_RDONLY | O_DIRECTORY);
	fsync(fd);
	close(fd);
	memset(block, 2, sizeof block);
	fd = open("/sim/1/a", O_WRONLY | O_DSYNC);
	(void)!pwrite(fd, block, DISK_SECTOR, 0);
	close(fd);
	fd = open("/sim/1/a", O_WRONLY);
	(void)!pwrite(fd, block, DISK_PAGE, DISK_PAGE);
	rename("/sim/1/a", "/sim/1/b");
	note("written");
}

/* What is synced stays; of the rest each sector is the old or the new one, and a name may be the old one. */
static void a_power_cut_takes_only_what_is_not_synced(void **state)
{
	unsigned renamed = 0, sectors_new = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t now[2 * DISK_PAGE];
		struct inode *i;

		set_up(NULL);
		os_seed((uint64_t)round);
		run(write_files);
		assert_string_equal(notes, "written");
		disk.cut = true;
		os_kill(p, 0);
		drive_power_cut(&disk);
		i = drive_find(&disk, NULL, "b");
		renamed += i != NULL;
		i = i ? i : drive_find(&disk, NULL, "a");
		assert_non_null(i);
		assert_int_equal(inode_size(i), sizeof now);
		inode_read(i, now, sizeof now, 0);
		assert_int_equal(now[0], 2);
		assert_int_equal(now[DISK_SECTOR], 1);
		for (size_t s = DISK_PAGE; s < sizeof now; s += DISK_SECTOR) {
			assert_in_range(now[s], 1, 2);
			assert_memory_equal(now + s, now + s + 1, DISK_SECTOR - 1);
			sectors_new += now[s] == 2;
		}
	}
	assert_in_range(renamed, ROUNDS / 4, 3 * ROUNDS / 4);
	assert_in_range(sectors_new, ROUNDS * 2, ROUNDS * 6);
}

static void killed_in_a_write(void *arg)
{
	int fd;

	(void)arg;
	fd = open("/sim/1/a", O_RDWR | O_CREAT | O_DSYNC, 0600);
	(void)!pwrite(fd, "x", 1, 0);
	note("returned");
}

static void a_kill_leaves_the_cache(void **state)
{
	char c = 0;

	(void)state;
	os_start(p, killed_in_a_write, NULL);
	os_run(os_now + OS_MS / 2);
	os_kill(p, 0);
	assert_string_equal(notes, "");
	inode_read(drive_find(&disk, NULL, "a"), &c, 1, 0);
	assert_int_equal(c, 'x');
}

/* --- memory --- */

static uint8_t *own, *lasting, *table;

static void take_memory(void *arg)
{
	uint8_t *more;

	(void)arg;
	own = calloc(1, 1000);
	lasting = memory_lasting(1000);
	memset(own, 1, 1000);
	memset(lasting, 2, 1000);
	table = calloc(1, 1 << 20);
	memset(table + 4096, 3, 4096);
	more = aligned_alloc(4096, 8192);
	memset(more, 4, 8192);
	note((uintptr_t)more % 4096 == 0 ? "aligned" : "?");
	free(more);
	more = realloc(malloc(10), 100000);
	memset(more, 5, 100000);
	free(more);
}

/* A process's next life has the same memory, as zeros where it asks for them; the machine's own is untouched. */
static void memory_goes_with_its_process(void **state)
{
	uint8_t *first, *first_table, *kept;

	(void)state;
	run(take_memory);
	first = own;
	first_table = table;
	kept = lasting;
	os_kill(p, 0);
	os_start(p, take_memory, NULL);
	os_run(os_now + OS_S);
	assert_string_equal(notes, "alignedaligned");
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(kept[i], 2);
	assert_ptr_not_equal(kept, lasting);
	free(kept);
	if (!MEMORY_CHECKED) {
		assert_ptr_equal(own, first);
		assert_ptr_equal(table, first_table);
	}
}

static bool all_zeros;

static void ask_for_zeros(void *arg)
{
	static const uint8_t zeros[1000];
	uint8_t *small[100], *big = calloc(1, 1 << 20);

	(void)arg;
	all_zeros = true;
	for (unsigned i = 0; i < 100; i++) {
		small[i] = calloc(10, 100);
		all_zeros &= memcmp(small[i], zeros, 1000) == 0;
		memset(small[i], 0xff, 1000);
	}
	for (unsigned i = 0; i < 100; i++)
		free(small[i]);
	for (size_t i = 0; i + sizeof zeros < 1 << 20; i += sizeof zeros)
		all_zeros &= memcmp(big + i, zeros, sizeof zeros) == 0;
	memset(big, 0xff, 1 << 20);
}

static void zeros_are_zeros_in_each_life(void **state)
{
	(void)state;
	for (unsigned life = 0; life < 3; life++) {
		run(ask_for_zeros);
		assert_true(all_zeros);
		os_kill(p, 0);
	}
}

/* --- store --- */

static void commit(MDB_env *e, const char *value)
{
	MDB_val k = {.mv_size = 1, .mv_data = (void *)(uintptr_t) "k"},
	        l = {.mv_size = 1, .mv_data = (void *)(uintptr_t) "l"};
	MDB_val v = {.mv_size = 1, .mv_data = (void *)(uintptr_t)value};
	MDB_txn *t;
	MDB_dbi dbi;

	mdb_txn_begin(e, NULL, 0, &t);
	mdb_dbi_open(t, "d", MDB_CREATE, &dbi);
	mdb_put(t, dbi, &k, &v, 0);
	mdb_put(t, dbi, &l, &v, 0);
	mdb_txn_commit(t);
}

static bool sync_store;

static void use_store(void *arg)
{
	MDB_env *e;

	(void)arg;
	mdb_env_create(&e);
	mdb_env_open(e, "/sim/1/ledger", MDB_NOMETASYNC, 0600);
	commit(e, "1");
	commit(e, "2");
	if (sync_store)
		mdb_env_sync(e, 1);
	note("done");
}

/* What a reader finds after a power cut: '1' or '2', for both keys the same. */
static char found(void)
{
	MDB_val k = {.mv_size = 1, .mv_data = (void *)(uintptr_t) "k"},
	        l = {.mv_size = 1, .mv_data = (void *)(uintptr_t) "l"};
	MDB_val v, w;
	MDB_env *e;
	MDB_txn *t;
	MDB_dbi dbi;
	char c;

	assert_int_equal(mdb_env_create(&e), 0);
	assert_int_equal(mdb_env_open(e, "/sim/1/ledger", 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(e, NULL, MDB_RDONLY, &t), 0);
	assert_int_equal(mdb_dbi_open(t, "d", 0, &dbi), 0);
	assert_int_equal(mdb_get(t, dbi, &k, &v), 0);
	assert_int_equal(mdb_get(t, dbi, &l, &w), 0);
	c = *(char *)v.mv_data;
	assert_int_equal(c, *(char *)w.mv_data);
	mdb_txn_abort(t);
	mdb_env_close(e);
	return c;
}

static unsigned last_commits_kept(bool synced)
{
	unsigned kept = 0;

	sync_store = synced;
	for (int round = 0; round < ROUNDS; round++) {
		set_up(NULL);
		os_seed((uint64_t)round);
		inode_link(disk.root, "ledger", inode_new(true));
		run(use_store);
		assert_string_equal(notes, "done");
		os_kill(p, 0);
		env_power_cut(&disk);
		kept += found() == '2';
	}
	return kept;
}

static void a_power_cut_takes_the_last_commit_at_most(void **state)
{
	(void)state;
	assert_in_range(last_commits_kept(false), ROUNDS / 4, 3 * ROUNDS / 4);
	assert_int_equal(last_commits_kept(true), ROUNDS);
}

static void versions_of_a_map_stay(void **state)
{
	struct map_node *versions[ROUNDS + 1] = {0};
	uint8_t key, there[ROUNDS + 1][256] = {0};

	(void)state;
	for (unsigned n = 1; n <= ROUNDS; n++) {
		memcpy(there[n], there[n - 1], sizeof there[n]);
		versions[n] = versions[n - 1];
		for (int i = 0; i < 8; i++) {
			key = (uint8_t)os_below(256);
			if (os_chance(600000)) {
				map_put(&versions[n], n, &key, 1, &n, sizeof n);
				there[n][key] = 1;
			} else {
				assert_int_equal(map_remove(&versions[n], n, &key, 1), there[n][key]);
				there[n][key] = 0;
			}
		}
	}
	for (unsigned n = 0; n <= ROUNDS; n++) {
		const struct map_node *at = map_from(versions[n], NULL, 0, false);
		for (unsigned k = 0; k < 256; k++) {
			if (!there[n][k])
				continue;
			assert_non_null(at);
			assert_int_equal(at->key[0], k);
			at = map_from(versions[n], at->key, 1, true);
		}
		assert_null(at);
	}
}

/* Asked by the leak checker: the simulator frees nothing, as a seed's process is short. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(threads_take_turns, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_slow_clock_waits_longer, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_paused_process_does_nothing, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_loop_runs_what_is_due_in_order, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_power_cut_takes_only_what_is_not_synced, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_kill_leaves_the_cache, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(memory_goes_with_its_process, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(zeros_are_zeros_in_each_life, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_power_cut_takes_the_last_commit_at_most, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(versions_of_a_map_stay, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
