/* Bundles of sealed bodies in a backup, one beside each bundle of entries. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BACKUP_BODIES_H
#define CLIENT_TOOL_BACKUP_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/tool/backup/keys.h"
#include "ledger/tilepath.h"
#include "ledger/tree.h"

/*
 * bodies/<n>.<generation>, and .p/<width>.<generation>, else as bundles of entries are named: a bundle that changes,
 * for something in it was erased, gets a new name. For each entry one byte: 'e' the body was erased, 'n' there are no
 * private fields, 's' sealed, and then the piece (seal.h), the context's number being the entry's index.
 */
#define BODIES_PURPOSE "countersign/backup-body/v1"
void bodies_path(uint64_t n, unsigned width, uint64_t generation, char ret[TILEPATH_SIZE]);

/* The same backwards; false: it is none of these. */
bool bodies_parse(const char *path, uint64_t *ret_n, unsigned *ret_width, uint64_t *ret_generation);

struct bodies;
struct bodies *bodies_new(const char *origin, struct backupkeys *keys); /* NULL: out of memory. 17 MiB. */
void bodies_free(struct bodies *b);
void bodies_clear(struct bodies *b);
/* The next entry's: body NULL: erased. 0, CS_ERR_NOMEM. */
int bodies_add(struct bodies *b, uint64_t index, const void *body, size_t len);
const void *bodies_bytes(const struct bodies *b, size_t *ret_len);

enum bodies_got { BODIES_BODY, BODIES_NONE, BODIES_ERASED, BODIES_KEY_GONE, BODIES_BAD };
/* The next entry's out of a bundle: *p is moved behind it. ret: LIMIT_BODY_SIZE_MAX bytes. */
enum bodies_got bodies_next(const uint8_t **p, const uint8_t *end, const struct backupkeys *keys, const char *origin,
                            uint64_t index, uint8_t *ret, size_t *ret_len);
/* Passes over the next entry's; of a sealed one ret_id is its key's. BODIES_BODY, BODIES_NONE, BODIES_ERASED,
 * BODIES_BAD. */
enum bodies_got bodies_skip(const uint8_t **p, const uint8_t *end, const uint8_t **ret_id);

/* Which files of a backup's list are bundles of bodies. Zeroed at first. */
struct bodiesmap {
	uint64_t *generations; /* By number of the bundle; 0: not in the list. */
	uint64_t n;
	unsigned width; /* Of the last one: 256, or fewer. */
};
/* size: entries of the backup. 0, errno's number, or -1: a path in it is none of ours. */
int bodiesmap_load(struct bodiesmap *m, int dir, const char *list, uint64_t size);
void bodiesmap_free(struct bodiesmap *m);
uint64_t bodiesmap_generation(const struct bodiesmap *m, uint64_t n); /* 0: none. */

#define BODIES_BUNDLE_MAX ((size_t)TREE_TILE_WIDTH * (1 + 60 + 65535))

#endif
