/* The state's records: how their keys look, for taking and loading. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_STATE_RECORDS_H
#define NODE_DECIDE_STATE_RECORDS_H

#define STATE_VERSION             2
#define RECORD_KEY_SIZE           9 /* Its kind, and a number u64 big-endian. */
#define RECORD_HEAD_ELEMENTS      8
#define RECORD_SUBJECT_ELEMENTS   (6 + PROFILE_ELEMENTS)
#define RECORD_PRINCIPAL_ELEMENTS 13
#define RECORD_CHALLENGE_ELEMENTS 11 /* And a twelfth, the place, if the decision had one. */
#define RECORD_ANSWER_ELEMENTS    7
#define RECORD_DEFERRED_ELEMENTS  14
#define RECORD_STANDING_ELEMENTS  14

enum record {
	RECORD_FEATURES = 'F',   /* From the first feature on. Sorted before all others, so that it is loaded first. */
	RECORD_GOVERNANCE = 'G', /* From the first thresholds above 1 on. */
	RECORD_CREDENTIAL = 'K', /* By slot. With the feature `decisions`, and sorted behind it. */
	RECORD_USED = 'T',       /* By slot, and from 2^32 on proofs of lately. With the feature, too. */
	RECORD_PERSON = 'P',     /* By slot, dense. With the feature `decisions`. */
	RECORD_KEY = 'y',        /* By slot: keys that were replaced. With the feature `records`. */
	RECORD_DIGESTED = 'z',   /* From the first state digest on. */
	RECORD_HEAD = 'h',
	RECORD_POLICY = 'p',
	RECORD_ROSTER = 'm',    /* From the first change of members on. */
	RECORD_PRINCIPAL = 'k', /* By slot. */
	RECORD_SUBJECT = 's',   /* By slot: an eviction overwrites, and nothing is to be deleted. */
	RECORD_HISTORY = 'S',   /* By the subject's slot; only where policies of version 2 have made one. */
	RECORD_WORLD = 'w',     /* By page of WORLD_PAGE slots, and after them the totals. */
	RECORD_CHALLENGE = 'c', /* By slot. */
	RECORD_DEFERRED = 'd',  /* By slot: requests that wait. From the feature `decisions` on, as the next. */
	RECORD_STANDING = 'g',  /* By slot: grants and warnings. */
	RECORD_ERASURE = 'e',   /* By slot: under way. From the feature `records` on, as the next. */
	RECORD_HOLD = 'o',      /* By slot: holds; and from 2^32 on, by kind of entries, retention. */
	/* By page of STATE_PAGE slots. They are used anew in order of age: at full load one record for 64 answers. */
	RECORD_ANSWERS = 'r',
};

#endif
