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

# spread: until every node of $COUNTERSIGN_CLUSTER has what the furthest has: a follower hears of it a moment later.
spread()
{
	tries=400
	until [ "$("$tool" cluster status --json 2>/dev/null | sed -n 's/.*"size": *\([0-9]*\).*/\1/p' | sort -u | wc -l)" -eq 1 ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || fail "the nodes do not come to the same size"
		sleep 0.05
	done
}

# says TEXT: the last command's output holds it.
says()
{
	checks=$((checks + 1))
	grep -qF -- "$1" "$out" || fail "the output does not say: $1"
}
