/* Old copies of what a node has are put back: of its log, or of all. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_ROLLBACK_H
#define TESTS_SIM_ROLLBACK_H

/* Acts of the schedule: the first call for a node takes the copy, a later one puts it back where that is fair. */
void rollback_log(void);
void rollback_node(void);

#endif
