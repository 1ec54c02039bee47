/* The load of a chaos run: clients that write down what they ask before each call, and what they hear after it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/chaos.h"
#include "tests/history.h"

#define CALL_MS    3000
#define TRIES_MAX  8    /* Of one request whose outcome is unknown; then it stays so. */
#define RECENT     256  /* Requests that checks ask for. */
#define FAT        3000 /* Bytes of a large request, about, so that the log fills segments. */
#define SUBJECTS   50
#define END_MS_MAX 60000

/* Of one client process. */
static cs_client *client;
static int events_fd;
static unsigned pause_ms;
static atomic_bool stop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint8_t recent[RECENT][16];
static unsigned n_recent;

/* O_APPEND: whole records, whoever else writes; and what was written outlives a kill -9 of the writer. */
static void write_event(const struct event *e)
{
	if (write(events_fd, e, sizeof *e) != sizeof *e)
		history_fail("writing the history");
}

static void remember(const uint8_t id[16])
{
	pthread_mutex_lock(&lock);
	memcpy(recent[n_recent++ % RECENT], id, 16);
	pthread_mutex_unlock(&lock);
}

static bool recall(unsigned at, uint8_t ret[16])
{
	pthread_mutex_lock(&lock);
	unsigned n = n_recent < RECENT ? n_recent : RECENT;
	if (n)
		memcpy(ret, recent[at % n], 16);
	pthread_mutex_unlock(&lock);
	return n > 0;
}

/* The words of each code, once: for whoever reads the run. */
static void tell(int code)
{
	static atomic_uint told;

	if (code && !(atomic_fetch_or(&told, 1u << (-code & 31)) >> (-code & 31) & 1))
		fprintf(stderr, "         a client heard: %s\n", cs_last_error());
}

/* A request until its outcome is known, under one id. */
static void decide(unsigned number, bool fat)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
	struct cs_attribute attributes[sizeof names / sizeof *names];
	char subject[32], value[FAT / 12 + 1];
	struct cs_request r = {.subject_type = "user",
	                       .subject_id = subject,
	                       .action = "read",
	                       .resource_type = "repo",
	                       .resource_id = "main",
	                       .n_attributes = fat ? sizeof names / sizeof *names : 0,
	                       .attributes = attributes};
	struct event e = {.type = EVENT_ASK};

	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		attributes[i] = (struct cs_attribute){.name = names[i], .type = CS_STRING, .string = value};
	snprintf(subject, sizeof subject, "u%u", number % SUBJECTS);
	cs_request_id(r.id);
	memcpy(e.id, r.id, sizeof e.id);
	remember(r.id);
	e.asked_ns = history_now_ns();
	write_event(&e);
	e.type = EVENT_DECIDED;
	do {
		cs_result *result = NULL;
		e.tries++;
		e.code = cs_decide(client, &r, &result);
		e.answered_ns = history_now_ns();
		tell(e.code);
		if (result) {
			e.index = result->index;
			e.verdict = (uint8_t)result->verdict;
			if (!result->proven)
				e.code = CS_E_REFUTED;
		}
		cs_result_free(result);
		/* Each answer is a fact of its own. */
		write_event(&e);
	} while (e.code == CS_E_TIMEOUT && e.tries < TRIES_MAX && !atomic_load(&stop));
}

static void check(unsigned drawn)
{
	struct event e = {.type = EVENT_CHECKED};
	struct cs_check_result r = {0};
	static const unsigned bounds_ms[] = {0, 0, 300, 2000};
	unsigned stale_ms_max = bounds_ms[drawn % 4];

	if (!recall(drawn / 4, e.id))
		return;
	e.asked_ns = history_now_ns();
	e.code = stale_ms_max ? cs_check_local(client, e.id, stale_ms_max, &r) : cs_check(client, e.id, &r);
	e.answered_ns = history_now_ns();
	e.index = r.index;
	e.size = r.size;
	e.verdict = (uint8_t)r.verdict;
	/* Who does not know it does not say how old its view is: then only the bound is promised. */
	e.stale_ms = e.code == 0 ? r.stale_ms : stale_ms_max;
	if (e.code == 0 && stale_ms_max == 0 && r.stale_ms)
		history_fail("a linearizable check that says it is stale");
	if (r.stale_ms > stale_ms_max)
		history_fail("a view older than was asked for");
	write_event(&e);
}

static void *work(void *arg)
{
	unsigned random = (unsigned)(uintptr_t)arg, i = random;

	while (!atomic_load(&stop)) {
		random = random * 1664525 + 1013904223;
		unsigned drawn = random >> 8;
		if (drawn % 100 < 75)
			decide(i++, drawn / 100 % 10 == 0);
		else
			check(drawn / 100);
		chaos_nap_ms(pause_ms);
	}
	return NULL;
}

/* chaos --client CLUSTER_FILE KEY_FILE EVENTS_FILE PAUSE_MS SEED */
int load_main(int argc, char **argv)
{
	pthread_t threads[CHAOS_THREADS];
	char text[256];
	sigset_t set;
	int number;

	if (argc != 7)
		return 2;
	struct cs_options o = {.cluster_file = argv[2], .key_file = argv[3], .timeout_ms = CALL_MS};
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	events_fd = open(argv[4], O_WRONLY | O_APPEND | O_CLOEXEC);
	pause_ms = (unsigned)strtoul(argv[5], NULL, 10);
	if (events_fd < 0 || cs_open(&o, &client, text, sizeof text))
		history_fail(events_fd < 0 ? strerror(errno) : text);
	for (uintptr_t i = 0; i < CHAOS_THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)(strtoul(argv[6], NULL, 10) * CHAOS_THREADS + i));
	sigwait(&set, &number);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < CHAOS_THREADS; i++)
		pthread_join(threads[i], NULL);
	cs_close(client);
	close(events_fd);
	return 0;
}

/* --- in the test itself --- */

void load_enrol(struct chaos *c)
{
	for (unsigned i = 0; i < CHAOS_CLIENTS; i++)
		cluster_run("enroll --cluster %s --key %s --name client-%u --roles decide --new-key %s/client-%u.key",
		            c->cluster.cluster_file, c->cluster.admin_key, i, c->cluster.dir, i);
}

void load_start(struct chaos *c, unsigned i, unsigned between_ms)
{
	char key[400], events[400], pause[16], seed[32];
	char *argv[] = {c->self, (char *)"--client", c->cluster.cluster_file, key, events, pause, seed, NULL};

	snprintf(key, sizeof key, "%s/client-%u.key", c->cluster.dir, i);
	snprintf(events, sizeof events, "%s/events", c->cluster.dir);
	snprintf(pause, sizeof pause, "%u", between_ms);
	snprintf(seed, sizeof seed, "%u", c->n_client_starts++);
	c->clients[i] = fork();
	if (c->clients[i] == 0) {
		execv(c->self, argv);
		_exit(126);
	}
}

void load_end(struct chaos *c, unsigned i, int number)
{
	int status = 0;

	kill(c->clients[i], number);
	for (unsigned k = 0; waitpid(c->clients[i], &status, WNOHANG) == 0; k++) {
		if (k == END_MS_MAX / 20) {
			chaos_broken(c, "a client does not end");
			kill(c->clients[i], SIGKILL);
		}
		chaos_nap_ms(20);
	}
	if (number == SIGTERM && (!WIFEXITED(status) || WEXITSTATUS(status)))
		chaos_broken(c, "a client process failed with status %d", status);
	c->clients[i] = 0;
}
