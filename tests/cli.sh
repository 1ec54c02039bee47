#!/bin/sh
# The tool from init to down: every command once on a real cluster, its exit codes, and what it must refuse.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-cli.XXXXXX") || exit 99
acme=$folder/acme
out=$folder/out
watcher=

# shellcheck disable=SC2317 # Called by trap.
clean()
{
	[ -z "$watcher" ] || kill "$watcher" 2>/dev/null
	[ ! -f "$acme/cluster.yaml" ] || "$tool" cluster down "$acme" >/dev/null 2>&1
	rm -rf "$folder"
}
trap clean EXIT
trap 'exit 99' HUP INT TERM

# eventually WHAT FUNCTION: a node may lag by a moment; ten seconds are none.
eventually()
{
	tries=0
	checks=$((checks + 1))
	until "$2"; do
		tries=$((tries + 1))
		[ "$tries" -lt 100 ] || fail "$1: not after 10 s"
		sleep 0.1
	done
}

# shellcheck disable=SC2317 # These are called by eventually.
watched_newest()
{
	grep -q "^{\"index\":$newest," "$folder/watched"
}

# shellcheck disable=SC2317
last_two_are_imported()
{
	expect 0 show --last 4 --kind imported # What was read meanwhile is an entry, too.
	[ "$(wc -l <"$out")" -ge 2 ]
}

mode()
{
	checks=$((checks + 1))
	[ "$(stat -c %a "$1")" = "$2" ] || fail "$1: mode $(stat -c %a "$1"), expected $2"
}

echo "# help and refusals"
expect 0 --version
says 'countersign '
expect 0 --help
for command in init 'people import' 'people list' 'people show' 'people disable' 'people enable' 'people remove' \
	'group list' 'governance show' 'governance set' 'order show' 'order sign' 'order submit' 'cluster up' 'cluster down' 'cluster status' 'cluster kill' keygen enroll remove 'policy check' \
	'member list' 'member prepare' 'member add' 'member promote' 'member demote' 'member remove' 'member replace' \
	'member address' 'member sync' 'policy test' 'policy show' 'policy diff' 'policy what-if' 'policy eval' 'policy set' 'policy show-default' decide answer check show watch prove verify export backup restore 'trust show' import; do
	# shellcheck disable=SC2086 # Two words are two arguments.
	expect 0 help $command
	says "Usage: countersign $command"
	says 'Exit codes:'
	# shellcheck disable=SC2086
	expect 4 $command --no-such-option x
	says '--no-such-option'
done
expect 4 no-such-command
says no-such-command
expect 4 cluster no-such-subcommand
expect 4 decide --subject alice --action a --resource m:x --cluster c --key k
says '"alice" is not TYPE:ID'
expect 4 decide --subject u:a --action a --resource m:x --context n:=1.5
says '1.5'
expect 4 decide --subject u:a --subject u:b
says twice
expect 4 decide --subject u:a --action a --resource m:x
says COUNTERSIGN_CLUSTER

echo "# init, keygen, policy"
mkdir "$folder/full"
: >"$folder/full/file"
expect 4 init "$folder/full"
says 'not empty'
expect 4 init "$acme" --nodes 2
says even
expect 4 init "$acme" --name 'no spaces'
printf 'version: 1\nno_such_key: 1\n' >"$folder/bad.yaml"
expect 4 init "$acme" --policy "$folder/bad.yaml"
says 'bad.yaml:'
[ ! -e "$acme" ] || fail 'a refused init left a folder'
expect 0 init "$acme" --name acme
says 'warning: governance is "single"'
mode "$acme/admin.key" 600
mode "$acme/node-1/node.key" 600
cmp -s "$acme/node-1/genesis" "$acme/node-3/genesis" || fail 'two nodes have different genesis files'
grep -E '^(log|witness)' "$acme/trust.policy" | sed 's/.* //' | while read -r vkey; do
	grep -qF "$vkey" "$acme/ceremony-sheet.txt" || exit 1
