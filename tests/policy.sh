#!/bin/sh
# A policy's life on a real cluster: checked, tested, set, shown as of an entry, compared, held against the past.
# SPDX-License-Identifier: Apache-2.0
set -u

sources=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-policy.XXXXXX") || exit 99
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

# says_not TEXT
says_not()
{
	checks=$((checks + 1))
	! grep -qF -- "$1" "$out" || fail "the output says: $1"
}

# counts KEY NUMBER: a line of the last command's JSON, wherever it stands.
counts()
{
	checks=$((checks + 1))
	grep -qE "^ *\"$1\": $2,?\$" "$out" || fail "the output does not say: \"$1\": $2"
}

echo "# check"
"$tool" policy show-default >"$folder/first.yaml"
expect 0 policy check "$folder/first.yaml"
says "valid, "
says_not "hint:"
printf 'version: 1\nthresholds: {step_up: 0, deny: 9}\nrules:\n  - id: a\n    verdct: risk\n' >"$folder/bad.yaml"
expect 4 policy check "$folder/bad.yaml"
says "$folder/bad.yaml:5:5: unknown key \"verdct\": is \"verdict\" meant?"
says '   5 |     verdct: risk'
says '     |     ^'
expect 4 policy check "$folder/bad.yaml" --json
counts line 5
says '"valid": false'
printf 'version: 1\nvalid_for: 0s\nthresholds: {step_up: 0, deny: 9}\nrules:\n- {id: a, verdict: allow}\n' >"$folder/odd.yaml"
expect 0 policy check "$folder/odd.yaml"
says 'hint: no rule has the verdict risk'
says 'hint: valid_for is 0s'
printf 'version: 1\nrules: *x\n' >"$folder/alias.yaml"
expect 4 policy check "$folder/alias.yaml"
expect 8 policy check "$folder"
expect 8 policy check "$folder/none.yaml"
head -c 200000 /dev/zero | tr '\0' '#' >"$folder/large.yaml"
expect 4 policy check "$folder/large.yaml"
says "larger than"

echo "# test"
cases=$sources/client/tool/example-cases.yaml
expect 0 policy test "$cases"
says '9 of 9 cases as expected under the built-in policy'
expect 0 policy test "$cases" --policy "$folder/first.yaml" --tap
says '1..9'
says 'ok 9 - '
says_not 'not ok'
expect 0 policy test "$cases" --json
counts passed 9
sed 's/deny: 5000/deny: 2600/' "$folder/first.yaml" >"$folder/second.yaml"
expect 1 policy test "$cases" --policy "$folder/second.yaml"
says 'FAILED  2:13 a.m., from a device and a network never seen'
says "verdict: expected step_up, decided deny"
says 'decided: deny, risk 2600'
expect 1 policy test "$cases" --policy "$folder/second.yaml" --tap
says 'not ok 3 - '
cp "$cases" "$folder/cases.yaml"
sed -i 's/^version: 1/version: 1\npolicy: second.yaml/' "$folder/cases.yaml"
expect 1 policy test "$folder/cases.yaml"
expect 4 policy test "$folder/first.yaml"
says "$folder/first.yaml:"
expect 4 policy test "$cases" --tap --json
cat >"$folder/late.yaml" <<'YAML'
version: 1
cases:
  - name: an answer to a challenge that has long been forgotten
    history:
      - {request: {subject: "user:ada", action: x, resource: "t:i"}, times: 3, every: 1m, answer: good}
      - {import: {subject: "user:ada", action: x, resource: "t:i"}, at: 2035-01-01T00:00:00Z}
    request: {subject: "user:ada", action: x, resource: "t:i"}
    expect: {verdict: allow}
YAML
expect 0 policy test "$folder/late.yaml"

# Conditions in CEL: the place of an error is that in the condition; cases are played with it.
cat >"$folder/cel.yaml" <<'YAML'
version: 2
bias: -2000
thresholds: {step_up: 0, deny: 5000}
rules:
  - {id: by-risk, verdict: risk}
  - id: large
    when: 'request.context.amount > 10000'
    verdict: step_up
