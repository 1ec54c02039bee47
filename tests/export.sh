#!/bin/sh
# Exports of a real cluster: grown, interrupted, verified, and with a byte flipped; ledgers in use; the trust policy.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-export.XXXXXX") || exit 99
acme=$folder/acme
out=$folder/out

# shellcheck disable=SC2317 # Called by trap.
clean()
{
	[ ! -f "$acme/cluster.yaml" ] || "$tool" cluster down "$acme" >/dev/null 2>&1
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

# events FIRST COUNT: decisions, by way of import.
events()
{
	awk -v first="$1" -v n="$2" 'BEGIN { for (i = first; i < first + n; i++)
		printf "2025-12-01T%02d:%02d:%02dZ web1 sshd[1]: Accepted password for u%d from 192.0.2.%d port 1 ssh2\n",
			i / 3600, i / 60 % 60, i % 60, i % 7, i % 250 }' >"$folder/auth.log"
	expect 0 import --key "$folder/loader.key" "$folder/auth.log"
}

# Of version 1: the log of readers is off, which would add an entry now and then to what is counted here.
cat >"$folder/policy.yaml" <<'POLICY'
version: 1
bias: -2000
thresholds: {step_up: 0, deny: 5000}
rules:
  - {id: by-risk, verdict: risk}
POLICY
# As long as the default one: the genesis then has pages of its own in the store, of which there is one copy.
seq -f '# line %g of a policy that says much about itself' 1 120 >>"$folder/policy.yaml"
expect 0 init "$acme" --name acme --policy "$folder/policy.yaml"
expect 0 cluster up "$acme"
COUNTERSIGN_CLUSTER=$acme/cluster.yaml
COUNTERSIGN_KEY=$folder/reader.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
trust=$acme/trust.policy
expect 0 enroll --key "$acme/admin.key" --name loader --roles import,audit --new-key "$folder/loader.key"
expect 0 enroll --key "$acme/admin.key" --name reader --roles decide,audit --new-key "$folder/reader.key"

echo "# export, more decisions, export again"
expect 4 export
says '--to'
expect 0 export --to "$folder/x"
says 'entries 0 to 2 added, cosigned by a quorum'
cp "$folder/x/checkpoint" "$folder/first"
expect 0 verify "$folder/x" --trust "$trust"
says 'all 3 entries: canonical, chained, times in order, and their root'
expect 0 export --to "$folder/x"
says 'up to date, 3 entries'
events 0 700
expect 0 export --to "$folder/x" --to-size 703 --json
says '"size": 703'
says '"old_size": 3'
[ ! -e "$folder/x/tile/0/000.p" ] || fail 'a partial tile is left beside the full one'
[ -f "$folder/x/tile/entries/002.p/191" ] || fail 'the bundle at the edge is not there'
expect 0 verify "$folder/x" --trust "$trust" --old "$folder/first"
says 'consistency: grown from the older checkpoint of size 3'
grep -rqaF -e '192.0.2.' "$folder/x" && fail 'a private value is in the export'
expect 0 export --to "$folder/tail" --from 600
[ ! -e "$folder/tail/tile/entries/001" ] || fail '--from 600 wrote the entries before 512'
expect 2 verify "$folder/tail" --trust "$trust"
expect 0 verify "$folder/tail" --trust "$trust" --from 600
says 'entries 0 to 511: their hashes only'

echo "# killed in the middle"
events 700 2600
for pause in 0.01 0.03 0.06 0.1; do
	"$tool" export --to "$folder/x" >/dev/null 2>&1 &
	victim=$!
	sleep $pause
	kill -9 "$victim" 2>/dev/null
	wait "$victim" 2>/dev/null
	expect 0 verify "$folder/x" --trust "$trust" --old "$folder/first"
