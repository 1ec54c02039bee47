/* The daemon from its data folder on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/core/core.h"
#include "node/log.h"
#include "node/salvage.h"
#include "node/stopping.h"

#define LOCK_TRIES 300 /* Of 10 ms: how long a predecessor may take to end. */
/*
 * LMDB is behind the reply: entries gather this long for one commit. Its synced write keeps the disk from the Raft log,
 * so that it is felt at the tail of the latencies; readers who cannot wait have it done at once.
 */
#define WRITER_INTERVAL_MS 2000

/* Everything the daemon opens, in this order. */
struct daemon {
	const struct daemon_options *o;
	struct store *store;
	struct state *state;
	bool state_lost; /* It is empty: what was stored is damaged. */
	bool behind;     /* The store, by its last commit: its meta page was damaged. */
	struct board *board;
	struct readlog *readlog;
	struct core *core;
	struct ledger_writer *writer;
	struct reading_room *readers;
	struct scrubber *scrubber;
	struct front *front;
	char data[SETTINGS_PATH_SIZE_MAX + 32]; /* The store's file. */
	char witnessed[SETTINGS_PATH_SIZE_MAX + 32];
};

/* The folder's lock; a predecessor that was killed a moment ago may still be leaving the kernel. */
static int take_lock(int fd)
{
	static const struct timespec nap = {.tv_nsec = 10000000};

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return errno;
		nanosleep(&nap, NULL);
	}
	return EWOULDBLOCK;
}

/* The data folder, for this process alone; the lock goes with the process. */
static int lock_data(const struct settings *s)
{
	char path[SETTINGS_PATH_SIZE_MAX + 16], why[512];
	int fd, err = core_halted(s->data_path, why, sizeof why);

	if (err == CS_ERR_DIVERGED)
		log_error(
		        "this node halted and stays halted: %s (an operator removes %s/HALTED once that is dealt with)",
		        why, s->data_path);
	else if (err)
		log_error("%s", why);
	if (err)
		return err;
	if (core_was_removed(s->data_path)) {
		log_error("this node was removed from the cluster and does not come back: its id and keys are used up "
		          "(%s)",
		          "a new node gets a folder of its own: countersign member prepare");
		return CS_ERR_NOT_PERMITTED;
	}
	snprintf(path, sizeof path, "%s/lock", s->data_path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	err = fd < 0 ? errno : take_lock(fd);
	if (err) {
		log_error("%s: %s", path,
		          err == EWOULDBLOCK ? "another countersignd works in this folder" : strerror(err));
		return err == EWOULDBLOCK || err == ENOENT ? CS_ERR_INVALID : CS_ERR_IO;
	}
	static const char *const folders[] = {"log", "ledger"};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s/%s", s->data_path, folders[i]);
		if (mkdir(path, 0700) && errno != EEXIST) {
			log_error("%s: %s", path, strerror(errno));
			return CS_ERR_IO;
		}
	}
	return 0;
}

static int load_record(void *ctx, const void *key, size_t key_len, const void *value, size_t value_len)
{
	return state_load(ctx, key, key_len, value, value_len);
}

static const char *other_format(const char *path, const char *format)
{
	static char text[SETTINGS_PATH_SIZE_MAX + 128];

	snprintf(text, sizeof text, "%s is of format %s, this build knows " STORE_FORMAT, path, format);
	return text;
}

/* One bit of it is told by its sum. */
static int mend_state(struct daemon *d, const char *path, unsigned *mended)
{
	int err = store_check_state(d->store);

	if (err != CS_ERR_DAMAGED)
		return err;
	log_error("%s: the stored state is not the one whose digest was stored with it", path);
	err = store_mend_state(d->store);
	*mended |= err ? 0 : STORE_MENDED_STATE;
	return err;
}

/* What is more than a bit is another member's to give, once the links are there. */
static int load_state(struct daemon *d, const char *path, unsigned *mended)
{
	int err = mend_state(d, path, mended);

	if (!err)
		err = state_new(NULL, &d->state);
	if (!err)
		err = store_each_state(d->store, load_record, d->state);
	if (!err)
		err = state_loaded(d->state);
	if (err != CS_ERR_DAMAGED)
		return err;
	d->state_lost = true;
	log_error("%s: the state is damaged: another member's is to be fetched", path);
	state_free(d->state);
	d->state = NULL;
	err = state_new(NULL, &d->state);
	return err ? err : state_loaded(d->state);
}

