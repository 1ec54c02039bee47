/* The numbers and names of the ledger's formats (FORMAT.md): all that the encoders and the verifier share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_FORMAT_H
#define LEDGER_FORMAT_H

/* Constants only: the verifier checks with code of its own, so that one mistake cannot both make and pass a proof. */
#include "ledger/limits.h"

#define ENTRY_VERSION  1
#define SALT_SIZE      16
#define ENTRY_KIND_MAX 255 /* Decoders carry kinds that they do not know; FORMAT.md gives them one byte. */
#define FIELD_KIND_MAX 255 /* One byte in the commitment. */

/* Kinds of entries; numbers are for ever. X(name, number, text) */
#define ENTRY_KIND_LIST(X)                                                                                             \
	X(ENTRY_GENESIS, 1, "genesis")                                                                                 \
	X(ENTRY_DECISION, 2, "decision")                                                                               \
	X(ENTRY_ANSWER, 3, "challenge answer")                                                                         \
	X(ENTRY_POLICY_SET, 4, "policy set")                                                                           \
	X(ENTRY_ENROLLED, 5, "principal enrolled")                                                                     \
	X(ENTRY_REMOVED, 6, "principal removed")                                                                       \
	X(ENTRY_IMPORTED, 7, "imported")                                                                               \
	X(ENTRY_TICK, 8, "time tick")                                                                                  \
	X(ENTRY_MEMBER, 9, "membership changed")                                                                       \
	X(ENTRY_FEATURE, 10, "feature enabled")                                                                        \
	X(ENTRY_BUILD, 11, "build changed")                                                                            \
	X(ENTRY_PEOPLE, 17, "person changed")                                                                          \
	X(ENTRY_GOVERNANCE, 18, "governance set")                                                                      \
	X(ENTRY_APPROVAL, 12, "approval")                                                                              \
	X(ENTRY_DEFER_ENDED, 13, "defer ended")                                                                        \
	X(ENTRY_GRANT_REVOKED, 15, "grant revoked")                                                                    \
	X(ENTRY_OUTSIDE, 16, "outside signal")                                                                         \
	X(ENTRY_CREDENTIAL_ENROLLED, 19, "credential enrolled")                                                        \
	X(ENTRY_CREDENTIAL_REVOKED, 20, "credential revoked")                                                          \
	X(ENTRY_HISTORY, 21, "history requested")                                                                      \
	X(ENTRY_READ, 22, "read")                                                                                      \
	X(ENTRY_HOLD, 23, "hold")                                                                                      \
	X(ENTRY_ERASED, 24, "erased")                                                                                  \
	X(ENTRY_ERASURE_DONE, 25, "erasure done")                                                                      \
	X(ENTRY_KEY, 26, "key rotated")                                                                                \
	X(ENTRY_STATE_DIGEST, 27, "state digest")

