/* Points in time as people write them in files: RFC 3339 in UTC, or so much after another. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYMOMENT_H
#define CLIENT_TOOL_POLICYMOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "node/decide/command.h"

/* "2026-01-05T09:00:00Z", fractions of a second up to milliseconds; years 1970 to 9999. */
bool policymoment_time(struct text t, uint64_t *ret_ms);
/* "90s", "5m", "2h", "3d": a whole number and a unit, at most ten years. */
bool policymoment_span(struct text t, uint64_t *ret_ms);

#endif
