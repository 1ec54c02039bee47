#!/bin/sh
# People, chains of actors and governance by two of three, on a real cluster: import, disable, delegate, order, refuse.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-people.XXXXXX") || exit 99
c=$folder/c
out=$folder/out
one=$c/admin.key
two=$c/admin-2.key
three=$c/admin-3.key
COUNTERSIGN_CLUSTER=$c/cluster.yaml
export COUNTERSIGN_CLUSTER

# shellcheck disable=SC2317 # Called by trap.
clean()
{
	[ ! -f "$c/cluster.yaml" ] || "$tool" cluster down "$c" >/dev/null 2>&1
	rm -rf "$folder"
}
trap clean EXIT
trap 'exit 99' HUP INT TERM

# file NAME LINE...
file()
{
	name=$folder/$1
	shift
	printf '%s\n' "$@" >"$name"
}

# --- three administrators, two of whom sign ---

expect 4 init "$folder/x" --admins 2 --threshold 3
says 'can never sign'
file v1.yaml 'version: 1' 'thresholds: {step_up: 0, deny: 5000}' 'rules:' '- {id: all, verdict: allow}'
expect 4 init "$folder/x" --admins 3 --threshold 2 --policy "$folder/v1.yaml"
says 'version 2'
file open.yaml 'version: 2' 'bias: -4000' 'thresholds: {step_up: 9000, deny: 9500}' 'rules:' '- {id: all, verdict: allow}'
expect 0 init "$c" --admins 3 --threshold 2 --policy "$folder/open.yaml"
for node in "$c"/node-*/countersignd.yaml; do
	echo "state_digest_entries: 16" >>"$node"
done
says 'Governance  2 of 3'
says 'admin-3.key'
expect 0 cluster up "$c"

expect 0 governance show --key "$one"
says '2 of 3'
says 'admin, admin-2, admin-3'
expect 7 enroll --key "$one" --name gateway --roles decide,audit --new-key "$folder/gateway.key"
says ": needs 2 of 3 administrators' signatures (admin, admin-2, admin-3), has 1"
expect 7 enroll --key "$one" --sign-with "$one" --name gateway --roles decide --new-key "$folder/gateway.key"
expect 4 enroll --key "$one" --sign-with "$folder/none" --name gateway --roles decide --new-key "$folder/gateway.key"
expect 0 enroll --key "$one" --sign-with "$two" --name gateway --roles decide,audit --new-key "$folder/gateway.key"
gateway=$folder/gateway.key

# --- files of people: what is wrong is named by line and column ---

refused()
{
	expect 4 people import "$folder/bad.csv" --key "$one"
	says "$1"
}
file bad.csv 'id,kind' 'ada,"user'
refused 'bad.csv:2:5: the quotation mark is never closed'
file bad.csv 'id,colour' 'ada,red'
refused 'bad.csv:1:4: unknown column "colour"'
file bad.csv 'kind' 'user'
refused 'there is no column "id"'
file bad.csv 'id,enabled' 'ada,perhaps'
refused 'bad.csv:2:5: enabled: "perhaps"'
file bad.csv 'id,kind' 'ada'
refused 'only 1 of the 2 columns'
file bad.csv 'id,kind' 'ada,user,x'
refused 'more fields than the 2 columns'
file bad.csv 'id,kind' 'bot,agent'
refused 'line 2: a service or agent needs an owner'
file bad.csv 'id,kind,owner' 'bot,agent,user:nobody'
refused 'line 2: the owner user:nobody is no user'
file bad.csv 'id' 'ada' 'bob' 'ada'
refused 'line 4: user:ada is there already, at line 2'
file bad.json '[{"id": "ada", "groups": "eng"}]'
expect 4 people import "$folder/bad.json" --key "$one"
says 'record 1: groups'
file bad.json '[{"id": "ada",}]'
expect 4 people import "$folder/bad.json" --key "$one"
says 'bad.json:1:'

# --- import: only what differs, by two signatures ---

