/* Puts past events through the policy, many at once, in their order. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_SEND_H
#define CLIENT_TOOL_IMPORT_SEND_H

#include "client/tool/import/before.h"
#include "client/tool/import/report.h"

#define SEND_IN_FLIGHT_MAX 1024 /* As many as the library takes by default. */

struct send {
	cs_client *client; /* Of cs_options.ordered. */
	struct events *events;
	const struct before *before; /* Its events are passed over; NULL: none are. */
	struct importreport *report;
	unsigned in_flight; /* At most SEND_IN_FLIGHT_MAX. */
	void (*progress)(const struct importreport *r, uint64_t n_events, uint64_t elapsed_ms); /* May be NULL. */
};

/*
 * Sends them all. SIGINT ends it when what is out has come back: *ret_interrupted. 0, or the code of the library for
 * which nothing more was sent; CS_E_IO: what was sorted could not be read again.
 */
int send_events(const struct send *s, bool *ret_interrupted);

#endif
