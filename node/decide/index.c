/* A hash index of slots: open addressing, removal by moving back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/index.h"

#include <assert.h>
#include <stdlib.h>

#include "ledger/errors.h"

int index_new(struct index *ret, uint32_t slots_max)
{
	uint64_t cells = 4;

	while (cells < 2 * (uint64_t)slots_max)
		cells *= 2;
	ret->cells = calloc(cells, sizeof(ret->cells[0]));
	if (ret->cells == NULL)
		return CS_ERR_NOMEM;
	ret->mask = (uint32_t)(cells - 1);
	return 0;
}

void index_free(struct index *x)
{
	free(x->cells);
	x->cells = NULL;
}

int64_t index_find(const struct index *x, uint32_t hash, bool (*same)(const void *ctx, uint32_t slot, const void *key),
                   const void *ctx, const void *key)
{
	for (uint32_t i = hash & x->mask; x->cells[i].slot != 0; i = (i + 1) & x->mask)
		if (x->cells[i].hash == hash && same(ctx, x->cells[i].slot - 1, key))
			return x->cells[i].slot - 1;
	return -1;
}

void index_add(struct index *x, uint32_t hash, uint32_t slot)
{
	uint32_t i = hash & x->mask;

	while (x->cells[i].slot != 0)
		i = (i + 1) & x->mask;
	x->cells[i].hash = hash;
	x->cells[i].slot = slot + 1;
}

void index_remove(struct index *x, uint32_t hash, uint32_t slot)
{
	uint32_t hole = hash & x->mask;

	while (x->cells[hole].slot != slot + 1) {
		assert(x->cells[hole].slot != 0);
		hole = (hole + 1) & x->mask;
	}
	/* Whoever comes after the hole and could have stood in it moves back, so that no search stops short. */
	for (uint32_t i = (hole + 1) & x->mask; x->cells[i].slot != 0; i = (i + 1) & x->mask) {
		uint32_t home = x->cells[i].hash & x->mask;
		if (((i - home) & x->mask) >= ((i - hole) & x->mask)) {
			x->cells[hole] = x->cells[i];
			hole = i;
		}
	}
	x->cells[hole].slot = 0;
}