YAML
cat >"$folder/amounts.yaml" <<'YAML'
version: 1
policy: cel.yaml
cases:
  - name: a large amount
    signals: {known_device: 1}
    request: {subject: "user:ada", action: pay, resource: "account:1", context: {amount: 20000}}
    expect: {verdict: step_up, rules_include: [large]}
  - name: a small one
    signals: {known_device: 1}
    request: {subject: "user:ada", action: pay, resource: "account:1", context: {amount: 20}}
    expect: {verdict: allow, rules: [by-risk]}
  - name: what a condition cannot tell is denied
    signals: {known_device: 1}
    request: {subject: "user:ada", action: pay, resource: "account:1"}
    expect: {verdict: deny}
YAML
expect 0 policy test "$folder/amounts.yaml"
sed -i 's/amount > /amount >> /' "$folder/cel.yaml"
expect 4 policy check "$folder/cel.yaml"
says "$folder/cel.yaml:7:36: "
says '     |                                    ^'
expect 4 policy test "$folder/amounts.yaml"

echo "# a cluster, and a past whose counts are known"
expect 0 init "$acme" --name acme --nodes 1 --policy "$folder/first.yaml"
expect 0 cluster up "$acme"
COUNTERSIGN_CLUSTER=$acme/cluster.yaml
COUNTERSIGN_KEY=$folder/gateway.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
expect 0 enroll --key "$acme/admin.key" --name gateway --roles decide,import,audit --new-key "$folder/gateway.key"
expect 0 enroll --key "$acme/admin.key" --name stranger --roles decide --new-key "$folder/stranger.key"
expect 0 enroll --key "$acme/admin.key" --name ada-key --roles device --subject user:ada --new-key "$folder/ada.key"

# ask CODE SUBJECT ACTION DEVICE [ARGUMENT...]
ask()
{
	code_wanted=$1 subject=$2 action=$3 device=$4
	shift 4
	expect "$code_wanted" decide --subject "$subject" --action "$action" --resource model:m --context "device=$device" "$@"
}
# Entries 4 to 15: two people prove or fail to prove themselves, one of them goes on.
ask 2 user:ada read laptop --save "$folder/ada.json"                                  # 4
expect 0 answer --challenge "$folder/ada.json" --device-key "$folder/ada.key"         # 5
for _ in 1 2 3; do ask 0 user:ada read laptop; done                                   # 6, 7, 8
ask 2 user:bob read laptop --save "$folder/bob.json"                                  # 9
expect 1 answer --challenge "$folder/bob.json" --device-key "$folder/ada.key"         # 10
ask 2 user:ada deploy vm --save "$folder/vm.json"                                     # 11
expect 0 answer --challenge "$folder/vm.json" --device-key "$folder/ada.key"          # 12
ask 0 user:ada deploy vm --context environment=production                             # 13
ask 2 user:ada delete-it laptop --actor agent:x                                       # 14
ask 2 user:eve read laptop                                                            # 15

echo "# set"
expect 4 policy set "$folder/bad.yaml" --key "$acme/admin.key"
expect 1 policy set "$folder/second.yaml" --cases "$cases" --key "$acme/admin.key"
says 'not set'
expect 0 policy set "$folder/first.yaml" --cases "$cases" --dry-run --key "$acme/admin.key"
says 'not sent'
expect 7 policy set "$folder/second.yaml"
expect 0 policy show --source
cmp -s "$out" "$folder/first.yaml" || fail 'a policy that was refused replaced the one in force'
expect 0 policy show --list
says '1 in the chain of entries 0 to 15'
expect 0 policy set "$folder/second.yaml" --key "$acme/admin.key" # 16
ask 0 user:ada read laptop # 17

