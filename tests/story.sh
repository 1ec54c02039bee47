#!/usr/bin/env bash
# The story of the README on a real cluster: decide, prove who you are, import, survive kill -9, prove, refute a flipped byte.
# SPDX-License-Identifier: Apache-2.0
#
# usage: story.sh BUILD_DIR [PATH of CloudTrail logs]
# Everything lives in a temporary folder; the nodes are stopped by their process ids, whatever happens.
set -euo pipefail

build=$(cd "$1" && pwd)
logs=${2:-}
dir=$(mktemp -d "${TMPDIR:-/tmp}/countersign-story-XXXXXX")
export COUNTERSIGN_CLUSTER=$dir/c/cluster.yaml
export COUNTERSIGN_KEY=$dir/gateway.key
unset FAKETIME_TIMESTAMP_FILE FAKETIME_NO_CACHE FAKETIME_DONT_FAKE_MONOTONIC 2>/dev/null || true
load_pid=

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'; else bold='' dim='' off=''; fi

chapter() { printf '\n%s== %s%s\n' "$bold" "$*" "$off"; }
say() { printf '%s\n' "$*"; }
fail() {
	printf 'story: FAILED: %s\n' "$*" >&2
	exit 1
}

# The days of the story lie in the past, so that "2:13 a.m." is 2:13 a.m. at whatever hour this runs. libfaketime shifts the
# wall clock of every process of the story by what this file says; the monotonic clock, which Raft uses, stays real.
faketime_library=$(find /usr/lib -name libfaketimeMT.so.1 2>/dev/null | head -n 1)
faketime_offset=$dir/clock
# shellcheck disable=SC2120
cs() { in_story_time "$build/countersign" "$@"; }
in_story_time() {
	if [ -s "$faketime_offset" ]; then
		LD_PRELOAD=$faketime_library FAKETIME_TIMESTAMP_FILE=$faketime_offset FAKETIME_NO_CACHE=1 \
			FAKETIME_DONT_FAKE_MONOTONIC=1 "$@"
	else
		"$@"
	fi
}
clock() { # clock "N days ago" HH:MM — the story's time from now on
	local target
	target=$(date -u -d "$(date -u -d "$1" +%F) $2 UTC" +%s)
	printf '%+ds' "$((target - $(date -u +%s)))" >"$faketime_offset.new"
	mv "$faketime_offset.new" "$faketime_offset"
}
real_time() { rm -f "$faketime_offset"; }

finish() {
	local status=$?
	set +e
	[ -z "$load_pid" ] || kill "$load_pid" 2>/dev/null
	"$build/countersign" cluster down "$dir/c" >/dev/null 2>&1
	if [ $status -ne 0 ] && [ -n "${STORY_KEEP:-}" ]; then
		say "kept: $dir"
	else
		rm -rf -- "$dir"
	fi
	exit $status
}
trap finish EXIT

# expect STATUS COMMAND…: runs it, shows what it prints, and insists on its exit status.
expect() {
	local want=$1 got=0
	shift
	printf '%s$ countersign %s%s\n' "$dim" "${*//$dir\//}" "$off"
	cs "$@" || got=$?
	[ "$got" = "$want" ] || fail "exit status $got, not $want: countersign $*"
}
quietly() { # quietly STATUS COMMAND…: the same without the output.
	local want=$1 got=0
	shift
	cs "$@" >"$dir/out" 2>&1 || got=$?
	[ "$got" = "$want" ] || {
		cat "$dir/out" >&2
		fail "exit status $got, not $want: countersign $*"
	}
}

flip_byte() { # flip_byte FROM TO: changes one character inside the entry's base64.
	local at byte
	at=$(($(grep -abo '"entry"' "$1" | head -n 1 | cut -d: -f1) + 60))
	byte=$(dd if="$1" bs=1 skip="$at" count=1 2>/dev/null)
	cp "$1" "$2"
	[ "$byte" = A ] && byte=B || byte=A
	printf %s "$byte" | dd of="$2" bs=1 seek="$at" conv=notrunc 2>/dev/null
}

[ -n "$faketime_library" ] || fail "libfaketime is missing: ./bootstrap deps installs it"
started=$(date +%s)

chapter "A cluster of three nodes on this machine"
clock "6 days ago" 09:00
quietly 0 init "$dir/c" --name story
sed -n '1,12p' "$dir/c/ceremony-sheet.txt"
expect 0 cluster up "$dir/c"
export COUNTERSIGN_KEY=$dir/c/admin.key
quietly 0 enroll --name gateway --roles decide,import,audit --new-key "$dir/gateway.key"
quietly 0 enroll --name nadia-security-key --roles device --subject user:nadia --new-key "$dir/nadia.key"
export COUNTERSIGN_KEY=$dir/gateway.key
say "enrolled: the gateway that asks, and the security key of Nadia, an engineer"

