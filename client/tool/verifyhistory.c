/* countersign verify, of a person's history: line by line, however long it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/verifyhistory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "{\"format\":\"" FORMAT_HISTORY "\""

bool verifyhistory_is(const char *path)
{
	char head[sizeof HEAD - 1];
	FILE *f = fopen(path, "re");
	bool is = f && fread(head, 1, sizeof head, f) == sizeof head && !memcmp(head, HEAD, sizeof head);

	if (f)
		fclose(f);
	return is;
}

/* One line without its newline; false: there is none any more, or *ret_err. A longer one comes cut, and is refused. */
static bool take_line(FILE *f, char *buf, size_t *ret_len, int *ret_err)
{
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(f)) != EOF && c != '\n')
		if (n <= VERIFY_LINE_SIZE_MAX)
			buf[n++] = (char)c;
	*ret_len = n;
	*ret_err = ferror(f) ? errno : 0;
	return !*ret_err && (c == '\n' || n > 0);
}

int verifyhistory_run(const char *path, const struct verify_policy *policy, struct verify_result *ret)
{
	char *buf = malloc(VERIFY_LINE_SIZE_MAX + 1);
	struct verify_history *h = NULL;
	FILE *f = fopen(path, "re");
	int err = !f ? errno : !buf || verify_history_begin(policy, ret, &h) ? ENOMEM : 0;
	size_t len;

	while (!err && take_line(f, buf, &len, &err) && verify_history_line(h, buf, len))
		;
	verify_history_end(h);
	if (f)
		fclose(f);
	free(buf);
	return err;
}
