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

/* The file's name is on the disk only when its folder is. */
static int sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rv = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return rv;
}

_Noreturn void core_halt(const char *data_path, const char *why)
{
	char path[PATH_MAX_HERE];
	int fd;

	log_error("HALTED: this node serves no more until an operator has acted: %s", why);
	snprintf(path, sizeof path, "%s/" HALTED_FILE, data_path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, why, strlen(why)) < 0 || fsync(fd) || sync_folder(data_path))
		log_error("the reason could not be written to %s: %s", path, strerror(errno));
	_exit(EXIT_HALTED);
}

_Noreturn void core_outdated(const char *why)
{
	log_error("OUTDATED: %s: this node, of build " PACKAGE_VERSION
	          ", carried out nothing of it and stops; install the build that the other nodes run and start it",
	          why);
	_exit(EXIT_HALTED);
}

int core_halted(const char *data_path, char *buf, size_t cap)
{
	char path[PATH_MAX_HERE];
	ssize_t len;
	int fd;

	snprintf(path, sizeof path, "%s/" HALTED_FILE, data_path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	/* There is one, or nobody can tell: then a node must not serve, either. */
	len = fd < 0 ? -1 : read(fd, buf, cap - 1);
	if (len < 0)
		snprintf(buf, cap, "%.200s: %s", path, strerror(errno));
	else
		buf[len] = 0;
	if (fd >= 0)
		close(fd);
	return len < 0 ? CS_ERR_IO : CS_ERR_DIVERGED;
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
