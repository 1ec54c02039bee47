/* A policy file, read and compiled. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policyfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/policylint.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"

int policyfile_read(const char *command, const char *path, struct policyfile *ret)
{
	struct policyfile p = {0};
	int err = 0;

	if (!path) {
		p.source = strdup(policy_default_yaml());
		p.source_len = p.source ? strlen(p.source) : 0;
		if (!p.source)
			return tool_fail(EXIT_LOCAL, command, "out of memory");
	} else {
		err = files_read(path, POLICY_SOURCE_SIZE_MAX, &p.source, &p.source_len);
	}
	if (err == EFBIG)
		return tool_fail(EXIT_USAGE, command, "%s: larger than %d bytes", path, POLICY_SOURCE_SIZE_MAX);
	if (err)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", path, strerror(err));
	*ret = p;
	return 0;
}

int policyfile_compile(struct policyfile *p, struct policy_error *ret_error)
{
	int err = CS_ERR_NOMEM;

	memset(ret_error, 0, sizeof *ret_error);
	p->compiled = malloc(POLICY_COMPILED_SIZE_MAX);
	if (p->compiled)
		err = policy_compile(p->source, p->source_len, p->compiled, POLICY_COMPILED_SIZE_MAX, &p->compiled_len,
		                     ret_error);
	if (err && !ret_error->text[0])
		snprintf(ret_error->text, sizeof ret_error->text, "%s", err_text(err));
	return err;
}

int policyfile_load(const char *command, const char *path, struct policyfile *ret)
{
	struct policy_error where;
	struct policyfile p;
	int code = policyfile_read(command, path, &p);

	if (code)
		return code;
	if (!policyfile_compile(&p, &where)) {
		*ret = p;
		return 0;
	}
	code = policylint_fail(command, path ? path : "(built-in policy)", p.source, p.source_len, &where);
	policyfile_close(&p);
	return code;
}

void policyfile_close(struct policyfile *p)
{
	free(p->source);
	free(p->compiled);
	p->source = NULL;
	p->compiled = NULL;
}