deploy() { # deploy STATUS DEVICE IP [more options]
	local want=$1 device=$2 ip=$3
	shift 3
	expect "$want" decide --subject user:nadia --action deploy --resource model:fraud-v7 --context device="$device" \
		--context ip="$ip" --context user_agent=deploy-cli/4.2 "$@"
}

chapter "Nadia's week: five ordinary days, from her own laptop"
say "Her first request ever has no history behind it: she proves who she is, once."
deploy 2 nadia-laptop 198.51.100.20 --save "$dir/first.json"
expect 0 answer --challenge "$dir/first.json" --device-key "$dir/nadia.key"
for day in 5 4 3 2; do
	for time in 09:12 10:40 14:05; do
		clock "$day days ago" "$time"
		quietly 0 decide --subject user:nadia --action deploy --resource model:fraud-v7 --context device=nadia-laptop \
			--context ip=198.51.100.20 --context user_agent=deploy-cli/4.2
	done
done
say "12 deployments on four more days: all allowed, no question asked"

chapter "2:13 a.m.: Nadia's account, from a device never seen, deploys a model"
clock "1 day ago" 02:13
deploy 2 unknown-vm 203.0.113.77 --save "$dir/attack.json"
say "The attacker has her password, not her key. He tries one of his own:"
quietly 0 keygen "$dir/attacker.key" --name nadia-security-key --device
expect 1 answer --challenge "$dir/attack.json" --device-key "$dir/attacker.key"
say "What the security desk sees on \`countersign watch\`:"
expect 0 watch --from 0 --until now --alerts --verdict deny

chapter "Next morning, the same laptop as ever: no friction"
clock "1 day ago" 09:30
deploy 0 nadia-laptop 198.51.100.20

chapter "A new laptop: one question, answered with the security key"
clock "1 day ago" 10:15
deploy 2 nadia-laptop-2 198.51.100.20 --save "$dir/new.json"
expect 0 answer --challenge "$dir/new.json" --device-key "$dir/nadia.key" --json >"$dir/answer.json"
answered=$(sed -n 's/.*"index": *\([0-9]*\).*/\1/p' "$dir/answer.json" | head -n 1)
say "allow: entry $answered of the ledger, with the identity that was verified for it"

chapter "Back to the present: the cluster restarts, its ledger is compared with what is decided again"
quietly 0 cluster down "$dir/c"
real_time
expect 0 cluster up "$dir/c"

if [ -n "$logs" ]; then
	chapter "Real input: CloudTrail events become decisions"
	expect 0 import --format cloudtrail "$logs"
fi

chapter "kill -9 of the leader in the middle of a load"
"$build/tests/story_load" "$COUNTERSIGN_CLUSTER" "$COUNTERSIGN_KEY" 20000 "$dir/progress" >"$dir/load" 2>&1 &
load_pid=$!
until [ "$(cat "$dir/progress" 2>/dev/null || echo 0)" -ge 5000 ] 2>/dev/null; do
	kill -0 "$load_pid" 2>/dev/null || {
		cat "$dir/load" >&2
		fail "the load ended early"
	}
	sleep 0.02
done
leader=$(cs cluster status "$dir/c" --json | sed -n 's/.*"leader_id": *\([1-9][0-9]*\).*/\1/p' | head -n 1)
say "after $(cat "$dir/progress") acknowledged decisions: SIGKILL to node $leader, the leader"
quietly 0 cluster kill "$dir/c" --node "$leader"
until [ "$(cat "$dir/progress")" -ge 15000 ]; do
	kill -0 "$load_pid" 2>/dev/null || break
	sleep 0.02
done
expect 0 cluster up "$dir/c" --node "$leader"
wait "$load_pid" || {
	cat "$dir/load" >&2
	fail "the load"
}
load_pid=
cat "$dir/load"
expect 0 cluster status "$dir/c"

chapter "The auditor: one file, no server"
expect 0 prove "$answered" --out "$dir/proof.json" --wait 10000
quietly 0 cluster down "$dir/c"
say "(the cluster is down now: what follows needs the file and the trust policy only)"
expect 0 verify "$dir/proof.json" --trust "$dir/c/trust.policy"
say "One byte flipped in the file:"
flip_byte "$dir/proof.json" "$dir/flipped.json"
expect 1 verify "$dir/flipped.json" --trust "$dir/c/trust.policy"

printf '\n%sDone in %d s.%s Every step came out as the story says; the nodes are stopped.\n' "$bold" \
	"$(($(date +%s) - started))" "$off"
