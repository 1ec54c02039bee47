/* What the files of the scripted cluster share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SCRIPT_DISK_H
#define TESTS_SCRIPT_DISK_H

#include "tests/script_io.h"

void *script_must(void *p); /* Aborts at NULL. */
struct raft_buffer script_buffer_copy(const struct raft_buffer *from);
void script_configuration_copy(const struct raft_configuration *from, struct raft_configuration *to);
void script_configuration_fill(unsigned n, struct raft_configuration *ret); /* Voters 1 to n. */
void script_encode(unsigned n, struct raft_buffer *ret);                    /* The same, as an entry. */
/* In one batch, as raft_io's recv wants them; NULL if n is 0. */
struct raft_entry *script_entries_copy(const struct raft_entry *from, size_t n);
void script_disk_cut(struct script_disk *d, raft_index index); /* From index on. */
void script_disk_push(struct script_disk *d, raft_term term, unsigned short type, const struct raft_buffer *buf);
void script_disk_snapshot_free(struct script_disk *d);
void script_disk_io_fill(struct script_server *v);
void script_ops_due(struct script_server *v); /* Completes what is due now. */

#endif
