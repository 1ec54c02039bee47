/* What a bundle discloses, rendered anew from the values that its entry commits to. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_BUNDLEVIEW_H
#define CLIENT_TOOL_BUNDLEVIEW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * For bundles that the verifier did not refute. The text beside each value is for eyes, and the verifier does not look
 * at it (FORMAT.md, Bundle): so people are shown the values, and a text that says something else is told.
 * ret_fields: object of fields by name, as fieldview_json (a new reference). ret_bad_text: the first field whose text
 * is not its value's, or "". False: not such a bundle, or out of memory.
 */
#define BUNDLEVIEW_NAME_SIZE 32
bool bundleview_read(const char *json, size_t size, json_t **ret_fields, char ret_bad_text[BUNDLEVIEW_NAME_SIZE]);
/* Prints index, kind, time, verdict and fields of the entry in it. */
void bundleview_print(const char *json, size_t size);

#endif
