#!/bin/sh
# Runs every command of node/OPERATIONS.md that stands in a block marked sh, in order, as one session.
# SPDX-License-Identifier: Apache-2.0
set -eu

here=$(pwd)
srcdir=${srcdir:-.}
folder=$(mktemp -d "${TMPDIR:-/tmp}/cs-operations.XXXXXX")

# The tool ends the nodes that it knows; the one that was started by hand is the session's own job.
finish()
{
	status=$?
	cd "$folder"
	[ ! -f acme/cluster.yaml ] || countersign cluster down acme >/dev/null 2>&1 || :
	[ ! -s job ] || kill "$(cat job)" 2>/dev/null || :
	cd "$here"
	rm -rf -- "$folder"
	exit $status
}
trap finish EXIT

mkdir "$folder/bin"
for program in countersign countersignd; do
	printf '#!/bin/sh\nexec "%s/%s" "$@"\n' "$here" "$program" >"$folder/bin/$program"
	chmod +x "$folder/bin/$program"
done
PATH=$folder/bin:$PATH
COUNTERSIGND=$here/countersignd
export PATH COUNTERSIGND

port=$((20000 + $$ % 10000)) # The document's own may be taken.
{
	echo 'set -eux'
	awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$srcdir/node/OPERATIONS.md" |
		sed -e 's/ 2>acme\/node-4\/countersignd.log &$/& echo $! >job/' -e "s/17401/$port/g" -e "s/17402/$((port + 1))/g"
} >"$folder/session"
grep -q 'member replace' "$folder/session" || { echo "FAILED: the session was not found"; exit 1; }
cd "$folder"
sh ./session
echo "every command of OPERATIONS.md ran"
