/* sd_notify's datagrams: what is sent when, and to which kinds of address. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/notify.h"

#define MS UINT64_C(1000000)

static int manager;

/* Binds a socket at a path or, with '@', in the abstract namespace, and makes it the manager's. */
static void manager_at(const char *name, const char *usec, const char *pid)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memcpy(a.sun_path, name, strlen(name));
	if (name[0] == '@')
		a.sun_path[0] = 0;
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(manager >= 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&a,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
	                 0);
	setenv("NOTIFY_SOCKET", name, 1);
	if (usec)
		setenv("WATCHDOG_USEC", usec, 1);
	if (pid)
		setenv("WATCHDOG_PID", pid, 1);
	notify_init();
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
}

static void expect(const char *text)
{
	char got[512];
	ssize_t n = recv(manager, got, sizeof got - 1, 0);

	if (!text) {
		assert_int_equal(n, -1);
		return;
	}
	assert_true(n >= 0);
	got[n] = 0;
	assert_string_equal(got, text);
}

/* Whether one more datagram would be taken: a sender of our own tries, and takes it out of the count. */
static bool manager_has_room(void)
{
	struct sockaddr_un a;
	socklen_t len = sizeof a;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(getsockname(manager, (struct sockaddr *)&a, &len), 0);
	bool room = sendto(fd, "", 1, MSG_DONTWAIT, (struct sockaddr *)&a, len) == 1;
	close(fd);
	return room;
}

/* Each scene in a process of its own: the environment is read once. */
static void scene(void (*f)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		f();
		exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void nobody(void)
{
	unsetenv("NOTIFY_SOCKET");
	notify_init();
	notify_ready();
	notify_status("x");
	notify_alive(1000000 * MS);
	notify_stopping();
}

static void strange_address(void)
{
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	notify_init();
	notify_ready();
}

static void all_messages(void)
{
	char name[64];

	snprintf(name, sizeof name, "@cs-test-notify-%d", (int)getpid());
	manager_at(name, "300000", NULL);
	notify_ready();
	expect("READY=1");
	notify_status("leader of term 3, ok");
	expect("STATUS=leader of term 3, ok");
	notify_status("leader of term 3, ok");
	expect(NULL);
	notify_status("follower of term 4, ok");
	expect("STATUS=follower of term 4, ok");
	notify_alive(1000 * MS);
	expect("WATCHDOG=1");
	notify_alive(1099 * MS);
	expect(NULL);
	notify_alive(1100 * MS);
	expect("WATCHDOG=1");
	notify_stopping();
	expect("STOPPING=1");
}

static void at_a_path(void)
{
	char folder[] = "/tmp/test-notify-XXXXXX", path[64];

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/socket", folder);
	manager_at(path, NULL, NULL);
	notify_ready();
	expect("READY=1");
	notify_alive(1000 * MS); /* No watchdog was asked for. */
	expect(NULL);
	/* A manager that has gone is no matter. */
	close(manager);
	unlink(path);
	rmdir(folder);
	notify_stopping();
}

static void watchdog_of_another(void)
{
	char name[64];

	snprintf(name, sizeof name, "@cs-test-notify-%d", (int)getpid());
	manager_at(name, "300000", "1");
	notify_alive(1000 * MS);
	expect(NULL);
}

/* A manager that reads nothing must not make the loop hang. */
static void full(void)
{
	char name[64];

	snprintf(name, sizeof name, "@cs-test-notify-%d", (int)getpid());
	manager_at(name, "3000", NULL);
	for (unsigned i = 1; i < 100000; i++)
		notify_alive(i * MS);
}

/* The queue is short (net.unix.max_dgram_qlen), and the manager may be busy. */
static void ready_later(void)
{
	char name[64], text[32];
	unsigned n = 0;

	snprintf(name, sizeof name, "@cs-test-notify-%d", (int)getpid());
	manager_at(name, NULL, NULL);
	do {
		assert_true(n < 100000);
		snprintf(text, sizeof text, "%u", n);
		notify_status(text);
		snprintf(text, sizeof text, "STATUS=%u", n++);
	} while (manager_has_room());
	notify_ready();
	notify_alive(1000 * MS);
	while (recv(manager, text, sizeof text, 0) > 0)
		;
	notify_alive(1001 * MS);
	expect("READY=1");
	notify_alive(1002 * MS);
	expect(NULL);
}

static void test_ready_later(void **state)
{
	(void)state;
	scene(ready_later);
}

static void test_nobody(void **state)
{
	(void)state;
	scene(nobody);
	scene(strange_address);
}

static void test_messages(void **state)
{
	(void)state;
	scene(all_messages);
	scene(at_a_path);
}

static void test_watchdog(void **state)
{
	(void)state;
	scene(watchdog_of_another);
	scene(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_nobody),
	        cmocka_unit_test(test_messages),
	        cmocka_unit_test(test_watchdog),
	        cmocka_unit_test(test_ready_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
