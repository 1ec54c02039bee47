/* Ends that the ledger's file brings when a page cannot be read or leads astray: words, a mark. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_UNREADABLE_H
#define NODE_UNREADABLE_H

/*
 * LMDB reads through a mapping: an error of the disk there is no failed call but a SIGBUS (mmap(2)), anywhere. From now
 * on it is written to stderr, with the file's name, and ends the process with EXIT_CRASH. And LMDB believes what it
 * reads: SIGSEGV and SIGABRT end the process as ever, but leave a mark, by which the next start looks at every page
 * (node/salvage.h) instead of meeting the same again. Once, before threads start.
 */
void unreadable_init(const char *data_path);

#endif
