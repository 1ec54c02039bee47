/* Texts of the errors. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/errors.h"

const char *err_text(int err)
{
	switch (err) {
#define CS_ERR_CASE(name, number, text)                                                                                \
	case number:                                                                                                   \
		return text;
		CS_ERR_LIST(CS_ERR_CASE)
#undef CS_ERR_CASE
	default:
		return "unknown error";
	}
}
