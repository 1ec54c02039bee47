/* Bugs that are planted, to see that the simulation finds them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_PLANT_H
#define TESTS_SIM_PLANT_H

#include <stdbool.h>

/* By the name that the usage of `simulate` lists. False: no such bug. */
bool plant(const char *name);

#endif
