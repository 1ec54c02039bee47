/* Reading on: entries, each checked and folded, up to a checkpoint. What audits and monitors share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_AUDITWALK_H
#define CLIENT_TOOL_AUDITWALK_H

#include "client/tool/auditproof.h"
#include "client/tool/entryview.h"

struct auditwalk {
	const struct auditsource *source;
	uint64_t node;              /* Whose entries; 0: whoever answers. */
	const struct hash *genesis; /* Leaf hash that entry 0 must have. */
	struct auditstate *state;   /* What was checked before; its fold goes on when all held. */
	/* Told of each entry that held, with the fold up to it. False: it is an alarm, and reason says why. */
	bool (*taken)(struct auditwalk *w, const struct entryview *v, const struct verify_fold *fold);
	void *ctx;
	struct verify_result *result; /* Room for the verifier's; of the checkpoint, when all held. */

	/* After an alarm. */
	char reason[512], expected[80], found[80];
	bool has_bad;
	uint64_t bad;
};

enum auditwalk_end {
	AUDITWALK_DONE,
	AUDITWALK_ALARM,
	AUDITWALK_LAGS,   /* Who answers has not the entries yet. */
	AUDITWALK_FAILED, /* Nobody answered; *ret_err: the library's code. */
};
/* The tree that the entries must lead to: target entries with this root, under this note, which may cover more. */
struct auditwalk_target {
	uint64_t size;
	struct hash root;
	const char *note;
	size_t note_len;
};
enum auditwalk_end auditwalk_run(struct auditwalk *w, const struct auditwalk_target *target, int *ret_err);

/* Sets reason, and the bad index unless it is UINT64_MAX; returns AUDITWALK_ALARM. */
enum auditwalk_end auditwalk_alarm(struct auditwalk *w, uint64_t index, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void auditwalk_hex(const uint8_t hash[VERIFY_HASH_SIZE], char ret[80]);

#endif
