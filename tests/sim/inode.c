/* Simulated files and folders: what is in the cache, what is on the disk, changes that are not synced. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/inode.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/memory.h"
#include "tests/sim/os.h"

void *inode_grow(void *p, size_t size)
{
	return memory_lasting_grow(p, size);
}

struct inode *inode_new(bool folder)
{
	struct inode *i = memory_lasting_zeros(1, sizeof *i);

	i->folder = folder;
	return i;
}

bool inode_is_folder(const struct inode *i)
{
	return i->folder;
}

uint64_t inode_size(const struct inode *i)
{
	return i->size;
}

/* --- contents --- */

static struct page *page_at(struct inode *i, uint64_t at)
{
	size_t n = (size_t)(at / DISK_PAGE);

	if (n >= i->n_pages) {
		i->pages = inode_grow(i->pages, (n + 1) * sizeof *i->pages);
		memset(i->pages + i->n_pages, 0, (n + 1 - i->n_pages) * sizeof *i->pages);
		i->n_pages = n + 1;
	}
	return &i->pages[n];
}

uint8_t *inode_page_bytes(struct page *p)
{
	if (!p->now)
		p->now = memory_lasting_zeros(1, DISK_PAGE);
	return p->now;
}

void inode_read(const struct inode *i, void *buf, size_t len, uint64_t at)
{
	uint8_t *out = buf;

	while (len > 0) {
		size_t n = (size_t)(at / DISK_PAGE), offset = (size_t)(at % DISK_PAGE);
		size_t part = len < DISK_PAGE - offset ? len : DISK_PAGE - offset;
		if (n < i->n_pages && i->pages[n].now)
			memcpy(out, i->pages[n].now + offset, part);
		else
			memset(out, 0, part);
		out += part;
		at += part;
		len -= part;
	}
}

/* Writes within one page. */
static void page_write(struct page *p, size_t offset, const uint8_t *buf, size_t len)
{
	uint8_t *now = inode_page_bytes(p);

	if (!p->on_disk) {
		p->on_disk = memory_lasting(DISK_PAGE);
		memcpy(p->on_disk, now, DISK_PAGE);
	}
	memcpy(now + offset, buf, len);
	for (size_t s = offset / DISK_SECTOR; s <= (offset + len - 1) / DISK_SECTOR; s++)
		p->dirty |= (uint8_t)(1u << s);
}

void inode_write(struct inode *i, const void *buf, size_t len, uint64_t at)
{
	const uint8_t *in = buf;

	while (len > 0) {
		size_t offset = (size_t)(at % DISK_PAGE);
		size_t part = len < DISK_PAGE - offset ? len : DISK_PAGE - offset;
		page_write(page_at(i, at), offset, in, part);
		in += part;
		at += part;
		len -= part;
	}
	if (at > i->size)
		i->size = at;
}

void inode_write_torn(struct inode *i, const uint8_t *buf, size_t len, uint64_t at)
{
	while (len > 0) {
		size_t part = DISK_SECTOR - (size_t)(at % DISK_SECTOR);
		if (part > len)
			part = len;
		if (os_chance(500000))
			inode_write(i, buf, part, at);
		buf += part;
		at += part;
		len -= part;
	}
}

void inode_resize(struct inode *i, uint64_t size)
{
	static const uint8_t zeros[DISK_PAGE];

	for (uint64_t at = size; at < i->size;) { /* What is cut off is gone, also if the file grows again. */
		uint64_t end = (at / DISK_PAGE + 1) * DISK_PAGE;
		if (end > i->size)
			end = i->size;
		if (at / DISK_PAGE < i->n_pages && i->pages[at / DISK_PAGE].now)
			page_write(&i->pages[at / DISK_PAGE], (size_t)(at % DISK_PAGE), zeros, (size_t)(end - at));
		at = end;
	}
	i->size = size;
}

static void page_clean(struct page *p, uint8_t sectors)
{
	if (!p->on_disk)
		return;
	for (unsigned s = 0; s < DISK_PAGE / DISK_SECTOR; s++)
		if (p->dirty & sectors & (1u << s))
			memcpy(p->on_disk + s * DISK_SECTOR, p->now + s * DISK_SECTOR, DISK_SECTOR);
	p->dirty &= (uint8_t)~sectors;
	if (p->dirty)
		return;
	free(p->on_disk);
	p->on_disk = NULL;
}

