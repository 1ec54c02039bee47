#!/bin/sh
# The systemd units as they are installed: systemd takes them, and finds little exposed.
# SPDX-License-Identifier: Apache-2.0
set -eu

EXPOSURE_MAX=20 # In tenths, of `systemd-analyze security`; a service without any setting has 96.

folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT
unit=node/countersignd@.service

if [ ! -f "$unit" ]; then
	echo "skipped: built without units"
	exit 77
fi
grep -q '^u countersign ' node/countersign.conf || { echo "FAILED: no account"; exit 1; }
if ! command -v systemd-analyze >/dev/null; then
	echo "skipped: no systemd-analyze here"
	exit 77
fi
# look UNIT PROGRAM: the program need not be installed to look at its unit; its manual pages need not be either.
look()
{
	name=$(basename "$1")
	grep -q '@[a-z]*dir@' "$1" && { echo "FAILED: a path was not filled in in $1"; exit 1; }
	sed -e "s,^\(Exec[A-Za-z]*=\)[^ ]*,\1$(pwd)/$2," -e '/^Documentation=/d' "$1" >"$folder/$name"
	systemd-analyze verify "$folder/$name" >"$folder/said" 2>&1 || { cat "$folder/said"; exit 1; }
	if [ -s "$folder/said" ]; then
		cat "$folder/said"
		echo "FAILED: systemd has something to say about the unit"
		exit 1
	fi
	systemd-analyze security --offline=true --threshold=$EXPOSURE_MAX "$folder/$name" >"$folder/said" 2>&1 || {
		cat "$folder/said"
		echo "FAILED: too much is exposed"
		exit 1
	}
	tail -n 1 "$folder/said"
}
look "$unit" countersignd
look client/countersign-monitor@.service countersign
