/* A stock of memory for each simulated process, and one for the machine: blocks of few sizes, pages used again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/sim/os.h"

#define ALIGNMENT   16
#define STOCK_SHIFT 33 /* 8 GiB of addresses each; pages that are not touched cost nothing. */
#define STOCKS      OS_PROCESSES_MAX
#define PAGE        4096
#define AHEAD       ((size_t)256 << 10)
#define TABLE_MIN   ((size_t)512 << 10)
#define SMALL_MAX   1024 /* Up to here a class each 16 bytes, then 16 classes for each doubling. */
#define CLASSES     (SMALL_MAX / ALIGNMENT + 16 * STOCK_SHIFT)

/* Before each block. */
struct head {
	uint32_t class;
	uint32_t skipped;  /* Bytes between the block that was carved and this head, for the sake of an alignment. */
	struct head *next; /* While it is free. */
};

static_assert(sizeof(struct head) == ALIGNMENT, "what is behind a head is aligned");

struct stock {
	uint8_t *at, *end;
	uint8_t *touched; /* Behind it is nothing but zeros, */
	uint8_t *there;   /* and from here on no page. */
	/* Tables, asked for as zeros and hardly filled: their pages go back to the kernel at the process's end. */
	uint8_t *tables, *tables_at, *tables_end;
	struct head *free[CLASSES];
};

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **ret, size_t alignment, size_t size);

static uint8_t *base;
static struct stock stocks[STOCKS]; /* 0: of the machine. */

/* --- sizes --- */

static uint32_t class_of(size_t size)
{
	unsigned k;

	if (size <= SMALL_MAX)
		return (uint32_t)((size + ALIGNMENT - 1) / ALIGNMENT);
	k = 63 - (unsigned)__builtin_clzll(size - 1);
	return SMALL_MAX / ALIGNMENT + 1 + (k - 10) * 16 + (uint32_t)((size - 1) >> (k - 4) & 15);
}

static size_t class_size(uint32_t class)
{
	unsigned k;

	if (class <= SMALL_MAX / ALIGNMENT)
		return (size_t) class * ALIGNMENT;
	class -= SMALL_MAX / ALIGNMENT + 1;
	k = 10 + class / 16;
	return ((size_t)1 << k) + ((size_t)(class % 16 + 1) << (k - 4));
}

/* --- blocks --- */

