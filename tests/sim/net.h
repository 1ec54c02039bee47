/* The simulated network between nodes (the double of node/link.h) and between clients and nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_NET_H
#define TESTS_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_NODES_MAX 8

/* What frames on their way meet. */
struct net_faults {
	uint32_t loss_ppm, duplicate_ppm, delay_ppm; /* delay: of a frame that comes very late. */
	uint64_t delay_ns, delay_ns_max;             /* Of all; reordering follows from their difference. */
	uint64_t late_ns_max;
	uint32_t cut_ppm; /* A frame on which the stream breaks. */
};

extern struct net_faults net_faults;

void net_begin(void);
/* One way: nothing from `from` reaches `to`. */
void net_block(unsigned from, unsigned to, bool blocked);
bool net_blocked(unsigned from, unsigned to);
void net_heal(void);
/* Prints a frame when verbose. */
void net_say(unsigned from, unsigned to, const void *bytes, size_t len);

#endif
