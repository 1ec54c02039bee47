#!/bin/bash
# The rules of form that no compiler knows: first lines, includes, layers, flags, left-overs.
# SPDX-License-Identifier: Apache-2.0
#
# usage: headers.sh [ROOT]    prints what breaks a rule as FILE:LINE: text; exit status 1 if anything does
set -euo pipefail

cd "${1:-$(dirname "$0")/..}"
broken=0

complain()
{
	printf '%s\n' "$*"
	broken=1
}

# Of the project, without what is built: as git knows it, or all where there is no git.
files()
{
	if [ -e .git ]; then
		git ls-files --cached --others --exclude-standard -- "$@"
	else
		local pattern
		for pattern in "$@"; do
			find . -name "$pattern" -type f -printf '%P\n'
		done
	fi | sort | while read -r f; do [ ! -f "$f" ] || printf '%s\n' "$f"; done
}

# Line 1 says the file's one job, line 2 (3 after "#!") the licence.
check_first_lines()
{
	local f
	while read -r f; do
		[[ $(sed -n 1p "$f") =~ ^/\*\ .+\ \*/$ ]] || complain "$f:1: no comment in one line that says the file's job"
		[ "$(sed -n 2p "$f")" = '/* SPDX-License-Identifier: Apache-2.0 */' ] || complain "$f:2: no SPDX line"
	done < <(files '*.c' '*.h')
	while read -r f; do
		[[ $(sed -n 1p "$f") == '#!'* ]] || complain "$f:1: no interpreter"
		[[ $(sed -n 2p "$f") =~ ^'# '.+ ]] || complain "$f:2: no comment that says the file's job"
		[ "$(sed -n 3p "$f")" = '# SPDX-License-Identifier: Apache-2.0' ] || complain "$f:3: no SPDX line"
	done < <(files '*.sh' bootstrap .ci/run)
	while read -r f; do
		head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' || complain "$f:1: no SPDX line"
	done < <(files configure.ac Makefile.am '*.m4')
}

# config.h first in each .c; quoted includes are paths from the top that exist.
check_includes()
{
	local f line path
	while read -r f; do
		[ "$(grep -m1 '^#include' "$f")" = '#include <config.h>' ] || complain "$f: <config.h> is not its first include"
	done < <(files '*.c')
	while IFS=: read -r f line path; do
		path=${path#*\"}
		path=${path%%\"*}
		[[ $path == */* && $path != *../* && -f $path ]] ||
			complain "$f:$line: \"$path\" is no full path from the top"
	done < <(files '*.c' '*.h' | xargs -r grep -nH '^#include "' || true)
	[ ! -e node/node.h ] || complain "node/node.h: Node.js installs one of that name, which would be found instead"
}

# What the files of a folder may include (overview.md, Layers): a pattern for each, the first folder that fits counts.
# The verifier trusts nothing but the format: its files are held apart from the rest of the ledger.
allowed()
{
	case $1 in
	# SHA-256's block function and nothing else is shared: it is held against libsodium's at every start.
	ledger/verify_hash.c) echo '^ledger/(verify[a-z_]*|format|errors|limits|sha256ni)\.h$' ;;
	ledger/verify*) echo '^ledger/(verify[a-z_]*|format|errors|limits)\.h$' ;;
	ledger/*) echo '^ledger/' ;;
	node/decide/*) echo '^(node/decide|ledger)/' ;;
	node/wire/*) echo '^(node/wire|ledger)/' ;;
	node/*) echo '^(node|ledger)/' ;;
	client/tool/*) echo '^(client|node/wire|node/decide|ledger)/|^node/evidence/verify\.h$' ;;
	client/*) echo '^(client/[a-z_]*\.h$|node/wire/|node/decide/|ledger/)' ;;
	bench/*) echo '^(bench/|client/countersign\.h$|node/wire/|ledger/)' ;;
	*) echo . ;;
	esac
}

check_layers()
{
	local f line path
	while IFS=: read -r f line path; do
		path=${path#*\"}
		path=${path%%\"*}
		[[ $path =~ $(allowed "$f") ]] || complain "$f:$line: its layer may not know $path"
	done < <(files '*.c' '*.h' | xargs -r grep -nH '^#include "' || true)
}

# complain_of WHAT PATTERN FILES...
complain_of()
{
	local what=$1 pattern=$2 found
	shift 2
	while read -r found; do
		complain "$found: $what"
	done < <(files "$@" | xargs -r grep -nHE "$pattern" | cut -d: -f1,2 || true)
}

check_left_overs()
{
	# Automake's own -I are the only ones: a header is found by its full path or not at all.
	complain_of "-I other than the top's" '(^|[^A-Z_A-Za-z-])-I *[^ m]' configure.ac Makefile.am '*.inc' Makefile.inc
	complain_of "assertions stay on, in release too" '(-D *|#[ \t]*define[ \t]+)NDEBUG' \
		'*.c' '*.h' '*.inc' Makefile.am configure.ac
	complain_of "unfinished" '\b(TODO|FIXME|XXX)\b' '*.c' '*.h' '*.inc' Makefile.am configure.ac bootstrap
	complain_of "white space at the end of a line" '[ 	]+$' '*.c' '*.h' '*.sh' '*.inc' '*.md' bootstrap
}

# The library's man page names every function of its header.
check_manual()
{
	local f=client/countersign.h name
	[ -f "$f" ] || return 0
	while read -r name; do
		grep -qw "$name" client/countersign.3 || complain "$f: client/countersign.3 does not name $name"
	done < <(sed -n 's/^[a-z][a-z_0-9 *]*[ *]\(cs_[a-z_]*\)(.*/\1/p' "$f")
}

check_first_lines
check_includes
check_layers
check_left_overs
check_manual
exit $broken
