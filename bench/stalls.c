/* Two probes beside the load, and which of its stalls they saw too. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/stalls.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/clock.h"
#include "bench/floor.h"

#define DISK_EVERY_NS (10 * NS_PER_MS)
#define WAKE_EVERY_NS NS_PER_MS

struct stalls_run {
	struct stalls *s;
	const char *folder;
	uint64_t end_ns;
	pthread_t disk, wake;
	int disk_err;
};

static struct stalls_moment *moment(struct stalls *s, uint64_t ns)
{
	size_t i = ns < s->begin_ns ? 0 : (size_t)((ns - s->begin_ns) / STALLS_MOMENT_NS);

	return &s->moments[i < s->n ? i : s->n - 1];
}

static void raise_to(uint64_t *at, uint64_t ns)
{
	if (ns > *at)
		*at = ns;
}

static bool on_write(void *ctx, uint64_t begin_ns, uint64_t end_ns)
{
	struct stalls_run *r = ctx;

	histogram_add(&r->s->disk, end_ns - begin_ns);
	raise_to(&moment(r->s, end_ns)->disk, end_ns - begin_ns);
	clock_sleep_until(begin_ns + DISK_EVERY_NS);
	return clock_ns() < r->end_ns;
}

static void *probe_disk(void *arg)
{
	struct stalls_run *r = arg;

	r->disk_err = floor_disk_watch(r->folder, on_write, r);
	return NULL;
}

static void *probe_wake(void *arg)
{
	struct stalls_run *r = arg;

	for (uint64_t now = clock_ns(); now < r->end_ns; now = clock_ns()) {
		clock_sleep_until(now + WAKE_EVERY_NS);
		uint64_t woke = clock_ns(), late = woke - (now + WAKE_EVERY_NS);
		histogram_add(&r->s->wake, late);
		raise_to(&moment(r->s, woke)->wake, late);
	}
	return NULL;
}

int stalls_begin(struct stalls *s, const char *folder, double seconds)
{
	struct stalls_run *r = calloc(1, sizeof *r);

	memset(s, 0, sizeof *s);
	s->n = (size_t)(seconds * (double)NS_PER_S) / STALLS_MOMENT_NS + 2;
	s->moments = calloc(s->n, sizeof *s->moments);
	s->run = r;
	if (!r || !s->moments)
		return -1;
	s->begin_ns = clock_ns();
	*r = (struct stalls_run){
	        .s = s, .folder = folder, .end_ns = s->begin_ns + (uint64_t)(seconds * (double)NS_PER_S)};
	if (pthread_create(&r->disk, NULL, probe_disk, r))
		return -1;
	if (pthread_create(&r->wake, NULL, probe_wake, r)) {
		r->end_ns = 0;
		pthread_join(r->disk, NULL);
		return -1;
	}
	return 0;
}

int stalls_end(struct stalls *s)
{
	int err;

	pthread_join(s->run->disk, NULL);
	pthread_join(s->run->wake, NULL);
	err = s->run->disk_err;
	free(s->run);
	s->run = NULL;
	return err;
}

void stalls_free(struct stalls *s)
{
	free(s->run);
	free(s->moments);
	s->moments = NULL;
}

void stalls_answer(struct stalls *s, uint64_t due_ns, uint64_t done_ns)
{
	raise_to(&moment(s, done_ns)->answer, done_ns - due_ns);
}

/* What the probes met from when the moment's longest answer was due until the moment after: one ends a little later. */
static struct stalls_moment around(const struct stalls *s, size_t i)
{
	size_t first = (size_t)(s->moments[i].answer / STALLS_MOMENT_NS) + 1;
	struct stalls_moment m = {.answer = s->moments[i].answer};

	for (size_t k = i > first ? i - first : 0; k <= i + 1 && k < s->n; k++) {
		raise_to(&m.disk, s->moments[k].disk);
		raise_to(&m.wake, s->moments[k].wake);
	}
	return m;
}

static void note_worst(struct stalls_sum *sum, size_t i, const struct stalls_moment *m)
{
	unsigned k = sum->n_worst < STALLS_SHOWN ? sum->n_worst++ : STALLS_SHOWN - 1;

	if (k == STALLS_SHOWN - 1 && sum->seen[k].answer >= m->answer)
		return;
	for (; k > 0 && sum->seen[k - 1].answer < m->answer; k--) {
		sum->seen[k] = sum->seen[k - 1];
		sum->worst[k] = sum->worst[k - 1];
	}
	sum->seen[k] = *m;
	sum->worst[k] = i;
}

void stalls_sum(const struct stalls *s, struct stalls_sum *ret)
{
	memset(ret, 0, sizeof *ret);
	for (size_t i = 0; i < s->n; i++) {
		struct stalls_moment m = around(s, i);
		if (m.answer < STALLS_LONG_NS)
			continue;
		ret->moments++;
		ret->ours += m.disk < STALLS_PROBE_NS && m.wake < STALLS_PROBE_NS;
		note_worst(ret, i, &m);
	}
}
