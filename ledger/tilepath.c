/* Names of tiles and entry bundles in a folder (C2SP tlog-tiles), for those who write them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/tilepath.h"

#include <stdio.h>

#include "ledger/tree.h"

#define GROUPS_MAX 7 /* Of three digits: 2^64 has 20. */

void tilepath(unsigned level, uint64_t n, unsigned width, char ret[TILEPATH_SIZE])
{
	unsigned group[GROUPS_MAX], groups = 0;
	int len;

	do {
		group[groups++] = (unsigned)(n % 1000);
		n /= 1000;
	} while (n > 0);
	if (level == TILEPATH_ENTRIES)
		len = snprintf(ret, TILEPATH_SIZE, "tile/entries");
	else
		len = snprintf(ret, TILEPATH_SIZE, "tile/%u", level);
	while (groups-- > 0)
		len += snprintf(ret + len, TILEPATH_SIZE - (size_t)len, "/%s%03u", groups > 0 ? "x" : "",
		                group[groups]);
	if (width < TREE_TILE_WIDTH)
		snprintf(ret + len, TILEPATH_SIZE - (size_t)len, ".p/%u", width);
}
