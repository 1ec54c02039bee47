/* Fuzzing: logs that are imported, by each format's reader. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/tool/import/events.h"
#include "ledger/bytes.h"
#include "tests/fuzz/fuzz.h"

#define MAP                                                                                                            \
	"subject=a|b,actor=c,action=d,resource=e,time=f,allowed=g,ip=h,mfa=i,amount=j,context.k=k,subject.type=="      \
	"service"

static void check_text(const char *s, size_t len_max)
{
	size_t len = strlen(s);

	FUZZ_DEMAND(len <= len_max && utf8_valid(s, len));
}

/* Whatever came: a request that the library and the nodes would take apart. */
static void check_event(const struct event *e)
{
	const struct cs_request *r = &e->request;

	FUZZ_DEMAND(*r->subject_type && *r->subject_id && *r->action && *r->resource_type && *r->resource_id);
	FUZZ_DEMAND(!r->actor_id == !r->actor_type && r->n_attributes <= PAST_ATTRIBUTES_MAX);
	check_text(r->subject_type, PAST_TYPE_SIZE - 1);
	check_text(r->subject_id, PAST_TEXT_SIZE - 1);
	check_text(r->action, PAST_TEXT_SIZE - 1);
	check_text(r->resource_type, PAST_TYPE_SIZE - 1);
	check_text(r->resource_id, PAST_TEXT_SIZE - 1);
	for (size_t i = 0; i < r->n_attributes; i++) {
		FUZZ_DEMAND(*r->attributes[i].name);
		check_text(r->attributes[i].name, PAST_TYPE_SIZE - 1);
		if (r->attributes[i].type == CS_STRING)
			check_text(r->attributes[i].string, PAST_TEXT_SIZE - 1);
		for (size_t k = 0; k < i; k++)
			FUZZ_DEMAND(strcmp(r->attributes[i].name, r->attributes[k].name) != 0);
	}
}

/* Every record is an event, or counted. */
static void check_all(struct events *e)
{
	uint64_t events = 0, last_ms = 0;
	struct event *one;

	while (sorter_take(e->sorter, &one) == 0 && one) {
		check_event(one);
		FUZZ_DEMAND(one->time_ms >= last_ms && one->position < e->files[0].records);
		last_ms = one->time_ms;
		events++;
		free(one);
	}
	FUZZ_DEMAND(events == e->n && e->n_files == 1);
	FUZZ_DEMAND(events + e->n_bad + e->n_other <= e->files[0].records + e->n_bad);
	for (unsigned i = 0; i < e->n_bad && i < EVENTS_BAD_MAX; i++)
		FUZZ_DEMAND(e->bad[i].reason && *e->bad[i].reason);
}

static void read_as(const char *format, const uint8_t *bytes, size_t len)
{
	static struct events_how how;
	static struct events e;
	char path[64], reason[PAST_REASON_SIZE], *paths[] = {path};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_DEMAND(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	how = (struct events_how){.format = format ? format_named(format) : NULL, .when.year = 2026, .memory_max = 1};
	FUZZ_DEMAND((!format || how.format) && mapping_parse(&how.mapping, MAP, reason));
	FUZZ_DEMAND(events_read("fuzz", paths, 1, &how, &e) == 0);
	check_all(&e);
	events_close(&e);
	close(fd);
}

void fuzz_cloudtrail(const uint8_t *bytes, size_t len)
{
	read_as("cloudtrail", bytes, len);
}

void fuzz_authlog(const uint8_t *bytes, size_t len)
{
	read_as("authlog", bytes, len);
}

void fuzz_journal(const uint8_t *bytes, size_t len)
{
	read_as("journal-export", bytes, len);
}

void fuzz_journal_json(const uint8_t *bytes, size_t len)
{
	read_as("journal-json", bytes, len);
}

void fuzz_opa(const uint8_t *bytes, size_t len)
{
	read_as("opa", bytes, len);
}

void fuzz_csv(const uint8_t *bytes, size_t len)
{
	read_as("csv", bytes, len);
}

/* By its looks, gzip's among them. */
void fuzz_log_file(const uint8_t *bytes, size_t len)
{
	read_as(NULL, bytes, len);
}

/* The option that a person types. */
void fuzz_mapping(const uint8_t *bytes, size_t len)
{
	struct mapping *m = calloc(1, sizeof *m);
	char *text = malloc(len + 1), reason[PAST_REASON_SIZE] = "";

	FUZZ_DEMAND(m && text);
	memcpy(text, bytes, len);
	text[len] = 0;
	if (!mapping_parse(m, text, reason))
		FUZZ_DEMAND(*reason);
	FUZZ_DEMAND(m->n <= MAPPING_ITEMS_MAX);
	free(text);
	free(m);
}
