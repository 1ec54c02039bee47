/* What witnesses have cosigned lately, in a file: so that it is there again after a restart. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_WITNESSES_FILE_H
#define NODE_WITNESSES_FILE_H

#include "node/witnesses.h"

/*
 * The file is "countersign/witnessed/v1\n", then for each note its length in decimal, a newline, and its bytes. It is
 * replaced in one step and not synced: a power cut may take what is newest, and then the witness hands it over again.
 * Nothing in it is believed: each note is looked at as if a witness had brought it.
 */
#define WITNESSES_FILE_SIZE_MAX (32 + WITNESSES_NOTES * (LIMIT_NOTE_SIZE_MAX + 8))

struct witnesses_file {
	const char *path; /* Borrowed; NULL: nothing is kept. */
	bool failed;      /* Writing did, and that was said. */
	/* Read at the start, and not looked at yet: its entries are not stored so far, or nobody's keys are known. */
	unsigned n;
	struct board_note notes[WITNESSES_NOTES]; /* Without their sizes. */
};

/* Reads the file; one that is missing or no such file is empty. */
void witnesses_file_open(struct witnesses_file *f, const char *path);
/*
 * Gives the notes that were read to w, as far as they can be looked at. root: this node's own for a size.
 * CS_ERR_NOT_READY: it has not stored so many entries yet.
 */
void witnesses_file_give(struct witnesses_file *f, struct witnesses *w,
                         int (*root)(void *ctx, uint64_t size, struct hash *ret), void *ctx);
/* Writes what w keeps. */
void witnesses_file_save(struct witnesses_file *f, const struct witnesses *w);

/* Takes such a file's bytes apart: how many notes; 0 if it is none. What is cut short or malformed ends it. */
unsigned witnesses_file_parse(const char *bytes, size_t len, struct board_note ret[WITNESSES_NOTES]);

#endif
