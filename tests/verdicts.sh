#!/bin/sh
# What waits, who approves it, break-glass, grants and signals from outside: the tool on a real cluster.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-verdicts.XXXXXX") || exit 99
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

# The index of the entry, and the request's id, that the last command printed.
index_of()
{
	sed -n 's/^entry *\([0-9][0-9]*\),.*/\1/p' "$out" | head -1
}
last_index_of()
{
	sed -n 's/^entry *\([0-9][0-9]*\),.*/\1/p' "$out" | tail -1
}
id_of()
{
	sed -n 's/^request *\([0-9a-f]\{32\}\)$/\1/p' "$out"
}

cat >"$folder/policy.yaml" <<'POLICY'
version: 2
name: approvals
bias: -9000
thresholds: {step_up: 0, deny: 5000}
break_glass: {from: ["chief-*"], within: 10m}
rules:
  - {id: by-risk, verdict: risk}
  - id: two-bosses
    match: {action: deploy}
    verdict: defer
    defer: {approvals: {needed: 2, from: ["boss-*"], expires: 1h}}
    obligations: [{type: custom, id: mask, properties: {columns: iban, limit: 10}}]
  - id: cool-down
    match: {action: drop}
    verdict: defer
    defer: {until: 2s}
  - {id: never, match: {action: wipe}, verdict: deny}
  - id: prove
    match: {action: "tune*"}
    verdict: step_up
    grant: {for: 15m, scope: {action: "tune*", resource: "*"}, bind: [session, device]}
POLICY

expect 0 init "$acme" --name acme --policy "$folder/policy.yaml"
for node in "$acme"/node-*/countersignd.yaml; do
	echo "state_digest_entries: 16" >>"$node"
done
expect 0 cluster up "$acme"
export COUNTERSIGN_CLUSTER="$acme/cluster.yaml"
admin=$(find "$acme" -name 'admin*.key' | head -1)
COUNTERSIGN_KEY=$admin
export COUNTERSIGN_KEY
expect 0 enroll --name gateway --roles decide --new-key "$folder/gateway.key"
expect 0 enroll --name auditor --roles audit --new-key "$folder/auditor.key"
expect 0 enroll --name soc --roles signal --new-key "$folder/soc.key"
expect 0 enroll --name ada-key --roles device --subject user:ada --new-key "$folder/ada.key"
for who in boss-1:bea boss-2:ben boss-3:ada chief-1:cat chief-2:cid; do
	expect 0 enroll --name "${who%:*}" --roles approve --subject "user:${who#*:}" --new-key "$folder/${who%:*}.key"
done

# as KEY CODE ARGUMENT...
as()
{
	COUNTERSIGN_KEY=$folder/$1.key
	shift
	expect "$@"
}

# Two approve; nobody their own.
as gateway 3 decide --subject user:ada --action deploy --resource model:m1
index=$(index_of)
id=$(id_of)
says "0 of 2 are there, from boss-*"
as boss-1 0 pending
says "user:ada"
as boss-3 0 pending
says "nothing waits"
as boss-3 7 approve "$index"
as boss-1 0 approve "$index" --reason "looks right"
says "1 of 2 are there"
as boss-1 7 approve "$index"
says "this person has spoken"
as gateway 3 wait "$index" --wait 0
as boss-2 0 approve "$index"
says "verdict    allow"
as gateway 0 wait "$index" --wait 20
as gateway 0 wait --id "$id" --wait 20
as gateway 0 decide --subject user:ada --action deploy --resource model:m1 --id "$id"
says "custom mask columns=iban, limit=10"
as gateway 0 check "$id"

# One refuses; the time comes; break-glass.
as gateway 3 decide --subject user:ada --action deploy --resource model:m2
index=$(index_of)
as boss-2 0 approve "$index" --reject --reason "not today"
says "verdict    deny"
as gateway 1 wait "$index" --wait 20
as gateway 3 decide --subject user:ada --action drop --resource model:m2
as gateway 0 wait "$(index_of)" --wait 20
as gateway 1 decide --subject user:ada --action wipe --resource model:m2
index=$(index_of)
as chief-1 4 approve "$index" --break-glass
as chief-1 0 approve "$index" --break-glass --reason "the house burns"
says "verdict    deny"
as chief-2 0 approve "$index" --break-glass --reason "it does"
says "verdict    allow"
as auditor 0 show "$(last_index_of)"
says "BREAK-GLASS"

# A grant, its check, its ends.
prove()
{
	as gateway 2 decide --subject user:ada --action tune --resource model:m1 --context session=s1 --context device=d1 \
		--save "$folder/challenge.$1"
	as gateway 0 answer --challenge "$folder/challenge.$1" --device-key "$folder/ada.key"
}
prove 1
as gateway 0 decide --subject user:ada --action tune-more --resource model:m2 --context session=s1 --context device=d1
as gateway 2 decide --subject user:ada --action tune --resource model:m2 --context session=s2 --context device=d1
as gateway 0 check --subject user:ada --action tune --resource model:m2 --context session=s1 --context device=d1
as gateway 1 check --subject user:ada --action tune --resource model:m2 --context session=s2 --context device=d1
as auditor 0 grants --subject user:ada
says "possession"
as soc 0 signal session-revoked --subject user:ada --session s1 --reason stolen
says "outside signal"
as gateway 2 decide --subject user:ada --action tune --resource model:m2 --context session=s1 --context device=d1
prove 2
COUNTERSIGN_KEY=$admin
expect 0 order make grant revoke --subject user:ada --reason "over" -o "$folder/order"
expect 0 order sign "$folder/order" --key "$admin" --yes
says "end all grants of user:ada: over"
expect 0 order submit "$folder/order"
says "grant revoked"
expect 7 grant revoke --subject user:ada --reason "over"
as soc 7 signal nothing-known --subject user:ada

# All of it comes out again.
expect 0 cluster down "$acme"
expect 0 replay "$acme/node-1"
says "state digests of the ledger are those of the state that came out"

echo "$checks checks"
