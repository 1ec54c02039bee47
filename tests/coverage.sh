#!/bin/bash
# Branch coverage of ledger/ by its unit tests, read with gcov: every branch is taken, or its line says why it cannot be.
# SPDX-License-Identifier: Apache-2.0
#
# usage: coverage.sh BUILD [FILE…]    FILE: ledger/tree.c, …; default: all of ledger/
#        coverage.sh --self-test      reads a made-up report, and demands that each fault in it is named
# BUILD is a folder made by `configure --enable-coverage`; where there is none yet, it is made. The tests that are named
# below are built and run there, then each file's lines and branches are printed, and each branch that was not taken.
# The verifier's files (ledger/verify*) count what the verifier's own tests take, and nothing else.
#
# Not counted: the failing side of an assertion, and branches of a line whose comment says GCOVR_EXCL_BR_LINE: REASON.
# Environment: COVERAGE_TESTS, other tests to run ("tests/test_tree"), for a quick look at what they do.
# Exit status: 0 all taken; 1 not, or a test failed, or there are more exceptions than EXCLUDED_MAX; 2 wrong usage.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
# Lines whose branches are exempt, in all of ledger/: there is none yet that had to be.
EXCLUDED_MAX=0

tests_verifier=(tests/test_verify_{text,leaf,agrees,hash,tree,policy,trust,note,quorum,proof,bundle,supports}
	tests/test_verify_{history,whole,folder,store} tests/test_history)
tests_ledger=(tests/test_hash tests/test_bytes tests/test_tree tests/test_proof tests/test_tilejudge tests/test_note
	tests/test_entry tests/test_store tests/test_store_process tests/test_store_damage tests/test_store_mend
	tests/test_store_erase tests/test_multiset)
tests_ledger+=(tests/test_store_{hostile,records,refuse,mend_refuse,nth,nth_read,nth_mend} tests/test_pages{,_file}
	tests/test_scrub_hostile tests/test_parts tests/test_bundle tests/test_note_refusals tests/test_entry_forms)

# Half of what is in these is for processors with SHA extensions: on others they are shown only.
sha_files=(ledger/hash.c ledger/sha256ni.c)
untold=()

# Branches that no test takes yet, "FILE NUMBER" a line. A file that is not here has none; a number only shrinks.
left()
{
	cat <<-END
	END
}

usage()
{
	sed -n '5,6s/^# *//p' "$0" >&2
	exit 2
}

# --- building and running ---

configured()
{
	[ -x "$top/configure" ] || (cd "$top" && autoreconf -i)
	[ ! -f "$build/Makefile" ] || return 0
	(cd "$build" && "$top/configure" --quiet --enable-coverage CFLAGS=-O0)
}

# run WHAT TEST...: through make, which builds what they need and gives each its time limit. check-TESTS would build every
# test there is.
run()
{
	local what=$1 start=$SECONDS
	shift
	printf '== %s: %d tests\n' "$what" $#
	make -C "$build" -j"$(nproc)" --no-print-directory check-TESTS TESTS="$*" VERBOSE=1 \
		check_PROGRAMS='' check_LTLIBRARIES='' check_SCRIPTS='' >"$build/coverage.log" 2>&1 || {
		tail -n 60 "$build/coverage.log"
		printf 'coverage.sh: a test failed, or did not build\n'
		exit 1
	}
	printf '== %s: done (%d s)\n' "$what" $((SECONDS - start))
}

# What gcov says of the objects whose counters are there. $1: of which, a pattern of find for their names.
counts()
{
	(cd "$build" && find ledger tests -name "$1" -print0 | sort -z |
		xargs -0 -r gcov --stdout --branch-probabilities --branch-counts 2>>"$build/coverage.log")
}

# --- the report ---

