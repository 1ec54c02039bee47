#!/bin/sh
# Erasing on a real cluster of three nodes: no byte of it is left in any file, every proof still holds, a hold beats it.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-erase.XXXXXX") || exit 99
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

# nowhere TEXT: no file of any node's data folder has these bytes.
nowhere()
{
	checks=$((checks + 1))
	grep -rslF -- "$1" "$acme"/node-*/data >"$out" && fail "\"$1\" is still in these files"
	: >"$out"
}

somewhere()
{
	checks=$((checks + 1))
	grep -rqF -- "$1" "$acme"/node-"$2"/data || fail "\"$1\" is not in node $2's files: the search finds nothing"
}

# Until no erasure is under way: each question is answered by the leader at once.
erased_everywhere()
{
	tries=0
	while "$tool" cluster status "$acme" >"$out" 2>&1 && grep -q "not yet on node" "$out"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || fail "not erased everywhere"
	done
	grep -q "^leader" "$out" || fail "no leader"
}

node_pid()
{
	cut -d ' ' -f 1 "$acme/node-$1/pid"
}

# Ends a node as a crash does, and waits until it is gone.
crash()
{
	pid=$(node_pid "$1")
	kill -9 "$pid"
	while kill -0 "$pid" 2>/dev/null; do :; done
}

cat >"$folder/policy.yaml" <<'YAML'
version: 2
thresholds: {step_up: 0, deny: 100000}
rules:
  - {id: all, verdict: allow}
  - {id: up, match: {action: up}, verdict: step_up}
YAML
expect 0 init "$acme" --name acme --nodes 3 --policy "$folder/policy.yaml"
expect 0 cluster up "$acme"
COUNTERSIGN_CLUSTER=$acme/cluster.yaml
export COUNTERSIGN_CLUSTER
admin=$acme/admin.key
gateway=$folder/gateway.key
boss=$folder/boss.key
expect 0 enroll --key "$admin" --name gateway --roles decide,audit,import --new-key "$gateway"
expect 0 enroll --key "$admin" --name boss --roles approve --new-key "$boss" --subject user:bea
COUNTERSIGN_KEY=$gateway
export COUNTERSIGN_KEY

# A past of some thousand events: among them those of the one to be erased, and of another who did the same.
{
	echo "who,what,where,ip,when"
	i=0
	while [ $i -lt 12000 ]; do
		printf 'u%d,read,repo-%d,10.0.%d.%d,2026-01-0%dT%02d:%02d:%02dZ\n' $((i % 40)) $((i % 7)) $((i % 9)) $((i % 200)) \
			$((i / 2400 + 1)) $((i % 2400 / 100)) $((i % 100 / 2)) $((i % 60))
		i=$((i + 1))
	done
	echo "Zmarker1,read,repo-Zcontext1,10.9.9.9,2026-01-06T10:00:00Z"
} >"$folder/acts.csv"
expect 0 import "$folder/acts.csv" --map subject=who,action=what,resource=where,ip=ip,time=when
rm "$folder/acts.csv"

decide()
{
	expect "$@"
	entry=$(sed -n 's/^entry  *\([0-9]*\),.*/\1/p' "$out")
	[ -n "$entry" ] || fail "no entry"
}
decide 0 decide --subject user:Zmarker1 --action read --resource repo:x --context device=Zdevice1 --context note=Zcontext1
first=$entry
decide 2 decide --subject user:Zmarker1 --action up --resource repo:x --context note=Zcontext1
decide 0 decide --subject user:ada --actor user:Zmarker1 --action read --resource repo:x --context device=laptop
other=$entry
decide 0 decide --subject user:bea --action read --resource repo:Ztext2 --context note=Zcontext2
second=$entry
decide 0 decide --subject user:held --action read --resource repo:x --context note=Zheld3
decide 0 decide --subject user:cyd --action read --resource repo:x
decide 0 decide --subject user:cyd --action read --resource repo:x
expect 0 prove "$first" --out "$folder/before.json"
expect 0 verify "$folder/before.json" --trust "$acme/trust.policy"
expect 0 export --to "$folder/export"
"$tool" cluster status "$acme" >/dev/null
somewhere Zmarker1 1

# Who erases, who agrees and whose data it is are three; the reason does not name them.
COUNTERSIGN_KEY=$admin
expect 7 erase --subject user:Zmarker1 --reason "asked for"
says "two persons"
expect 7 erase --subject user:bea --sign-with "$boss" --reason "asked for"
says "own data"
expect 7 erase --index "$second" --sign-with "$boss" --reason "asked for"
says "own data"
expect 7 erase --subject user:Zmarker1 --sign-with "$boss" --reason "Zmarker1 asked for it"
says "the reason names the subject"
expect 0 enroll --name second --roles administer --new-key "$folder/second.key"
COUNTERSIGN_KEY=$admin

# A hold beats it, and is lifted by two.
expect 0 hold set --subject user:Zmarker1 --reason "a lawsuit"
hold=$(sed -n 's/.*entry \([0-9]*\),.*/\1/p' "$out" | head -n 1)
expect 0 hold list
says "user:Zmarker1"
expect 7 erase --subject user:Zmarker1 --sign-with "$boss" --reason "asked for"
says "a hold is set on this subject since entry $hold"
expect 7 erase --index "$first" --field device --sign-with "$boss" --reason "asked for"
says "a hold is set"
expect 7 hold lift "$hold" --reason "settled"
says "two persons"
expect 0 hold lift "$hold" --sign-with "$boss" --reason "settled"
expect 0 hold list
grep -q Zmarker1 "$out" && fail "the hold is listed still"