done
expect 0 export --to "$folder/x" --to-size 3303
expect 0 verify "$folder/x" --trust "$trust" --old "$folder/first"
says 'all 3303 entries'
expect 0 export --to "$folder/fresh"
cp -r "$folder/x" "$folder/copy"
for name in tile/0/000 tile/1/000.p/12 tile/entries/007 tile/entries/012.p/231; do
	cmp "$folder/x/$name" "$folder/fresh/$name" || fail "$name is not that of an export in one go"
done

echo "# one byte flipped"
flip "$folder/x/tile/entries/003" 5000
expect 1 verify "$folder/x" --trust "$trust"
says 'bad entry'
says refuted
expect 1 verify "$folder/x" --trust "$trust" --json
index=$(sed -n 's/^  "bad_index": \([0-9]*\).*/\1/p' "$out")
if [ "${index:-0}" -lt 768 ] || [ "$index" -ge 1024 ]; then
	fail "bad index $index is not in bundle 3"
fi
flip "$folder/x/tile/entries/003" 5000
flip "$folder/x/tile/1/000.p/12" 70
expect 1 verify "$folder/x" --trust "$trust"
says 'tile/1/000.p/12: hash 2 is not that of the entries from 512 on'
expect 8 export --to "$folder/x"
flip "$folder/x/tile/1/000.p/12" 70
expect 0 verify "$folder/x" --trust "$trust"
expect 0 init "$folder/stranger" --nodes 1
expect 2 verify "$folder/x" --trust "$folder/stranger/trust.policy"
rm "$folder/x/tile/entries/004"
expect 2 verify "$folder/x" --trust "$trust"
says 'tile/entries/004 is missing'

echo "# a proof for tools of others"
expect 0 prove 5 --tlog-proof "$folder/5.tlog-proof" --entry "$folder/5.entry"
head -n 2 "$folder/5.tlog-proof" | grep -q '^index 5$' || fail 'no .tlog-proof of entry 5'
expect 0 verify "$folder/5.tlog-proof" --entry "$folder/5.entry" --trust "$trust"
flip "$folder/5.entry" 40
expect 1 verify "$folder/5.tlog-proof" --entry "$folder/5.entry" --trust "$trust"
expect 4 verify "$folder/5.tlog-proof" --entry "$folder/5.entry" --trust "$trust" --bodies

echo "# ledgers in use, and copies"
expect 0 verify "$acme/node-1" --trust "$trust" --old "$folder/copy/checkpoint"
says 'private fields: not looked at'
expect 0 verify "$acme/node-2/data/ledger/data.mdb" --trust "$trust" --bodies
says 'each opens its commitment'
expect 0 cluster down "$acme"
mkdir "$folder/ledger"
cp "$acme/node-1/data/ledger/data.mdb" "$folder/ledger/"
expect 0 verify "$folder/ledger" --trust "$trust" --bodies
expect 4 verify "$folder/ledger" --trust "$trust" --from 5
# Somewhere in a leaf: found by the entry that an export has.
offset=$(grep -abo "$(head -c 3000 "$folder/copy/tile/entries/000" | strings -n 12 | grep -m 1 acme)" "$folder/ledger/data.mdb" |
	head -n 1 | cut -d : -f 1)
[ -n "$offset" ] || fail 'the genesis is not in the store'
flip "$folder/ledger/data.mdb" "$offset"
"$tool" verify "$folder/ledger" --trust "$trust" >"$out" 2>&1
code=$?
[ "$code" -ne 0 ] || fail 'a store with a flipped byte was verified'
: >"$folder/ledger/data.mdb"
expect 2 verify "$folder/ledger" --trust "$trust"

echo "# trust show"
expect 0 trust show
says 'at least 2 of these 3 have cosigned it: node-1, node-2, node-3'
cp "$out" "$folder/shown"
expect 0 verify "$folder/copy" --trust "$folder/shown"
expect 0 trust show --trust "$trust" --json
says '"quorum_need": 2'
expect 4 trust show --trust "$folder/auth.log"
expect 8 trust show --trust "$folder/none"

echo "export: $checks checks"
