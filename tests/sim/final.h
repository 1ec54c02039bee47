/* The end of a run: faults stop, a quorum heals, all must converge; then what is stored is read back. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_FINAL_H
#define TESTS_SIM_FINAL_H

/* Fails the run (os_fail) unless the cluster serves again in time, its replicas are equal, and nothing is lost. */
void final_liveness(void);
void final_read_back(void);

#endif
