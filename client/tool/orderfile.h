/* A file of orders that administrators sign one after another, each with their own key. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_ORDERFILE_H
#define CLIENT_TOOL_ORDERFILE_H

#include <jansson.h>
#include <stddef.h>

#include "client/countersign.h"

#define ORDERFILE_FORMAT         "countersign/order/v1"
#define ORDERFILE_SIZE_MAX       (256u << 20) /* An import of a million people. */
#define ORDERFILE_SIGNATURES_MAX 16           /* As many as an order takes. */

/*
 * {"format", "origin", "governance", "orders": [{"type", "elements" base64, "signatures": [{"name", "sequence",
 * "expiry_ms", "signature" base64}…], "entry": index once it is submitted}…]}
 */
json_t *orderfile_new(void);
/* Copies the order to the end; false: no memory, or it is of another origin or governance than those before. */
bool orderfile_add(json_t *file, const struct cs_order *order);
/* 0, or the exit code after printing what is wrong. */
int orderfile_read(const char *command, const char *path, json_t **ret);
int orderfile_write(const char *command, const char *path, const json_t *file, bool replace);

size_t orderfile_count(const json_t *file);
/* Order i; elements: ORDERFILE_ELEMENTS_MAX bytes that *ret points to. False: damaged. */
#define ORDERFILE_ELEMENTS_MAX 65536
bool orderfile_order(const json_t *file, size_t i, uint8_t *elements, struct cs_order *ret);
bool orderfile_signatures(const json_t *file, size_t i, struct cs_signature ret[ORDERFILE_SIGNATURES_MAX],
                          size_t *ret_n);
/* In place of an earlier one of the same administrator. */
void orderfile_sign(json_t *file, size_t i, const struct cs_signature *s);
bool orderfile_entry(const json_t *file, size_t i, uint64_t *ret); /* True: submitted. */
void orderfile_submitted(json_t *file, size_t i, uint64_t entry);

#endif