/* Kinds of private fields; numbers are for ever. */
#define FIELD_KIND_LIST(X)                                                                                             \
	X(FIELD_BLIND, 1, "blind")                  /* bin 32: what the request digest is blinded with */              \
	X(FIELD_SUBJECT, 2, "subject")              /* [type, id] */                                                   \
	X(FIELD_ACTOR, 3, "actor")                  /* [type, id] */                                                   \
	X(FIELD_ACTION, 4, "action")                /* str */                                                          \
	X(FIELD_RESOURCE, 5, "resource")            /* [type, id] */                                                   \
	X(FIELD_CONTEXT, 6, "context")              /* [[name, value]…] sorted, what no other field holds */         \
	X(FIELD_DEVICE, 7, "device")                /* str */                                                          \
	X(FIELD_ADDRESS, 8, "address")              /* str */                                                          \
	X(FIELD_LOCATION, 9, "location")            /* [region or nil, country or nil] */                              \
	X(FIELD_SIGNALS, 10, "signals")             /* [[signal id, value, weight]…] */                              \
	X(FIELD_REASONS, 11, "reasons")             /* [[for the user, for the administrator]…] */                   \
	X(FIELD_EVIDENCE, 12, "evidence")           /* per method */                                                   \
	X(FIELD_CLIENT, 13, "client")               /* [principal's name, request id bin 16] */                        \
	X(FIELD_CHALLENGE, 14, "challenge")         /* [nonce bin 32, expiry ms, level, [method…]] */                \
	X(FIELD_SOURCE, 15, "source")               /* of an import: [format, file, file's hash, position, time] */    \
	X(FIELD_SUBJECT_CHAIN, 16, "subject chain") /* [previous index or nil, count before this] */                   \
	X(FIELD_ACTOR_CHAIN, 17, "actor chain")                                                                        \
	X(FIELD_TEXT, 18, "text") /* str: free text of administrators */                                               \
	X(FIELD_EVIDENCE_FACTS, 19,                                                                                    \
	  "evidence facts")         /* [level, counter, before, fell, attested by the leader, acr] */                  \
	X(FIELD_PLACE, 20, "place") /* [country, network, latitude, longitude, two databases' builds], each or nil */  \
	X(FIELD_DELEGATION, 21, "delegation") /* [[type, id]…]: who acts, for whom, up to the subject */             \
	X(FIELD_GROUPS, 24, "groups")         /* what the table of people says; of a change of it, the changes */      \
	X(FIELD_APPROVAL, 22, "approval")     /* what is awaited, what an approver said: FORMAT.md */                  \
	X(FIELD_APPROVER_CHAIN, 23, "approver chain") /* as the subject's */                                           \
	X(FIELD_OUTSIDE, 25, "outside")               /* [session, device, credential, event time ms, reason] */       \
	X(FIELD_GRANT, 26, "grant")                   /* what opens, what counted, what ends: FORMAT.md */             \
	X(FIELD_APPROVER, 27, "approver")             /* str: an approver's name, whose history was asked for */       \
	X(FIELD_LOOKUP, 28, "lookup") /* [[field kind, text or [type, id]]…]: what a search looked for */

/* Hashed with its terminating NUL, before kind, salt and value. */
#define FORMAT_FIELD_DOMAIN "countersign/field/v1"
/* tlog-cosignature: what is signed begins with this, the decimal time, a newline, and then the note's text. */
#define FORMAT_COSIGNATURE_HEAD "cosignature/v1\ntime "
/* signed-note: a signature line begins with this (U+2014 and a space). */
#define FORMAT_SIGNATURE_HEAD "\xE2\x80\x94 "
/* tlog-proof: the first line of a proof file. */
#define FORMAT_PROOF_HEAD "c2sp.org/tlog-proof@v1"
/* "format" of the one JSON file for people. */
#define FORMAT_BUNDLE "countersign/bundle/v1"
/* The same with other entries that the first one rests on, each with its own proof. */
#define FORMAT_BUNDLE_2        "countersign/bundle/v2"
#define FORMAT_BUNDLE_SUPPORTS 8 /* As many at most. */
/* Links of chains from here on: n * FORMAT_EARLIER + i is entry i of the n-th ledger before this one, which was
 * restored. */
#define FORMAT_EARLIER (UINT64_C(1) << 48)
/* "format" in the first line of a history: one JSON object a line. */
#define FORMAT_HISTORY "countersign/history/v1"
/* Numbers of the lists above that the verifier itself goes by. */
#define FORMAT_KIND_HISTORY         21
#define FORMAT_FIELD_SUBJECT        2
#define FORMAT_FIELD_ACTOR          3
#define FORMAT_FIELD_SUBJECT_CHAIN  16
#define FORMAT_FIELD_ACTOR_CHAIN    17
#define FORMAT_FIELD_APPROVAL       22
#define FORMAT_FIELD_APPROVER_CHAIN 23
#define FORMAT_FIELD_APPROVER       27
/*
 * The largest bundle: entry and private values in base64 (4/3 of 2 * 64 KiB), a rendering of each value of at most
 * FORMAT_FIELD_TEXT_SIZE_MAX, a proof; the rest is room for JSON's own escapes.
 */
#define FORMAT_BUNDLE_SIZE_MAX     (1 << 20)
#define FORMAT_FIELD_TEXT_SIZE_MAX 2048
/* A proof file: head, index, 63 hashes of 45 characters, a checkpoint; with room for an "extra" line of others. */
#define FORMAT_PROOF_SIZE_MAX (64 << 10)

#endif
