/* Which entries `countersign watch` shows. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_WATCHFILTER_H
#define CLIENT_TOOL_WATCHFILTER_H

#include "client/tool/entryview.h"
#include "client/tool/options.h"

/* Lists: one of them is enough, an empty one passes all. What differs in kind must all hold. */
struct watchfilter {
	struct option_list verdicts, kinds, rules;
	struct option_list subjects, actions, resources; /* Patterns of fnmatch(3). */
	const char *min_risk_text;
	bool alerts; /* Only those. */
	/* By watchfilter_parse. */
	unsigned verdict_set; /* Bit of each verdict; 0: any. */
	unsigned kind_numbers[OPTION_LIST_MAX];
	bool has_min_risk;
	int32_t min_risk;
};

/* 0, or EXIT_USAGE after printing which option is wrong and why. */
int watchfilter_parse(const char *command, struct watchfilter *f);
/* It looks at fields that are private. */
bool watchfilter_private(const struct watchfilter *f);
bool watchfilter_passes(const struct watchfilter *f, const struct entryview *v, bool alert);

#endif
