#!/bin/sh
# Credentials on a real cluster of three nodes: codes of oathtool, tokens signed by openssl, orders of people themselves.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"
for needed in oathtool openssl; do
	if ! command -v "$needed" >/dev/null; then
		echo "$needed is not there: skipped"
		exit 77
	fi
done

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-credential.XXXXXX") || exit 99
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

url64()
{
	openssl base64 -A | tr '+/' '-_' | tr -d '='
}

cat >"$folder/policy.yaml" <<'YAML'
version: 2
thresholds: {step_up: 0, deny: 100000}
levels:
  aal2: {level: user_verified, methods: [webauthn, oidc], max_age: 10m}
rules:
  - {id: all, verdict: allow}
  - {id: up, match: {action: up}, verdict: step_up}
  - {id: strong, match: {action: strong}, verdict: step_up, challenge: {acr: aal2}}
YAML
expect 0 init "$acme" --name acme --nodes 3 --policy "$folder/policy.yaml"
for node in "$acme"/node-*/countersignd.yaml; do
	echo "state_digest_entries: 16" >>"$node"
done
expect 0 cluster up "$acme"
COUNTERSIGN_CLUSTER=$acme/cluster.yaml
export COUNTERSIGN_CLUSTER
admin=$acme/admin.key
gateway=$folder/gateway.key
expect 0 enroll --key "$admin" --name gateway --roles decide --new-key "$gateway"
auditor=$folder/auditor.key
expect 0 enroll --key "$admin" --name auditor --roles audit --new-key "$auditor"
# The entry that the last command printed.
index_of()
{
	sed -n 's/^entry *\([0-9][0-9]*\),.*/\1/p' "$out" | head -1
}

n=0
# step_up ACTION: a challenge of Ada's, saved in $challenge.
step_up()
{
	n=$((n + 1))
	challenge=$folder/challenge-$n
	expect 2 decide --key "$gateway" --subject user:ada --action "$1" --resource model:m --save "$challenge"
}

