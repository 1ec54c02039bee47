/* Words for the end that a mapped page of the ledger's file brings when it cannot be read. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_UNREADABLE_H
#define NODE_UNREADABLE_H

/*
 * LMDB reads through a mapping: an error of the disk there is no failed call but a SIGBUS (mmap(2)), anywhere. From now
 * on it is written to stderr, with the file's name, and ends the process with EXIT_CRASH. Once, before threads start.
 */
void unreadable_init(const char *data_path);

#endif
