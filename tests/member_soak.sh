#!/bin/sh
# By hand: nodes join and go, one after another, while leaders are killed in the middle of it. Usage: [SECONDS]
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the build folder. Each round adds a node and removes another one; each time a leader dies at a random moment,
# and what it left undone is carried through. The trust policy follows each change, proven under the one before.
set -u

seconds=${1:-60}
folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-soak.XXXXXX") || exit 99
tool=${COUNTERSIGN:-./countersign}
COUNTERSIGN_CLUSTER=$folder/c/cluster.yaml
COUNTERSIGN_KEY=$folder/c/admin.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY

# shellcheck disable=SC2317 # Called by trap.
clean()
{
	"$tool" cluster down "$folder/c" >/dev/null 2>&1
	rm -rf "$folder"
}
trap clean EXIT

fail()
{
	echo "FAILED in round $round: $*"
	"$tool" member list
	tail -n 3 "$folder"/c/node-*/countersignd.log
	exit 1
}

random()
{
	shuf -i "$1-$2" -n 1
}

members()
{
	"$tool" member list --json 2>/dev/null | sed 's/"removed":.*//'
}

# Kills the leader, unless it is this one, and starts it again.
kill_leader()
{
	sleep "0.$(random 10 60)"
	leader=$(members | sed -n 's/^{"node":\([0-9]*\),"leads":true.*/\1/p')
	[ -n "$leader" ] && [ "$leader" != "$1" ] || return 0
	"$tool" cluster kill "$folder/c" --node "$leader" >/dev/null 2>&1
	sleep "0.$(random 10 90)"
	"$tool" cluster up "$folder/c" --node "$leader" >/dev/null 2>&1
}

is_voter()
{
	members | grep -q "\"id\":$1,\"role\":\"voter\"[^}]*\"in_raft\":\"voter\""
}

is_known()
{
	members | grep -q "\"id\":$1,"
}

sync_trust()
{
	for _ in 1 2 3 4 5; do
		"$tool" member sync >/dev/null && return 0
		sleep 0.2
	done
	fail "the trust policy cannot follow"
}

round=0
"$tool" init "$folder/c" --name soak >/dev/null 2>&1 && "$tool" cluster up "$folder/c" >/dev/null || exit 99
port=$(random 10000 25000)
end=$(($(date +%s) + seconds))
while [ "$(date +%s)" -lt "$end" ]; do
	round=$((round + 1))
	id=$((round + 3))
	port=$((port + 2))
	"$tool" member prepare "$folder/c/node-$id" --id "$id" --url "tcp://127.0.0.1:$port" \
		--link "127.0.0.1:$((port + 1))" >/dev/null || fail "prepare"
	"$tool" cluster up "$folder/c" --node "$id" >/dev/null || fail "start"
	"$tool" member add "$folder/c/node-$id/member" >/dev/null 2>&1 &
	kill_leader 0
	wait
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		is_voter "$id" && break
		if is_known "$id"; then
			"$tool" member promote "$id" --wait-ms 10000 >/dev/null 2>&1
		else
			"$tool" member add "$folder/c/node-$id/member" --wait-ms 10000 >/dev/null 2>&1
		fi
	done
	is_voter "$id" || fail "node $id does not become a voter"
	sync_trust
	old=$(members | grep -o '"id":[0-9]*,"role":"voter"' | grep -o '[0-9]*' | grep -v "^$id\$" | shuf -n 1)
	"$tool" member remove "$old" --yes >/dev/null 2>&1 &
	kill_leader "$old"
	wait
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		is_known "$old" || break
		"$tool" member remove "$old" --yes --wait-ms 10000 >/dev/null 2>&1
	done
	for _ in $(seq 100); do
		[ -f "$folder/c/node-$old/data/REMOVED" ] && break
		sleep 0.1
	done
	[ -f "$folder/c/node-$old/data/REMOVED" ] || fail "node $old was not told that it was removed"
	sync_trust
	! ls "$folder"/c/node-*/data/HALTED >/dev/null 2>&1 || fail "a node halted"
done
"$tool" member list
echo "$round rounds held"
