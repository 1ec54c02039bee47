/* People in a file: CSV or JSON, read whole and checked before anything is sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_PEOPLEFILE_H
#define CLIENT_TOOL_PEOPLEFILE_H

#include <jansson.h>
#include <stddef.h>

#include "client/countersign.h"

#define PEOPLEFILE_SIZE_MAX (256u << 20) /* A million people with all that they may have fit. */
#define PEOPLEFILE_GROUPS   16           /* As many as a record takes. */
#define PEOPLEFILE_ACTS_FOR 8

struct peoplefile_row {
	struct cs_person person; /* Its lists point to the following; a row must not be moved. */
	const char *groups[PEOPLEFILE_GROUPS];
	struct cs_typed acts_for[PEOPLEFILE_ACTS_FOR];
	unsigned line; /* In a CSV file, from 1; JSON: the number of the record. */
};

struct peoplefile {
	size_t n, cap;
	struct peoplefile_row **rows;
	char *text;   /* CSV: the file, cut into its fields. */
	json_t *json; /* JSON: the file. */
	bool is_json;
};

/*
 * format: "csv", "json", or NULL: by the file's name. 0, or the exit code after printing what is wrong, with line and
 * column. Names nobody twice, and only records that the cluster would take.
 */
int peoplefile_read(const char *command, const char *path, const char *format, struct peoplefile *ret);
void peoplefile_close(struct peoplefile *f);

/* --- peoplecsv.c, peoplejson.c: fill f->rows --- */

int peoplecsv_parse(const char *command, const char *path, struct peoplefile *f, char *text, size_t size);
int peoplejson_parse(const char *command, const char *path, struct peoplefile *f);
struct peoplefile_row *peoplefile_add(struct peoplefile *f); /* NULL: no memory. */
/* "user:ada" cut in place into two; "*": anybody. False: it is none. */
bool peoplefile_typed(char *text, struct cs_typed *ret);

#endif