echo "# codes"
expect 0 credential enroll --key "$admin" --name ada-totp --kind totp --subject user:ada
secret=$(sed -n 's/^otpauth:.*secret=\([A-Z2-7]*\)&.*/\1/p' "$out")
[ ${#secret} -eq 32 ] || fail "no secret of 160 bits in the otpauth URI"
if grep -rqaF "$secret" "$acme"; then fail "the secret is in a file of the cluster"; fi
step_up up
expect 1 answer --key "$gateway" --challenge "$challenge" --method totp --credential ada-totp --code 000000
says "the code is wrong"
step_up up
otp=$(oathtool --totp -b "$secret")
expect 0 answer --key "$gateway" --challenge "$challenge" --method totp --credential ada-totp --code "$otp"
code_index=$(index_of)
step_up up
expect 1 answer --key "$gateway" --challenge "$challenge" --method totp --credential ada-totp --code "$otp"
says "was used already"
expect 0 credential list --key "$admin"
says "ada-totp"
says "user:ada"

echo "# tokens"
openssl genpkey -algorithm ed25519 -out "$folder/idp.pem" 2>/dev/null || fail "openssl makes no key"
x=$(openssl pkey -in "$folder/idp.pem" -pubout -outform DER | tail -c 32 | url64)
printf '{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"d1","x":"%s"},{"kty":"oct","k":"AAAA"}]}' "$x" >"$folder/jwks.json"
expect 0 credential enroll --key "$admin" --name idp --kind oidc-issuer --iss https://idp.example --aud countersign --jwks "$folder/jwks.json"
expect 0 credential enroll --key "$admin" --name ada-oidc --kind oidc --subject user:ada --issuer idp --sub ada-sub
# token ALG MORE: an ID token for $challenge in $folder/token.
token()
{
	expect 0 answer --key "$gateway" --challenge "$challenge" --method oidc --show-challenge
	now=$(date +%s)
	header=$(printf '{"alg":"%s","kid":"d1"}' "$1" | url64)
	claims=$(printf '{"iss":"https://idp.example","aud":"countersign","sub":"ada-sub","iat":%d,"exp":%d,"nonce":"%s"%s}' "$now" $((now + 300)) "$(cat "$out")" "$2" | url64)
	printf '%s.%s' "$header" "$claims" >"$folder/signed"
	openssl pkeyutl -sign -rawin -inkey "$folder/idp.pem" -in "$folder/signed" -out "$folder/signature" || fail "openssl does not sign"
	printf '%s.%s.%s\n' "$header" "$claims" "$(url64 <"$folder/signature")" >"$folder/token"
}
by_token()
{
	expect "$1" answer --key "$gateway" --challenge "$challenge" --method oidc --credential ada-oidc --token "$folder/token"
}
step_up strong
token none ',"acr":"aal2"'
by_token 1
says "the algorithm is none of"
step_up strong
token EdDSA ',"acr":"aal2"'
by_token 1
says "too old, or it does not say"
step_up strong
token EdDSA ",\"acr\":\"aal2\",\"auth_time\":$(date +%s),\"jti\":\"j-1\""
by_token 0
token_index=$(index_of)
step_up strong
token EdDSA ",\"acr\":\"aal2\",\"auth_time\":$(date +%s),\"jti\":\"j-1\""
by_token 1
says "jti was used already"
index=$(sed -n 's/^.*index[^0-9]*\([0-9]*\).*$/\1/p' "$out" | head -1)
[ -n "$index" ] || index=1

echo "# people's own orders"
expect 2 credential revoke ada-totp --key "$gateway" --subject user:ada --request "$folder/order"
expect 7 credential revoke ada-totp --key "$gateway" --allowed "$folder/order"
challenge=$folder/order
token EdDSA ''
by_token 0
expect 0 credential revoke ada-totp --key "$gateway" --allowed "$folder/order"
expect 7 credential revoke ada-totp --key "$gateway" --allowed "$folder/order"
expect 2 credential enroll --key "$gateway" --name ada-new --kind totp --subject user:ada --request "$folder/order-2"
secret=$(sed -n 's/^otpauth:.*secret=\([A-Z2-7]*\)&.*/\1/p' "$out")
expect 7 credential enroll --key "$gateway" --allowed "$folder/order-2"
challenge=$folder/order-2
token EdDSA ''
by_token 0
expect 0 credential enroll --key "$gateway" --allowed "$folder/order-2"

echo "# after a start, and under another leader"
expect 0 cluster down "$acme"
expect 0 cluster up "$acme"
step_up up
expect 0 answer --key "$gateway" --challenge "$challenge" --method totp --credential ada-new --code "$(oathtool --totp -b "$secret")"

echo "# refused"
expect 4 credential enroll --key "$admin" --name x --kind telepathy
expect 4 credential enroll --key "$admin" --name x --kind oidc-issuer --iss i --aud a --jwks "$folder/policy.yaml"
expect 7 credential enroll --key "$admin" --name x --kind oidc --subject user:ada --issuer nobody --sub s
expect 7 credential enroll --key "$gateway" --name x --kind totp --subject user:ada
expect 4 answer --key "$gateway" --challenge "$challenge" --method totp --device-key "$admin"
expect 0 credential challenge --name ada-fido --subject user:ada
[ "$(wc -c <"$out")" -eq 44 ] || fail "a challenge has 43 characters"

echo "# proofs for others, and all of it once more"
expect 0 prove "$token_index" --key "$auditor" --evidence --out "$folder/oidc.json"
expect 0 verify "$folder/oidc.json" --trust "$acme/trust.policy"
says "ID token's signature by its issuer verifies under ada-oidc"
expect 0 prove "$code_index" --key "$auditor" --evidence --out "$folder/totp.json"
expect 0 verify "$folder/totp.json" --trust "$acme/trust.policy"
says "the leader vouches for it"
expect 0 replay "$acme/node-1"
"$tool" cluster status "$acme" >"$out" 2>&1
if grep -q "not cosigning" "$out"; then fail "a follower found evidence that does not verify"; fi
echo "$checks checks"
