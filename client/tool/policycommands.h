/* The subcommands of `countersign policy`; each gets its own arguments only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_POLICYCOMMANDS_H
#define CLIENT_TOOL_POLICYCOMMANDS_H

int policycheck_run(int argc, char **argv);
int policyset_run(int argc, char **argv);
int policyshow_run(int argc, char **argv);
int policydiff_run(int argc, char **argv);
int policywhatif_run(int argc, char **argv);
int policyeval_run(int argc, char **argv);

#endif
