/* Which trust policy a command means. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_TRUSTPATH_H
#define CLIENT_TOOL_TRUSTPATH_H

#include "client/tool/files.h"

/* trust, or else the one that the cluster file (NULL: $COUNTERSIGN_CLUSTER) names. Prints why not; 0 or the exit code.
 */
int trust_path(const char *command, const char *trust, const char *cluster, char ret[FILES_PATH_SIZE]);
int trustupdate_run(int argc, char **argv);

#endif
