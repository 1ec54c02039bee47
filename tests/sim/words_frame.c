/* Frames in words, for whoever reads a trace. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "node/core/frame.h"
#include "tests/sim/net.h"
#include "tests/sim/os.h"

static void say(unsigned from, unsigned to, const struct frame *f)
{
	const struct raft_message *m = &f->raft;

	switch (f->type) {
	case FRAME_APPEND_ENTRIES:
		os_note(to, "<- %u append term=%llu prev=%llu/%llu n=%u commit=%llu", from, m->append_entries.term,
		        m->append_entries.prev_log_index, m->append_entries.prev_log_term, m->append_entries.n_entries,
		        m->append_entries.leader_commit);
		break;
	case FRAME_APPEND_ENTRIES_RESULT:
		os_note(to, "<- %u result term=%llu rejected=%llu last=%llu", from, m->append_entries_result.term,
		        m->append_entries_result.rejected, m->append_entries_result.last_log_index);
		break;
	case FRAME_REQUEST_VOTE:
		os_note(to, "<- %u %s term=%llu last=%llu/%llu", from, m->request_vote.pre_vote ? "pre-vote?" : "vote?",
		        m->request_vote.term, m->request_vote.last_log_index, m->request_vote.last_log_term);
		break;
	case FRAME_REQUEST_VOTE_RESULT:
		os_note(to, "<- %u %s term=%llu granted=%d", from,
		        m->request_vote_result.pre_vote == raft_tribool_true ? "pre-vote" : "vote",
		        m->request_vote_result.term, m->request_vote_result.vote_granted);
		break;
	case FRAME_INSTALL_SNAPSHOT:
		os_note(to, "<- %u install term=%llu last=%llu/%llu", from, m->install_snapshot.term,
		        m->install_snapshot.last_index, m->install_snapshot.last_term);
		break;
	default:
		os_note(to, "<- %u frame of type %d", from, (int)f->type);
	}
}

void net_say(unsigned from, unsigned to, const void *bytes, size_t len)
{
	uint8_t *copy;
	struct frame f;

	if (!os_verbose)
		return;
	copy = malloc(len);
	if (!copy)
		return;
	memcpy(copy, bytes, len);
	if (frame_decode(copy, len, &f) == 0) {
		say(from, to, &f);
		frame_free(&f);
	}
	free(copy);
}
