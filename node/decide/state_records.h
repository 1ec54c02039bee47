/* The state's records: how their keys look, for taking and loading. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_STATE_RECORDS_H
#define NODE_DECIDE_STATE_RECORDS_H

#define STATE_VERSION             1
#define RECORD_KEY_SIZE           9 /* Its kind, and a number u64 big-endian. */
#define RECORD_HEAD_ELEMENTS      12
#define RECORD_SUBJECT_ELEMENTS   (6 + PROFILE_ELEMENTS)
#define RECORD_PRINCIPAL_ELEMENTS 12
#define RECORD_CHALLENGE_ELEMENTS 12
#define RECORD_ANSWER_ELEMENTS    7

enum record {
	RECORD_HEAD = 'h',
	RECORD_POLICY = 'p',
	RECORD_PRINCIPAL = 'k', /* By slot. */
	RECORD_SUBJECT = 's',   /* By slot: an eviction overwrites, and nothing is to be deleted. */
	RECORD_CHALLENGE = 'c', /* By sequence number in the ring. */
	RECORD_ANSWERS = 'r',   /* By page of STATE_PAGE sequence numbers: at full load one record for 64 answers. */
};

#endif
