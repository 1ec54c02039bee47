/* Makes and removes temporary folders. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#define REMOVE_FDS 16 /* Folders open at once while removing: more than ours are deep. */

bool folder_join(char ret[FOLDER_PATH_SIZE], const char *folder, const char *name)
{
	return snprintf(ret, FOLDER_PATH_SIZE, "%s/%s", folder, name) < FOLDER_PATH_SIZE;
}

int folder_make(const char *parent, char ret[FOLDER_PATH_SIZE])
{
	if (!folder_join(ret, parent, "countersign-bench-XXXXXX"))
		return ENAMETOOLONG;
	return mkdtemp(ret) ? 0 : errno;
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
	(void)s;
	(void)type;
	(void)at;
	return remove(path);
}

void folder_remove(const char *path)
{
	nftw(path, remove_one, REMOVE_FDS, FTW_DEPTH | FTW_PHYS);
}