echo "# show"
expect 0 policy show
says '# in force at entry 17 (proven, cosigned by a quorum)'
says '# set by admin in entry 16 (policy set), '
says '# compiled form: that of the text'
says 'deny: 2600'
expect 0 policy show --at 15
says 'entry 0 (genesis)'
expect 0 policy show --at 16 --source
cmp -s "$out" "$folder/second.yaml" || fail 'show --source is not what was set'
expect 0 policy check "$folder/second.yaml" --json
hash=$(sed -n 's/.*"hash": "\(.*\)".*/\1/p' "$out")
[ "$("$tool" policy show --compiled | sha256sum | cut -d' ' -f1)" = "$hash" ] || fail 'the hash is not that of --compiled'
expect 0 policy show --json
says "\"hash\": \"$hash\""
counts index 16
counts at 17
expect 0 policy show --list
says '2 in the chain of entries 0 to 17, proven, cosigned by a quorum'
expect 7 policy show --at 18
says 'the ledger has 18'
expect 4 policy show --at x
expect 4 policy show --source --compiled

echo "# diff"
expect 0 policy diff @0 "$folder/first.yaml"
says 'the same'
expect 0 policy diff @current "$folder/second.yaml"
expect 1 policy diff @15 @16
says '~ thresholds.deny: 5000 -> 2600'
[ "$(wc -l <"$out")" -eq 1 ] || fail 'more differs than was changed'
# Comments, order, and defaults that are written out mean nothing.
sed -e 's/^ *#.*//' -e '/^rates:$/,/client: 100000$/d' "$folder/first.yaml" >"$folder/form.yaml"
printf 'rates: {client: 100000}\n' >>"$folder/form.yaml"
expect 0 policy diff @default "$folder/form.yaml"
# Nor do they beside a difference that there is: at the top, in a rule, in sections that the other lacks.
sed -e 's/^bias: -2000/bias: -1900/' -e 's/^    verdict: risk$/&\n    weight: 0/' \
	-e 's/^    verdict: step_up$/    weight: 0\n    verdict: step_up/' -e 's/^valid_for: 5m/valid_for: 300s/' \
	-e 's/actor: "\*"/actor: ["*"]/' "$folder/first.yaml" >"$folder/stated.yaml"
printf 'signals: {travel_kmh: 900, proof_recent: 15m}\ngrants: {revoke_risk: 5000, revoke_outside: HIGH}\n' \
	>>"$folder/stated.yaml"
expect 1 policy diff "$folder/first.yaml" "$folder/stated.yaml"
says '~ bias: -2000 -> -1900'
[ "$(wc -l <"$out")" -eq 1 ] || fail 'a default that is stated was shown as a difference'
expect 1 policy diff "$folder/stated.yaml" "$folder/first.yaml" --json
says '"what": "bias"'
[ "$(grep -c '"what"' "$out")" -eq 1 ] || fail 'a default that is stated was shown as a difference, in JSON'
# What is not the default is shown against it.
sed -e 's/revoke_outside: HIGH/revoke_outside: MEDIUM/' -e 's/travel_kmh: 900/travel_kmh: 500/' \
	-e 's/^bias: -1900/bias: -2000/' "$folder/stated.yaml" >"$folder/other.yaml"
expect 1 policy diff "$folder/first.yaml" "$folder/other.yaml"
says '~ signals.travel_kmh: 900 -> 500'
says '~ grants.revoke_outside: HIGH -> MEDIUM'
[ "$(wc -l <"$out")" -eq 2 ] || fail 'more differs than was changed'
sed -e 's/known_device: -600/known_device: -500/' -e 's/verdict: step_up/verdict: deny/' -e 's/"delete\*", //' \
	-e 's/- id: production-deploy/- id: to-production/' "$folder/first.yaml" >"$folder/third.yaml"
expect 1 policy diff "$folder/first.yaml" "$folder/third.yaml"
says '~ weights.known_device: -600 -> -500'
says '~ rules.agents-irreversible.verdict: step_up -> deny'
says '- rules.agents-irreversible.match.action: "delete*"'
says '- rules.production-deploy: {'
says '+ rules.to-production: {'
expect 1 policy diff "$folder/first.yaml" "$folder/third.yaml" --json
says '"change": "added"'
expect 4 policy diff @x @0
expect 4 policy diff "$folder/bad.yaml" @0
expect 4 policy diff @0

