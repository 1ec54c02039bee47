#!/bin/bash
# Runs every fuzz target, or those that are named, for some seconds each, one a core at once; stops at the first finding.
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

		Environment: FUZZ_PATIENCE, the seconds after which one input counts as one that hangs (10).
	END
}

[ $# -ge 3 ] || {
	usage >&2
	exit 2
}
export program=$1 corpus=$2 seconds=$3 work=fuzz-work patience=${FUZZ_PATIENCE:-10}
shift 3
only=" $* "

# one TARGET SIZE; 255: xargs begins no other.
one()
{
	local target=$1 size=$2 log=$work/$1.log leaks=1
	mkdir -p "$work/$target"
	# libfyaml 0.7.12 itself loses memory of some texts that it refuses.
	[[ ! $target =~ ^(policy|settings|cluster)$ ]] || leaks=0
	if ! ASAN_OPTIONS=detect_leaks=$leaks:allocator_may_return_null=1 "$program" --target="$target" -max_total_time="$seconds" -max_len="$size" -timeout="$patience" \
		-rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="$work/$target." \
		"$work/$target" "$corpus/$target" >"$log" 2>&1; then
		printf '%s\nFAILED  %s\n' "$(tail -n 60 "$log")" "$target"
		return 255
	fi
	printf 'ok      %-12s %8d runs, coverage %s\n' "$target" \
		"$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
		"$(sed -n 's/.* cov: \([0-9]*\) ft: .*/\1/p' "$log" | tail -n 1)"
}
export -f one

targets=$("$program" --list)
# shellcheck disable=SC2016 # for the inner shell
while read -r target size; do
	[ "$only" = "  " ] || [[ $only == *" $target "* ]] || continue
	printf '%s %s\n' "$target" "$size"
done <<<"$targets" | xargs -r -n 2 -P "$(nproc)" bash -c 'one "$@"' one
