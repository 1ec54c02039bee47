#!/bin/sh
# countersign monitor on real clusters: under load, killed, nodes lost; policies that ask for it; fork, rollback, silence.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-monitor.XXXXXX") || exit 99
c=$folder/c
out=$folder/out
state=$folder/watch
loader=
watcher=
other=
trap 'exit 99' HUP INT TERM
# shellcheck disable=SC2317 # Called by trap.
clean()
{
	# shellcheck disable=SC2086 # Process ids.
	[ -z "$loader" ] || kill $loader 2>/dev/null
	[ -z "$watcher" ] || kill -KILL "$watcher" 2>/dev/null
	[ -z "$other" ] || kill -KILL "$other" 2>/dev/null
	signal_nodes CONT
	for d in "$c" "$folder/fork"; do
		[ ! -f "$d/cluster.yaml" ] || "$tool" cluster down "$d" >/dev/null 2>&1
	done
	rm -rf "$folder"
}
trap clean EXIT

# signal_nodes SIGNAL: to the daemons of $c, by their process ids.
signal_nodes()
{
	for pid in "$c"/node-*/pid; do
		[ ! -f "$pid" ] || kill -"$1" "$(cut -d' ' -f1 "$pid")" 2>/dev/null
	done
}

# await WHAT COMMAND…: until the command succeeds, for twenty seconds.
await()
{
	what=$1
	shift
	checks=$((checks + 1))
	tries=400
	until "$@" 2>/dev/null; do
		tries=$((tries - 1))
		if [ "$tries" -eq 0 ]; then
			cat "$folder/watch.log" >"$out" 2>/dev/null
			fail "in vain was awaited: $what"
		fi
		sleep 0.05
	done
}

# field NAME: a number in the monitor's status.json.
field()
{
	sed -n "s/^  \"$1\": \([0-9]*\),*$/\1/p" "$state/status.json" 2>/dev/null
}

# signed: size that the monitor's record names.
signed()
{
	sed -n 4p "$state/signed"
}

cosigned_above()
{
	[ "$(field cosigned_size || echo 0)" -gt "$1" ]
}

alarm_of()
{
	grep -q "\"kind\":\"$1\"" "$state/alarms"
}

watch()
{
	"$tool" monitor --cluster "$c/cluster.yaml" --key "$folder/watch.key" --state "$state" --interval 100 "$@" \
		2>>"$folder/watch.log" &
	watcher=$!
}

decides()
{
	n=$1
	while [ "$n" -gt 0 ]; do
		"$tool" decide --subject user:bob --action read --resource "file:$n" >/dev/null
		n=$((n - 1))
	done
}

echo "# the witness's key; a policy that asks for it, and a cluster that was copied before its first entry"
expect 0 keygen "$folder/watch.key" --name watch.example --witness
says 'witness  watch.example+'
vkey=$(sed -n 's/^witness  //p' "$out")
channel=$(sed -n 's/^channel  //p' "$out")
cosigner=$(sed -n 's/^cosigner //p' "$out")
expect 0 init "$c" --name acme --witness "$vkey"
expect 4 init "$folder/no" --name acme --witness "watch.example+0000"
cp -a "$c" "$folder/fork"
expect 0 cluster up "$c"
COUNTERSIGN_CLUSTER=$c/cluster.yaml
COUNTERSIGN_KEY=$c/admin.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
expect 4 monitor
expect 4 monitor --state "$state"
says 'no key to cosign with'
expect 8 monitor --state "$state" --status
expect 7 monitor --state "$state" --key "$folder/watch.key" --once --timeout-ms 500
says '--roles'
expect 7 enroll --name watch.bad --roles witness,approve --channel-pub "$channel" --sign-pub "$cosigner" --subject user:eve
says 'signs checkpoints and nothing else'
expect 0 enroll --name watch.example --roles witness --channel-pub "$channel" --sign-pub "$cosigner"
says "witness: $vkey"
expect 0 enroll --name gateway --roles decide,audit --new-key "$folder/gateway.key"
spread

echo "# without its cosignature nothing is verified; with it all is; and it reads no private field"
COUNTERSIGN_KEY=$folder/gateway.key
expect 2 prove 1 --wait 200 --out "$folder/without.json"
expect 2 verify "$folder/without.json" --trust "$c/trust.policy"
says 'quorum quorum-and-outside: not reached'
expect 0 monitor --state "$state" --key "$folder/watch.key" --once
expect 2 monitor --state "$state" --status
says 'cosigned   4 entries' # The third is that the gateway has read an entry.
cp -a "$state" "$folder/watch.early"
expect 0 prove 1 --out "$folder/with.json"
expect 0 verify "$folder/with.json" --trust "$c/trust.policy"
says 'cosignature of watch.example at POSIX time'
expect 0 verify "$state/checkpoint" --trust "$c/trust.policy"
expect 0 trust show
says 'outside counts as one if at least 1 of these 1 have: watch.example'
expect 4 trust show --witness "$vkey"
decides 1
expect 0 show --from 3 --key "$folder/watch.key"
says '(private)'

