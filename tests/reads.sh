#!/bin/sh
# A person's whole history, searches, disclosure, and the log of who read: the tool on a real cluster.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-reads.XXXXXX") || exit 99
c=$folder/c
out=$folder/out
watcher=
trap 'exit 99' HUP INT TERM
# shellcheck disable=SC2317 # Called by trap.
clean()
{
	[ -z "$watcher" ] || kill "$watcher" 2>/dev/null
	[ ! -f "$c/cluster.yaml" ] || "$tool" cluster down "$c" >/dev/null 2>&1
	rm -rf "$folder"
}
trap clean EXIT

silent()
{
	checks=$((checks + 1))
	! grep -qF -- "$1" "$out" || fail "the output says: $1"
}

# as KEY CODE ARGUMENT...
as()
{
	COUNTERSIGN_KEY=$folder/$1.key
	shift
	expect "$@"
}

# same TEXT TEXT
same()
{
	checks=$((checks + 1))
	[ "$1" = "$2" ] || fail "\"$1\", expected \"$2\""
}

# only N: a cluster file that names no other node.
only()
{
	awk -v keep="id: $1," '!/^ *- .*id:/ || index($0, keep)' "$c/cluster.yaml" >"$c/one.yaml"
}

# How many entries the ledger has, asked by a key that reads nothing private.
size()
{
	COUNTERSIGN_KEY=$folder/gateway.key "$tool" cluster status "$c" --json 2>/dev/null |
		sed -n 's/.*"size": *\([0-9]*\).*/\1/p' | sort -n | tail -1
}

# The indexes in the output of a search.
indexes()
{
	sed -n 's/^ *\([0-9][0-9]*\)  20.*/\1/p' "$out" | tr '\n' ' '
}

# decides SUBJECT N: so many decisions about user:SUBJECT.
decides()
{
	n=$2
	while [ "$n" -gt 0 ]; do
		as gateway 0 decide --subject "user:$1" --action read --resource "file:$n" --context ip=192.0.2.7
		n=$((n - 1))
	done
}

cat >"$folder/policy.yaml" <<'POLICY'
version: 2
name: reads
bias: -9000
thresholds: {step_up: 5000, deny: 9000}
rules:
  - {id: by-risk, verdict: risk}
  - id: boss
    match: {action: deploy}
    verdict: defer
    defer: {approvals: {needed: 1, from: ["boss-*"], expires: 1h}}
  - {id: never, match: {action: wipe}, verdict: deny}
POLICY

echo "# a cluster, and what happened on it"
expect 0 init "$c" --name acme --policy "$folder/policy.yaml"
expect 0 cluster up "$c"
COUNTERSIGN_CLUSTER=$c/cluster.yaml
COUNTERSIGN_KEY=$c/admin.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
expect 0 enroll --name gateway --roles decide --new-key "$folder/gateway.key"
expect 0 enroll --name aud --roles audit --new-key "$folder/aud.key"
expect 0 enroll --name eye --roles audit --new-key "$folder/eye.key"
expect 0 enroll --name boss-1 --roles approve --subject user:bea --new-key "$folder/boss-1.key"
trust=$(find "$c" -name '*.policy' -o -name 'trust*' | head -1)
decides ada 3
decides bob 2
as gateway 1 decide --subject user:ada --action wipe --resource model:m1
as gateway 0 decide --subject user:ada --actor agent:bot --action read --resource model:m1
as gateway 3 decide --subject user:ada --action deploy --resource model:m1
index=$(sed -n 's/^entry *\([0-9][0-9]*\),.*/\1/p' "$out" | head -1)
as boss-1 0 approve "$index" --reason "looks right"

echo "# a whole history: asked for, walked back, in one file that is checked offline"
as aud 0 history --subject user:ada --reason "case 7" --bundle "$folder/ada"
says "complete up to index"
says "subject user:ada: 8 entries, each in the tree, one unbroken chain"
says "is the person's first: the cluster had forgotten nobody"
silent user:bob
as aud 8 history --subject user:ada --bundle "$folder/ada"
expect 0 verify "$folder/ada" --trust "$trust"
says "complete up to index"
expect 0 verify "$folder/ada" --trust "$trust" --json
says '"outcome": "verified"'
as aud 0 history --subject user:ada --json
says '"kind":"history requested"'
says "case 7"
# It is chained itself: whoever asks again finds who asked before.
as aud 0 history --actor agent:bot --bundle "$folder/bot"
says "actor agent:bot: 2 entries"
as aud 0 history --approver boss-1 --bundle "$folder/boss"
says "approver boss-1: 2 entries"
expect 0 verify "$folder/boss" --trust "$trust"
as aud 0 history --subject user:nobody
says "subject user:nobody: 1 entries"
as gateway 7 history --subject user:ada
as aud 4 history --subject ada
as aud 4 history --subject user:ada --approver boss-1
as aud 4 history

