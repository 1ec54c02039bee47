/* A policy file, read and compiled. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "client/tool/policyfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/files.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"
#include "node/decide/policy.h"

static int compile(const char *command, const char *name, struct policyfile *p)
{
	struct policy_error where = {0};
	int err;

	p->compiled = malloc(POLICY_COMPILED_SIZE_MAX);
	if (!p->compiled)
		return tool_fail(EXIT_LOCAL, command, "out of memory");
	err = policy_compile(p->source, p->source_len, p->compiled, POLICY_COMPILED_SIZE_MAX, &p->compiled_len, &where);
	if (!err)
		return 0;
	if (where.line)
		return tool_fail(EXIT_USAGE, command, "%s:%u:%u: %s", name, where.line, where.column, where.text);
	return tool_fail(EXIT_USAGE, command, "%s: %s", name, where.text[0] ? where.text : err_text(err));
}

int policyfile_load(const char *command, const char *path, struct policyfile *ret)
{
	struct policyfile p = {0};
	int err = 0, code;

	if (path) {
		err = files_read(path, POLICY_SOURCE_SIZE_MAX, &p.source, &p.source_len);
	} else {
		p.source = strdup(policy_default_yaml());
		p.source_len = p.source ? strlen(p.source) : 0;
		err = p.source ? 0 : ENOMEM;
	}
	if (err)
		return tool_fail(EXIT_LOCAL, command, "%s: %s", path ? path : "policy", strerror(err));
	code = compile(command, path ? path : "(built-in policy)", &p);
	if (code)
		policyfile_close(&p);
	else
		*ret = p;
	return code;
}

void policyfile_close(struct policyfile *p)
{
	free(p->source);
	free(p->compiled);
	p->source = NULL;
	p->compiled = NULL;
}