static void begin(void)
{
	size_t all = (size_t)STOCKS << STOCK_SHIFT, huge = (size_t)2 << 20;
	/* cppcheck-suppress invalidFunctionArg ; no file */
	uint8_t *p = mmap(NULL, all + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert(p != MAP_FAILED);
	base = p + (huge - (uintptr_t)p % huge) % huge;
	for (unsigned i = 0; i < STOCKS; i++) {
		struct stock *s = &stocks[i];
		s->at = s->touched = s->there = base + ((size_t)i << STOCK_SHIFT);
		s->end = s->tables = s->tables_at = s->at + ((size_t)1 << (STOCK_SHIFT - 1));
		s->tables_end = s->at + ((size_t)1 << STOCK_SHIFT);
	}
}

static struct stock *stock_of_running(void)
{
	const struct process *p = os_process();

	if (!base)
		begin();
	return &stocks[p ? p->id : 0];
}

/* The stock that it is from; NULL: from a library's own heap. */
static struct stock *stock_of(const void *p)
{
	size_t at = (size_t)((uintptr_t)p - (uintptr_t)base);

	return base && at < (size_t)STOCKS << STOCK_SHIFT ? &stocks[at >> STOCK_SHIFT] : NULL;
}

static struct head *head_of(void *p)
{
	return (struct head *)p - 1;
}

/* Pages that will be needed soon, all at once: the kernel is asked less often. A large buffer is hardly ever filled. */
static void touch_ahead(struct stock *s, uint8_t *end)
{
	if (end <= s->there)
		return;
	if (end > s->there + AHEAD) {
		s->there = end + (PAGE - (uintptr_t)end % PAGE) % PAGE;
		return;
	}
	madvise(s->there, AHEAD, MADV_POPULATE_WRITE); /* Where that is not known, it is only slower. */
	s->there += AHEAD;
}

/* *ret_zeros: so many bytes of its end are known to be zeros. */
static void *take(struct stock *s, size_t size, size_t *ret_zeros)
{
	uint32_t class = class_of(size);
	struct head *h = s->free[class];
	uint8_t *end;

	*ret_zeros = 0;
	if (h) {
		s->free[class] = h->next;
		return h + 1;
	}
	assert(size < (size_t)(s->end - s->at) - sizeof *h);
	h = (struct head *)s->at;
	s->at = end = (uint8_t *)(h + 1) + class_size(class);
	assert(end <= s->end);
	if (end > s->touched) {
		*ret_zeros = (size_t)(end - s->touched);
		s->touched = end;
		touch_ahead(s, end);
	}
	*h = (struct head){.class = class};
	return h + 1;
}

static void *take_table(struct stock *s, size_t size)
{
	uint32_t class = class_of(size);
	struct head *h = (struct head *)s->tables_at;

	assert(class_size(class) < (size_t)(s->tables_end - s->tables_at) - sizeof *h);
	s->tables_at = (uint8_t *)(h + 1) + class_size(class);
	*h = (struct head){.class = class};
	return h + 1;
}

static void *take_zeros(struct stock *s, size_t n, size_t size)
{
	size_t len, zeros, block;
	void *p;

	if (__builtin_mul_overflow(n, size, &len))
		return NULL;
	if (len >= TABLE_MIN && !s->free[class_of(len)])
		return take_table(s, len);
	p = take(s, len, &zeros);
	block = class_size(head_of(p)->class);
	if (zeros < block)
		memset(p, 0, len < block - zeros ? len : block - zeros);
	return p;
}

static void give(struct stock *s, void *p)
{
	struct head *h = head_of(p), *first = (struct head *)((uint8_t *)h - h->skipped);

	*first = (struct head){.class = h->class, .next = s->free[h->class]};
	s->free[h->class] = first;
}

/* p is of the stock, or NULL. */
static void *take_more(struct stock *s, void *p, size_t size)
{
	size_t zeros, room = p ? class_size(head_of(p)->class) - head_of(p)->skipped : 0;
	void *more;

	if (p && size <= room)
		return p;
	more = take(s, size, &zeros);
	if (p) {
		memcpy(more, p, room);
		give(s, p);
	}
	return more;
}

/* --- what the linker turns here --- */

void *__wrap_malloc(size_t size)
{
	size_t zeros;

	return MEMORY_CHECKED ? __real_malloc(size) : take(stock_of_running(), size, &zeros);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return MEMORY_CHECKED ? __real_calloc(n, size) : take_zeros(stock_of_running(), n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	if (p && !stock_of(p))
		return __real_realloc(p, size);
	return MEMORY_CHECKED ? __real_realloc(p, size) : take_more(p ? stock_of(p) : stock_of_running(), p, size);
}

void __wrap_free(void *p)
{
	struct stock *s = stock_of(p);

	if (s)
		give(s, p);
	else
		__real_free(p);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	uint8_t *p, *at;
	struct head *h;

	if (MEMORY_CHECKED)
		return __real_aligned_alloc(alignment, size);
	at = p = __wrap_malloc(size + alignment);
	at += (alignment - (uintptr_t)p % alignment) % alignment;
	h = head_of(at);
	*h = (struct head){.class = head_of(p)->class, .skipped = (uint32_t)(at - p)};
	return at;
}

int __wrap_posix_memalign(void **ret, size_t alignment, size_t size)
{
	*ret = __wrap_aligned_alloc(alignment, size);
	return *ret ? 0 : ENOMEM;
}

/* --- of the machine --- */

void *memory_lasting(size_t size)
{
	size_t zeros;
	void *p;

	if (!base)
		begin();
	p = MEMORY_CHECKED ? __real_malloc(size ? size : 1) : take(&stocks[0], size, &zeros);
	assert(p);
	return p;
}

void *memory_lasting_zeros(size_t n, size_t size)
{
	void *p;

	if (!base)
		begin();
	p = MEMORY_CHECKED ? __real_calloc(n, size) : take_zeros(&stocks[0], n, size);
	assert(p);
	return p;
}

void *memory_lasting_grow(void *p, size_t size)
{
	if (!base)
		begin();
	p = MEMORY_CHECKED ? __real_realloc(p, size) : take_more(&stocks[0], p, size);
	assert(p);
	return p;
}

void memory_process_ended(const struct process *p)
{
	struct stock *s = &stocks[p->id];

	if (!base)
		return;
	s->at = base + ((size_t)p->id << STOCK_SHIFT);
	madvise(s->tables, (size_t)(s->tables_at - s->tables), MADV_DONTNEED);
	s->tables_at = s->tables;
	memset(s->free, 0, sizeof s->free);
}
