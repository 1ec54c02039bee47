/* countersign people and group: what their commands share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_PEOPLE_H
#define CLIENT_TOOL_PEOPLE_H

int peopleimport_run(int argc, char **argv);
int peoplelist_run(int argc, char **argv);
int peopleshow_run(int argc, char **argv);
int grouplist_run(int argc, char **argv);

#endif
