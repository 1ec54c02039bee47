#!/bin/sh
# Keys change on a real cluster: every node's, under load; old proofs verify, forged ones do not; the trust follows.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-keys.XXXXXX") || exit 99
acme=$folder/acme
out=$folder/out
load=

# shellcheck disable=SC2317 # Called by trap.
clean()
{
	[ -z "$load" ] || kill "$load" 2>/dev/null
	[ ! -f "$acme/cluster.yaml" ] || "$tool" cluster down "$acme" >/dev/null 2>&1
	[ -n "${KEEP:-}" ] || rm -rf "$folder"
}
trap clean EXIT
trap 'exit 99' HUP INT TERM

# await SECONDS COMMAND...: until it succeeds.
await()
{
	tries=$(($1 * 20))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# shellcheck disable=SC2317 # Called by await.
status_says()
{
	"$tool" cluster status --cluster "$acme/cluster.yaml" --key "$folder/gate.key" >"$out" 2>&1 && grep -q -- "$1" "$out"
}

COUNTERSIGN_CLUSTER=$acme/cluster.yaml
COUNTERSIGN_KEY=$folder/gate.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
admin=$acme/admin.key
trust=$acme/trust.policy

expect 0 init "$acme" --name acme
cp -r "$acme" "$folder/first"
expect 0 cluster up "$acme"
expect 0 enroll --key "$admin" --name gate --roles decide,audit --new-key "$folder/gate.key"
expect 0 prove 1 --out "$folder/before.json"
expect 0 export --to "$folder/before"
expect 0 verify "$folder/before.json" --trust "$trust"

echo "# every key of every node, while others ask"
(
	i=0
	while [ ! -e "$folder/stop" ]; do
		i=$((i + 1))
		"$tool" decide --subject "user:u$((i % 5))" --action read --resource "doc:$i" >/dev/null 2>>"$folder/failed.err"
		code=$?
		[ $code -le 3 ] || echo "call $i: $code" >>"$folder/failed"
	done
	echo "$i" >"$folder/calls"
) &
load=$!
for node in 1 2 3; do
	expect 0 key rotate $node --key "$admin" --overlap 150
	says "node $node: log key"
	says "node $node: cosigner key"
	says "node $node: channel key"
	says "node $node signs with them"
done
expect 0 cluster status "$acme"
says 'health: ok'
says 'keys of node 1: log new since entry'
expect 0 key list
says 'GOOD UP TO SIZE'
touch "$folder/stop"
wait "$load"
load=
[ ! -e "$folder/failed" ] || fail "calls failed: $(cat "$folder/failed" "$folder/failed.err")"
echo "# $(cat "$folder/calls") calls, none failed"

echo "# the trust policy follows while the keys overlap; old proofs count with a proof of consistency"
expect 0 verify "$folder/before.json" --trust "$trust"
expect 0 trust update --cluster "$folder/first/cluster.yaml"
says 'counts no more as a log key'
says 'counts from now on as a cosigner'
says 'sizes that a key is good for: retired witness node-3'
says 'is up to date now'
followed=$folder/first/trust.policy
expect 0 trust update --cluster "$folder/first/cluster.yaml"
says "$followed is up to date"
expect 0 trust show --trust "$followed"
says 'exports carry its line'
says 'was retired: good for sizes 0 to'
expect 2 verify "$folder/before.json" --trust "$followed"
says 'under keys that were retired since'
expect 0 export --to "$folder/after"
expect 0 verify "$folder/after" --trust "$followed" --old "$folder/before.json"
says 'the older bundle: inclusion'
expect 0 verify "$folder/after" --trust "$followed" --old "$folder/before/checkpoint"
says 'under keys that were retired since'
cp "$trust" "$folder/stale.policy"
expect 0 member sync
cmp "$trust" "$followed" || fail 'member sync and trust update differ'

echo "# once the overlap is over, the old quorum vouches for what it has seen alone"
awk 'BEGIN { for (i = 0; i < 200; i++) printf "2025-12-01T00:%02d:%02dZ web1 sshd[1]: Accepted password for u%d from 192.0.2.7 port 1 ssh2\n",
	i / 60, i % 60, i % 7 }' >"$folder/auth.log"
expect 0 enroll --key "$admin" --name loader --roles import,audit --new-key "$folder/loader.key"
expect 0 import --key "$folder/loader.key" "$folder/auth.log"
size=$(sed -n 2p "$folder/after/checkpoint")
expect 0 export --to "$folder/late" --to-size $((size + 201))
cp "$folder/stale.policy" "$folder/stale"
expect 2 verify "$folder/late" --trust "$folder/stale.policy"
expect 2 trust update --trust "$folder/stale.policy" "$folder/late"
says 'nothing was changed'
cmp "$folder/stale" "$folder/stale.policy" || fail 'the policy was changed all the same'
sed 's/^trust: .*/trust: stale.policy/' "$acme/cluster.yaml" >"$folder/stale.yaml"
expect 2 trust update --cluster "$folder/stale.yaml"
says 'try a node'
expect 0 trust update --trust "$folder/stale.policy" "$folder/before"
says 'is up to date'
expect 0 trust update --trust "$folder/stale.policy" "$acme/node-2"
says 'which the quorum of the policy so far has cosigned'
says 'is up to date now'
expect 0 verify "$folder/late" --trust "$folder/stale.policy" --old "$folder/before.json"
expect 0 verify "$acme/node-3" --trust "$folder/stale.policy" --old "$folder/before/checkpoint"
expect 0 trust update --trust "$folder/stale.policy" "$folder/late"
says 'is up to date'