/* Those that entries which are applied again go into: their damage would look like another history. */
static int mend_tiles(struct daemon *d, unsigned *mended)
{
	struct state_head head;

	state_head(d->state, &head);
	return store_mend_tiles(d->store, head.size, mended);
}

static void say_mended(const char *path, unsigned what)
{
	if (what & STORE_MENDED_META)
		log_warning("%s: the records about the ledger were damaged: repaired by their copy", path);
	if (what & STORE_MENDED_TILES)
		log_warning("%s: tiles of the tree were damaged: repaired from what is below them", path);
	if (what & STORE_MENDED_STATE)
		log_warning("%s: a bit of the state was another: repaired by the state's sum", path);
	if (what & STORE_DAMAGED_LAST)
		log_error("%s: the last entry is not as it was stored: it is given to nobody until it is repaired",
		          path);
}

static int open_store(struct daemon *d)
{
	char format[STORE_FORMAT_SIZE] = "";
	struct salvaged salvaged = {0};
	unsigned mended = 0;
	struct store_options o = {
	        .map_size = d->o->settings->map_size, .create = true, .ret_format = format, .ret_mended = &mended};
	char path[SETTINGS_PATH_SIZE_MAX + 16];
	int err;

	snprintf(path, sizeof path, "%s/ledger", d->o->settings->data_path);
	err = salvage_store(d->o->settings->data_path, d->o->settings->map_size, &salvaged);
	d->state_lost = salvaged.lost;
	d->behind = salvaged.behind;
	if (!err)
		err = store_open(path, &o, &d->store);
	if (!err)
		err = load_state(d, path, &mended);
	if (!err)
		err = mend_tiles(d, &mended);
	if (mended)
		say_mended(path, mended);
	if (err == CS_ERR_VERSION)
		core_outdated(d->state ? state_newer_text(d->state) : other_format(path, format));
	if (err)
		log_error("%s: %s", path, err_text(err));
	else
		salvage_trust(d->o->settings->data_path);
	return err;
}

/* --- how the parts call each other --- */

static void submit(void *ctx, struct job *j)
{
	struct daemon *d = ctx;

	if (reading_room_serves(j->request.type))
		reading_room_submit(d->readers, j);
	else
		core_submit(d->core, j);
}

static void progress(void *ctx)
{
	struct daemon *d = ctx;

	core_stored(d->core);
}

static void noted(void *ctx)
{
	struct daemon *d = ctx;

	core_noted(d->core);
}

static void want_cosigned(void *ctx, uint64_t size)
{
	struct daemon *d = ctx;

	core_want_cosigned(d->core, size);
}

static void want_proof(void *ctx, uint64_t index)
{
	struct daemon *d = ctx;

	core_want_proof(d->core, index);
}

static void heal(void *ctx)
{
	struct daemon *d = ctx;

	core_heal(d->core);
}

__attribute__((noreturn)) static void broken(void *ctx, const char *what)
{
	const struct daemon *d = ctx;

	log_error("stopping at once: the ledger is damaged: %s: it cannot be mended in service, the next start does",
	          what);
	salvage_suspect(d->o->settings->data_path);
	_exit(EXIT_CRASH);
}

__attribute__((noreturn)) static void writer_fatal(void *ctx, int err, const char *what)
{
	(void)ctx;
	log_error("stopping at once: the ledger's store: %s: %s", what, err_text(err));
	_exit(EXIT_CRASH);
}

