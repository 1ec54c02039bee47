/* libraft's memory: a node that runs out of it ends in words. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/core/heap.h"

#include <raft.h>
#include <stdlib.h>

#include "node/core/core_internal.h"

static void *must(void *p, size_t size)
{
	if (p == NULL && size > 0)
		core_fatal(NULL, "out of memory");
	return p;
}

/*
 * The entry of a barrier, our no-op, has eight bytes that libraft 0.15 never sets: whatever the heap held there would
 * be sent to all members and kept in their logs. So its memory comes as zeros.
 */
static void *heap_malloc(void *data, size_t size)
{
	(void)data;
	return must(calloc(1, size), size);
}

static void heap_free(void *data, void *p)
{
	(void)data;
	free(p);
}

static void *heap_calloc(void *data, size_t n, size_t size)
{
	(void)data;
	return must(calloc(n, size), n * size);
}

static void *heap_realloc(void *data, void *p, size_t size)
{
	(void)data;
	return must(realloc(p, size), size);
}

static void *heap_aligned_alloc(void *data, size_t alignment, size_t size)
{
	(void)data;
	return must(aligned_alloc(alignment, size), size);
}

static void heap_aligned_free(void *data, size_t alignment, void *p)
{
	(void)data, (void)alignment;
	free(p);
}

void heap_install(void)
{
	static struct raft_heap heap = {.malloc = heap_malloc,
	                                .free = heap_free,
	                                .calloc = heap_calloc,
	                                .realloc = heap_realloc,
	                                .aligned_alloc = heap_aligned_alloc,
	                                .aligned_free = heap_aligned_free};

	raft_heap_set(&heap);
}
