#!/bin/sh
# tests/FAULTS.md holds the very table that tests/cluster_matrix runs.
# SPDX-License-Identifier: Apache-2.0
#
# usage: matrix_doc.sh [--write]    (in the build's folder; --write puts the table of today into the document)
set -eu

document=${srcdir:-.}/tests/FAULTS.md
folder=$(mktemp -d)
trap 'rm -rf -- "$folder"' EXIT

sed '/^<!-- the matrix/q' "$document" >"$folder/document"
tests/cluster_matrix --table >>"$folder/document"
sed -n '/^<!-- end of the matrix/,$p' "$document" >>"$folder/document"
if [ "${1:-}" = --write ]; then
	cat "$folder/document" >"$document"
fi
diff -u "$document" "$folder/document"
