/* Temporary folders. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_FOLDER_H
#define BENCH_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#define FOLDER_PATH_SIZE 4096

/* folder/name; false: too long. */
bool folder_join(char ret[FOLDER_PATH_SIZE], const char *folder, const char *name);
/* A fresh folder in parent. 0 or errno. */
int folder_make(const char *parent, char ret[FOLDER_PATH_SIZE]);
/* With all that is in it. What cannot be removed stays. */
void folder_remove(const char *path);

#endif
