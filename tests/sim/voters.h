/* Who the members are, as the nodes have it; and that votes and commits come from a majority of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_VOTERS_H
#define TESTS_SIM_VOTERS_H

#include <stdbool.h>
#include <stdint.h>

struct roster;
struct view;

void voters_begin(void);
/* After each slice of a running node, before what was seen is brought up to date. */
void voters_look(unsigned node, struct view *v);
/* The newest that any node has applied. n 0: none yet. */
const struct roster *voters_roster(void);
bool voters_member(unsigned node);
bool voters_removed(unsigned node);
/* All voters whose disks are sound have whatever this one has promised. */
bool voters_hold_all_of(unsigned node);
/* This removed node is not up yet, or knows enough of the present members to believe them. */
bool voters_can_tell(unsigned node);
/* A node leads whose Raft configuration is committed, and is what the newest roster says. */
bool voters_settled(void);

#endif