echo "# under load, while nodes die and it is killed: it goes on from where it was, and its record never goes back"
: >"$folder/watch.log"
for _ in 1 2 3 4; do
	(while :; do decides 20; done) &
	loader="$loader $!"
done
watch
await 'a cosignature under load' cosigned_above 10
leader=$("$tool" cluster status "$c" | sed -n 's/^leader: node \([0-9]*\) .*/\1/p')
kill -KILL "$(cut -d' ' -f1 "$c/node-$leader/pid")"
before=$(field cosigned_size)
await 'a cosignature after the leader died' cosigned_above "$((before + 10))"
expect 0 cluster up "$c"
size=0
for pause in 0.31 0.07 0.19 0.43 0.11 0.23; do
	sleep "$pause" # Whatever it is doing just then.
	kill -KILL "$watcher"
	wait "$watcher" 2>/dev/null
	checks=$((checks + 2))
	[ "$(signed)" -ge "$size" ] || fail "the record went back: from $size to $(signed)"
	[ "$(sed -n 2p "$state/checkpoint")" -le "$(signed)" ] || fail "it signed what its record does not know"
	size=$(signed)
	watch
	await 'a cosignature after it was killed' cosigned_above "$size"
done
# shellcheck disable=SC2086 # Process ids.
kill $loader
# shellcheck disable=SC2086
wait $loader 2>/dev/null
loader=
COUNTERSIGN_KEY=$folder/gateway.key
last=$("$tool" show --last 1 | sed -n '1s/^ *\([0-9]*\).*/\1/p')
await 'all entries to be cosigned' cosigned_above "$last"
expect 8 monitor --state "$state" --key "$folder/watch.key" --once
says 'another monitor works in this folder'
expect 0 prove "$last" --out "$folder/last.json"
expect 0 verify "$folder/last.json" --trust "$c/trust.policy"
expect 0 monitor --state "$state" --status
says 'monitor    runs'
kill "$watcher"
wait "$watcher"
code=$?
checks=$((checks + 1))
[ "$code" -eq 0 ] || fail "ended by a signal it says $code"
decides 1 # Nobody is there to cosign it: an auditor goes as far as the witness came.
spread
expect 0 audit --state "$folder/audit"
says 'lack a cosignature that the trust policy asks for: the next visit'
expect 0 export --to "$folder/export" --wait 100
expect 0 verify "$folder/export" --trust "$c/trust.policy"
says 'cosignature of watch.example at POSIX time'
expect 0 audit compare "$folder/audit" "$state/state"
says 'one history'

echo "# two witnesses, under load: both sign the same sizes, so that a policy can ask for both"
expect 0 enroll --key "$c/admin.key" --name watch.second --roles witness --new-key "$folder/second.key"
second=$(sed -n 's/^witness: //p' "$out")
expect 4 trust show --witness "$second" --need 2
expect 0 trust show --witness "$second"
cp "$out" "$folder/both.policy"
sed "s,^trust: .*,trust: $folder/both.policy," "$c/cluster.yaml" >"$folder/both.yaml"
for _ in 1 2 3; do
	(while :; do decides 20; done) &
	loader="$loader $!"
done
watch
"$tool" monitor --key "$folder/second.key" --state "$folder/watch.2" --interval 70 2>>"$folder/watch.log" &
other=$!
COUNTERSIGN_CLUSTER=$folder/both.yaml
for index in 5 "$((last + 1))" "$((last + 10))"; do
	expect 0 prove "$index" --wait 10000 --out "$folder/both-$index.json"
	expect 0 verify "$folder/both-$index.json" --trust "$folder/both.policy"
	says 'cosignature of watch.second'
done
COUNTERSIGN_CLUSTER=$c/cluster.yaml
# shellcheck disable=SC2086 # Process ids.
kill $loader "$watcher" "$other"
# shellcheck disable=SC2086
wait $loader "$watcher" "$other" 2>/dev/null
loader=
COUNTERSIGN_KEY=$c/admin.key expect 0 remove watch.second --reason "one is enough"
last=$("$tool" show --last 1 | sed -n '1s/^ *\([0-9]*\).*/\1/p')

