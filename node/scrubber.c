/* The scrubber's thread: passes over the store, step by step, at a bounded pace. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/scrubber_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ledger/bytes.h"
#include "ledger/errors.h"
#include "ledger/tilejudge.h"
#include "node/clock.h"
#include "node/log.h"

#define FIRST_PASS_S   60         /* After the start: until then others need the disk more. */
#define SNAPSHOT_NS    (NS_PER_S) /* So long one snapshot is looked at: an old one keeps pages from being used again. */
#define CPU_SHARE      10         /* Of one processor: a tenth. */
#define NOTES_A_STEP   16         /* Each has some signatures. */
#define SETTLE_NS      (10 * NS_PER_S) /* At the end of a pass: what was found is mended by then, or is not to be had. */
#define SNAPSHOT_TRIES 100
#define NICE           19
#define IOPRIO_IDLE    (3 << 13) /* ioprio_set(2): the idle class. */
#define IOPRIO_THREAD  1
#define TILES_LAST     ((unsigned)TREE_TILE_LEVELS)

/* Where a pass is. */
enum stage { STAGE_META, STAGE_TILES, STAGE_NOTES, STAGE_STATE, STAGE_END };

struct pass {
	enum stage stage;
	unsigned level;
	uint64_t n, next; /* Tile; checkpoint's size. */
	uint64_t begun_ns, cpu_ns, read;
	bool confirming; /* What a step found of the structure or the state is looked at once more. */
	bool broken;
	char what[SCRUB_TEXT_SIZE];
};

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* True: to stop. */
static bool rest(struct scrubber *s, uint64_t until_ns)
{
	struct timespec t = clock_timespec(until_ns);

	pthread_mutex_lock(&s->lock);
	while (!s->stop && clock_mono_ns() < until_ns)
		pthread_cond_timedwait(&s->wake, &s->lock, &t);
	bool stop = s->stop;
	pthread_mutex_unlock(&s->lock);
	return stop;
}

/* --- snapshots --- */

/* An erasure puts another file in the place of this one (ledger/store_rewrite.c). */
static int follow_file(struct scrubber *s)
{
	struct stat here, there;

	if (fstat(s->file.fd, &here) || stat(s->o.path, &there))
		return CS_ERR_IO;
	if (here.st_ino == there.st_ino && here.st_dev == there.st_dev)
		return 0;
	pages_file_close(&s->file);
	return pages_file_open(s->o.path, true, &s->file);
}

/*
 * The newest commit, held, and what the ledger is in it: as this process knows, not as the file says. Where the file
 * goes on saying otherwise, it is damaged, and the records about the ledger are written anew.
 */
static int snapshot_take(struct scrubber *s, struct store_head *ret)
{
	const struct pages_source source = {.read = pages_file_read, .ctx = &s->file};
	static const struct scrub_find headless = {.what = SCRUB_META, .db = "meta", .why = "the head cannot be read"};
	struct store_head seen;
	int err = CS_ERR_NOT_FOUND;

	for (unsigned i = 0; i < SNAPSHOT_TRIES; i++) {
		store_head(s->o.store, ret);
		err = s->view ? store_view_renew(s->view) : store_view_open(s->o.store, &s->view);
		if (!err)
			err = follow_file(s);
		if (!err)
			store_view_head(s->view, &seen);
		if (!err && (memcmp(&seen, ret, sizeof seen) == 0 || i >= SNAPSHOT_TRIES / 2)) {
			err = scrub_begin(&s->scrub, &source, store_view_snapshot(s->view), ret);
			if (err != CS_ERR_NOT_FOUND)
				return err;
			scrub_end(&s->scrub);
		}
		if (err == CS_ERR_DAMAGED && i == SNAPSHOT_TRIES / 2)
			scrubber_add(s, &headless);
		if (rest(s, clock_mono_ns() + 5 * NS_PER_MS))
			return CS_ERR_NOT_READY;
	}
	return err;
}

static void snapshot_drop(struct scrubber *s)
{
	scrub_end(&s->scrub);
	if (s->view)
		store_view_release(s->view);
}

/* --- steps --- */

static int step(struct scrubber *s, struct pass *p)
{
	int err = 0;

	switch (p->stage) {
	case STAGE_META:
		err = scrub_structure(&s->scrub);
		return err ? err : scrub_meta(&s->scrub);
	case STAGE_TILES:
		return scrub_tile(&s->scrub, p->level, p->n);
	case STAGE_NOTES:
		return scrub_checkpoints(&s->scrub, p->n, NOTES_A_STEP, &p->next);
	default:
		return scrub_state(&s->scrub);
	}
}

