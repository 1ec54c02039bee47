/* Simulated files: pages with what is in the cache and what is on the disk, folders with their unsynced changes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/drive.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/os.h"

#define NAMES_MAX (DISK_PAGE / 16) /* Of one folder, and of its unsynced changes. */

/* NULL pages are zeros. on_disk: what the disk holds of a dirty page; NULL: all is clean. */
struct page {
	uint8_t *now, *on_disk;
	uint8_t dirty; /* A bit each sector. */
};

struct name {
	char text[DISK_NAME_MAX];
	struct inode *inode;
};

/* Names in order of their making. */
struct names {
	struct name *of;
	unsigned n;
};

/* A change of a folder that is not synced: to's name is made for the inode, from's name is removed. */
struct change {
	char from[DISK_NAME_MAX], to[DISK_NAME_MAX];
	struct inode *inode;
};

struct inode {
	bool folder;
	uint64_t size, size_on_disk;
	struct page *pages;
	size_t n_pages;
	void *locked_by;
	struct names names, names_on_disk;
	struct change *changes;
	unsigned n_changes;
};

static void *grow(void *p, size_t size)
{
	p = realloc(p, size);
	assert(p || !size);
	return p;
}

struct inode *inode_new(bool folder)
{
	struct inode *i = calloc(1, sizeof *i);

	assert(i);
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
		i->pages = grow(i->pages, (n + 1) * sizeof *i->pages);
		memset(i->pages + i->n_pages, 0, (n + 1 - i->n_pages) * sizeof *i->pages);
		i->n_pages = n + 1;
	}
	return &i->pages[n];
}

