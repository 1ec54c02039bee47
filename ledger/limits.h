/* Every bound of the ledger's formats, with its reason. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_LIMITS_H
#define LEDGER_LIMITS_H

#define LIMIT_ENTRY_SIZE_MAX      65535 /* C2SP tlog-tiles: an entry bundle has 16-bit lengths. */
#define LIMIT_BODY_SIZE_MAX       65535 /* Private fields of one entry; the same order as the entry. */
#define LIMIT_FIELD_COUNT_MAX     32    /* Private fields in one entry; the kinds of entry.h fit twice. */
#define LIMIT_PROOF_HASHES_MAX    63    /* C2SP tlog-witness: at most 63 hashes in a proof. */
#define LIMIT_NOTE_SIZE_MAX       8192  /* A checkpoint with 16 signature lines takes under 4 KiB. */
#define LIMIT_NOTE_SIGNATURES_MAX 16    /* C2SP signed-note: accept at least 16. */
#define LIMIT_ORIGIN_SIZE_MAX     128   /* Origin: the cluster's name, '-' and 16 hex digits. */
#define LIMIT_KEY_NAME_SIZE_MAX   192   /* Origin and "/node-N". */
#define LIMIT_MSGPACK_DEPTH_MAX   8     /* Nesting of untrusted msgpack (design: wire). */
#define LIMIT_MSGPACK_NODES_MAX   4096  /* Values in one untrusted msgpack document. */

#endif