done || fail 'the ceremony sheet lacks a key of the trust policy'
expect 4 init "$acme"
expect 0 policy check "$acme/policy.yaml"
says valid
expect 4 policy check "$folder/bad.yaml"
says 'bad.yaml:'
expect 0 policy eval 'subject.id + "/" + string(context.amount)' --context amount:=5 --context b=c
says '"/5"'
printf 'subject: user:ada\naction: deploy\nresource: repo:main\ncontext: {amount: 7}\n' >"$folder/request.yaml"
expect 0 policy eval 'subject.id == "ada" && context.amount > 6 && "x" in groups' --request "$folder/request.yaml" --group x
says true
expect 1 policy eval 'context.none'
says 'error: no such key'
expect 2 policy eval 'nobody'
says 'error: line 1 column 1: unknown name'
expect 4 policy eval '1' --signal none=1
expect 0 policy show-default
cmp -s "$out" "$acme/policy.yaml" || fail 'show-default is not what init wrote'
expect 0 keygen "$folder/key" --name spare --device
mode "$folder/key" 600
expect 8 keygen "$folder/key" --name spare
expect 4 keygen "$folder/key2"

echo "# cluster"
expect 5 cluster status "$acme"
expect 0 cluster up "$acme"
says leader
expect 0 cluster up "$acme"
expect 0 cluster status "$acme"
says follower
says 'health: ok'
says 'DISK FREE'
expect 0 cluster status "$acme" --json
grep -q '"health": "ok"' "$out" || fail 'status --json says no health'
grep -q '"disk_free_bytes": [1-9]' "$out" || fail 'status --json names no room'
leader=$(sed -n 's/^  "leader": \([0-9]*\).*/\1/p' "$out")
[ "${leader:-0}" -gt 0 ] || fail 'status --json names no leader'

COUNTERSIGN_CLUSTER=$acme/cluster.yaml
export COUNTERSIGN_CLUSTER

echo "# enrol, decide, answer, check"
expect 0 enroll --key "$acme/admin.key" --name ci --roles decide,audit --new-key "$folder/ci.key"
expect 0 enroll --key "$acme/admin.key" --name blind --roles import --new-key "$folder/blind.key"
expect 0 enroll --key "$acme/admin.key" --name loader --roles import,audit --new-key "$folder/loader.key"
expect 0 enroll --key "$acme/admin.key" --name alice-laptop --roles device --subject user:alice \
	--new-key "$folder/alice.key"
expect 7 enroll --key "$acme/admin.key" --name ci --roles decide --new-key "$folder/again.key"
[ ! -e "$folder/again.key" ] || fail 'a refused enrolment left its key file'
expect 4 enroll --key "$acme/admin.key" --name x --roles device --new-key "$folder/x.key"
says --subject
COUNTERSIGN_KEY=$folder/ci.key
export COUNTERSIGN_KEY
set -- --subject user:alice --action deploy --resource model:fraud-v7 --context device=alice-laptop \
	--context ip=192.0.2.7 --context amount:=3
expect 2 decide "$@" --save "$folder/asked.json"
says challenge
says new_subject
mode "$folder/asked.json" 600
index=$(sed -n 's/^  "index": \([0-9]*\).*/\1/p' "$folder/asked.json")
id=$(sed -n 's/^  "request_id": "\([0-9a-f]*\)".*/\1/p' "$folder/asked.json")
expect 1 check "$id"
expect 8 answer --challenge "$folder/asked.json" --device-key "$folder/no.key"
expect 4 answer --challenge "$acme/policy.yaml" --device-key "$folder/alice.key"
expect 0 answer --challenge "$folder/asked.json" --device-key "$folder/alice.key"
says allow
expect 0 check "$id"
expect 0 check "$id" --stale-ms 60000
says "ms old"
expect 4 check "$id" --stale-ms 0
expect 1 check 00000000000000000000000000000000
expect 0 decide "$@" --json
grep -q '"permitted": true' "$out" || fail 'decide --json does not permit'
expect 0 decide "$@" --wait cosigned
says "cosigned   by a quorum of the trust policy"
expect 0 decide "$@" --wait cosigned --json
grep -q '"cosigned": true' "$out" || fail 'decide --wait cosigned --json does not say so'
expect 4 decide "$@" --wait forever
expect 0 decide "$@" --id "$id"
expect 7 decide --subject user:mallory --action deploy --resource model:fraud-v7 --id "$id"
expect 7 decide "$@" --key "$folder/loader.key"
says 'decide needs the role decide'
expect 2 decide --subject user:bob --action deploy --resource model:x --save "$folder/bob.json"
bob=$(sed -n 's/^  "index": \([0-9]*\).*/\1/p' "$folder/bob.json")
expect 1 answer --index "$bob" --device-key "$folder/alice.key"
says 'does not verify'
expect 7 answer --index "$bob" --device-key "$folder/alice.key"

