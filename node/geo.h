/* Where addresses are: local databases in MaxMind's format, read whole at the start. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_GEO_H
#define NODE_GEO_H

#include "node/decide/place.h"

#define GEO_TEXT_SIZE 512

/*
 * Databases of places (country, or city with positions) and of autonomous systems (MaxMind DB file format, version 2).
 * A file is read into memory that nobody else can change: neither a file that is cut while it is in use nor a slow disk
 * can stop the thread that asks. It is checked then, each node of its tree and up to a million of its records; what is
 * not a database, or a broken one, is refused. Files that are replaced are read at the next start.
 */
struct geo;
/* A path "" is no database; both: *ret is NULL. CS_ERR_INVALID, CS_ERR_IO, CS_ERR_NOMEM: text says which file and why.
 */
int geo_open(const char *city_path, const char *network_path, struct geo **ret, char ret_text[GEO_TEXT_SIZE]);
void geo_close(struct geo *g); /* NULL is fine. */
/* All zero for NULL. Its find may be called from any thread, and never fails: what is not known is not there. */
void geo_source(const struct geo *g, struct place_source *ret);

#endif
