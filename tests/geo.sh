#!/bin/sh
# Places on a real cluster: looked up by the leader, in entry, signals and status; absent and said so without a database.
# SPDX-License-Identifier: Apache-2.0
set -u

# shellcheck source=tests/tool_kit.sh
. "$(dirname "$0")/tool_kit.sh"

folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-geo.XXXXXX") || exit 99
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

decide()
{
	code=$1
	shift
	expect "$code" decide --subject user:ada --action read --resource model:x --context device=laptop --json "$@"
}

echo "# without a database"
expect 0 init "$acme" --nodes 1
expect 0 cluster up "$acme"
COUNTERSIGN_CLUSTER=$acme/cluster.yaml COUNTERSIGN_KEY=$acme/admin.key
export COUNTERSIGN_CLUSTER COUNTERSIGN_KEY
expect 0 enroll --name gateway --roles decide,audit,import --new-key "$folder/gateway.key"
expect 0 enroll --name ada-key --roles device --subject user:ada --new-key "$folder/ada.key"
COUNTERSIGN_KEY=$folder/gateway.key
decide 2 --context ip=198.51.100.7 --save "$folder/one.json"
expect 0 answer --challenge "$folder/one.json" --device-key "$folder/ada.key"
expect 0 show --last 1 --json
says "place: the leader had no database of addresses"
expect 0 cluster status --json
says '"geo_city_built_s": 0'
expect 0 cluster down "$acme"

echo "# with two"
"${MMDB_MAKE:-tests/mmdb_make}" city "$folder/city.mmdb" || fail "mmdb_make"
"${MMDB_MAKE:-tests/mmdb_make}" asn "$folder/asn.mmdb" || fail "mmdb_make"
settings=$acme/node-1/countersignd.yaml
printf 'geo: {city: %s, asn: %s}\n' "$folder/city.mmdb" "$folder/asn.mmdb" >>"$settings"
expect 0 cluster up "$acme"
decide 0 --context ip=198.51.100.7
decide 2 --context ip=203.0.113.9 # Japan, seconds after the Netherlands.
says '"impossible_travel"'
says '"new_asn"'
expect 0 show --last 1 --json
says '"country":"JP"'
says '"network":64497'
says '"latitude_e4":356890'
expect 0 cluster status --json
says '"geo_city_built_s": 1760000000'
says '"geo_network_built_s": 1760000001'
expect 0 cluster down "$acme"

echo "# a file that is cut"
head -c 400 "$folder/city.mmdb" >"$folder/cut.mmdb"
sed -i "s|city.mmdb|cut.mmdb|" "$settings"
"${COUNTERSIGND:-./countersignd}" --check --config "$settings" >"$out" 2>&1
[ $? -eq 2 ] || fail "--check took a database that is cut"
says "cut.mmdb"
echo "$checks checks passed"
