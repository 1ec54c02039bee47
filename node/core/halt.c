/* The ways in which the process ends by itself: a crash that a restart mends, and a halt for an operator. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "node/core/core_internal.h"
#include "node/log.h"

#define PATH_MAX_HERE 4200
#define HALTED_FILE   "HALTED"
#define REMOVED_FILE  "REMOVED"

void core_fatal(void *ctx, const char *why)
{
	(void)ctx;
	log_error("stopping at once: %s", why);
	_exit(EXIT_CRASH);
}

_Noreturn void core_halt(const char *data_path, const char *why)
{
	char path[PATH_MAX_HERE];
	int fd;

	log_error("HALTED: this node serves no more until an operator has acted: %s", why);
	snprintf(path, sizeof path, "%s/" HALTED_FILE, data_path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, why, strlen(why)) < 0 || fsync(fd))
		log_error("the reason could not be written to %s: %s", path, strerror(errno));
	_exit(EXIT_HALTED);
}

const char *core_halted(const char *data_path, char *buf, size_t cap)
{
	char path[PATH_MAX_HERE];
	ssize_t len;
	int fd;

	snprintf(path, sizeof path, "%s/" HALTED_FILE, data_path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	len = read(fd, buf, cap - 1);
	buf[len > 0 ? len : 0] = 0;
	close(fd);
	return buf;
}

void core_write_removed(const char *data_path)
{
	char path[PATH_MAX_HERE];
	int fd;

	log_warning("REMOVED: this node is no member of the cluster any more: it stops, and stays stopped");
	snprintf(path, sizeof path, "%s/" REMOVED_FILE, data_path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fsync(fd))
		log_error("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

bool core_was_removed(const char *data_path)
{
	char path[PATH_MAX_HERE];

	snprintf(path, sizeof path, "%s/" REMOVED_FILE, data_path);
	return access(path, F_OK) == 0;
}
