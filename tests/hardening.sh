#!/bin/bash
# Reads the built programs: is the hardening that configure asked for really in them?
# SPDX-License-Identifier: Apache-2.0
#
# usage: hardening.sh BUILD_DIR [FILE…]    default: the programs and the library that are installed
#        hardening.sh --self-test          builds a program without any of it, and demands that each lack is named
# Exit status 1 if anything is missing.
set -euo pipefail

bad=0

complain()
{
	printf '%s: %s\n' "$file" "$1"
	bad=1
}

# expect WHAT PATTERN TEXT / refuse WHAT PATTERN TEXT
expect()
{
	grep -qE "$2" <<<"$3" || complain "no $1"
}
refuse()
{
	! grep -qE "$2" <<<"$3" || complain "$1"
}

# In a libtool build the program itself lies in .libs, if the file beside it is a script.
real()
{
	if [ -f "$build/.libs/$1" ]; then
		echo "$build/.libs/$1"
	else
		echo "$build/$1"
	fi
}

check()
{
	local dynamic segments symbols before=$bad
	file=$1
	bad=0
	dynamic=$(readelf -Wd "$file")
	segments=$(readelf -Wl "$file")
	symbols=$(readelf -Ws "$file")
	expect "read-only relocations" 'GNU_RELRO' "$segments"
	expect "binding at the start" '\(FLAGS\).*BIND_NOW|\(BIND_NOW\)|FLAGS_1.*NOW' "$dynamic"
	expect "stack segment" 'GNU_STACK' "$segments"
	refuse "executable stack" 'GNU_STACK.* RWE' "$segments"
	refuse "segment that is both writable and executable" 'LOAD.* RWE' "$segments"
	refuse "relocations in its code" 'TEXTREL' "$dynamic"
	expect "stack protector" '__stack_chk_fail' "$symbols"
	expect "fortified call" ' (UND|[0-9]+) __[a-z]+_chk(@|$)' "$symbols"
	! strings -n 8 "$file" | grep -qF -e "$source/ledger/" -e "$source/node/" -e "$source/client/" ||
		complain "path of the source in its strings"
	case $file in
	*.so*) ;;
	*) expect "position-independent program" 'FLAGS_1.*PIE' "$dynamic" ;;
	esac
	[ $bad != 0 ] || printf 'ok      %s\n' "$file"
	bad=$((bad | before))
}

self_test()
{
	local tree lack said
	tree=$(mktemp -d)
	printf 'int main(void)\n{\n\treturn 0;\n}\n' >"$tree/soft.c"
	"${CC:-cc}" -O0 -no-pie -fno-pie -fno-stack-protector -U_FORTIFY_SOURCE -Wl,-z,norelro -Wl,-z,lazy \
		-Wl,-z,execstack -o "$tree/soft" "$tree/soft.c" 2>/dev/null
	said=$(check "$tree/soft")
	rm -rf -- "$tree"
	for lack in "no read-only relocations" "no binding at the start" "executable stack" "no stack protector" \
		"no fortified call" "no position-independent program"; do
		if grep -q "$lack" <<<"$said"; then
			printf 'ok      hardening finds: %s\n' "$lack"
		else
			printf 'FAILED  hardening does not find: %s\n' "$lack"
			bad=1
		fi
	done
}

source=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1:-}" = --self-test ]; then
	self_test
	exit $bad
fi
build=$(cd "$1" && pwd)
shift
if [ $# = 0 ]; then
	set -- "$(real countersignd)" "$(real countersign)" "$(real countersign-bench)" \
		"$(readlink -f "$build/.libs/libcountersign.so")"
	# Nothing says so when libtool makes one library of the two.
	file=$build/.libs/libcountersign.a
	[ -f "$file" ] || complain "no static library"
fi
for file in "$@"; do
	check "$file"
done
exit $bad
