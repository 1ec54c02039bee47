/* A TCP proxy on loopback that can make one direction vanish: a cut cable between two processes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PROXY_H
#define TESTS_PROXY_H

#include <stdint.h>

struct proxy;

/* Directions, as seen from whoever connects. */
#define PROXY_OUT  1u /* From the one who connects to the one who listens. */
#define PROXY_BACK 2u

/* Listens on a free port of 127.0.0.1 and leads every connection to target_port there. Aborts the test if it cannot. */
struct proxy *proxy_open(uint16_t target_port);
/* The same to an IPv4 address, from a port that is told. */
struct proxy *proxy_open_to(uint16_t port, const char *target, uint16_t target_port);
uint16_t proxy_port(const struct proxy *p);
/*
 * From now on bytes in these directions vanish, on old and new connections, while those that send them notice nothing;
 * 0: all passes again. Connections that have lost bytes are closed as soon as their direction passes again. Any thread.
 */
void proxy_drop(struct proxy *p, unsigned directions);
void proxy_close(struct proxy *p); /* Ends its thread and its connections. NULL is fine. */

#endif