echo "# an entry left out, another one in its place, the end cut off, a byte changed: refuted"
n=$(wc -l <"$folder/ada")
same "$n" 9
line=3
while [ "$line" -le "$n" ]; do
	sed "${line}d" "$folder/ada" >"$folder/short"
	expect 1 verify "$folder/short" --trust "$trust"
	says "left out"
	sed "${line}d;1s/\"entries\":8/\"entries\":7/" "$folder/ada" >"$folder/short"
	expect 1 verify "$folder/short" --trust "$trust"
	line=$((line + 1))
done
sed '3{h;d};4{p;x}' "$folder/ada" >"$folder/swapped"
expect 1 verify "$folder/swapped" --trust "$trust"
{ sed '$d' "$folder/ada" && sed -n 3p "$folder/bot"; } >"$folder/mixed"
expect 1 verify "$folder/mixed" --trust "$trust"
sed '5s/"salt":"\(.\)/"salt":"\1A/' "$folder/ada" >"$folder/bad"
expect 1 verify "$folder/bad" --trust "$trust"
expect 4 verify "$folder/ada" --trust "$trust" --old "$folder/ada"

echo "# only some fields"
as aud 0 history --subject user:ada --bundle "$folder/some" --disclose action
expect 0 verify "$folder/some" --trust "$trust"
says "fields that are disclosed open their commitments: subject, action, subject chain"
says "fields: not disclosed"
checks=$((checks + 1))
! grep -q '"kind":"address"' "$folder/some" || fail "an address is in the file"
as aud 0 prove "$index" --disclose subject,action --out "$folder/two"
expect 0 verify "$folder/two" --trust "$trust"
says "field subject: opens its commitment"
says "field action: opens its commitment"
says "field resource (5): not disclosed"
silent "field resource: opens"
as aud 0 prove "$index" --disclose none --out "$folder/none"
expect 0 verify "$folder/none" --trust "$trust"
says "field subject (2): not disclosed"
as aud 4 prove "$index" --disclose nonsense
says "nonsense"

echo "# searches"
as aud 0 search --subject user:bob
says "2 found among"
silent user:ada
as aud 0 search --subject "user:*" --action wipe --verdict deny
says "1 found among"
as aud 0 search --resource file:2
says "2 found among"
as aud 0 search --client gateway --kind decision --since 1h --until 2099-01-01 --limit 3
says "3 found so far; to go on: --cursor"
as aud 1 search --subject user:ada --until 2001-01-01
says "0 found among"
as aud 0 search --address 192.0.2.7 --oldest-first --json
says '{"found":5,'
as aud 0 search --actor agent:bot --kind decision
says "1 found among"
as gateway 7 search --subject user:bob
says "search needs the role audit"
as aud 4 search --kind nonsense
as aud 4 search --since yesterday
as aud 4 search --verdict maybe

echo "# pages, while entries are added: none twice, none left out"
# shellcheck disable=SC2086 # An option, or none.
for order in --oldest-first ""; do
	as aud 0 search --subject user:ada --kind decision $order --limit 1000
	all=$(indexes)
	seen=
	cursor=
	while :; do
		as aud 0 search --subject user:ada --kind decision $order --limit 2 $cursor
		seen="$seen$(indexes)"
		next=$(sed -n 's/.*--cursor \([0-9]*\)$/\1/p' "$out")
		[ -n "$next" ] || break
		cursor="--cursor $next"
		[ "$(echo "$seen" | wc -w)" -gt 20 ] || decides ada 1
	done
	same "$(echo "$seen" | tr ' ' '\n' | sed '/^$/d' | sort | uniq -d)" ""
	for i in $all; do
		checks=$((checks + 1))
		echo " $seen" | grep -q " $i " || fail "entry $i was left out of: $seen"
	done
