/* Simulated disks: paths, what a power cut leaves, bits that flip, copies that are put back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/drive.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/inode.h"
#include "tests/sim/os.h"

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
		n = names_find(&i->names, part);
		if (!n || !n->inode->folder)
			return NULL;
		i = n->inode;
		path = end + 1;
	}
}

/* "a/b/..": what comes before its last name. */
static bool goes_up(const char *path, char ret[DISK_NAME_MAX])
{
	size_t len = strlen(path);

	if (len < 3 || strcmp(path + len - 3, "/..") != 0)
		return false;
	for (len -= 3; len > 0 && path[len - 1] != '/'; len--)
		;
	assert(len < DISK_NAME_MAX);
	memcpy(ret, path, len);
	ret[len > 0 ? len - 1 : 0] = 0;
	return true;
}

struct inode *drive_find(struct drive *d, struct inode *at, const char *path)
{
	char up[DISK_NAME_MAX];
	const char *name;
	struct inode *folder;
	const struct name *n;

	if (goes_up(path, up))
		path = up;
	folder = drive_folder(d, at, path, &name);
	if (!*path || strcmp(path, ".") == 0)
		return at ? at : d->root;
	n = folder ? names_find(&folder->names, name) : NULL;
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
		names_apply(&folder->names_on_disk, &folder->changes[k]);
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

/* As one run of bytes: what is looked for may lie across pages. */
static bool file_holds(const struct inode *i, const char *bytes)
{
	uint8_t *all = malloc(i->n_pages * DISK_PAGE + 1);
	bool found = false;

	assert(all);
	for (unsigned cached = 0; cached < 2 && !found; cached++) {
		for (size_t n = 0; n < i->n_pages; n++) {
			const struct page *p = &i->pages[n];
			const uint8_t *from = !cached && p->on_disk ? p->on_disk : p->now;
			if (from)
				memcpy(all + n * DISK_PAGE, from, DISK_PAGE);
			else
				memset(all + n * DISK_PAGE, 0, DISK_PAGE);
		}
		found = memmem(all, i->n_pages * DISK_PAGE, bytes, strlen(bytes));
	}
	free(all);
	return found;
}

static bool folder_holds(const struct inode *folder, const char *bytes, char ret_text[64])
{
	for (unsigned n = 0; n < folder->names.n; n++) {
		const struct name *x = &folder->names.of[n];
		if (x->inode->folder ? folder_holds(x->inode, bytes, ret_text) : file_holds(x->inode, bytes)) {
			if (!x->inode->folder)
				snprintf(ret_text, 64, "the file %.50s", x->text);
			return true;
		}
	}
	return false;
}

bool drive_holds(const struct drive *d, const char *bytes, char ret_text[64])
{
	return folder_holds(d->root, bytes, ret_text);
}

static struct inode *copy_of(const struct inode *i)
{
	struct inode *c = inode_new(i->folder);

	c->size = i->size;
	c->size_on_disk = i->size_on_disk;
	c->pages = inode_grow(NULL, (i->n_pages + 1) * sizeof *c->pages);
	c->n_pages = i->n_pages;
	for (size_t n = 0; n < i->n_pages; n++) {
		c->pages[n] = (struct page){NULL, NULL, 0};
		if (i->pages[n].now)
			memcpy(inode_page_bytes(&c->pages[n]), i->pages[n].now, DISK_PAGE);
	}
	for (unsigned n = 0; n < i->names.n; n++)
		names_add(&c->names, i->names.of[n].text, copy_of(i->names.of[n].inode));
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