static void advance(struct scrubber *s, struct pass *p)
{
	switch (p->stage) {
	case STAGE_TILES:
		p->n++;
		if (tile_width(s->scrub.head.size, p->level, p->n) > 0)
			return;
		p->n = 0;
		if (p->level == 0)
			scrubber_keys_whole(s, !s->entry_lost);
		if (++p->level < TILES_LAST && tile_width(s->scrub.head.size, p->level, 0) > 0)
			return;
		break;
	case STAGE_NOTES:
		p->n = p->next;
		if (p->n)
			return;
		break;
	default:
		break;
	}
	p->n = 0;
	p->stage++;
}

/* Reading and thinking are paced from the pass's begin on: a slow step is made up for, a rest is not. */
static bool pace(struct scrubber *s, struct pass *p, uint64_t cpu_before)
{
	uint64_t now = clock_mono_ns(), by_bytes, by_cpu;

	p->cpu_ns += cpu_ns() - cpu_before;
	by_bytes = p->begun_ns + p->read / s->o.rate * NS_PER_S + p->read % s->o.rate * NS_PER_S / s->o.rate;
	by_cpu = p->begun_ns + p->cpu_ns * CPU_SHARE;
	uint64_t until = by_bytes > by_cpu ? by_bytes : by_cpu;
	return rest(s, until > now ? until : now);
}

void scrubber_found(void *ctx, const struct scrub_find *f)
{
	struct scrubber *s = ctx;

	if (f->what == SCRUB_PAGE || f->what == SCRUB_STATE) {
		s->pass->broken = true;
		scrub_find_text(f, s->pass->what, sizeof s->pass->what);
	} else {
		s->entry_lost |= f->what == SCRUB_ENTRY;
		scrubber_add(s, f);
	}
}

/* What cannot be mended in service is looked at a second time, in another snapshot, before the process ends for it. */
static void confirm(struct scrubber *s, struct pass *p)
{
	if (p->broken && p->confirming)
		s->o.broken(s->o.ctx, p->what);
	p->confirming = p->broken;
}

static void note_read(struct scrubber *s, struct pass *p, uint64_t before)
{
	p->read += (s->scrub.pages.pages_read - before) * s->scrub.pages.page_size;
	pthread_mutex_lock(&s->lock);
	s->shown.done = p->read;
	pthread_mutex_unlock(&s->lock);
}

static void estimate(struct scrubber *s)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < sizeof s->scrub.db / sizeof s->scrub.db[0]; i++)
		if (s->scrub.has_db[i])
			pages +=
			        s->scrub.db[i].branch_pages + s->scrub.db[i].leaf_pages + s->scrub.db[i].overflow_pages;
	pthread_mutex_lock(&s->lock);
	s->shown.whole = pages * s->scrub.pages.page_size;
	pthread_mutex_unlock(&s->lock);
	log_info("scrub: a pass begins bytes=%" PRIu64 " rate=%" PRIu64 " minutes=%" PRIu64, s->shown.whole, s->o.rate,
	         s->shown.whole / s->o.rate / 60);
}

/* Steps in one snapshot, for a second at most. 0; CS_ERR_NOT_READY: to stop; or why not. */
static int steps(struct scrubber *s, struct pass *p)
{
	struct store_head head;
	uint64_t begun = clock_mono_ns();
	int err = snapshot_take(s, &head);

	if (!err && p->read == 0)
		estimate(s);
	while (!err && p->stage != STAGE_END && clock_mono_ns() - begun < SNAPSHOT_NS) {
		uint64_t before = s->scrub.pages.pages_read, cpu = cpu_ns();
		p->broken = false;
		err = step(s, p);
		note_read(s, p, before);
		confirm(s, p);
		if (!err && !p->confirming)
			advance(s, p);
		if (pace(s, p, cpu))
			err = err ? err : CS_ERR_NOT_READY;
		if (p->confirming)
			break;
	}
	snapshot_drop(s);
	return err;
}

/* --- what readers have met --- */