echo "# nodes that restart hand it out as before; one that has lost it is given it again"
expect 0 cluster down "$c"
expect 0 cluster up "$c"
expect 0 prove 1 --out "$folder/still.json"
expect 0 verify "$folder/still.json" --trust "$c/trust.policy"
says 'cosignature of watch.example'
expect 0 cluster down "$c"
rm "$c"/node-*/data/witnessed
expect 0 cluster up "$c"
expect 0 monitor --state "$state" --key "$folder/watch.key" --once
expect 0 prove 1 --out "$folder/again.json"

echo "# silence: nobody answers; and a program is told, in an environment of its own"
# shellcheck disable=SC2016 # For the program.
printf '#!/bin/sh\nprintf "%%s|%%s|%%s|%%s\\n" "$1" "$COUNTERSIGN_ALARM_KIND" "${COUNTERSIGN_ALARM_NODE}" "${COUNTERSIGN_KEY-none}" >>%s\n' \
	"$folder/told" >"$folder/page"
chmod +x "$folder/page"
expect 4 monitor --state "$state" --alarm-command "$folder/none"
: >"$folder/watch.log"
watch --timeout-ms 300 --silence 800 --alarm-command "$folder/page"
await 'the monitor to run' grep -q begins "$folder/watch.log"
signal_nodes STOP
await 'an alarm of silence' alarm_of silence
await 'its program' grep -q 'silence|silence|0|none' "$folder/told"
expect 1 monitor --state "$state" --status
says 'SILENCE'
signal_nodes CONT
expect 0 monitor --state "$state" --acknowledge all
says '1 alarm acknowledged, 0 left'
decides 1
await 'the nodes to answer again' cosigned_above "$((last + 1))"
await 'the silence to be over' grep -q 'silence is over' "$folder/watch.log"
expect 0 monitor --state "$state" --status
kill "$watcher"
wait "$watcher" 2>/dev/null

echo "# the folders of an earlier day are put back: rollback"
expect 0 cluster down "$c"
cp -a "$c" "$folder/old"
expect 0 cluster up "$c"
decides 4
spread
expect 0 monitor --state "$state" --key "$folder/watch.key" --once
expect 0 cluster down "$c"
cp -a "$c" "$folder/new"
cp -a "$state" "$folder/watch.kept"
for node in "$c"/node-*; do
	rm -rf "$node"
	cp -a "$folder/old/$(basename "$node")" "$node"
done
expect 0 cluster up "$c"
: >"$folder/told"
expect 1 monitor --state "$state" --key "$folder/watch.key" --once --interval 100 --patience 500 --alarm-command "$folder/page"
says 'ALARM'
says 'ROLLED BACK: the cluster shows'
await 'its program' grep -q 'rollback|rollback|0|none' "$folder/told"
expect 1 monitor --state "$state" --key "$folder/watch.key" --once
says 'is not acknowledged'

echo "# the same, grown beyond what was checked: rewritten"
rm -rf "$state"
cp -a "$folder/watch.kept" "$state"
decides 6
spread
expect 1 monitor --state "$state" --key "$folder/watch.key" --once --interval 100
says 'REWRITTEN'
expect 1 monitor --state "$state" --status --json
says '"kind": "fork"'
sed -e '/^witness watch/d' -e '/^group outside/d' -e '/^group quorum-and/d' -e 's/^quorum .*/quorum nodes/' "$c/trust.policy" \
	>"$folder/nodes.policy"
for note in ours theirs; do
	expect 0 verify "$state/evidence/$note.note" --trust "$folder/nodes.policy"
done
expect 0 cluster down "$c"

echo "# another history of the same keys, from its second entry on: forked, and nothing is signed"
state=$folder/watch.early
COUNTERSIGN_CLUSTER=$folder/fork/cluster.yaml
expect 0 cluster up "$folder/fork"
COUNTERSIGN_KEY=$folder/fork/admin.key
expect 0 enroll --name watch.example --roles witness --channel-pub "$channel" --sign-pub "$cosigner"
expect 0 enroll --name gateway --roles decide --new-key "$folder/fork.key"
expect 0 enroll --name another --roles decide --new-key "$folder/another.key"
spread
expect 1 monitor --state "$state" --key "$folder/watch.key" --once --interval 100 --alarm-command "$folder/page"
says 'ALARM'
alarm_of fork || fail "no alarm of a fork"
await 'its program' grep -q 'fork|fork|0|none' "$folder/told"
expect 1 monitor --state "$state" --key "$folder/watch.key" --once
says 'is not acknowledged'
checks=$((checks + 2))
[ "$(signed)" = 4 ] || fail "it signed after an alarm"
expect 0 monitor --state "$state" --acknowledge all
expect 1 monitor --state "$state" --key "$folder/watch.key" --once --interval 100
[ "$(signed)" = 4 ] || fail "it signed what contradicts what it had signed"

echo "monitor: $checks checks held"