echo "# strangers' tools go by one log key: that of the first voter, whoever leads"
designated=$("$tool" trust show --trust "$trust" --json | sed -n 's/.*"designated": "[^+]*+\([0-9a-f]*\)+.*/\1/p')
[ -n "$designated" ] || fail 'no log key is designated'
id=$(sed -n 's/^— \([^ /]*\) \(.*\)$/\2/p' "$folder/late/checkpoint" | head -n 1 | base64 -d 2>/dev/null | od -An -tx1 -N4 | tr -d ' \n')
[ "$id" = "$designated" ] || fail "the export's log line is of key $id, not of $designated"
[ "$(grep -c '^— ' "$folder/late/checkpoint")" -le 16 ] || fail 'more than 16 signature lines'

echo "# an administrator's key, a device's"
expect 0 key rotate --name admin --new-key "$folder/admin2.key" --key "$admin" --overlap 0
says 'admin: sign key'
expect 7 enroll --key "$admin" --name late --roles decide --new-key "$folder/late.key"
expect 0 enroll --key "$folder/admin2.key" --name late --roles decide --new-key "$folder/late2.key"
admin=$folder/admin2.key
expect 0 enroll --key "$admin" --name phone --roles device --subject user:ada --new-key "$folder/phone.key"
expect 0 key rotate --name phone --sign --new-key "$folder/phone2.key" --key "$admin"
says 'phone: sign key'
for key in phone2 phone; do
	expect 2 decide --subject user:ada --action read --resource "doc:$key" --save "$folder/$key.challenge"
done
for key in phone2 phone; do
	expect 0 answer --challenge "$folder/$key.challenge" --device-key "$folder/$key.key"
	answer=$(sed -n 's/^entry *\([0-9][0-9]*\),.*/\1/p' "$out" | head -1)
	expect 0 prove "$answer" --evidence --out "$folder/$key.json"
	expect 0 verify "$folder/$key.json" --trust "$trust"
	says 'the Ed25519 signature verifies under phone, enrolled for that person at entry'
	[ "$key" = phone ] || says ', by its key since entry'
done
says ', by the key before that of entry'
expect 7 key rotate --name nobody --new-key "$folder/x.key" --key "$admin"
says 'nobody of that name'
expect 4 key rotate --key "$admin"
expect 4 key rotate 1 --name admin --key "$admin"

echo "# orders that are signed elsewhere"
expect 0 order make key rotate 3 --log --key "$admin" -o "$folder/order"
expect 0 order show "$folder/order"
says 'a new log key for node 3'
expect 0 order sign "$folder/order" --key "$admin" --yes
expect 0 order submit "$folder/order" --key "$admin"
expect 0 show --kind key-rotated --last 1
says 'log key of  node-3'

echo "# a node that has lost its signer's record signs nothing until it has new keys"
kill "$(cut -d' ' -f1 "$acme/node-2/pid")"
await 5 grep -q stopped "$acme/node-2/countersignd.log" || fail 'node 2 does not stop'
rm "$acme/node-2/data/signed"
expect 0 cluster up "$acme"
await 10 status_says 'signer.s record is lost' || fail 'the status does not say that the record is lost'
grep -q 'countersign key rotate' "$acme/node-2/countersignd.log" || fail 'the log does not say what to do'
expect 0 key rotate 2 --log --cosigner --key "$admin"
says 'node 2 signs with them'
await 10 status_says 'health: ok' || fail 'the cluster is not well again'
expect 2 decide --subject user:zed --action read --resource doc:1 --wait cosigned
says "cosigned   by a quorum"

echo "# a node that was away while the others got new channel keys finds its way back"
expect 0 member sync
kill "$(cut -d' ' -f1 "$acme/node-3/pid")"
await 5 grep -q stopped "$acme/node-3/countersignd.log" || fail 'node 3 does not stop'
expect 0 key rotate 1 --channel --overlap 0 --key "$admin"
expect 0 member sync
expect 0 key rotate 2 --channel --overlap 0 --key "$admin"
expect 0 member sync
expect 0 cluster up "$acme"
await 10 status_says 'health: ok' || fail 'node 3 does not come back'
expect 0 verify "$acme/node-3" --trust "$trust"

echo "# decided once more by anybody who has it"
expect 0 cluster down "$acme"
expect 0 replay "$acme/node-3" --trust "$trust"