echo "# ledger: show, prove, verify"
expect 0 show "$index"
says 'user:alice'
says 'new_subject'
expect 0 show "$index" --json
says '"id": "alice"'
expect 0 show --from 0 --count 2
says genesis
expect 4 show --kind nonsense
expect 7 show 999999
expect 0 prove "$index" --out "$folder/proof.json"
expect 0 verify "$folder/proof.json" --trust "$acme/trust.policy"
says verified
says 'user:alice'
expect 8 prove "$index" --out "$folder/proof.json"
sed 's/"text":"user alice"/"text":"user mally"/' "$folder/proof.json" >"$folder/other.json"
expect 2 verify "$folder/other.json" --trust "$acme/trust.policy"
says 'field subject is not its value'
sed 's/\("index":\)[0-9]*/\10/' "$folder/proof.json" >"$folder/other.json"
expect 1 verify "$folder/other.json" --trust "$acme/trust.policy"
says refuted
expect 0 init "$folder/stranger" --nodes 1
expect 2 verify "$folder/proof.json" --trust "$folder/stranger/trust.policy"
expect 2 verify "$folder/proof.json" --trust "$folder/none"
expect 4 verify "$folder/proof.json"

echo "# watch across a change of leader"
"$tool" watch --from 0 --json >"$folder/watched" 2>"$folder/watch.err" &
watcher=$!
expect 0 cluster kill "$acme" --node "$leader"
expect 8 cluster kill "$acme" --node "$leader"
expect 0 decide "$@" --json
newest=$(sed -n 's/^  "index": \([0-9]*\).*/\1/p' "$out")
expect 0 cluster up "$acme" --node "$leader"
expect 0 watch --from "$newest" --count 1
eventually 'watch sees the entry after the change of leader' watched_newest
kill -INT "$watcher"
wait "$watcher" || fail 'watch did not end well'
watcher=
[ "$(wc -l <"$folder/watched")" -gt "$newest" ] || fail 'watch missed entries'

echo "# import"
mkdir "$folder/trail"
user='"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/ann"}'
rest='"eventSource":"ec2.amazonaws.com","eventName":"RunInstances"'
printf '{"Records":[{"eventTime":"2023-07-10T11:58:1%d.5Z",%s,%s},{"eventTime":"?",%s,%s}]}' 4 "$rest" "$user" "$rest" \
	"$user" >"$folder/trail/b.json"
printf '{"Records":[{"eventTime":"2023-07-10T11:58:13Z",%s,%s}]}' "$rest" "$user" >"$folder/trail/a.json"
expect 1 import --key "$folder/loader.key" --format cloudtrail "$folder/trail" --json
says '"imported": 2'
says 'b.json'
says '"position": 1'
rm "$folder/trail/b.json"
expect 0 import --key "$folder/loader.key" "$folder/trail"
says 'Imported 0 of 1 events'
says 'Imported before, and not again: 1'
gzip -k "$folder/trail/a.json"
expect 0 import --key "$folder/loader.key" "$folder/trail/a.json.gz"
says 'Imported before, and not again: 1'
rm "$folder/trail/a.json.gz"
expect 0 import --key "$folder/loader.key" --format cloudtrail --again "$folder/trail"
says 'Imported 1 of 1 events'
says 'user:arn:aws:iam::1:user/ann'
eventually 'show --last shows the newest' last_two_are_imported
expect 7 import --format cloudtrail --again "$folder/trail"
expect 7 import --key "$folder/blind.key" "$folder/trail"
says 'needs the role audit'
{
	echo 'Nov 30 10:00:00 web1 sshd[1]: Accepted password for ann from 192.0.2.10 port 50022 ssh2'
	echo 'Nov 30 10:00:01 web1 sshd[2]: Failed password for root from 203.0.113.9 port 4022 ssh2'
	echo '2025-11-30T10:00:02+01:00 web1 sudo: ann : PWD=/ ; USER=root ; COMMAND=/usr/bin/apt update'
} >"$folder/auth.log"
"$tool" import --key "$folder/loader.key" --year 2025 - <"$folder/auth.log" >"$out" 2>&1 || fail 'import of standard input'
says 'Imported 2 of 2 events from 1 files'
says 'sshd: failed password'
expect 0 import --key "$folder/loader.key" --year 2025 "$folder/auth.log" --json
says '"imported_before": 2'
# Hundreds at once, and still in their order.
awk 'BEGIN { for (i = 0; i < 600; i++) printf "2025-12-01T10:%02d:%02dZ web1 sshd[1]: Accepted password for u%d from 192.0.2.%d port 1 ssh2\n",
	i / 60, i % 60, i % 7, i % 250 }' >"$folder/many.log"
