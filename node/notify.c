/* One datagram a message, to the socket that the environment names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_SIZE 256
#define NS_PER_US 1000
#define PATIENCE  3 /* Times we report while the manager waits for one. */

static struct {
	int fd; /* -1: nobody wants to know. */
	struct sockaddr_un to;
	socklen_t to_len;
	uint64_t interval_ns, told_ns;
	char status[TEXT_SIZE];
	bool ready_due; /* It was not taken: the manager's queue was full. */
} manager = {.fd = -1};

/* A path, or with a leading '@' a name in the abstract namespace (unix(7)); other kinds of address are not for us. */
static bool address(const char *text)
{
	size_t len = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof manager.to.sun_path)
		return false;
	manager.to.sun_family = AF_UNIX;
	memcpy(manager.to.sun_path, text, len + 1);
	manager.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (text[0] == '/'));
	if (text[0] == '@')
		manager.to.sun_path[0] = 0;
	return true;
}

static uint64_t number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	uint64_t v;

	if (!text || *text < '0' || *text > '9')
		return 0;
	errno = 0;
	v = strtoull(text, &end, 10);
	return errno || *end ? 0 : v;
}

void notify_init(void)
{
	const char *socket_name = getenv("NOTIFY_SOCKET");
	uint64_t usec = number("WATCHDOG_USEC"), pid = number("WATCHDOG_PID");

	if (socket_name && address(socket_name))
		manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* It may be meant for another process, one that started us. */
	if (usec && usec <= UINT64_MAX / NS_PER_US && (!getenv("WATCHDOG_PID") || pid == (uint64_t)getpid()))
		manager.interval_ns = usec * NS_PER_US / PATIENCE;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/* Never waits: a manager that does not read must not make the loop hang. What is lost is told again, or was no news. */
static bool tell(const char *text)
{
	return manager.fd >= 0 && sendto(manager.fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
	                                 (const struct sockaddr *)&manager.to, manager.to_len) >= 0;
}

void notify_ready(void)
{
	manager.ready_due = manager.fd >= 0 && !tell("READY=1");
}

void notify_status(const char *text)
{
	char line[TEXT_SIZE + 8];

	if (manager.fd < 0 || strncmp(text, manager.status, sizeof manager.status - 1) == 0)
		return;
	snprintf(line, sizeof line, "STATUS=%.*s", TEXT_SIZE - 1, text);
	if (tell(line))
		snprintf(manager.status, sizeof manager.status, "%s", text);
}

void notify_alive(uint64_t now_ns)
{
	/* A manager that never hears it takes the start for one that failed. */
	if (manager.ready_due)
		manager.ready_due = !tell("READY=1");
	if (manager.fd < 0 || manager.interval_ns == 0 || now_ns - manager.told_ns < manager.interval_ns)
		return;
	if (tell("WATCHDOG=1"))
		manager.told_ns = now_ns;
}

void notify_stopping(void)
{
	(void)tell("STOPPING=1");
}
