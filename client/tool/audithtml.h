/* What the files share that make an audit's page: words, numbers and times escaped; the charts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_AUDITHTML_H
#define CLIENT_TOOL_AUDITHTML_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* A member of the report; "" or 0 if it is not there. */
const char *audithtml_word(const json_t *o, const char *key);
int64_t audithtml_num(const json_t *o, const char *key);

void audithtml_text(FILE *f, const char *s); /* Escaped. */
void audithtml_number(FILE *f, int64_t n);
void audithtml_time(FILE *f, int64_t ms);
void audithtml_span(FILE *f, int64_t ms);

/* Sections of the page, of the report's facts (auditfacts_json); each writes nothing if there is nothing to show. */
void auditchart_timeline(FILE *f, const json_t *facts);
void auditchart_steps(FILE *f, const json_t *facts);
void auditchart_subjects(FILE *f, const json_t *facts);
void auditchart_times(FILE *f, const json_t *facts);
void auditchart_kinds(FILE *f, const json_t *facts);

#endif
