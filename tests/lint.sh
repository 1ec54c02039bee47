#!/bin/bash
# The gates of form and of static analysis, each with a planted failure that proves that it bites.
# SPDX-License-Identifier: Apache-2.0
#
# usage: lint.sh [--build DIR] [--root DIR] [GATE…]    runs the gates (default: all) and prints "ok" or "FAILED" for each
#        lint.sh --self-test                           plants a failure for each gate and demands that it is found
# DIR: a configured build, for config.h (default: ./build). Exit status 1 if a gate fails.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
build=${COUNTERSIGN_BUILD:-$root/build}
gates=(headers format shellcheck cppcheck tidy)

files()
{
	if [ -e .git ]; then
		git ls-files --cached --others --exclude-standard -- "$@"
	else
		local pattern
		for pattern in "$@"; do
			find . -name "$pattern" -type f -printf '%P\n'
		done
	fi | sort | while read -r f; do [ ! -f "$f" ] || printf '%s\n' "$f"; done
}

gate_headers()
{
	"$here/headers.sh" .
}

gate_format()
{
	files '*.c' '*.h' | xargs -r clang-format --style="file:$here/../.clang-format" --dry-run -Werror
}

gate_shellcheck()
{
	files '*.sh' bootstrap .ci/run | xargs -r shellcheck -x
}

# Information only about what it misses or finds unusual is not asked for.
gate_cppcheck()
{
	files '*.c' | xargs -r cppcheck -j "$(nproc)" --quiet --error-exitcode=1 --std=c11 --library=posix --library="$here/cppcheck.cfg" \
		--enable=warning,performance,portability --inline-suppr -I . \
		--suppress=missingIncludeSystem --suppress=strtokCalled --suppress=readdirCalled \
		--template='{file}:{line}: {message} [{id}]'
}

# Tests are left out: they do on purpose what the checks warn of. Time is the other reason, and that of max-nodes: the
# analyzer's checks that are asked for look at the text alone, but with any of them it follows each function's paths, for
# checks that are not, which took nine tenths of the time.
gate_tidy()
{
	local flags
	flags="-std=gnu11 -O2 -I $build -I . $(pkg-config --cflags libsodium libuv raft msgpack libfyaml lmdb jansson)"
	flags+=" -Xclang -analyzer-config -Xclang max-nodes=1"
	# shellcheck disable=SC2016 # for the inner shell
	files '*.c' | grep -v '^tests/' | xargs -r -P "$(nproc)" -n 6 sh -c '
		config=$1 flags=$2
		shift 2
		clang-tidy --quiet --config-file="$config" "$@" -- $flags 2>/dev/null' sh "$here/../.clang-tidy" "$flags"
}

run_gates()
{
	local gate status=0
	cd "$root"
	for gate in "$@"; do
		if "gate_$gate"; then
			printf 'ok      %s\n' "$gate"
		else
			printf 'FAILED  %s\n' "$gate"
			status=1
		fi
	done
	return $status
}

# --- the gates' own test ---

# plant GATE NAME TEXT: in an otherwise clean little tree, a file with this text must make the gate fail, and without it
# the gate must pass.
plant()
{
	local gate=$1 name=$2 text=$3 tree
	tree=$(mktemp -d)
	mkdir -p "$tree/ledger" "$tree/node/decide" "$tree/node/wire" "$tree/client" "$tree/$(dirname "$name")"
	printf '%s\n' "$clean_c" >"$tree/ledger/one.c"
	printf '/* One. */\n/* SPDX-License-Identifier: Apache-2.0 */\nint one(void);\n' >"$tree/ledger/one.h"
	printf '/* Two. */\n/* SPDX-License-Identifier: Apache-2.0 */\nint two(void);\n' >"$tree/node/two.h"
	printf '#!/bin/sh\n# One.\n# SPDX-License-Identifier: Apache-2.0\necho one\n' >"$tree/one.sh"
	if ! "$0" --root "$tree" --build "$build" "$gate" >"$tree/.log" 2>&1; then
		printf 'FAILED  %s refuses a clean tree\n' "$gate"
		cat "$tree/.log"
		self_test=1
	fi
	printf '%b\n' "$text" >"$tree/$name"
	if "$0" --root "$tree" --build "$build" "$gate" >"$tree/.log" 2>&1; then
		printf 'FAILED  %s does not find: %s\n' "$gate" "$name"
		self_test=1
	else
		printf 'ok      %s finds: %s\n' "$gate" "$(grep -m1 -F "${name##*/}" "$tree/.log" | cut -c 1-100)"
	fi
	rm -rf -- "$tree"
}

clean_c='/* One. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "ledger/one.h"

int one(void)
{
	return 1;
}'
top='/* Bad. */\n/* SPDX-License-Identifier: Apache-2.0 */\n#include <config.h>\n'

self_test()
{
	self_test=0
	plant headers ledger/job.c '\n/* SPDX-License-Identifier: Apache-2.0 */\n#include <config.h>'
	plant headers ledger/licence.c '/* Bad. */\n#include <config.h>'
	plant headers licence.sh '#!/bin/sh\n# Bad.\necho'
	plant headers ledger/config.c '/* Bad. */\n/* SPDX-License-Identifier: Apache-2.0 */\n#include <stdio.h>'
	plant headers ledger/path.c "$top#include \"one.h\""
	plant headers ledger/upward.c "$top#include \"node/two.h\""
	plant headers ledger/verify_trusting.c "$top#include \"ledger/one.h\""
	plant headers node/decide/upward.c "$top#include \"node/two.h\""
	plant headers client/upward.c "$top#include \"node/two.h\""
	plant headers node/node.h '/* Bad. */\n/* SPDX-License-Identifier: Apache-2.0 */'
	plant headers ledger/Makefile.inc 'one_CFLAGS = -I\x24(top_srcdir)/ledger'
	plant headers ledger/debug.c "$top#define NDEBUG"
	plant headers ledger/unfinished.c "$top/* TO""DO */"
	plant headers client/countersign.h "$top\nint cs_unknown(int a);"
	plant headers ledger/space.c "$top\nint bad; "
	plant format ledger/spaces.c "$top\nint bad( void ) { return 1; }"
	plant shellcheck words.sh '#!/bin/sh\n# Bad.\n# SPDX-License-Identifier: Apache-2.0\nrm \x241'
	plant cppcheck ledger/beyond.c "$top\nint bad(void)\n{\n\tint a[2] = {0};\n\n\treturn a[2];\n}"
	plant tidy ledger/chance.c "$top#include <stdlib.h>\n\nint bad(char *a);\nint bad(char *a)\n{\n\treturn mktemp(a) != NULL;\n}"
	plant tidy ledger/twice.c "$top#include <string.h>\n\nint bad(const char *a);\nint bad(const char *a)\n{\n\treturn strlen(a) == 1 || strlen(a) == 1;\n}"
	return $self_test
}

while [ $# -gt 0 ]; do
	case $1 in
	--self-test)
		self_test
		exit
		;;
	--root)
		root=$2
		shift 2
		;;
	--build)
		build=$(cd "$2" && pwd)
		shift 2
		;;
	headers | format | shellcheck | cppcheck | tidy)
		break
		;;
	*)
		sed -n '5,7s/^# *//p' "$0" >&2
		exit 2
		;;
	esac
done
[ $# -gt 0 ] || set -- "${gates[@]}"
run_gates "$@"