# Erased while a node is down: the others have, and say so; that one is named, and has it done once it is back.
crash 3
expect 1 erase --subject user:Zmarker1 --sign-with "$boss" --reason "asked for" --wait 1
says "not erased yet on node"
tries=0
until "$tool" cluster status "$acme" >"$out" 2>&1 && grep -q ": not yet on node 3$" "$out"; do
	tries=$((tries + 1))
	[ $tries -lt 600 ] || fail "the others have not erased"
done
expect 0 cluster status "$acme" --json
says '"missing"'
somewhere Zmarker1 3
expect 0 cluster up "$acme"
erased_everywhere
for gone in Zmarker1 Zdevice1 Zcontext1; do
	nowhere $gone
done
COUNTERSIGN_KEY=$gateway
expect 0 show "$first"
says "(erased at entry"
expect 0 show "$first" --json
says '"erased_by"'
expect 0 show "$other"
says "user:ada"
says "actor          (erased at entry"
expect 0 verify "$folder/before.json" --trust "$acme/trust.policy"
expect 0 prove "$first" --out "$folder/after.json"
expect 0 verify "$folder/after.json" --trust "$acme/trust.policy"
expect 0 export --to "$folder/export"
expect 0 verify "$folder/export" --trust "$acme/trust.policy"
for node in 1 2 3; do
	expect 0 verify "$acme/node-$node/data/ledger" --bodies --trust "$acme/trust.policy"
	says "erased"
done

# Auditors go on: what is erased is no alarm.
expect 0 audit --state "$folder/audit" --trust "$acme/trust.policy" --report "$folder/audit.html"
expect 0 policy what-if "$folder/policy.yaml"

# Who comes back begins anew, and the chain says why.
decide 0 decide --subject user:Zmarker1 --action read --resource repo:x
expect 0 prove "$entry" --out "$folder/new.json"
expect 0 history --subject user:Zmarker1
says "was erased by entry"

# One entry's fields, with a crash of each node in the middle of it: nothing else is lost.
expect 0 show --from 0 --count 100000
lines()
{
	grep -v "erased\|  $second  \|  $((second + 2))  \|  $((second + 3))  " "$out" | cut -c1-70 | sort
}
lines >"$folder/entries.before"
COUNTERSIGN_KEY=$admin
# Signed by each with their own key, having read it.
expect 0 order make erase --index "$second" --field resource,context --reason "by mistake" -o "$folder/order"
expect 0 order sign "$folder/order" --key "$admin" --yes
says "ERASE of entry $second resource, context, for good: by mistake"
expect 0 order sign "$folder/order" --key "$folder/second.key" --yes
store_of() { stat -c %i "$acme/node-$1/data/ledger"; }
store=$(store_of 1)
expect 0 order submit "$folder/order"
copies=0
for node in 1 2 3; do
	# The store is being copied, or was just swapped: at whatever moment it is met.
	tries=0 until=$(($(date +%s) + 60))
	until [ -d "$acme/node-$node/data/ledger.new" ]; do
		tries=$((tries + 1))
		[ $((tries % 1000)) -eq 0 ] || continue
		[ "$(store_of $node)" = "$store" ] || break
		[ "$(date +%s)" -lt $until ] || fail "node $node does not write its store anew"
	done
	[ ! -d "$acme/node-$node/data/ledger.new" ] || copies=$((copies + 1))
	crash $node
	expect 0 cluster up "$acme"
	erased_everywhere
	[ $node -eq 3 ] || store=$(store_of $((node + 1)))
	[ $node -eq 3 ] || expect 0 erase --index "$((second + node + 1))" --sign-with "$folder/second.key" --reason "the next"
done
echo "# copies that were met half made: $copies of 3"
nowhere Zcontext2
nowhere Ztext2
COUNTERSIGN_KEY=$gateway
expect 0 show "$second"
says "user:bea"
says "resource       (erased at entry"
expect 0 show --from 0 --count 100000
lines >"$folder/entries.after"
comm -23 "$folder/entries.before" "$folder/entries.after" >"$folder/lost"
[ ! -s "$folder/lost" ] || fail "entries are lost: $(cat "$folder/lost")"
[ "$(wc -l <"$folder/entries.before")" -gt 12000 ] || fail "entries were not compared"
for node in 1 2 3; do
	[ ! -e "$acme/node-$node/data/ledger.new" ] || fail "node $node: what a crash left is still there"
	expect 0 verify "$acme/node-$node/data/ledger" --bodies --trust "$acme/trust.policy"
done

# What has grown old goes by itself, but not what is held.
COUNTERSIGN_KEY=$gateway
decide 0 decide --subject user:eve --action read --resource repo:x --context note=Zold4
COUNTERSIGN_KEY=$admin
expect 0 hold set --subject user:held --reason "a lawsuit"
expect 7 retention set decision 1s --reason "the law says so"
expect 0 retention set decision 1s --reason "the law says so" --sign-with "$boss"
expect 0 retention list
says "decision"
tries=0
while grep -rsqF Zold4 "$acme"/node-*/data; do
	tries=$((tries + 1))
	[ $tries -lt 20000 ] || fail "what is old was not erased"
done
erased_everywhere
nowhere Zold4
for node in 1 2 3; do
	somewhere Zheld3 $node
done
expect 0 retention set decision forever --reason "enough" --sign-with "$boss"

# A restart of all: each node decides again what its log has, and finds what is stored, as far as it is left.
expect 0 cluster down "$acme"
expect 0 cluster up "$acme"
COUNTERSIGN_KEY=$gateway
decide 0 decide --subject user:ada --action read --resource repo:x
expect 0 show "$first"
says "(erased at entry"

# History goes as far as it is left, and says what took the rest.
expect 0 cluster down "$acme"
expect 2 replay "$acme/node-1"
says "its private fields are erased, by entry"
echo "$checks checks"