echo "# what-if"
# Nothing changes under the policy of then, neither by recorded signals nor by deriving them again: the reading of the
# past and the playing of it are held against the ledger itself here.
expect 0 policy what-if @0
says '0 of 10 decisions would come out otherwise'
says '0 of 3 answers would come out otherwise'
says '3 people'
expect 0 policy what-if @0 --history
says '0 of 10 decisions would come out otherwise'
says '0 of 3 answers would come out otherwise'
says_not 'refused'
# Whoever was never seen is denied: ada, bob and eve; so was nobody asked for the first two proofs.
sed -e 's/^bias: -2000/bias: 2500/' -e 's/known_device: -600/known_device: -2500/' "$folder/second.yaml" >"$folder/hard.yaml"
expect 1 policy what-if "$folder/hard.yaml" --json
sed -n '/"decisions"/,/"answers"/p' "$out" >"$folder/decisions"
counts unasked 3
counts closed 0
grep -qE '"total": 10' "$folder/decisions" || fail 'not 10 decisions'
tr -d ' \n' <"$folder/decisions" >"$folder/flat"
grep -q '{"then":"step_up","now":"deny","count":4}' "$folder/flat" || fail 'not four step_ups that become a deny'
expect 1 policy what-if "$folder/hard.yaml"
says '3 would see a deny for something that did not get it'
says 'The riskiest that would be stricter'
# A rule that adds a question, in a part of the past only: entry 13 alone, of one person.
cat "$folder/first.yaml" - >"$folder/ask.yaml" <<'YAML'

  - id: ask-before-production
    match: {context: {environment: production}}
    verdict: step_up
YAML
expect 1 policy what-if "$folder/ask.yaml"
says '1 of 10 decisions would come out otherwise'
says '1 would see a step_up for something that did not get it'
says 'ask-before-production'
grep -qE '^ +13 .*allow -> step_up.*user:ada  deploy  model:m' "$out" || fail 'entry 13 is not listed'
expect 1 policy what-if "$folder/ask.yaml" --history
says '1 proofs that nobody was asked for then, taken as good'
expect 1 policy what-if "$folder/ask.yaml" --history --unanswered
says_not 'taken as good'
expect 0 policy what-if "$folder/ask.yaml" --to 12
expect 0 policy what-if "$folder/ask.yaml" --from 14
says 'Entries 14 to '
expect 1 policy what-if "$folder/ask.yaml" --from 13 --to 13 --history
says '1 of 1 decisions'
# A condition in CEL over what was recorded: entry 11 and 13 are of the device vm.
cat "$folder/first.yaml" - >"$folder/when.yaml" <<'YAML'

  - id: no-vm
    when: 'has(request.context.device) && request.context.device == "vm"'
    verdict: deny
YAML
expect 1 policy what-if "$folder/when.yaml"
says '2 of 10 decisions would come out otherwise'
says '1 would see a deny for something that did not get it'
expect 1 policy what-if "$folder/when.yaml" --history
says '2 of 10 decisions would come out otherwise'
# Weaker: what was asked is let through.
sed 's/step_up: 0 /step_up: 900 /' "$folder/first.yaml" >"$folder/soft.yaml"
expect 1 policy what-if "$folder/soft.yaml"
says 'The riskiest that would be weaker'
says 'would no longer see a step_up'
expect 7 policy what-if @0 --from 99
expect 4 policy what-if @0 --from 9 --to 3
expect 4 policy what-if @0 --unanswered
expect 4 policy what-if "$folder/bad.yaml"
# Without the audit role nothing private is read, and it says so.
expect 2 policy what-if @0 --key "$folder/stranger.key"
says 'entries without private fields'

echo "PASSED: $checks checks"