expect 0 import --key "$folder/loader.key" "$folder/many.log" --json
says '"imported": 600'
says '"out_of_order": 0'
# Not the last entries of all: what was read before may be told of behind them.
expect 0 show --from 0 --count 100000 --kind imported --json
grep '"file": *"many.log"' "$out" | grep -o '"position": *[0-9]*' | tr -dc '0-9\n' >"$folder/positions"
[ "$(wc -l <"$folder/positions")" -eq 600 ] || fail 'not all 600 entries were imported'
sort -n -c "$folder/positions" || fail 'imported events changed places'
printf 'at,who,cmd,host\n1700000000,ann,backup,db1\n1700000001,ben,"restore ""all""",db1\n' >"$folder/acts.csv"
expect 4 import --key "$folder/loader.key" --format csv "$folder/acts.csv"
says 'no source for subject'
expect 0 import --key "$folder/loader.key" --map subject=who,action=cmd,resource=host,resource.type==host,time=at \
	"$folder/acts.csv"
says 'Imported 2 of 2 events from 1 files'
says 'user:ben'
expect 8 import --key "$folder/loader.key" --format cloudtrail "$folder/no-such-folder"
expect 0 import --format cloudtrail --dry-run "$folder/trail"
real=${CS_CLOUDTRAIL:-${srcdir:-.}/../shared/data/cloudtrail/CloudTrail}
if [ -d "$real" ]; then
	expect 0 import --key "$folder/loader.key" --format cloudtrail "$real"
	says 'Imported 2900 of 2900 events from 55 files'
	sed -n 1p "$out"
else
	echo "no recorded CloudTrail logs at $real: that part is skipped"
fi

echo "# policy set, remove"
expect 7 policy set "$acme/policy.yaml"
expect 0 policy set "$acme/policy.yaml" --key "$acme/admin.key"
expect 0 remove loader --reason 'no longer used' --key "$acme/admin.key"
expect 7 import --key "$folder/loader.key" --format cloudtrail "$folder/trail"

echo "# members (the whole way: tests/cluster_member)"
expect 0 member list --key "$acme/admin.key"
says 'the cluster works while 2 of them do'
expect 4 member remove 3 --key "$acme/admin.key"
says 'both must work'
says 'survives 0 failures, with 3 it survived 1: say --yes'
expect 7 member promote 3 --key "$acme/admin.key" --wait-ms 60000
says 'a voter already'
expect 7 member remove 9 --key "$acme/admin.key"
says 'not a member'
expect 7 member address 3 --url tcp://127.0.0.1:1 --link 127.0.0.1:2 --key "$folder/ci.key"
says 'member needs the role administer'
expect 4 member prepare "$folder/node-4" --url tcp://127.0.0.1:1 --link 127.0.0.1 --key "$acme/admin.key"
says 'is not HOST:PORT'
expect 4 member prepare "$acme" --url tcp://127.0.0.1:1 --link 127.0.0.1:2 --key "$acme/admin.key"
says 'is not empty'
expect 0 member prepare "$folder/node-4" --url tcp://127.0.0.1:1 --link 127.0.0.1:2 --key "$acme/admin.key"
cmp -s "$folder/node-4/genesis" "$acme/node-1/genesis" || fail 'the genesis of a prepared node is another'
"${COUNTERSIGND:-./countersignd}" --config "$folder/node-4/countersignd.yaml" --check || fail 'prepared settings'
expect 4 member add "$folder/node-4/node.key" --key "$acme/admin.key"
says 'member prepare'
expect 0 member sync --key "$acme/admin.key"
expect 0 member sync --trust --key "$acme/admin.key"
says 'group nodes 2 node-1 node-2 node-3'

echo "# down; a recycled process id is left alone"
expect 0 cluster down "$acme"
says ended
expect 5 decide "$@" --timeout-ms 500
says 'which means deny'
echo "$$ 1" >"$acme/node-1/pid"
expect 0 cluster down "$acme"
kill -0 "$$" || fail 'signalled a stranger'

echo "all $checks checks held"
