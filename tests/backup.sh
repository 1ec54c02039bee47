#!/bin/sh
# A cluster of three saved under load, lost, and restored: killed backups, full disks, flipped bytes, other histories.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-backup.XXXXXX") || exit 99
acme=$folder/acme
save=$folder/save
keys=$folder/keys
out=$folder/out
load=
joined=

# shellcheck disable=SC2317 # Called by trap.
clean()
{
	[ -z "$load" ] || kill "$load" 2>/dev/null
	[ -z "$joined" ] || kill "$joined" 2>/dev/null
	for c in acme acme2 without; do
		[ ! -f "$folder/$c/cluster.yaml" ] || "$tool" cluster down "$folder/$c" >/dev/null 2>&1
	done
	rm -rf "$folder"
}
trap clean EXIT
trap 'exit 99' HUP INT TERM

# flip FILE OFFSET: the byte there becomes another.
flip()
{
	byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
	# shellcheck disable=SC2059 # The format is the byte.
	printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# ask CODE SUBJECT DEVICE: a decision.
ask()
{
	expect "$1" decide --subject "user:$2" --action read --resource repo:main --context "device=$3" \
		--context ip=198.51.100.20
}

# A member that has just come back may have missed the last cosignatures, until there are new ones: then another node.
backup() # backup CODE NODE [OPTION]...
{
	wanted=$1
	first=$2
	shift 2
	for node in "$first" 1 2 3; do
		"$tool" backup --node "$acme/node-$node" --to "$save" --keys "$keys" --key "$folder/gateway.key" \
			--trust "$folder/trust" "$@" >"$out" 2>&1
		code=$?
		[ "$code" -ne 2 ] && break
	done
	checks=$((checks + 1))
	[ "$code" -eq "$wanted" ] || fail "backup of node $node: exit code $code, expected $wanted"
}

check() # check CODE [OPTION]...
{
	wanted=$1
	shift
	expect "$wanted" restore --check --from "$save" --keys "$keys" --trust "$folder/trust" "$@"
}

expect 0 init "$acme" --name acme
expect 0 cluster up "$acme"
cp "$acme/trust.policy" "$folder/trust"
COUNTERSIGN_CLUSTER=$acme/cluster.yaml
COUNTERSIGN_KEY=$acme/admin.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
expect 0 enroll --name gateway --roles decide,import,audit --new-key "$folder/gateway.key"
expect 0 enroll --name plain --roles decide --new-key "$folder/plain.key"
expect 0 enroll --name ada-key --roles device --subject user:ada --new-key "$folder/ada.key"
expect 0 credential enroll --name ada-totp --kind totp --subject user:ada
expect 0 hold set --subject user:eve --reason 'a case'
COUNTERSIGN_KEY=$folder/gateway.key
ask 2 ada ada-laptop
expect 2 decide --subject user:ada --action read --resource repo:main --context device=ada-laptop \
	--context ip=198.51.100.20 --save "$folder/challenge.json"
expect 0 answer --challenge "$folder/challenge.json" --device-key "$folder/ada.key"
for _ in 1 2 3; do ask 0 ada ada-laptop; done
expect 0 prove 4 --out "$folder/old.json" --wait 10000

echo "# who signs, and what is named"
expect 4 backup --to x
says '--node FOLDER is missing'
expect 4 backup --node "$acme/node-1" --to "$save" --keys "$keys" --key "$folder/plain.key" --trust "$folder/trust"
says "is not enrolled as an auditor's or administrator's"
[ ! -e "$save/manifest" ] || fail 'a manifest was written for one who may not sign'

echo "# under load, killed again and again"
"${STORY_LOAD:-tests/story_load}" "$COUNTERSIGN_CLUSTER" "$COUNTERSIGN_KEY" 6000 "$folder/progress" >"$folder/load" 2>&1 &
load=$!
until [ "$(cat "$folder/progress" 2>/dev/null || echo 0)" -ge 2000 ] 2>/dev/null; do
	kill -0 "$load" 2>/dev/null || fail "the load ended early: $(cat "$folder/load")"
	sleep 0.02
done
for pause in 0.05 0.1 0.2 0.4; do
	"$tool" backup --node "$acme/node-2" --to "$save" --keys "$keys" --trust "$folder/trust" --wait 0 >/dev/null 2>&1 &
	victim=$!
	sleep $pause
	kill -9 "$victim" 2>/dev/null
	wait "$victim" 2>/dev/null
	if [ -e "$save/manifest" ]; then
		check 0
	elif [ -d "$save" ]; then
		check 2
		says 'is no backup, or its first one was not finished'
	fi
done
backup 0 2
says 'cosigned by a quorum'
check 0
says 'whole:'
[ "$(stat -c %a "$keys")" = 600 ] || fail "the file of keys has mode $(stat -c %a "$keys")"
grep -rqaF -e '198.51.100.20' -e ada-laptop "$save" && fail 'a private value is in the backup in clear'
wait "$load" || fail "the load: $(cat "$folder/load")"
load=

echo "# incremental; any tool for sha256 and for tlog-tiles checks it"
ask 0 ada ada-laptop
backup 0 1
says 'added'
backup 0 1 --wait 0
says 'up to date'
(cd "$save" && sha256sum --quiet -c files.*) || fail 'sha256sum -c'
expect 0 verify "$save" --trust "$folder/trust"
check 0
cp -a "$save" "$folder/good"
# Another history: the nodes as they are now, and what they decide before what is decided here.
expect 0 cluster down "$acme"
cp -a "$acme" "$folder/aside"
expect 0 cluster up "$acme"
for _ in 1 2 3 4 5 6; do
	ask 0 ada ada-laptop
done
expect 0 export --to "$folder/fork"
forked=$(sed -n 2p "$folder/fork/checkpoint")
expect 0 cluster down "$acme"
rm -r "$acme"
mv "$folder/aside" "$acme"
expect 0 cluster up "$acme"

echo "# what is put in by another hand is refused by name"
n=0
for file in $(awk '$1 == "file" { print $4 }' "$save/manifest"; awk '{ print $2 }' "$save"/files.* | awk 'NR % 20 == 3 || /\.p\//') manifest; do
	size=$(stat -c %s "$save/$file")
	flip "$save/$file" $((size / 2))
	check 1
	says "$file"
	flip "$save/$file" $((size / 2))
	n=$((n + 1))
done
[ "$n" -ge 8 ] || fail "only $n files were tried"
check 0
bundle=$(cd "$save" && echo bodies/000.*[0-9])
mv "$save/$bundle" "$folder/aside"
check 2
says "$bundle: No such file or directory"
mv "$folder/aside" "$save/$bundle"
cp "$keys" "$folder/keys.good"
flip "$keys" 100
check 2
says 'a key in it is damaged'
cp "$folder/keys.good" "$keys"
expect 2 restore --check --from "$save" --keys "$folder/none" --trust "$folder/trust"
expect 0 init "$folder/other" --name other
check_other() { expect "$1" restore --check --from "$save" --keys "$keys" --trust "$folder/other/trust.policy"; }
check_other 2

echo "# a full disk leaves the last good backup"
ask 0 ada ada-laptop
for node in 3 2 1; do
	(
		trap '' XFSZ
		ulimit -f 40
		exec "$tool" backup --node "$acme/node-$node" --to "$save" --keys "$keys" --trust "$folder/trust"
	) >"$out" 2>&1
	code=$?
	[ "$code" -eq 2 ] || break
done
[ "$code" -eq 8 ] || fail "a backup on a full disk: exit code $code"
says 'File too large'
check 0

echo "# a newer checkpoint, and one of another history"
saved() { sed -n 's/^checkpoint \([0-9]*\) .*/\1/p' "$save/manifest"; }
size=$(saved)
expect 0 export --to "$folder/newer" --to-size $((size + 1))
check 2 --checkpoint "$folder/newer"
says 'more, which would be lost'
check 0 --checkpoint "$folder/newer" --accept-loss
check 0 --checkpoint "$save"
backup 0 1
check 1 --checkpoint "$folder/fork"
says 'There are two histories'
# A checkpoint alone can be held against nothing before the backup is as long; what ends by time makes entries, too.
[ "$(saved)" -lt "$forked" ] || fail "the backup has $(saved) entries, the other history only $forked"
check 2 --checkpoint "$folder/fork/checkpoint"
while [ "$(saved)" -lt "$forked" ]; do
	ask 0 ada ada-laptop
	backup 0 1
done
check 1 --checkpoint "$folder/fork/checkpoint"
says 'ALARM'
says 'There are two histories'
rm -r "$save"
cp -a "$folder/good" "$save"
check 2 --checkpoint "$folder/newer/checkpoint"
says 'cannot be seen in a checkpoint alone'
expect 0 audit --state "$folder/audit" || :
check 2 --checkpoint "$folder/audit"
says 'would be lost'

echo "# everything is lost but the backup, its keys, and what clients and administrators hold"
cp "$acme/admin.key" "$folder/admin.key"
expect 0 cluster down "$acme"
cp -a "$acme/node-1" "$folder/before" # For the replay across the restore, further down.
rm -r "$acme"
COUNTERSIGN_CLUSTER=
echo "# somebody who was erased since is left out"
expect 0 restore "$folder/without" --from "$save" --keys "$keys" --trust "$folder/trust" --erase user:ada
says 'of whom --erase names are left out'
expect 0 cluster up "$folder/without"
COUNTERSIGN_CLUSTER=$folder/without/cluster.yaml ask 2 ada ada-laptop
expect 0 cluster down "$folder/without"
COUNTERSIGN_CLUSTER=
expect 4 restore "$folder/acme2"
expect 0 restore "$folder/acme2" --from "$save" --keys "$keys" --trust "$folder/trust" --checkpoint "$folder/newer" --accept-loss
says 'Carries on  acme-'
says 'ada-totp'
COUNTERSIGN_CLUSTER=$folder/acme2/cluster.yaml
new=$folder/acme2/trust.policy
expect 0 cluster up "$folder/acme2"
expect 0 show 0
says 'carries on'
says "of $size entries"
expect 0 hold list
says 'user:eve'
expect 0 show 0 --json
says '"predecessor"'

echo "# decisions go on: the device is known, and another one is not"
ask 0 ada ada-laptop
ask 2 ada another-laptop
expect 2 decide --subject user:ada --action read --resource repo:main --context device=another-laptop \
	--context ip=203.0.113.9 --save "$folder/challenge2.json"
expect 0 answer --challenge "$folder/challenge2.json" --device-key "$folder/ada.key"
expect 0 history --subject user:ada
says 'in the ledger that this one was restored from'
expect 0 enroll --key "$folder/admin.key" --name later --roles decide --new-key "$folder/later.key"

echo "# proofs of before and of now"
expect 0 verify "$folder/old.json" --trust "$folder/trust"
expect 2 verify "$folder/old.json" --trust "$new"
expect 0 verify "$folder/acme2/archive" --trust "$folder/acme2/archive/trust.policy"
says "all $size entries"
expect 0 prove 1 --out "$folder/new.json" --wait 10000
expect 0 verify "$folder/new.json" --trust "$new"
expect 0 export --to "$folder/x"
expect 0 verify "$folder/x" --trust "$new"
expect 0 audit --state "$folder/audit2"
says 'carries on acme-'
expect 0 cluster down "$folder/acme2"
expect 0 verify "$folder/acme2/node-1" --bodies --trust "$new"
expect 2 replay "$folder/acme2/node-1" --trust "$new"
says 'carries on another ledger'
expect 0 replay "$folder/acme2/node-1" --trust "$new" --before "$folder/before"
says 'the one that the genesis which carries it on names'
expect 4 replay "$folder/acme2/node-1" --before "$folder/acme2/archive"
says 'no ledger of a node is there'
expect 4 replay "$folder/before" --before "$folder/before"
says 'no ledger here carries it on'

expect 0 cluster up "$folder/acme2"
expect 0 cluster scrub "$folder/acme2" --key "$folder/admin.key"

echo "# killed and started again; a node that joins gets it all from the others"
ask 0 ada ada-laptop
for n in 1 2 3; do expect 0 cluster kill "$folder/acme2" --node $n; done
expect 0 cluster up "$folder/acme2"
ask 0 ada ada-laptop
expect 0 cluster kill "$folder/acme2" --node 3
port=$((20000 + $$ % 10000))
expect 0 member prepare "$folder/acme2/node-4" --key "$folder/admin.key" --url "tcp://127.0.0.1:$port" --link "127.0.0.1:$((port + 1))"
"${COUNTERSIGND:-./countersignd}" --config "$folder/acme2/node-4/countersignd.yaml" 2>"$folder/node-4.log" &
joined=$!
expect 0 member replace 3 "$folder/acme2/node-4/member" --key "$folder/admin.key"
expect 0 member sync --key "$folder/admin.key"
expect 0 cluster kill "$folder/acme2" --node 1
expect 0 cluster up "$folder/acme2" --node 1
ask 0 ada ada-laptop
kill "$joined"
wait "$joined" || fail "node 4 ended with $?"
joined=
expect 0 verify "$folder/acme2/node-4" --bodies --trust "$folder/acme2/trust.policy"

echo "# the restored ledger is saved and restored in its turn"
rm -rf "$save" "$keys"
cp "$new" "$folder/trust"
acme=$folder/acme2
ask 2 zoe zoe-phone
backup 0 1
check 0
echo "# a subject is erased: its key is destroyed, and with it what an older copy of the folder holds"
cp -a "$save" "$folder/older"
expect 0 enroll --key "$folder/admin.key" --name second --roles administer --new-key "$folder/second.key"
expect 0 erase --key "$folder/admin.key" --sign-with "$folder/second.key" --subject user:zoe --reason 'asked for it'
tries=0
until backup 0 1 && check 0 && ! grep -qF ' 0 erased' "$out"; do
	tries=$((tries + 1))
	[ $tries -lt 10 ] || fail 'what was erased is still in the backup'
done
expect 2 restore --check --from "$folder/older" --keys "$keys" --trust "$folder/trust"
says 'are gone: erased, or not in this file'
expect 0 restore --check --from "$folder/older" --keys "$keys" --trust "$folder/trust" --accept-missing-keys
expect 0 cluster down "$folder/acme2"
expect 0 restore "$folder/acme3" --from "$save" --keys "$keys" --trust "$folder/trust"

echo "$checks checks"
