/* One synced write at a time, off the loop: by the kernel where it can, else by a thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DISK_FLUSH_H
#define NODE_DISK_FLUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct flush;

/*
 * done runs on the loop when a write has ended: err is 0, CS_ERR_IO or CS_ERR_DISK_FULL. CS_ERR_NOMEM, CS_ERR_IO.
 */
int flush_open(uv_loop_t *loop, void (*done)(void *ctx, int err), void *ctx, struct flush **ret);
/*
 * Writes len bytes at the offset, durably when done is called: fd is open with O_DSYNC. Only one write at a time. buf
 * stays the caller's, untouched until then. direct: fd is open with O_DIRECT too (segment_open).
 */
void flush_start(struct flush *f, int fd, const void *buf, size_t len, uint64_t offset, bool direct);
/* No write may be under way. closed runs when all handles are closed, and f is gone. */
void flush_close(struct flush *f, void (*closed)(void *ctx), void *ctx);

#endif
