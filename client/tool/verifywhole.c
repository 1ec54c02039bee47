/* countersign verify, of a whole ledger: which kind it is, its progress on a terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/verifywhole.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/files.h"
#include "client/tool/progress.h"
#include "client/tool/tool.h"

#define STORE_FILE "data.mdb"

bool verifywhole_asked(const struct verifywhole *w)
{
	return w->old_path || w->from || w->bodies;
}

static bool is_store_file(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, STORE_FILE);
}

bool verifywhole_is(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (S_ISDIR(st.st_mode) || is_store_file(path));
}

bool verifywhole_store(const char *path, char ret[FILES_PATH_SIZE])
{
	static const char *const below[] = {"", "/ledger", "/data/ledger"};
	char file[FILES_PATH_SIZE];
	struct stat st;

	if (is_store_file(path)) {
		size_t len = strlen(path) - strlen(STORE_FILE);

		snprintf(ret, FILES_PATH_SIZE, "%.*s", len ? (int)len : 1, len ? path : ".");
		return stat(path, &st) == 0 && S_ISREG(st.st_mode);
	}
	for (unsigned i = 0; i < sizeof below / sizeof below[0]; i++) {
		int n = snprintf(ret, FILES_PATH_SIZE, "%s%s", path, below[i]);

		if (n > 0 && n < FILES_PATH_SIZE && files_join(file, ret, STORE_FILE) && stat(file, &st) == 0)
			return true;
	}
	return false;
}

/*
 * LMDB trusts the structure of its file: a damaged one leads it out of the map. That shows nothing but that it cannot
 * be read.
 */
static void damaged(int signal_number)
{
	static const char text[] =
	        "countersign: could not tell: the store's file is damaged so that it cannot be read\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);

	(void)n;
	(void)signal_number;
	_exit(VERIFY_UNDECIDED);
}

void verifywhole_catch_damage(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	struct sigaction action = {.sa_handler = damaged};

	for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);
}

/* --- what is older --- */

struct older {
	char *bytes; /* The file's. */
	char *note;  /* Its checkpoint; within bytes, or owned. */
	char *owned;
	size_t note_len;
	struct verify_result *bundle; /* Of a bundle; NULL: it is none. */
};

static void older_free(struct older *o)
{
	free(o->bytes);
	free(o->owned);
	free(o->bundle);
}

/* The note of a proof's text lies behind its first empty line. */
static bool note_of_proof(struct older *o, char *proof)
{
	char *blank = strstr(proof, "\n\n");

	o->note = blank ? blank + 2 : NULL;
	o->note_len = blank ? strlen(blank + 2) : 0;
	return blank != NULL;
}

static bool read_bundle(struct older *o, const struct verify_policy *policy, size_t size)
{
	json_t *doc = json_loadb(o->bytes, size, JSON_REJECT_DUPLICATES, NULL);
	const char *proof = json_string_value(json_object_get(doc, "proof"));

	o->owned = proof ? strdup(proof) : NULL;
	json_decref(doc);
	o->bundle = malloc(sizeof *o->bundle);
	if (o->bundle)
		verify_bundle(policy, o->bytes, size, o->bundle);
	return o->bundle && o->owned && note_of_proof(o, o->owned);
}

/* A checkpoint, or a bundle with one. */
static int older_read(const char *command, const char *path, const struct verify_policy *policy, struct older *o)
{
	size_t size = 0;
	int err = files_read(path, FORMAT_BUNDLE_SIZE_MAX, &o->bytes, &size);

	if (err)
		return tool_fail(VERIFY_UNDECIDED, command, "%s: %s", path, strerror(err));
	o->note = o->bytes;
	o->note_len = size;
	if (size > 0 && o->bytes[0] == '{' && !read_bundle(o, policy, size))
		return tool_fail(VERIFY_UNDECIDED, command, "%s: not a bundle", path);
	if (o->note_len > LIMIT_NOTE_SIZE_MAX)
		return tool_fail(VERIFY_UNDECIDED, command, "%s: its checkpoint is larger than this verifier takes",
		                 path);
	return 0;
}

/* What the older bundle shows joins what the ledger shows: the ledger has grown from the bundle's checkpoint. */
static void older_join(const struct older *o, struct verify_result *r)
{
	const struct verify_result *b = o->bundle;

	if (!b || r->outcome == VERIFY_REFUTED)
		return;
	for (unsigned i = 0; i < b->n_lines && r->n_lines < VERIFY_LINES_MAX; i++) {
		struct verify_line *l = &r->lines[r->n_lines++];

		l->mark = b->lines[i].mark;
		snprintf(l->text, sizeof l->text, "the older bundle: %.*s", (int)sizeof l->text - 20, b->lines[i].text);
	}
	if (b->outcome == VERIFY_REFUTED || (b->outcome == VERIFY_UNDECIDED && !b->retired_reached)) {
		r->outcome = b->outcome;
		snprintf(r->reason, sizeof r->reason, "the older bundle: %.*s", (int)sizeof r->reason - 20, b->reason);
	}
}

int verifywhole_run(const char *command, const char *path, const struct verify_policy *policy,
                    const struct verifywhole *w, struct verify_result *r)
{
	struct progress progress = {.what = "verified", .unit = "entries"};
	struct verify_whole_options options = {.from = w->from,
	                                       .bodies = w->bodies,
	                                       .trusted = w->trusted,
	                                       .entry = w->entry,
	                                       .entry_ctx = w->entry_ctx,
	                                       .progress = progress_show,
	                                       .progress_ctx = &progress};
	char folder[FILES_PATH_SIZE];
	struct older older = {0};
	bool store = verifywhole_store(path, folder);

	if (store ? w->from > 0 : w->bodies)
		return tool_fail(EXIT_USAGE, command, "%s: %s", path,
		                 store ? "--from is for an export folder" : "--bodies is for a node's ledger");
	if (w->old_path) {
		int code = older_read(command, w->old_path, policy, &older);

		if (code) {
			older_free(&older);
			return code;
		}
		options.old = older.note;
		options.old_len = older.note_len;
	}
	if (store) {
		verifywhole_catch_damage();
		verify_store(policy, folder, &options, r);
	} else {
		verify_folder(policy, path, &options, r);
	}
	progress_end(&progress);
	older_join(&older, r);
	older_free(&older);
	return 0;
}
