/* What an import showed: verdicts, the riskiest principals and why, what went wrong. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_IMPORT_REPORT_H
#define CLIENT_TOOL_IMPORT_REPORT_H

#include <jansson.h>
#include <stdint.h>

#include "client/countersign.h"
#include "client/tool/import/events.h"

#define IMPORTREPORT_SIGNALS_MAX  64   /* Names of signals for one principal; the engine knows no more. */
#define IMPORTREPORT_FAILURES_MAX 1000 /* Kept with their text; more are only counted. */

struct importreport_principal {
	char *name;                   /* type:id */
	uint64_t events, verdicts[5]; /* By enum cs_verdict. */
	int32_t risk_max;
	uint64_t worst_index; /* Entry of the highest risk. */
	unsigned n_signals;
	struct importreport_signal {
		char name[64];
		uint64_t events; /* That it raised the risk of. */
		int64_t weight;  /* Sum over them, milli-logits. */
	} signals[IMPORTREPORT_SIGNALS_MAX];
};

struct importreport {
	const struct events *events;
	bool sent;     /* False: the events were only read. */
	void *by_name; /* tsearch tree of the principals. */
	size_t n_principals, cap;
	struct importreport_principal **principals;
	uint64_t imported, verdicts[5];
	uint64_t before; /* Events that the ledger had already. */
	uint64_t moved;  /* That became entries after a later one: a leader changed, or was overloaded. */
	uint64_t n_failures;
	struct importreport_failure {
		unsigned file;
		uint64_t position;
		int code;
	} failures[IMPORTREPORT_FAILURES_MAX];
	uint64_t elapsed_ms;
	bool out_of_memory; /* Principals are missing from the table. */
};

void importreport_init(struct importreport *r, const struct events *e, bool sent);
void importreport_add(struct importreport *r, const struct event *e, const cs_result *result);
void importreport_fail(struct importreport *r, const struct event *e, int code);
void importreport_print(struct importreport *r, unsigned top);
json_t *importreport_json(struct importreport *r, unsigned top);
void importreport_close(struct importreport *r);

#endif
