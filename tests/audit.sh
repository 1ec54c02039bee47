#!/bin/sh
# countersign audit on a real cluster: visits, a tampered state, a past put back or rewritten, compare, the page.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-audit.XXXXXX") || exit 99
c=$folder/c
other=$folder/other
out=$folder/out
state=$folder/state
page=$folder/report.html
trap 'exit 99' HUP INT TERM
# shellcheck disable=SC2317 # Called by trap.
clean()
{
	[ ! -f "$c/cluster.yaml" ] || "$tool" cluster down "$c" >/dev/null 2>&1
	[ ! -f "$other/cluster.yaml" ] || "$tool" cluster down "$other" >/dev/null 2>&1
	rm -rf "$folder"
}
trap clean EXIT

silent()
{
	checks=$((checks + 1))
	! grep -qF -- "$1" "$out" || fail "the output says: $1"
}

# decides N: so many decisions about bob.
decides()
{
	n=$1
	while [ "$n" -gt 0 ]; do
		"$tool" decide --subject user:bob --action read --resource "file:$n" >/dev/null
		n=$((n - 1))
	done
	spread
}

# Of version 1: the log of readers is off, by which a visit would make the ledger grow (tests/reads.sh).
cat >"$folder/policy.yaml" <<'POLICY'
version: 1
bias: -2000
thresholds: {step_up: 0, deny: 5000}
challenge: {level: possession, methods: [ed25519], expires: 5m}
sensitive: ["deploy*"]
rules:
  - {id: by-risk, verdict: risk}
POLICY

echo "# a cluster; the first visit reads all of it"
expect 0 init "$c" --name acme --policy "$folder/policy.yaml"
expect 0 cluster up "$c"
COUNTERSIGN_CLUSTER=$c/cluster.yaml
COUNTERSIGN_KEY=$c/admin.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
expect 0 enroll --name gateway --roles decide,audit --new-key "$folder/gateway.key"
expect 0 enroll --name blind --roles decide --new-key "$folder/blind.key"
expect 0 enroll --name phone --roles device --subject user:alice --new-key "$folder/phone.key"
COUNTERSIGN_KEY=$folder/gateway.key
expect 2 decide --subject user:alice --action deploy --resource model:x --save "$folder/challenge"
expect 0 answer --challenge "$folder/challenge" --device-key "$folder/phone.key"
expect 2 decide --subject 'user:<script>alert("x")</script>' --action deploy --resource model:x
expect 4 audit
says '--state'
expect 0 audit --state "$state" --report "$page" --json "$folder/report.json"
says 'verified: entries 0 to 6 were checked, each one, and continue the genesis'
says 'ed25519: 1 met, 0 failed, 0 late'
says 'enrolled gateway as decide, audit'
says 'governance   single'
says 'quorum nodes: reached'
cp "$state" "$folder/first"

echo "# the page: well-formed, complete in itself, and a subject is no markup"
cp "$page" "$out"
says '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;'
silent '<script'
silent 'http://'
silent 'https://'
says '@media print'
says '<svg'
says 'Governance: single.'
if command -v xmllint >/dev/null; then
	checks=$((checks + 1))
	xmllint --noout "$page" 2>"$out" || fail "the page is not well-formed"
fi
cp "$folder/report.json" "$out"
says '"outcome": "verified"'
says '"method": "ed25519"'

echo "# the second visit reads what is new, the third nothing"
decides 3
expect 0 audit --state "$state"
says 'entries 7 to 9 were checked'
says 'the 7 entries of the last visit are how this tree begins'
expect 0 audit --state "$state"
says 'nothing new: all 10 entries'
expect 0 audit --state "$folder/part" --to-size 5
says 'entries 0 to 4 were checked'
expect 0 audit --state "$folder/part" --to-size 8
says 'entries 5 to 7 were checked'
expect 4 audit --state "$folder/part" --to-size 5
says '8 are checked already'
COUNTERSIGN_KEY=$folder/blind.key expect 0 audit --state "$folder/blind"
says 'not read'
says 'not open: 1 met'

