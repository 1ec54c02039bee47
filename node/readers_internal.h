/* The reading room's inside: who waits, and what one answer needs. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_READERS_INTERNAL_H
#define NODE_READERS_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "node/decide/search.h"
#include "node/pace.h"
#include "node/readers.h"
#include "node/turns.h"
#include "node/witnesses_file.h"

#define HELD_MAX 64 /* Answers of up to half a MiB each that wait for the log of readers. */

/* One reader who waits. */
struct item {
	struct item *next;
	struct job *job;
	bool repeat;           /* Asks for its own entry again. */
	uint64_t index, count; /* ENTRIES: first and count. */
	uint64_t until_ns;     /* When waiting for more is over. */
	unsigned need,
	        n_ids; /* PROVE: so many of those with these key ids, members or witnesses, must have cosigned. */
	uint32_t ids[WIRE_WITNESSES_MAX];
	const char *cosigned; /* WITNESS: the note that it brings; in the job. NULL: none, or it was looked at. */
	size_t cosigned_len;
	bool quorum;
	uint64_t wanted_ns;      /* When the core was asked for its proof; 0: it was not. */
	struct board_note *note; /* The checkpoint chosen for it: kept while the store comes up to its size. */
	/* ENTRIES, PROVE: only these kinds of fields, a bit each; of ENTRIES none. */
	bool some;
	uint64_t fields;
	struct search search; /* SEARCH. Its texts lie in the request. */
	struct {
		uint64_t at, size; /* Where to go on; under which checkpoint, 0: the newest. */
	} history;                 /* HISTORY_PAGE; index is the head. */
	/* An answer that waits until the ledger has the note of it. */
	uint8_t *held;
	size_t held_len;
	uint64_t ticket, held_until_ns;
};

/* A proof of the core's, and its entry. */
struct prompt {
	struct board_proof proof;
	uint8_t bytes[LIMIT_ENTRY_SIZE_MAX + LIMIT_BODY_SIZE_MAX];
};

struct reading_room {
	struct reader_options o;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t arrived; /* In the inbox, or stop: for the thread when nobody waits for anything else. */
	struct turns *inbox;    /* Jobs, whose holder is the item. */
	struct pace pace;
	unsigned n_waiting; /* In the inbox and in the list below. */
	bool stop;
	struct item *waiting; /* The thread's own: looked at, and not to be answered yet. */
	struct store_view *view;
	uint64_t stored;       /* Entries that the view sees. */
	uint64_t shown;        /* Entries under a checkpoint that was given before they were stored. */
	uint64_t damaged_next; /* Index after the damaged entry that the log named last. */
	struct witnesses *witnesses;
	struct witnesses_file witnessed;
	struct prompt *prompt;
	uint8_t *buf; /* WIRE_REPLY_SIZE_MAX bytes for one reply. */
	unsigned n_held;
};

/*
 * One try to answer, of the room's thread only. open: the room is not closing. True: the job is answered or refused,
 * and the item is done; false: what it asks for is not there yet.
 */
bool reading_room_answer(struct reading_room *r, struct item *it, bool open);
/* readers_answer.c: both end the job and return true. */
bool reading_room_reply(struct reading_room *r, struct item *it, const struct writer *w);
bool reading_room_refuse(struct item *it, int err, const char *text);
bool reading_room_witness(struct reading_room *r, struct item *it); /* readers_witness.c: as an answer. */
/*
 * readers_prompt.c: a proof of an entry that may not be stored yet, from the core; false: not here, or nobody asked for
 * it. What *ret points into is good until the next.
 */
bool reading_room_prompt(struct reading_room *r, struct item *it, struct wire_proved *ret);
/*
 * Entries below `end` are not stored yet of which somebody was given a proof here: they are on their way, and whoever
 * asks for them waits.
 */
bool reading_room_behind(struct reading_room *r, uint64_t end);
void reading_room_want_prompt(struct reading_room *r, struct item *it);    /* Asks for it, once. */
bool reading_room_prompt_awaited(struct reading_room *r, struct item *it); /* The same; it may come yet. */
/* What witnesses had cosigned before the start, as far as it can be looked at by now. */
void reading_room_recall(struct reading_room *r);
/* Chooses it->note, which covers it->index; false: none yet. */
bool reading_room_choose_note(struct reading_room *r, struct item *it);

/* readers_private.c: what an answer opens, and the answer that waits for its note. */
void reading_begin(struct read_log *ret, const struct item *it, unsigned what);
/* An entry is given with this body (NULL: without). The log of readers itself does not count (readlog.h). */
void reading_add(struct read_log *l, uint64_t index, const void *leaf, size_t leaf_len, const void *body,
                 size_t body_len);
/* The body with no fields but those of these kinds, a bit each; its length, 0: none is left. */
size_t reading_disclose(const void *body, size_t len, uint64_t kinds, uint8_t *buf, size_t cap);
/* The reply's body is in r->buf. True: it is gone, or refused; false: it is held. */
bool reading_room_give(struct reading_room *r, struct item *it, const struct read_log *what, size_t len);
bool reading_room_release(struct reading_room *r, struct item *it, bool open); /* One that is held; as above. */

/* readers_search.c, readers_history.c */
bool serve_search(struct reading_room *r, struct item *it);
bool serve_history(struct reading_room *r, struct item *it);

/* readers_entry.c. An entry and, if open, its body, as they were stored: *ret_body is NULL if it was erased. */
int reading_room_entry(struct reading_room *r, uint64_t index, bool open, const void **ret_leaf, size_t *ret_leaf_len,
                       const void **ret_body, size_t *ret_body_len);
/* A proof that does not lead to the checkpoint's root is damage here, and must not look like a forgery there. */
int reading_room_check_proof(struct reading_room *r, const struct item *it, const void *leaf, size_t leaf_len,
                             const struct hash *proof, unsigned n);

#endif
