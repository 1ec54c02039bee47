/* What clients saw of their decisions, held against what the ledger holds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HISTORY_H
#define TESTS_HISTORY_H

#include <stdint.h>

#include "client/countersign.h"

/* Ends the test with a text. */
void history_fail(const char *what) __attribute__((noreturn));
uint64_t history_now_ns(void); /* CLOCK_MONOTONIC. */
/* Records a decision that was acknowledged just now. Any thread. */
void history_add(const uint8_t id[16], uint64_t index, uint64_t asked_ns);
unsigned history_count(void);
/*
 * Reads the first `size` entries of the ledger (needs the audit role) and aborts unless every acknowledged decision is
 * there, at its index, once; no request is there twice; and whoever was answered before another was asked has the lower
 * index.
 */
void history_check(cs_client *client, uint64_t size);
/* The request id that an entry, read with the audit role, keeps for its asker; false: it has none. */
bool history_request_id(const struct cs_entry *e, uint8_t ret[16]);

#endif