echo "# compare: one history, more of it, or another ledger; by the files alone, by the cluster, with a node"
expect 0 audit compare "$folder/first" "$state"
says 'saw 7 entries'
says 'the same and 3 more'
expect 0 audit compare "$state" "$folder/part"
expect 0 audit compare "$state" "$folder/blind"
says 'both saw the same 10 entries'
expect 0 audit compare "$state" --node 2
expect 4 audit compare "$state"
expect 8 audit compare "$state" "$folder/none"

echo "# without a quorum in the policy it is a claim, and no state is written"
sed 's/^quorum .*/quorum none/' "$c/trust.policy" >"$folder/claim.policy"
expect 2 audit --state "$folder/claim" --trust "$folder/claim.policy"
says "the leader's claim only"
checks=$((checks + 1))
[ ! -e "$folder/claim" ] || fail "a state was written under no quorum"

echo "# a state with a flipped byte, or cut off, is refused"
size=$(wc -c <"$state")
for at in 0 1 30 90 200 400 $((size / 2)) $((size - 33)) $((size - 1)); do
	cp "$state" "$folder/bad"
	byte=$(od -An -tu1 -j "$at" -N 1 "$state" | tr -d ' ')
	# shellcheck disable=SC2059 # The format is the byte.
	printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$folder/bad" bs=1 seek="$at" conv=notrunc 2>/dev/null
	expect 4 audit --state "$folder/bad"
	says 'refused'
done
head -c 100 "$state" >"$folder/bad"
expect 4 audit --state "$folder/bad"

echo "# a visit that is killed leaves the last state"
decides 2
"$tool" audit --state "$state" >/dev/null 2>&1 &
kill -KILL $! 2>/dev/null
wait $! 2>/dev/null
expect 0 audit --state "$state"
says '12 entries'

echo "# another cluster"
expect 0 init "$other" --name acme
expect 0 cluster up "$other"
expect 4 audit --state "$state" --cluster "$other/cluster.yaml" --key "$other/admin.key"
says 'the state of another ledger'
expect 0 audit --state "$folder/foreign" --cluster "$other/cluster.yaml" --key "$other/admin.key"
expect 4 audit compare "$state" "$folder/foreign"
says 'two ledgers'
expect 0 cluster down "$other"

echo "# the folders of an earlier day are put back: rolled back, then forked at equal size, then rewritten"
expect 0 cluster down "$c"
cp -a "$c" "$folder/old"
expect 0 cluster up "$c"
decides 4
expect 0 audit --state "$state"
expect 0 cluster down "$c"
# The addresses and processes of the cluster stay; its nodes' memory is the old one's.
for node in "$c"/node-*; do
	rm -rf "$node"
	cp -a "$folder/old/$(basename "$node")" "$node"
done
expect 0 cluster up "$c"
expect 1 audit --state "$state" --report "$page"
says 'ROLLED BACK'
cp "$page" "$out"
says 'ALARM'
cp "$state" "$folder/before"
index=0
while "$tool" decide --subject user:eve --action read --resource file:z >"$out" 2>&1; index=$(sed -n 's/^entry *\([0-9]*\),.*/\1/p' "$out"); do
	[ "${index:-99}" -lt 15 ] || break
done
spread
expect 1 audit --state "$state"
says 'the first that differs is one of 12 to 15, and entry 15 is known to'
decides 3
expect 1 audit --state "$state"
says 'REWRITTEN'
checks=$((checks + 1))
cmp -s "$state" "$folder/before" || fail "an alarm changed the state"
expect 0 audit --state "$folder/anew"
expect 1 audit compare "$state" "$folder/anew"
says 'FORKED'
says 'the first that differs is one of 0 to 15'

echo "audit: $checks checks held"
