/* libraft's encoding of a configuration, which raft.h does not export: in RAFT_CHANGE entries and in our snapshots. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DISK_CONFIGURATION_H
#define NODE_DISK_CONFIGURATION_H

#include <raft.h>
#include <stddef.h>

/* Adds the servers encoded in bytes to *ret, which raft_configuration_init has made. RAFT_MALFORMED, RAFT_NOMEM, … */
int configuration_decode(const void *bytes, size_t len, struct raft_configuration *ret);
/* Bytes that configuration_encode fills: a multiple of 8. */
size_t configuration_size(const struct raft_configuration *c);
void configuration_encode(const struct raft_configuration *c, void *buf);

#endif
