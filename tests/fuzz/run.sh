#!/bin/bash
# Runs every fuzz target, or those that are named, for some seconds each from the corpus; stops at the first finding.
# SPDX-License-Identifier: Apache-2.0
set -euo pipefail

usage()
{
	cat <<-END
		usage: run.sh PROGRAM CORPUS SECONDS [TARGET...]

		  PROGRAM   tests/fuzz/fuzz of a build with --enable-fuzzers
		  CORPUS    folder with one folder of inputs for each target: tests/fuzz/corpus
		  SECONDS   for each target

		What is found anew is kept in the folder fuzz-work: TARGET/ (inputs that reach further, used by the next run) and
		TARGET.crash-... (an input that ends the process; replay it with PROGRAM --target=TARGET FILE).
	END
}

[ $# -ge 3 ] || {
	usage >&2
	exit 2
}
program=$1 corpus=$2 seconds=$3
shift 3
work=fuzz-work
only=" $* "

while read -r target size; do
	[ "$only" = "  " ] || [[ $only == *" $target "* ]] || continue
	mkdir -p "$work/$target"
	# libfyaml 0.7.12 itself loses memory of some texts that it refuses.
	leaks=1
	[[ ! $target =~ ^(policy|settings|cluster)$ ]] || leaks=0
	log=$work/$target.log
	if ! ASAN_OPTIONS=detect_leaks=$leaks:allocator_may_return_null=1 "$program" --target="$target" -max_total_time="$seconds" -max_len="$size" -timeout=10 \
		-rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$work/$target." \
		"$work/$target" "$corpus/$target" >"$log" 2>&1; then
		tail -n 60 "$log"
		printf 'FAILED  %s\n' "$target"
		exit 1
	fi
	printf 'ok      %-12s %8d runs, coverage %s\n' "$target" \
		"$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
		"$(sed -n 's/.* cov: \([0-9]*\) ft: .*/\1/p' "$log" | tail -n 1)"
done < <("$program" --list)
