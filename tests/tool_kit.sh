#!/bin/sh
# What the shell tests of the tool share: sourced; then set $out, the file for what the tool says.
# SPDX-License-Identifier: Apache-2.0

tool=${COUNTERSIGN:-./countersign}
if [ ! -x "$tool" ] || [ ! -x "${COUNTERSIGND:-./countersignd}" ]; then
	echo "countersign or countersignd is not built: skipped"
	exit 77
fi
# Colours, defaults and a cluster of the caller's must not leak in.
unset COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
NO_COLOR=1
export NO_COLOR
checks=0
out=

fail()
{
	echo "FAILED: $*"
	[ ! -s "$out" ] || sed 's/^/  | /' "$out"
	exit 1
}

# expect CODE ARGUMENT...: runs the tool; what it says goes to $out.
expect()
{
	wanted=$1
	shift
	"$tool" "$@" >"$out" 2>&1 </dev/null
	code=$?
	checks=$((checks + 1))
	[ "$code" -eq "$wanted" ] || fail "countersign $*: exit code $code, expected $wanted"
}

# says TEXT: the last command's output holds it.
says()
{
	checks=$((checks + 1))
	grep -qF -- "$1" "$out" || fail "the output does not say: $1"
}