static uint8_t *page_bytes(struct page *p)
{
	if (!p->now) {
		p->now = calloc(1, DISK_PAGE);
		assert(p->now);
	}
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
	uint8_t *now = page_bytes(p);

	if (!p->on_disk) {
		p->on_disk = malloc(DISK_PAGE);
		assert(p->on_disk);
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

static struct name *name_find(const struct names *n, const char *text)
{
	for (unsigned k = 0; k < n->n; k++)
		if (strcmp(n->of[k].text, text) == 0)
			return &n->of[k];
	return NULL;
}

static void name_remove(struct names *n, const char *text)
{
	struct name *x = name_find(n, text);

	if (x)
		memmove(x, x + 1, (size_t)(n->of + --n->n - x) * sizeof *x);
}

static void name_add(struct names *n, const char *text, struct inode *i)
{
	name_remove(n, text);
	n->of = grow(n->of, (n->n + 1) * sizeof *n->of);
	n->of[n->n] = (struct name){.inode = i};
	assert(strlen(text) < DISK_NAME_MAX && n->n < NAMES_MAX);
	strcpy(n->of[n->n++].text, text);
}

static void change_apply(struct names *n, const struct change *c)
{
	if (*c->from)
		name_remove(n, c->from);
	if (*c->to)
		name_add(n, c->to, c->inode);
}

static void change(struct inode *folder, const char *from, const char *to, struct inode *i)
{
	struct change *c;

	folder->changes = grow(folder->changes, (folder->n_changes + 1) * sizeof *folder->changes);
	c = &folder->changes[folder->n_changes++];
	*c = (struct change){.inode = i};
	assert(strlen(from) < DISK_NAME_MAX && strlen(to) < DISK_NAME_MAX);
	strcpy(c->from, from);
	strcpy(c->to, to);
	change_apply(&folder->names, c);
}

void inode_link(struct inode *folder, const char *name, struct inode *i)
{
	change(folder, "", name, i);
}

int inode_unlink(struct inode *folder, const char *name)
{
	if (!name_find(&folder->names, name))
		return ENOENT;
	change(folder, name, "", NULL);
	return 0;
}

/* Across folders it is two changes, of which a power cut may keep either: the node does not do that. */
int inode_rename(struct inode *from, const char *name, struct inode *to, const char *new_name)
{
	const struct name *n = name_find(&from->names, name);
	struct inode *i;

	if (!n)
		return ENOENT;
	i = n->inode;
	if (from == to) {
		change(from, name, new_name, i);
	} else {
		change(to, "", new_name, i);
		change(from, name, "", NULL);
	}
	return 0;
}

const char *inode_name(const struct inode *folder, unsigned n)
{
	return n < folder->names.n ? folder->names.of[n].text : NULL;
}

static void names_copy(struct names *to, const struct names *from)
{
	to->of = grow(to->of, (from->n + 1) * sizeof *to->of);
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

/* --- paths --- */

static const char *part_end(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash ? slash : path + strlen(path);
}

struct inode *drive_folder(struct drive *d, struct inode *at, const char *path, const char **ret_name)
{
	struct inode *i = at ? at : d->root;

	for (;;) {
		char part[DISK_NAME_MAX];
		const char *end = part_end(path);
		size_t len = (size_t)(end - path);
		const struct name *n;

		if (!*end || !end[1]) {
			*ret_name = path;
			return i;
		}
		assert(len < sizeof part);
		memcpy(part, path, len);
		part[len] = 0;
		n = name_find(&i->names, part);
		if (!n || !n->inode->folder)
			return NULL;
		i = n->inode;
		path = end + 1;
	}
}

struct inode *drive_find(struct drive *d, struct inode *at, const char *path)
{
	const char *name;
	struct inode *folder = drive_folder(d, at, path, &name);
	const struct name *n;

	if (!*path || strcmp(path, ".") == 0)
		return at ? at : d->root;
	n = folder ? name_find(&folder->names, name) : NULL;
	return n ? n->inode : NULL;
}

/* --- faults --- */

static void cut_file(struct drive *d, struct inode *i)
{
	bool torn = os_chance(d->faults.torn_ppm), keep = os_chance(500000);

	if (i->size != i->size_on_disk) {
		if (torn ? os_chance(500000) : keep)
			i->size_on_disk = i->size;
		i->size = i->size_on_disk;
	}
	for (size_t n = 0; n < i->n_pages; n++) {
		struct page *p = &i->pages[n];
		if (!p->on_disk)
			continue;
		for (unsigned s = 0; s < DISK_PAGE / DISK_SECTOR; s++)
			if (p->dirty & (1u << s) && !(torn ? os_chance(500000) : keep))
				memcpy(p->now + s * DISK_SECTOR, p->on_disk + s * DISK_SECTOR, DISK_SECTOR);
		p->dirty = 0;
		free(p->on_disk);
		p->on_disk = NULL;
	}
}

/* The file system writes its changes in order: some first ones are kept. */
static void cut_folder(struct drive *d, struct inode *folder)
{
	uint64_t kept = os_below(folder->n_changes + 1);

	for (uint64_t k = 0; k < kept; k++)
		change_apply(&folder->names_on_disk, &folder->changes[k]);
	folder->n_changes = 0;
	names_copy(&folder->names, &folder->names_on_disk);
	for (unsigned n = 0; n < folder->names.n; n++) {
		struct inode *i = folder->names.of[n].inode;
		if (i->folder)
			cut_folder(d, i);
		else
			cut_file(d, i);
	}
}

void drive_power_cut(struct drive *d)
{
	cut_folder(d, d->root);
	d->cut = false;
}

bool drive_flip(struct drive *d)
{
	struct inode *log = drive_find(d, NULL, "log");

	for (unsigned tries = 0; log && tries < 64; tries++) {
		const struct name *n = log->names.n ? &log->names.of[os_below(log->names.n)] : NULL;
		struct page *p;
		uint64_t at;
		if (!n || n->inode->folder || !n->inode->n_pages)
			continue;
		p = &n->inode->pages[os_below(n->inode->n_pages)];
		if (!p->now || p->on_disk)
			continue;
		at = os_below(DISK_PAGE);
		p->now[at] ^= (uint8_t)(1u << os_below(8));
		os_note(d->node, "bit flipped in %s page %zu byte %u", n->text, (size_t)(p - n->inode->pages),
		        (unsigned)at);
		return true;
	}
	return false;
}

static struct inode *copy_of(const struct inode *i)
{
	struct inode *c = inode_new(i->folder);

	c->size = i->size;
	c->size_on_disk = i->size_on_disk;
	c->pages = grow(NULL, (i->n_pages + 1) * sizeof *c->pages);
	c->n_pages = i->n_pages;
	for (size_t n = 0; n < i->n_pages; n++) {
		c->pages[n] = (struct page){NULL, NULL, 0};
		if (i->pages[n].now)
			memcpy(page_bytes(&c->pages[n]), i->pages[n].now, DISK_PAGE);
	}
	for (unsigned n = 0; n < i->names.n; n++)
		name_add(&c->names, i->names.of[n].text, copy_of(i->names.of[n].inode));
	names_copy(&c->names_on_disk, &c->names);
	c->size_on_disk = c->size;
	return c;
}

struct inode *drive_copy(const struct drive *d)
{
	return copy_of(d->root);
}

void drive_replace(struct drive *d, struct inode *copy)
{
	d->root = copy;
}

void drive_init(struct drive *d, unsigned node)
{
	*d = (struct drive){.node = node, .root = inode_new(true)};
}
