/* Private fields of an entry for people and programs: canonical msgpack to text and to JSON with names. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_FIELDVIEW_H
#define CLIENT_TOOL_FIELDVIEW_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* "subject_chain": the kind's text with '_' for spaces. Static; valid until the next call. */
const char *fieldview_name(unsigned kind);
/* Any canonical value: arrays, integers, booleans, null, strings; bytes as base64. null if it is malformed. */
json_t *fieldview_value(const uint8_t *bytes, size_t len);
/* A field's value with its parts named: {"type": …, "id": …}. A value of another shape: as fieldview_value. */
json_t *fieldview_json(unsigned kind, const uint8_t *bytes, size_t len);
/* For eyes: one line, of reasons one for each; 0, or an error of the value. */
int fieldview_text(unsigned kind, const uint8_t *bytes, size_t len, char *buf, size_t cap);

#endif
