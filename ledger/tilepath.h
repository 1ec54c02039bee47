/* Names of tiles and entry bundles in a folder (C2SP tlog-tiles), for those who write them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_TILEPATH_H
#define LEDGER_TILEPATH_H

#include <stdint.h>

#define TILEPATH_SIZE    96
#define TILEPATH_ENTRIES 255 /* In place of a level. */

/* tile/<level or entries>/<n>, and .p/<width> where width is below TREE_TILE_WIDTH. */
void tilepath(unsigned level, uint64_t n, unsigned width, char ret[TILEPATH_SIZE]);

#endif
