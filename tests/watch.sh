#!/bin/sh
# countersign watch on a real cluster: nothing missed, nothing doubled when the leader dies; filters, alerts, a terminal.
# SPDX-License-Identifier: Apache-2.0
set -u

tool=${COUNTERSIGN:-./countersign}
load=${STORY_LOAD:-tests/story_load}
if [ ! -x "$tool" ] || [ ! -x "${COUNTERSIGND:-./countersignd}" ] || [ ! -x "$load" ]; then
	echo "countersign, countersignd or story_load is not built: skipped"
	exit 77
fi
unset NO_COLOR

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-watch.XXXXXX") || exit 99
acme=$folder/acme
out=$folder/out
watcher=
loader=
checks=0

# shellcheck disable=SC2317 # Called by trap.
clean()
{
	[ -z "$watcher" ] || kill "$watcher" 2>/dev/null
	[ -z "$loader" ] || kill "$loader" 2>/dev/null
	[ ! -S "$folder/tmux" ] || tmux -S "$folder/tmux" kill-server
	[ ! -f "$acme/cluster.yaml" ] || "$tool" cluster down "$acme" >/dev/null 2>&1
	rm -rf "$folder"
}
trap clean EXIT
trap 'exit 99' HUP INT TERM

fail()
{
	echo "FAILED: $*"
	[ ! -s "$out" ] || tail -n 20 "$out" | sed 's/^/  | /'
	exit 1
}

# expect CODE ARGUMENT...: runs the tool; what it says goes to $out.
expect()
{
	wanted=$1
	shift
	"$tool" "$@" >"$out" 2>&1 </dev/null
	code=$?
	checks=$((checks + 1))
	[ "$code" -eq "$wanted" ] || fail "countersign $*: exit code $code, expected $wanted"
}

# says TEXT, lines N: of the last command's output.
says()
{
	checks=$((checks + 1))
	grep -qF -- "$1" "$out" || fail "the output does not say: $1"
}

lines()
{
	checks=$((checks + 1))
	[ "$(wc -l <"$out")" -eq "$1" ] || fail "$(wc -l <"$out") lines, expected $1"
}

# eventually WHAT COMMAND...: waits for it, a minute at most.
eventually()
{
	what=$1
	shift
	tries=0
	checks=$((checks + 1))
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 1200 ] || fail "$what: not within a minute"
		sleep 0.05
	done
}

# shellcheck disable=SC2317 # Called by eventually.
progress_is()
{
	[ "$(cat "$folder/progress" 2>/dev/null || echo 0)" -ge "$1" ]
}

# shellcheck disable=SC2317
watched()
{
	grep -q "^{\"index\":$1," "$folder/watched"
}

# The indexes that a watch told, in its order.
indexes()
{
	sed -n 's/^{"index":\([0-9]*\),.*/\1/p' "$1"
}

echo "# a cluster, a decision that somebody fails to prove, a key without the audit role"
expect 0 init "$acme" --name acme
expect 0 cluster up "$acme"
COUNTERSIGN_CLUSTER=$acme/cluster.yaml
COUNTERSIGN_KEY=$acme/admin.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
expect 0 enroll --name gateway --roles decide,audit --new-key "$folder/gateway.key"
expect 0 enroll --name blind --roles decide --new-key "$folder/blind.key"
expect 0 enroll --name phone --roles device --subject user:alice --new-key "$folder/phone.key"
expect 0 keygen "$folder/thief.key" --name phone --device
COUNTERSIGN_KEY=$folder/gateway.key
expect 2 decide --subject user:alice --action deploy --resource model:x --save "$folder/challenge"
expect 1 answer --challenge "$folder/challenge" --device-key "$folder/thief.key"
expect 2 decide --subject user:bob --action read --resource file:y
index='[0-9]*'
rm "$out"

echo "# filters, alerts, ends"
expect 0 watch --from 0 --until 2
lines 3
expect 0 watch --from 1 --until now --alerts
lines 4
says '! principal enrolled  gateway'
says 'ALERT: failed answer  user:alice  deploy  model:x'
expect 0 watch --from 0 --until now --verdict step_up --subject 'user:a*' --json
lines 1
says '"subject":{"type":"user","id":"alice"}'
expect 0 watch --from 0 --until now --verdict step_up --verdict deny --action deploy --resource 'model:*' --min-risk 0
lines 2
expect 0 watch --from 0 --until now --rule by-risk --min-risk 100000
lines 0
expect 0 watch --from 0 --until now --kind challenge-answer --json
lines 1
says '"alert":"failed answer"'
expect 0 watch --from 0 --count 1 --kind 5
says gateway
expect 4 watch --until soon
expect 4 watch --until 5 --follow
expect 4 watch --verdict maybe
says 'none of: allow, step_up, defer, deny'
expect 4 watch --min-risk 5%
expect 4 watch --kind no-such-kind
expect 0 watch --key "$folder/blind.key" --from 4 --until 4 --action deploy
lines 1
says 'lacks the audit role'
says 'filters by subject, action and resource cannot see'

