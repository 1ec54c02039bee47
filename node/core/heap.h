/* libraft's memory: a node that runs out of it ends in words. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_CORE_HEAP_H
#define NODE_CORE_HEAP_H

/*
 * From now on raft_malloc and its like never return NULL: they log and end the process (status 4). libraft 0.15 frees
 * an entry twice, or leaves its log and the disk apart, when memory is short in the middle of a proposal; a node
 * without memory has to start again anyway.
 */
void heap_install(void);

#endif
