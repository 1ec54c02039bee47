#!/bin/bash
# The same random commands give the same ledger, byte for byte, on two builds; and memory stays where it was.
# SPDX-License-Identifier: Apache-2.0
#
# usage: determinism.sh [--commands N] [--seed S] [BUILD BUILD…]
# BUILD: folders of builds that have tests/determinism. None: two are made, by gcc -O0 with the address and undefined
# behaviour sanitizers, and by clang -O3. Without a sanitizer the peak of memory may not rise after the first eras.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
commands=30000 seed=1 builds=()
while [ $# -gt 0 ]; do
	case $1 in
	--commands) commands=$2 && shift 2 ;;
	--seed) seed=$2 && shift 2 ;;
	-*) echo "determinism.sh: unknown option $1" >&2 && exit 2 ;;
	*) builds+=("$(cd "$1" && pwd)") && shift ;;
	esac
done
folder=$(mktemp -d "${TMPDIR:-/tmp}/countersign-determinism-XXXXXX")
trap 'rm -rf -- "$folder"' EXIT

# build NAME WORD...: configured with these words.
build()
{
	mkdir "$folder/$1"
	cd "$folder/$1"
	shift
	"$top/configure" --quiet "$@"
	make -s -j"$(nproc)" tests/determinism
	builds+=("$PWD")
}

if [ ${#builds[@]} -eq 0 ]; then
	build asan CC=gcc CFLAGS='-g -O0' --enable-sanitizers >"$folder/log" 2>&1 || { tail -n 40 "$folder/log" && exit 1; }
	build clang CC=clang CFLAGS='-g -O3' >"$folder/log" 2>&1 || { tail -n 40 "$folder/log" && exit 1; }
fi

n=0
for b in "${builds[@]}"; do
	n=$((n + 1))
	echo "== $b"
	"$b/tests/determinism" --commands "$commands" --seed "$seed" >"$folder/$n.hashes" 2>"$folder/$n.words" ||
		{ cat "$folder/$n.words" && exit 1; }
	cat "$folder/$n.words"
	tail -n 1 "$folder/$n.hashes"
done
for ((i = 2; i <= n; i++)); do
	if ! cmp -s "$folder/1.hashes" "$folder/$i.hashes"; then
		echo "FAILED: ${builds[0]} and ${builds[i - 1]} differ; the first ten thousand commands that do end at:"
		diff "$folder/1.hashes" "$folder/$i.hashes" | sed -n 2,2p
		exit 1
	fi
done
echo "$n builds, $commands commands of seed $seed: the same bytes"
