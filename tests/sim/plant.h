/* Bugs that are planted, to see that the simulation finds them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_PLANT_H
#define TESTS_SIM_PLANT_H

#include <stdbool.h>

/* ack-before-sync, applied-apart, skip-duplicate. False: no such bug. */
bool plant(const char *name);

#endif