file people.csv 'id,kind,name,groups,owner,acts_for' \
	'ada,user,Ada Lovelace,"eng; ops",,' \
	'bob,user,"Bob ""the"" Builder",legal,,' \
	'bot,agent,Deploy bot,bots,user:bob,user:ada;group:ops' \
	'planner,agent,Planner,bots,user:bob,agent:bot'
expect 0 people import "$folder/people.csv" --key "$one" --dry-run
says '4 new'
says 'nothing was sent'
expect 7 people import "$folder/people.csv" --key "$one"
says "needs 2 of 3 administrators' signatures"
expect 0 people import "$folder/people.csv" --key "$one" --sign-with "$two"
says '4 new, 0 changed, 0 as they are, 0 removed: 2 orders'
expect 0 people import "$folder/people.csv" --key "$one" --sign-with "$two"
says '0 new, 0 changed, 4 as they are'
expect 0 people list --key "$gateway"
says 'Bob "the" Builder'
says '4 in all'
expect 0 people list --key "$gateway" --group ops
says '1 in all'
expect 0 people show user:bob --key "$gateway"
says 'owns       agent:bot'
expect 7 people show user:zoe --key "$gateway"
expect 0 group list --key "$gateway"
says 'bots'
"$tool" people list --json --key "$gateway" >"$folder/back.json" || fail "the list as JSON"
expect 0 people import "$folder/back.json" --prune --key "$one" --sign-with "$two"
says '4 as they are, 0 removed'

# --- decisions: chains, and who is disabled ---

decide()
{
	want=$1
	shift
	expect "$want" decide --key "$gateway" --subject user:ada --action read --resource doc:1 "$@"
}
decide 0
decide 0 --actor agent:bot
decide 0 --actor agent:planner --via agent:bot
expect 0 show --last 1 --key "$gateway"
says 'user:ada by agent:planner for agent:bot'
decide 1 --actor agent:planner
says 'may not act'
decide 1 --actor agent:bot --via agent:planner
decide 1 --actor agent:stranger --via agent:bot
says 'not in the table'
expect 4 decide --key "$gateway" --subject user:ada --action read --resource doc:1 --via agent:bot
file request.json '{"subject": {"type": "user", "id": "ada", "act": {"type": "agent", "id": "planner",' \
	'"act": {"type": "agent", "id": "bot"}}}, "action": {"name": "read"}, "resource": {"type": "doc", "id": "1"},' \
	'"context": {"device": "d1", "amount": 3, "mfa": true}}'
expect 0 decide --key "$gateway" --request "$folder/request.json"
sed 's/planner/stranger/' "$folder/request.json" >"$folder/other.json"
expect 1 decide --key "$gateway" --request "$folder/other.json"
sed 's/true/1.5/' "$folder/request.json" >"$folder/other.json"
expect 4 decide --key "$gateway" --request "$folder/other.json"
says 'mfa is neither'
expect 4 decide --key "$gateway" --request "$folder/request.json" --action write
expect 7 people disable agent:bot --key "$two"
expect 0 people disable agent:bot --key "$two" --sign-with "$three"
decide 1 --actor agent:planner --via agent:bot
says 'an actor is disabled'
expect 0 people enable agent:bot --key "$two" --sign-with "$three"
expect 0 people disable user:bob --key "$two" --sign-with "$three"
decide 1 --actor agent:bot
says 'who answers for it'
expect 7 people remove user:bob --key "$one" --sign-with "$three"
says 'owns services or agents'

# --- orders signed elsewhere ---

expect 0 order make policy "$folder/open.yaml" -o "$folder/order" --key "$one"
expect 0 order show "$folder/order"
says '| version: 2'
says 'signed by nobody'
expect 1 order sign "$folder/order" --key "$two"
says 'not signed'
expect 0 order sign "$folder/order" --key "$two" --yes
expect 7 order submit "$folder/order" --key "$one"
says 'needs 2 of 3'
expect 0 order sign "$folder/order" --key "$three" --yes
expect 0 order show "$folder/order"
says 'signed by admin-2'
says 'signed by admin-3'
expect 0 order submit "$folder/order" --key "$one"
says 'policy set'
expect 0 order submit "$folder/order" --key "$one"
says 'already'
sed 's/"entry": [0-9]*/"later": 1/' "$folder/order" >"$folder/again"
expect 7 order submit "$folder/again" --key "$one"
says 'sequence'