static bool next_met(struct scrubber *s, struct pass *p)
{
	pthread_mutex_lock(&s->lock);
	bool more = s->n_met > 0;
	if (more) {
		p->level = s->met[0].level;
		p->n = s->met[0].n;
		s->met[0] = s->met[--s->n_met];
	}
	pthread_mutex_unlock(&s->lock);
	return more;
}

/* At once, whatever the pace, with a snapshot of its own; between two of a pass. */
static void look_at_met(struct scrubber *s)
{
	struct pass *before = s->pass, p = {.stage = STAGE_TILES};
	struct store_head head;

	while (next_met(s, &p)) {
		p.confirming = false;
		do {
			if (snapshot_take(s, &head))
				break;
			s->pass = &p;
			p.broken = false;
			if (step(s, &p) == 0)
				confirm(s, &p);
			s->pass = before;
			snapshot_drop(s);
		} while (p.confirming);
	}
}

/* --- passes --- */

static void pass_begin(struct scrubber *s, struct pass *p)
{
	*p = (struct pass){.begun_ns = clock_mono_ns()};
	s->pass = p;
	s->entry_lost = false;
	pthread_mutex_lock(&s->lock);
	s->shown.running = 1;
	s->shown.begun_ms = clock_wall_ms();
	s->shown.done = 0;
	s->again = false;
	pthread_mutex_unlock(&s->lock);
}

static void pass_end(struct scrubber *s, const struct pass *p, int err)
{
	uint64_t found, repaired, refused;

	pthread_mutex_lock(&s->lock);
	s->shown.running = 0;
	s->shown.passes++;
	s->shown.ended_ms = clock_wall_ms();
	s->shown.took_ms = (clock_mono_ns() - p->begun_ns) / NS_PER_MS;
	found = s->shown.found;
	repaired = s->shown.repaired;
	refused = s->n_items;
	pthread_mutex_unlock(&s->lock);
	if (err)
		log_error("scrub: the pass could not be ended: %s", err_text(err));
	else
		log_info("scrub: the pass ended ms=%" PRIu64 " bytes=%" PRIu64 " found=%" PRIu64 " repaired=%" PRIu64
		         " damaged=%" PRIu64,
		         s->shown.took_ms, p->read, found, repaired, refused);
	s->pass = NULL;
}

/* What was found has some time to be mended: whoever waits for the pass's end wants to know what came of it. */
static void settle(struct scrubber *s)
{
	uint64_t until = clock_mono_ns() + SETTLE_NS;
	bool left = true;

	while (left && clock_mono_ns() < until && !rest(s, clock_mono_ns() + 20 * NS_PER_MS)) {
		pthread_mutex_lock(&s->lock);
		left = s->n_items > 0;
		pthread_mutex_unlock(&s->lock);
	}
}

static bool run_pass(struct scrubber *s)
{
	struct pass p;
	int err = 0;

	pass_begin(s, &p);
	while (!err && p.stage != STAGE_END) {
		look_at_met(s);
		err = steps(s, &p);
	}
	if (err == CS_ERR_NOT_READY)
		return false;
	settle(s);
	pass_end(s, &p, err);
	return true;
}

/* Until a pass is due, or asked for. False: to stop. */
static bool await_pass(struct scrubber *s, uint64_t due_ns)
{
	struct timespec t = clock_timespec(due_ns);
	bool stop, due, met;

	do {
		pthread_mutex_lock(&s->lock);
		while (!s->stop && !s->n_met && !s->again && s->shown.asked <= s->shown.passes &&
		       clock_mono_ns() < due_ns)
			pthread_cond_timedwait(&s->wake, &s->lock, &t);
		stop = s->stop;
		met = s->n_met > 0;
		due = s->again || s->shown.asked > s->shown.passes || clock_mono_ns() >= due_ns;
		pthread_mutex_unlock(&s->lock);
		if (met && !stop)
			look_at_met(s);
	} while (!stop && !due);
	return !stop;
}

void *scrubber_run(void *arg)
{
	struct scrubber *s = arg;
	uint64_t due = clock_mono_ns() + FIRST_PASS_S * NS_PER_S;

	/* A thread of Linux has a nice value of its own. Where the service's settings allow neither, the pace is
	 * enough. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
	syscall(SYS_ioprio_set, IOPRIO_THREAD, 0, IOPRIO_IDLE);
	while (await_pass(s, due)) {
		due = clock_mono_ns() + s->o.interval_s * NS_PER_S;
		if (!run_pass(s))
			break;
	}
	return NULL;
}
