/* The rule for names of keys in signed notes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_NOTE_NAME_H
#define LEDGER_NOTE_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* signed-note: not empty, no Unicode spaces, no '+'; and a note has no control characters. */
bool note_name_valid(const char *s, size_t len);

#endif