static int open_parts(struct daemon *d)
{
	const struct settings *s = d->o->settings;
	struct core_options co = {.settings = s,
	                          .channel_keys = d->o->channel_keys,
	                          .signer = d->o->signer,
	                          .keyring = d->o->keyring,
	                          .store = d->store,
	                          .state = d->state,
	                          .state_index = d->state_lost ? 0 : store_state_index(d->store),
	                          .state_lost = d->state_lost,
	                          .store_behind = d->behind,
	                          .genesis = d->o->genesis,
	                          .genesis_len = d->o->genesis_len,
	                          .places = d->o->places};
	struct ledger_writer_options wo = {.store = d->store,
	                                   .interval_ms = WRITER_INTERVAL_MS,
	                                   .progress = progress,
	                                   .fatal = writer_fatal,
	                                   .ctx = d};
	struct front_options fo = {.node_id = s->node,
	                           .origin = s->origin,
	                           .keys = *d->o->channel_keys,
	                           .contexts = s->contexts,
	                           .submit = submit,
	                           .ctx = d};
	int err = board_new(&d->board);

	if (!err)
		err = readlog_new(&d->readlog);
	co.board = d->board;
	co.readlog = d->readlog;
	for (unsigned i = 0; i < s->n_urls; i++)
		fo.urls[i] = s->urls[i];
	if (!err)
		err = core_open(&co, &d->core);
	if (!err)
		err = ledger_writer_open(&wo, &d->writer);
	struct scrubber_options so = {.path = d->data,
	                              .origin = s->origin,
	                              .store = d->store,
	                              .writer = d->writer,
	                              .rate = s->scrub_rate,
	                              .interval_s = s->scrub_interval_h * 3600,
	                              .wanted = heal,
	                              .broken = broken,
	                              .ctx = d};
	snprintf(d->data, sizeof d->data, "%s/ledger/data.mdb", s->data_path);
	if (!err && s->scrub_rate)
		err = scrubber_open(&so, &d->scrubber);
	snprintf(d->witnessed, sizeof d->witnessed, "%s/witnessed", s->data_path);
	struct reader_options ro = {.node_id = s->node,
	                            .origin = s->origin,
	                            .witnessed = d->witnessed,
	                            .store = d->store,
	                            .writer = d->writer,
	                            .board = d->board,
	                            .scrubber = d->scrubber,
	                            .readlog = d->readlog,
	                            .noted = noted,
	                            .want_proof = want_proof,
	                            .want_cosigned = want_cosigned,
	                            .ctx = d};
	if (!err)
		err = reading_room_open(&ro, &d->readers);
	if (!err)
		err = front_open(&fo, &d->front);
	sodium_memzero(&fo.keys, sizeof fo.keys);
	if (err) {
		log_error("starting: %s", err_text(err));
		return err;
	}
	core_attach(d->core, d->front, d->writer, d->readers, d->scrubber);
	return 0;
}

static void close_parts(struct daemon *d)
{
	stopping_waits_for("requests to be answered");
	reading_room_stop(d->readers); /* Whoever waits for the ledger to grow would hold the front for a minute. */
	front_stop(d->front);
	stopping_waits_for("the reader of the store");
	reading_room_close(d->readers);
	scrubber_stop(d->scrubber);
	core_finish(d->core);
	stopping_waits_for("the store's disk");
	ledger_writer_close(d->writer);
	scrubber_close(d->scrubber);
	core_close(d->core);
	store_close(d->store);
	readlog_free(d->readlog);
	board_free(d->board);
}

static int refused_status(int err)
{
	switch (err) {
	case CS_ERR_DIVERGED:
		return EXIT_HALTED;
	case CS_ERR_NOT_PERMITTED:
		return EXIT_REMOVED;
	case CS_ERR_INVALID:
		return EXIT_USAGE;
	default:
		return EXIT_CRASH;
	}
}

int daemon_run(const struct daemon_options *o)
{
	struct daemon d = {.o = o};
	int err = lock_data(o->settings);

	if (err)
		return refused_status(err);
	if (open_store(&d))
		return EXIT_CRASH;
	err = open_parts(&d);
	if (err) /* Keys that are not this node's are no matter of the disk: no restart helps. */
		return err == CS_ERR_UNAUTHENTICATED ? EXIT_USAGE : EXIT_CRASH;
	log_info("serving url=%s version=%s", o->settings->urls[0], PACKAGE_VERSION);
	core_run(d.core);
	close_parts(&d);
	log_info("stopped");
	return core_was_removed(o->settings->data_path) ? EXIT_REMOVED : EXIT_OK;
}
