/* One line about an entry, for people. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_ENTRYLINE_H
#define CLIENT_TOOL_ENTRYLINE_H

#include "client/tool/alert.h"
#include "client/tool/entryview.h"

/* Index, time, verdict and risk or kind, whom and what it is about; and why it is an alert (a NULL: it is not). On
 * stdout, with a newline.
 */
void entryline_print(const struct entryview *v, const struct alert *a);

#endif