done

echo "# who read what, for what"
as eye 0 search --kind read --limit 1000
says "aud: search"
says "subject user:bob"
says "aud: proof $index-$index, 1 opened"
says "aud: history"
as eye 0 search --kind read --subject user:bob
says "aud: search"
as eye 0 show --from 5 --count 3
as eye 0 search --kind read --limit 1000
says "eye: search"
says "eye: entries 5-7, 3 opened"
as eye 0 search --kind history-requested
says "history requested  of subject"

echo "# read on any node, in the ledger of all: each node says so to the leader"
for node in 1 2 3; do
	only "$node"
	COUNTERSIGN_CLUSTER=$c/one.yaml as aud 0 prove "$index" --disclose action --out "$folder/by-$node"
	expect 0 verify "$folder/by-$node" --trust "$trust"
	as eye 0 search --kind read --limit 1000 --json
	says "\"public\":[\"node-$node\",[["
done

echo "# a node that is stopped has its readers logged before"
only 2
COUNTERSIGN_CLUSTER=$c/one.yaml as eye 0 show --from 5 --count 1
COUNTERSIGN_CLUSTER=$c/one.yaml as eye 0 show --from 9 --count 1
expect 0 cluster down "$c" --node 2
tries=50
until as eye 0 search --kind read --limit 1000 && grep -qE "eye: entries (9-9, 1|5-9, 2) opened" "$out"; do
	tries=$((tries - 1)) # It is committed; the node that answers may hear of that with the next heartbeat.
	[ "$tries" -gt 0 ] || fail "the last that was read on node 2 is not in the ledger"
	sleep 0.1
done

echo "# a trust policy that asks for all: the node holds its answer until they have signed, and is not asked over and over"
sed 's/^\(group [^ ]*\) [^ ]* /\1 all /' "$trust" >"$c/all.policy"
sed 's/^\( *trust: *\).*/\1all.policy/' "$c/cluster.yaml" >"$c/all.yaml"
decides bob 1
late=$(sed -n 's/^entry *\([0-9][0-9]*\),.*/\1/p' "$out" | head -1)
COUNTERSIGN_CLUSTER=$c/all.yaml as aud 2 prove "$late" --wait 1000 --out "$folder/lacks"
expect 2 verify "$folder/lacks" --trust "$c/all.policy"
as eye 0 search --kind read --limit 1000
opened=$(sed -n "s/.*aud: proof $late-$late, \([0-9]*\) opened.*/\1/p" "$out" | awk '{ n += $1 } END { print n + 0 }')
checks=$((checks + 1))
{ [ "$opened" -ge 1 ] && [ "$opened" -le 12 ]; } || fail "it was asked for, and read, $opened times in a second"
expect 0 cluster up "$c" --node 2
COUNTERSIGN_CLUSTER=$c/all.yaml as aud 0 prove "$late" --wait 20000 --out "$folder/all"
expect 0 verify "$folder/all" --trust "$c/all.policy"

echo "# the log of readers does not feed itself: who watches makes it grow no further"
COUNTERSIGN_KEY=$folder/eye.key "$tool" watch --json >"$folder/watched" 2>/dev/null &
watcher=$!
tries=100
while ! grep -q '"kind": *"read"' "$folder/watched"; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || fail "what the watcher read was not logged"
	decides ada 1 # It watches from the time on when it is connected.
	sleep 0.1
done
before=
now=$(size)
tries=100
while [ "$before" != "$now" ]; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || fail "the ledger grows by being watched"
	before=$now
	sleep 1.5
	now=$(size)
done
kill "$watcher"
wait "$watcher" 2>/dev/null
watcher=

echo "# without a quorum nothing private is shown, for nothing can be logged; proofs without go on"
leader=$("$tool" cluster status "$c" --json 2>/dev/null | sed -n 's/.*"leader_id": *\([0-9]*\).*/\1/p' | head -1)
for node in 1 2 3; do
	[ "$node" = "$leader" ] || expect 0 cluster kill "$c" --node "$node"
done
as gateway 0 prove "$index" --out "$folder/gateway-proof"
as aud 0 prove "$index" --disclose none --out "$folder/still"
as aud 5 prove "$index" --timeout-ms 3000
says "private fields are shown only once the ledger says who reads them"

echo "$checks checks"
