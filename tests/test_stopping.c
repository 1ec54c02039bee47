/* The bounded end: a process that is stuck says in what, and ends with a status of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node/stopping.h"

/* Ends as the child does; what it said is in text. */
static int run(void (*child)(void), char *text, size_t size)
{
	int fds[2], status;
	ssize_t n;
	size_t len = 0;

	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		child();
		_exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void stuck(void)
{
	sigset_t all;

	/* As in a thread of a library that has shut all signals out. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	stopping_begin(1);
	stopping_waits_for("a bus");
	stopping_waits_for("the tide");
	for (;;)
		pause();
}

static void quick(void)
{
	stopping_begin(STOPPING_S_MAX);
	stopping_waits_for("nobody");
}

static void test_stuck(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(run(stuck, text, sizeof text), EXIT_STUCK);
	assert_non_null(strstr(text, "error: stopping takes too long"));
	assert_non_null(strstr(text, "while waiting for the tide\n"));
}

static void test_quick(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(run(quick, text, sizeof text), 0);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_stuck), cmocka_unit_test(test_quick)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
