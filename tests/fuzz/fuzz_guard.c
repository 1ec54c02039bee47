/* Fuzzing: what peers say, frame after frame, into a running libraft through decoder and guard. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "node/core/frame.h"
#include "tests/fuzz/fuzz.h"
#include "tests/script_io.h"

/* The sanitizer's, where there is one: what the guard's end leaves behind goes with the process that it ends. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static struct script s;
static jmp_buf ended;

/* The guard ends the process: a broken invariant that it has seen. */
static void on_fatal(struct script_server *v, const char *why)
{
	(void)v, (void)why;
	longjmp(ended, 1);
}

static void receive(uint64_t from, const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct frame f;

	FUZZ_DEMAND(copy);
	memcpy(copy, bytes, len);
	int err = frame_decode(copy, len, &f);
	free(copy);
	if (err || f.type > FRAME_TIMEOUT_NOW)
		return;
	frame_set_sender(&f, from, from == 2 ? "2" : "3");
	guard_recv(s.s[0].guard, &f.raft);
}

static void check(void)
{
	const struct raft *r = &s.s[0].raft;

	FUZZ_DEMAND(r->commit_index <= raft_last_index(&s.s[0].raft));
	FUZZ_DEMAND(r->last_applied <= r->commit_index);
	FUZZ_DEMAND(r->current_term == s.s[0].disk.term);
}

/*
 * Steps: a byte that says what (time passes, by the byte after it; a proposal; a frame of peer 2 or 3, u16 length
 * before it). One server of three runs, with a short log; its disk and its clock are the script's.
 */
static void steps(const uint8_t *bytes, size_t len)
{
	while (len >= 2) {
		unsigned what = bytes[0] % 4;
		if (what == 0) {
			script_run(&s, 1 + bytes[1] * 8u);
		} else if (what == 1) {
			(void)script_propose(&s, 0, "FUZZ");
		} else if (len >= 3) {
			size_t n = (size_t)bytes[1] << 8 | bytes[2];
			n = n < len - 3 ? n : len - 3;
			receive(what, bytes + 3, n);
			bytes += 1 + n;
			len -= 1 + n;
		}
		bytes += 2;
		len -= 2;
		check();
	}
	script_run(&s, 2 * SCRIPT_ELECTION_MS);
	check();
}

void fuzz_guard(const uint8_t *bytes, size_t len)
{
	if (__lsan_disable)
		__lsan_disable();
	script_init(&s, 3, 0);
	script_preset(&s, 0, 1, "ONE");
	script_preset(&s, 0, 2, "TWO");
	script_preset(&s, 0, 2, "THREE");
	s.s[0].on_fatal = on_fatal;
	FUZZ_DEMAND(script_boot(&s, 0) == 0);
	if (setjmp(ended) == 0) {
		steps(bytes, len);
		script_close(&s);
	}
	if (__lsan_enable)
		__lsan_enable();
}