expect 0 order make member demote 3 --yes -o "$folder/member" --key "$one"
expect 0 order make feature enable builds -o "$folder/feature" --key "$one"
expect 0 order sign "$folder/member" --key "$one" --yes
says 'make node 3 a spare'
expect 0 order sign "$folder/member" --key "$two" --yes
expect 0 order sign "$folder/feature" --key "$one" --yes
expect 0 order sign "$folder/feature" --key "$two" --yes
expect 7 feature enable builds --key "$one"
says 'needs 2 of 3'
expect 0 order submit "$folder/member" --key "$three"
says 'membership changed'
expect 0 order submit "$folder/feature" --key "$three"
says 'feature enabled'

# --- credentials: by two of three, and their end by an order that was signed elsewhere ---

totp()
{
	"$tool" credential enroll --name ada-totp --kind totp --subject user:ada --key "$one" "$@"
}
totp >"$out" 2>&1 && fail 'a credential was enrolled by one of three'
says "needs 2 of 3 administrators' signatures"
totp --sign-with "$two" >"$out" 2>&1 || fail 'a credential enrolled by two'
expect 7 order make credential enroll --name x --kind oidc --issuer y --sub z --subject user:ada -o "$folder/no" --key "$one"
says 'cannot be kept'
expect 0 order make credential revoke ada-totp --reason lost -o "$folder/credential" --key "$one"
expect 0 order sign "$folder/credential" --key "$two" --yes
says 'end the credential "ada-totp": lost'
expect 7 order submit "$folder/credential" --key "$one"
says 'needs 2 of 3'
expect 0 order sign "$folder/credential" --key "$three" --yes
expect 0 order submit "$folder/credential" --key "$one"
expect 0 credential list --key "$gateway"
grep -q ada-totp "$out" && fail 'the credential that an order revoked is still there'

# --- governance: nobody lowers the guard alone, and what was signed before is void ---

expect 0 order make remove gateway --reason test -o "$folder/stale" --key "$one"
expect 0 order sign "$folder/stale" --key "$one" --yes
expect 0 order sign "$folder/stale" --key "$two" --yes
expect 7 governance set all=1 --key "$one"
expect 7 governance set policy=3 --key "$one" --sign-with "$two"
says 'needs 3 of 3'
expect 7 governance set all=4 --key "$one" --sign-with "$two" --sign-with "$three"
says 'can never come from 3'
expect 0 governance set policy=3 people=1 --key "$one" --sign-with "$two" --sign-with "$three"
expect 7 order submit "$folder/stale" --key "$one"
expect 0 people enable user:bob --key "$three"
expect 7 policy set "$folder/open.yaml" --key "$one" --sign-with "$two"
says 'needs 3 of 3'
expect 7 remove admin-3 --reason test --key "$one" --sign-with "$two" --sign-with "$three"
says 'fewer would be left'

# --- all of it comes back from the disk ---

expect 0 cluster down "$c"
expect 0 replay "$c/node-1"
says "state digests of the ledger are those of the state that came out"
expect 0 cluster up "$c"
expect 0 governance show --key "$one"
says '3 of 3'
expect 0 people show agent:planner --key "$gateway"
says 'acts for   agent:bot'
decide 0 --actor agent:planner --via agent:bot

# --- ten thousand people, and the rate ---

i=0
{
	echo 'id,name,groups'
	while [ "$i" -lt 10000 ]; do
		echo "p$i,Person Number $i,dept-$((i % 40));site-$((i % 7))"
		i=$((i + 1))
	done
} >"$folder/many.csv"
expect 0 people import "$folder/many.csv" --key "$one"
says '10000 new'
tail -n 1 "$out"
expect 0 people import "$folder/many.csv" --key "$one"
says '10000 as they are'
expect 0 people list --group dept-3 --key "$gateway"
says '250 in all'

expect 0 cluster down "$c"
echo "people.sh: $checks checks"