echo "# the leader is killed in the middle of a load: nothing missed, nothing doubled"
"$tool" watch --from 0 --json >"$folder/watched" 2>"$folder/watch.err" &
watcher=$!
"$load" "$COUNTERSIGN_CLUSTER" "$COUNTERSIGN_KEY" 4000 "$folder/progress" >"$folder/load" 2>&1 &
loader=$!
eventually 'the load' progress_is 1000
expect 0 cluster status "$acme"
leader=$(sed -n 's/^leader: node \([0-9]*\) .*/\1/p' "$out")
expect 0 cluster kill "$acme" --node "$leader"
eventually 'the load after the change of leader' progress_is 2000
expect 0 cluster up "$acme" --node "$leader"
wait "$loader" || fail "the load: $(cat "$folder/load")"
loader=
expect 0 show --last 1 --json
newest=$(sed -n 's/^{"index":\([0-9]*\),.*/\1/p' "$out")
eventually 'watch sees the newest entry' watched "$newest"
kill -INT "$watcher"
wait "$watcher" || fail 'watch did not end well'
watcher=
checks=$((checks + 1))
# Reading makes entries, too: what it told beyond is not looked at.
sed -i "$((newest + 1))q" "$folder/watched"
indexes "$folder/watched" >"$folder/seen"
seq 0 "$newest" | cmp - "$folder/seen" || fail 'watch missed entries or told them twice'
"$tool" watch --from 0 --until "$newest" --json >"$folder/again" || fail 'watch --until'
checks=$((checks + 1))
cmp "$folder/watched" "$folder/again" || fail 'what was told while the leader died is not what is there'

echo "# a terminal: colours, the line at the bottom, another width, an interrupt"
if ! command -v tmux >/dev/null; then
	echo "tmux is not here: not looked at"
	echo "$checks checks"
	exit 0
fi

# An account without a login has no shell that tmux could start; and this one goes on when what it runs is interrupted.
pane()
{
	SHELL=/bin/bash tmux -S "$folder/tmux" -f /dev/null "$@" 2>/dev/null
}

# shellcheck disable=SC2317
pane_says()
{
	pane capture-pane -p -e >"$out" && grep -q -- "$1" "$out"
}

# While a terminal that has become narrow is drawn anew its old line may lie over two rows.
# shellcheck disable=SC2317
pane_counts_once()
{
	[ "$(pane capture-pane -p | grep -c '/s  allow')" -eq 1 ]
}

escape=$(printf '\033')
bottom="challenges $index  alerts $index"
# The shell stays when watch has ended, so that its last words can be read.
pane new-session -d -x 100 -y 12 "$tool watch --from 4 --until $newest; $tool watch --from 4; echo ended \$?; cat"
eventually 'the line at the bottom' pane_says "^$escape\[7m.*$bottom"
pane resize-window -x 40 -y 12
eventually 'the line is cut' pane_says "^$escape\[7m.*  d"
eventually 'the line is there once' pane_counts_once
pane resize-window -x 120 -y 12
eventually 'the line is whole again' pane_says "^$escape\[7m.*$bottom"
expect 2 decide --subject user:carol --action read --resource file:y
eventually 'a new decision in colour' pane_says "$escape\[33mstep_up.*user:carol  read  file:y"
pane send-keys C-c
eventually 'the end' pane_says 'ended 0'
checks=$((checks + 1))
[ "$(grep -c '/s  allow' "$out")" -eq 1 ] || fail 'the last line is there twice'
pane respawn-pane -k "NO_COLOR=1 $tool watch --from 4; cat"
eventually 'the line without colours' pane_says "$bottom"
checks=$((checks + 1))
! grep -q "$escape\[[0-9]*m" "$out" || fail 'colours in spite of NO_COLOR'
expect 0 cluster down "$acme"
echo "$checks checks"
