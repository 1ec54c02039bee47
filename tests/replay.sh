#!/bin/sh
# Replay of a real cluster's ledger, live and copied, from genesis and from a state; and a person's proof checked offline.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"
folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-replay.XXXXXX") || exit 99
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

cat >"$folder/policy.yaml" <<'YAML'
version: 2
thresholds: {step_up: 99999, deny: 100000}
rules:
  - {id: all, verdict: allow}
  - {id: up, match: {action: up}, verdict: step_up}
YAML
expect 0 init "$acme" --name acme --nodes 3 --policy "$folder/policy.yaml"
for n in 1 2 3; do
	echo "state_digest_entries: 16" >>"$acme/node-$n/countersignd.yaml"
done
expect 0 cluster up "$acme"
COUNTERSIGN_CLUSTER=$acme/cluster.yaml
export COUNTERSIGN_CLUSTER
admin=$acme/admin.key
gateway=$folder/gateway.key
expect 0 enroll --key "$admin" --name gateway --roles decide,audit --new-key "$gateway"
expect 0 enroll --key "$admin" --name ada-laptop --roles device --subject user:ada --new-key "$folder/ada.key"
COUNTERSIGN_KEY=$gateway
export COUNTERSIGN_KEY

echo "# a person's proof"
expect 2 decide --subject user:ada --action up --resource model:m --save "$folder/challenge"
expect 0 answer --challenge "$folder/challenge" --device-key "$folder/ada.key"
answer=$(sed -n 's/^entry *\([0-9][0-9]*\),.*/\1/p' "$out" | head -1)
expect 0 prove "$answer" --out "$folder/plain.json"
expect 0 verify "$folder/plain.json" --trust "$acme/trust.policy"
says "identity: not checked"
expect 0 prove "$answer" --evidence --out "$folder/proof.json"
expect 0 verify "$folder/proof.json" --trust "$acme/trust.policy"
says "identity: user ada answered the challenge of entry"
says "the Ed25519 signature verifies under ada-laptop"
says "supporting entry"
sed 's/\("kind":"evidence","salt":"[^"]*","value":"[^"]\{64\}\)./\1!/' "$folder/proof.json" | sed 's/!/A/' >"$folder/flipped.json"
cmp -s "$folder/proof.json" "$folder/flipped.json" &&
	sed 's/\("kind":"evidence","salt":"[^"]*","value":"[^"]\{64\}\)./\1B/' "$folder/proof.json" >"$folder/flipped.json"
expect 1 verify "$folder/flipped.json" --trust "$acme/trust.policy"
says "does not open its commitment"
expect 4 prove 0 --evidence

echo "# digests as entries"
tries=0
until "$tool" show --kind state-digest --last 400 --json >"$out" 2>/dev/null && grep -q '"state digest"' "$out"; do
	tries=$((tries + 1))
	[ "$tries" -le 200 ] || fail "no state digest became an entry"
	"$tool" decide --subject "user:u$((tries % 5))" --action read --resource model:m >/dev/null || fail "decide"
done

echo "# replay"
expect 0 replay "$acme/node-1" --trust "$acme/trust.policy"
says "each came out again, byte for byte"
says "verified"
expect 0 cluster down "$acme"
for n in 1 2 3; do
	expect 0 replay "$acme/node-$n" --trust "$acme/trust.policy"
	says "state digests of the ledger are those of the state that came out"
done
mkdir "$folder/copy"
cp "$acme/node-1/data/ledger/data.mdb" "$folder/copy/" 2>/dev/null || cp "$(find "$acme/node-1" -name data.mdb)" "$folder/copy/"
expect 0 replay "$folder/copy" --save-state "$folder/state"
says "not checked"
says "written to"
size=$(sed -n 's/^state .*: of \([0-9]*\) entries$/\1/p' "$out")
expect 0 replay "$folder/copy" --state "$folder/state" --from "$size"
says "the state that was given is the one whose digest"
expect 0 replay "$folder/copy" --level 1 --json
says '"outcome": "same"'
expect 4 replay "$folder/nowhere"
expect 4 replay "$folder/copy" --level 3

echo "$checks checks"
