/* The elements of a JSON array one by one, however long the array is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_JSONLIST_H
#define CLIENT_TOOL_IMPORT_JSONLIST_H

#include "client/tool/import/input.h"

/* Takes the '[' of an array and the space before it; false: there is none, and nothing was taken but space. */
bool jsonlist_begins(struct input *in);
/*
 * The bytes of the next element, without looking whether they are JSON; good until the next call. INPUT_LONG: one of
 * more than INPUT_LINE_SIZE_MAX bytes ends the list, for its end is not known. INPUT_END: the ']', or the input's end.
 */
enum input_got jsonlist_next(struct input *in, const char **ret, size_t *ret_len);

#endif
