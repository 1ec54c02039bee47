/* JSON files within bounds, and bytes in JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_JSON_H
#define CLIENT_TOOL_JSON_H

#include <jansson.h>
#include <stddef.h>

/* Standard base64 as a JSON string. */
json_t *json_bytes(const void *bytes, size_t size);
/* Reads and parses a file; names of objects must be unique. Prints "path:line:column: why"; 0 or the exit code. */
int json_read(const char *command, const char *path, size_t size_max, json_t **ret);

#endif
