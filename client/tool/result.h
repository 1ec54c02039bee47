/* An answer of the cluster, for people and as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_RESULT_H
#define CLIENT_TOOL_RESULT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/countersign.h"

/* The whole answer, proof included; NULL: out of memory. */
json_t *result_json(const cs_result *r);
void result_print(const cs_result *r);
/* Writes o on stdout and a newline; takes o over. 0 or the exit code. */
int result_dump(const char *command, json_t *o, bool indent);
/* The same into a file that did not exist. */
int result_save(const char *command, const char *path, const json_t *o);
/* {"error": …, "permitted": false} on stdout: what failed is to be read as deny. */
void result_dump_error(int code);
/* allow 0, deny 1, step_up 2, defer 3. */
int result_exit(int verdict);
/* For entries that carry no verdict: what became of an administrator's command. */
void result_print_done(const cs_result *r, const char *what);

/* What a device needs to answer a challenge. */
struct result_challenge {
	uint64_t index, expiry_ms;
	uint8_t digest[32], nonce[32];
};
/* Reads them back from what result_save wrote. 0 or the exit code after printing why. */
int result_load_challenge(const char *command, const char *path, struct result_challenge *ret);

#endif
