/* Tells a service manager how the daemon is: sd_notify(3), as datagrams of our own. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_NOTIFY_H
#define NODE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and takes them out of the environment. Without them, all below
 * does nothing. Once, before threads start; then one thread at a time.
 */
void notify_init(void);
/* Serving: READY=1; if it cannot be told now, by notify_alive as soon as it can. */
void notify_ready(void);
/* STATUS=, for `systemctl status`; sent when it is another than before. */
void notify_status(const char *text);
/*
 * From the loop that must not hang, as often as it turns: WATCHDOG=1 when a third of the manager's patience has passed
 * since the last (it asks for half at least: sd_watchdog_enabled(3)). now_ns: CLOCK_MONOTONIC.
 */
void notify_alive(uint64_t now_ns);
/* On the way to an end that was asked for: STOPPING=1. */
void notify_stopping(void);

#endif