# judge LEFT MUST FILE...: reads gcov's reports, prints what they come to, fails as the head of this file says. MUST: files
# that a report on all files has to be about.
judge()
{
	local left=$1 must=$2
	shift 2
	awk -v left="$left" -v must="$must" -v untold="${untold[*]}" -v files="$*" -v excluded_max="$EXCLUDED_MAX" '
	function complain(text) { print text; bad = 1 }

	BEGIN {
		n = split(left, word)
		for (i = 1; i < n; i += 2)
			allowed[word[i]] = word[i + 1]
		n = split(untold, word)
		for (i = 1; i <= n; i++)
			shown_only[word[i]] = 1
		n = split(files, word)
		for (i = 1; i <= n; i++)
			wanted[word[i]] = 1
		all = n == 0
		n = all ? split(must, word) : 0
		for (i = 1; i <= n; i++)
			wanted[word[i]] = 1
	}
	/^ *-: *0:Source:/ {
		file = $0
		sub(/^.*Source:/, "", file)
		inside = match(file, /(^|\/)ledger\/[a-z0-9_]+\.[ch]$/) > 0
		sub(/^.*ledger\//, "ledger/", file)
		# The verifier: of two reports, the one of its own tests alone.
		inside = inside && (all || file in wanted) && (file ~ /\/verify/) == verifier
		asserting = 0
		if (inside)
			seen[file] = 1
		next
	}
	/^COVERAGE / { verifier = $2 == "verifier" }
	!inside { next }
	/^function / {
		name = file " " $2
		calls[name] += $4
		next
	}
	/^ *[-#=0-9]+[*]?: *[0-9]+:/ {
		count = $0
		sub(/:.*/, "", count)
		gsub(/[ *]/, "", count)
		rest = substr($0, index($0, ":") + 1)
		line = rest + 0
		text = substr(rest, index(rest, ":") + 1)
		if (count != "-") {
			lines[file, line] += count # "#####" is 0.
			if (line > last[file])
				last[file] = line
			source[file, line] = text
		}
		# An assertion may go over several lines.
		asserting = (asserting && !ended) || text ~ /(^|[^A-Za-z_])assert\(/
		ended = text ~ /;/
		if (asserting)
			assertion[file, line] = 1
		if (text ~ /GCOVR_EXCL_BR_LINE/) {
			marked[file, line] = 1
			if (line > last[file])
				last[file] = line
			if (text !~ /GCOVR_EXCL_BR_LINE: [^ *]/)
				reasonless[file, line] = 1
		}
		next
	}
	/^branch / {
		taken = /taken [0-9]/ ? $4 : 0
		if ($2 >= numbers[file, line]) # They are shared with the calls of the line.
			numbers[file, line] = $2 + 1
		times[file, line, $2] += taken
	}

	# Of one line; adds to lines_all, lines_run, branches_all, branches_taken, missing.
	function judge_line(file, line,    b, n, not_taken, which) {
		for (b = 0; b < numbers[file, line]; b++)
			if ((file, line, b) in times) {
				n++
				if (!times[file, line, b]) {
					not_taken++
					which = which " " n
				}
			}
		if ((file, line) in lines) {
			lines_all++
			lines_run += lines[file, line] > 0
		}
		if ((file, line) in reasonless)
			complain(file ":" line ": GCOVR_EXCL_BR_LINE without a reason behind it")
		if ((file, line) in marked) {
			excluded++
			if (!not_taken)
				complain(file ":" line ": GCOVR_EXCL_BR_LINE, but every branch is taken")
			n -= not_taken
			not_taken = 0
		} else if ((file, line) in assertion) {
			asserted += not_taken
			n -= not_taken
			not_taken = 0
		}
		branches_all += n
		branches_taken += n - not_taken
		if (not_taken) {
			missing++
			found[missing] = sprintf("%s:%d: not taken: branch%s of %d (line runs %d times): %s", file, line,
			                         which, n, lines[file, line], source[file, line])
		}
	}

	function judge_file(file,    line, i, gone) {
		lines_all = lines_run = branches_all = branches_taken = missing = 0
		for (line = 1; line <= last[file]; line++)
			judge_line(file, line)
		gone = file in shown_only ? 0 : branches_all - branches_taken
		printf "%-26s lines %4d/%-4d  branches %4d/%-4d%s\n", file, lines_run, lines_all, branches_taken,
		       branches_all, gone ? "  <" : ""
		for (i = 1; i <= missing; i++)
			print "  " found[i]
		if (gone > allowed[file])
			complain(sprintf("%s: %d branches are not taken, %d may be", file, gone, allowed[file]))
		else if (gone < allowed[file])
			printf "%s: write down that only %d branches are not taken now, not %d\n", file, gone, allowed[file]
		sum_lines += lines_all; sum_run += lines_run; sum_branches += branches_all; sum_taken += branches_taken
	}

	END {
		for (file in wanted)
			if (!(file in seen))
				complain(file ": no test was built with it")
		for (file in seen)
			order[++n_files] = file
		for (i = 2; i <= n_files; i++) # As many as fit on two screens: sorted by insertion.
			for (k = i; k > 1 && order[k] < order[k - 1]; k--) {
				file = order[k]; order[k] = order[k - 1]; order[k - 1] = file
			}
		for (i = 1; i <= n_files; i++)
			judge_file(order[i])
		for (name in calls) {
			file = substr(name, 1, index(name, " ") - 1)
			if (!calls[name] && !(file in shown_only) && !allowed[file])
				complain(name ": never called")
		}
		printf "%d files: %d of %d lines, %d of %d branches; apart from %d lines marked GCOVR_EXCL_BR_LINE (of at most %d) and %d sides of assertions\n",
		       n_files, sum_run, sum_lines, sum_taken, sum_branches, excluded, excluded_max, asserted
		if (excluded > excluded_max)
			complain("too many lines are exempt")
		if (!n_files)
			complain("gcov told nothing")
		exit bad
	}'
}

coverage()
{
	local tests must
	build=$1
	shift
	must=$(cd "$top" && echo ledger/*.c)
	mkdir -p "$build"
	build=$(cd "$build" && pwd)
	configured
	grep -q -e '--coverage' "$build/Makefile" || {
		printf 'coverage.sh: %s was not configured with --enable-coverage\n' "$build" >&2
		exit 2
	}
	find "$build" -name '*.gcda' -delete
	grep -qw sha_ni /proc/cpuinfo || untold=("${sha_files[@]}")
	# Vectors of others are not in the tree: what they cover would count on some machines only.
	export CS_VECTORS=/nonexistent
	if [ -n "${COVERAGE_TESTS:-}" ]; then
		read -r -a tests <<<"$COVERAGE_TESTS"
		run "tests" "${tests[@]}"
		{
			echo "COVERAGE verifier"
			counts '*verify*.gcda'
			echo "COVERAGE all"
			counts '*.gcda'
		} | judge "$(left)" "$must" "$@"
		return
	fi
	run "tests of the verifier" "${tests_verifier[@]}"
	counts '*verify*.gcda' >"$build/coverage-verifier"
	run "tests of the ledger" "${tests_ledger[@]}"
	{
		echo "COVERAGE verifier"
		cat "$build/coverage-verifier"
		echo "COVERAGE all"
		counts '*.gcda'
	} | judge "$(left)" "$must" "$@"
}

# --- the gate's own test ---

# plant WHAT LEFT REPORT: what gcov might say of ledger/one.c must not pass.
plant()
{
	local words
	if words=$(printf '%b\n' "$3" | judge "$2" ledger/one.c); then
		printf 'FAILED  passes: %s\n' "$1"
		self_test=1
	else
		printf 'ok      found: %s (%s)\n' "$1" "$(grep -v '^ledger/one.c  ' <<<"$words" | head -n 1 | sed 's/^ *//')"
	fi
}

self_test()
{
	local good='        -:    0:Source:../ledger/one.c
function f called 2 returned 100% blocks executed 100%
        2:   10:int f(int a)
        2:   12:\tif (a)
branch  0 taken 1 (fallthrough)
branch  1 taken 1
        2:   13:\tassert(a >= 0 &&
branch  0 taken 2 (fallthrough)
branch  1 taken 0
        2:   14:\t       a < 9);
branch  0 taken 2 (fallthrough)
branch  1 never executed
        2:   15:\treturn g(a) < 0; /* GCOVR_EXCL_BR_LINE: g never fails */
branch  0 taken 2
branch  1 taken 0'
	self_test=0
	EXCLUDED_MAX=1
	if ! printf '%b\n' "$good" | judge "" ledger/one.c; then
		printf 'FAILED  refuses what is well\n'
		self_test=1
	fi
	plant "a branch that is not taken" "" "${good/branch  1 taken 1/branch  1 taken 0}"
	plant "a branch that is never reached" "" "${good/branch  1 taken 1/branch  1 never executed}"
	plant "a function that is never called" "" "${good/called 2/called 0}"
	plant "an exception without a reason" "" "${good/: g never fails/}"
	plant "an exception that is none" "" "${good%taken 0}taken 2"
	plant "more than the list says" "ledger/one.c 1" "${good//taken 1/taken 0}"
	plant "a file without a report" "" "${good/one.c/two.c}"
	EXCLUDED_MAX=0
	plant "too many exceptions" "" "$good"
	return $self_test
}

case ${1:-} in
--self-test) self_test ;;
'' | -*) usage ;;
*) coverage "$@" ;;
esac
