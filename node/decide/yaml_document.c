/* A YAML document out of bytes, or the parser's own first complaint with its place. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>

#include "ledger/errors.h"
#include "ledger/yaml_bytes.h"
#include "node/decide/policy_yaml.h"

static int syntax_error(struct fy_diag *diag, struct policy_error *error)
{
	void *i = NULL;
	struct fy_diag_error *e = fy_diag_errors_iterate(diag, &i);

	snprintf(error->text, sizeof(error->text), "%s", e != NULL && e->msg != NULL ? e->msg : "not valid YAML");
	error->line = e != NULL && e->line > 0 ? (unsigned)e->line : 0;
	error->column = e != NULL && e->column > 0 ? (unsigned)e->column : 0;
	return CS_ERR_INVALID;
}

int yaml_document(const char *yaml, size_t len, struct fy_document **ret, struct policy_error *ret_error)
{
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG};
	unsigned line;
	const char *why = yaml_bytes_refusal(yaml, len, &line);

	if (why != NULL) {
		ret_error->line = line;
		ret_error->column = 0;
		snprintf(ret_error->text, sizeof(ret_error->text), "%s", why);
		return CS_ERR_INVALID;
	}
	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.colorize = false;
	cfg.diag = fy_diag_create(&diag_cfg);
	if (cfg.diag == NULL)
		return CS_ERR_NOMEM;
	fy_diag_set_collect_errors(cfg.diag, true);
	*ret = fy_document_build_from_string(&cfg, yaml, len);
	int err = *ret != NULL ? 0 : syntax_error(cfg.diag, ret_error);
	fy_diag_destroy(cfg.diag); /* The document has a reference of its own. */
	return err;
}