void inode_synced_range(struct inode *i, uint64_t from, uint64_t to)
{
	for (uint64_t at = from / DISK_SECTOR * DISK_SECTOR; at < to; at += DISK_SECTOR)
		if (at / DISK_PAGE < i->n_pages)
			page_clean(&i->pages[at / DISK_PAGE], (uint8_t)(1u << (at % DISK_PAGE / DISK_SECTOR)));
	i->size_on_disk = i->size;
}

/* --- folders --- */

struct name *names_find(const struct names *n, const char *text)
{
	for (unsigned k = 0; k < n->n; k++)
		if (strcmp(n->of[k].text, text) == 0)
			return &n->of[k];
	return NULL;
}

static void name_remove(struct names *n, const char *text)
{
	struct name *x = names_find(n, text);

	if (x)
		memmove(x, x + 1, (size_t)(n->of + --n->n - x) * sizeof *x);
}

void names_add(struct names *n, const char *text, struct inode *i)
{
	name_remove(n, text);
	n->of = inode_grow(n->of, (n->n + 1) * sizeof *n->of);
	n->of[n->n] = (struct name){.inode = i};
	assert(strlen(text) < DISK_NAME_MAX && n->n < NAMES_MAX);
	strcpy(n->of[n->n++].text, text);
}

static void names_exchange(struct names *n, const char *one, const char *other)
{
	struct name *a = names_find(n, one), *b = names_find(n, other);
	struct inode *i = a->inode;

	a->inode = b->inode;
	b->inode = i;
}

void names_apply(struct names *n, const struct change *c)
{
	if (c->exchange) {
		names_exchange(n, c->from, c->to);
		return;
	}
	if (*c->from)
		name_remove(n, c->from);
	if (*c->to)
		names_add(n, c->to, c->inode);
}

static void change(struct inode *folder, const char *from, const char *to, struct inode *i, bool exchange)
{
	struct change *c;

	folder->changes = inode_grow(folder->changes, (folder->n_changes + 1) * sizeof *folder->changes);
	c = &folder->changes[folder->n_changes++];
	*c = (struct change){.inode = i, .exchange = exchange};
	assert(strlen(from) < DISK_NAME_MAX && strlen(to) < DISK_NAME_MAX);
	strcpy(c->from, from);
	strcpy(c->to, to);
	names_apply(&folder->names, c);
}

void inode_link(struct inode *folder, const char *name, struct inode *i)
{
	change(folder, "", name, i, false);
}

int inode_unlink(struct inode *folder, const char *name)
{
	if (!names_find(&folder->names, name))
		return ENOENT;
	change(folder, name, "", NULL, false);
	return 0;
}

/* Across folders it is two changes, of which a power cut may keep either: the node does not do that. */
int inode_rename(struct inode *from, const char *name, struct inode *to, const char *new_name)
{
	const struct name *n = names_find(&from->names, name);
	struct inode *i;

	if (!n)
		return ENOENT;
	i = n->inode;
	if (from == to) {
		change(from, name, new_name, i, false);
	} else {
		change(to, "", new_name, i, false);
		change(from, name, "", NULL, false);
	}
	return 0;
}

int inode_exchange(struct inode *folder, const char *one, const char *other)
{
	if (!names_find(&folder->names, one) || !names_find(&folder->names, other))
		return ENOENT;
	change(folder, one, other, NULL, true);
	return 0;
}

struct env **inode_env(struct inode *folder)
{
	return &folder->env;
}

const char *inode_name(const struct inode *folder, unsigned n)
{
	return n < folder->names.n ? folder->names.of[n].text : NULL;
}

void names_copy(struct names *to, const struct names *from)
{
	to->of = inode_grow(to->of, (from->n + 1) * sizeof *to->of);
	to->n = from->n;
	if (from->n)
		memcpy(to->of, from->of, from->n * sizeof *to->of);
}

void inode_synced(struct inode *i)
{
	if (!i->folder) {
		for (size_t n = 0; n < i->n_pages; n++)
			page_clean(&i->pages[n], 0xff);
		i->size_on_disk = i->size;
		return;
	}
	names_copy(&i->names_on_disk, &i->names);
	i->n_changes = 0;
}

void *inode_lock(struct inode *i, void *owner)
{
	if (!i->locked_by)
		i->locked_by = owner;
	return i->locked_by;
}

void inode_unlock(struct inode *i, const void *owner)
{
	if (i->locked_by == owner)
		i->locked_by = NULL;
}
