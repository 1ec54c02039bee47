/* countersign verify, of a whole ledger: which kind it is, its progress on a terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/verifywhole.h"

#include <errno.h>
#include <inttypes.h>
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
	        "countersign verify: could not tell: the store's file is damaged so that it cannot be read\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);

	(void)n;
	(void)signal_number;
	_exit(VERIFY_UNDECIDED);
}

static void catch_damage(void)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	struct sigaction action = {.sa_handler = damaged};

	for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);
}

int verifywhole_run(const char *command, const char *path, const struct verify_policy *policy,
                    const struct verifywhole *w, struct verify_result *r)
{
	struct progress progress = {.what = "verified", .unit = "entries"};
	struct verify_whole_options options = {
	        .from = w->from, .bodies = w->bodies, .progress = progress_show, .progress_ctx = &progress};
	char folder[FILES_PATH_SIZE], *old = NULL;
	bool store = verifywhole_store(path, folder);

	if (store ? w->from > 0 : w->bodies)
		return tool_fail(EXIT_USAGE, command, "%s: %s", path,
		                 store ? "--from is for an export folder" : "--bodies is for a node's ledger");
	if (w->old_path) {
		int err = files_read(w->old_path, LIMIT_NOTE_SIZE_MAX, &old, &options.old_len);

		if (err)
			return tool_fail(VERIFY_UNDECIDED, command, "%s: %s", w->old_path, strerror(err));
		options.old = old;
	}
	if (store) {
		catch_damage();
		verify_store(policy, folder, &options, r);
	} else {
		verify_folder(policy, path, &options, r);
	}
	progress_end(&progress);
	free(old);
	return 0;
}
