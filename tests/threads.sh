#!/bin/bash
# Runs the tests that have threads in a build under the thread sanitizer: none of their processes may report a race.
# SPDX-License-Identifier: Apache-2.0
#
# usage: threads.sh BUILD_DIR [TEST…]    a build with --enable-sanitizers=thread; default: one test of each part
#        threads.sh --list               the programs that these need beside what `make` makes
#        threads.sh --self-test          a program with a race, and demands that it is reported
# nng, libuv and LMDB are not instrumented, but lock with what the sanitizer knows, and what our own code shares between
# threads is all that it looks at; tests/tsan.supp has what it gets wrong.
# Exit status 1 if a test fails or anything is reported.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
reports=$(mktemp -d)
trap 'rm -rf -- "$reports"' EXIT
# A report does not end the process: a node that was killed and started again would hide it.
export TSAN_OPTIONS="halt_on_error=0:second_deadlock_stack=1:suppressions=$here/tsan.supp:log_path=$reports/report"

# Shows what was reported, by any process.
none_reported()
{
	local f bad=0
	for f in "$reports"/report.*; do
		[ -f "$f" ] || continue
		head -n 60 "$f"
		bad=1
	done
	return $bad
}

self_test()
{
	local said
	cat >"$reports/race.c" <<-END
		#include <pthread.h>
		static int shared;
		static void *add(void *arg) { shared++; return arg; }
		int main(void)
		{
			pthread_t t;
			pthread_create(&t, 0, add, 0);
			shared++;
			return pthread_join(t, 0);
		}
	END
	"${CC:-clang}" -g -O1 -fsanitize=thread -o "$reports/race" "$reports/race.c"
	"$reports/race" || true
	if said=$(none_reported) || ! grep -q 'data race' <<<"$said"; then
		echo "FAILED  threads does not find a planted race"
		return 1
	fi
	echo "ok      threads finds a planted race"
}

if [ "${1:-}" = --self-test ]; then
	self_test
	exit
fi
tests=(tests/cluster_kill tests/cluster_scrub tests/erase.sh tests/reads.sh tests/monitor.sh
	tests/test_client tests/test_result tests/test_front tests/test_front_many tests/test_front_strangers
	tests/test_link tests/test_link_hostile tests/test_link_peers tests/test_writer tests/test_readlog)
# only_programs TEST…: without the scripts.
only_programs()
{
	local test
	for test; do
		[[ $test == *.sh ]] || printf '%s ' "$test"
	done
}
if [ "${1:-}" = --list ]; then
	only_programs "${tests[@]}"
	exit
fi
build=$1
shift
[ $# -gt 0 ] || set -- "${tests[@]}"
status=0
# Of the programs only those: all would be built for make check.
make -C "$build" -j"$(nproc)" --no-print-directory check VERBOSE=1 check_LTLIBRARIES= check_PROGRAMS="$(only_programs "$@")" TESTS="$*" || status=1
none_reported || status=1
exit $status
