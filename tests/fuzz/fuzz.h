/* Fuzzing: each decoder of bytes that others send or disks give back, as a function that eats any bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/*
 * Each takes one input whole, and returns; what it finds wrong ends the process (abort, a sanitizer). The bytes are the
 * caller's, in a block of exactly their length. Nothing is kept from one input to the next that could change what one
 * does.
 */
typedef void (*fuzz_fn)(const uint8_t *bytes, size_t len);

/* X(name, longest input worth making) */
#define FUZZ_LIST(X)                                                                                                   \
	X(store, 65536)       /* A store's file, as the scrubber reads it. */                                          \
	X(frame, 8192)        /* One frame of a peer. */                                                               \
	X(guard, 4096)        /* Frames of peers, one after the other, into libraft through the guard. */              \
	X(request, 8192)      /* A client's message: envelope, many, and the bodies of each type. */                   \
	X(reply, 8192)        /* A node's reply, as the client library takes it. */                                    \
	X(channel, 512)       /* Handshakes and sealed frames of strangers and of peers. */                            \
	X(batch, 8192)        /* A batch of commands, and what the log holds. */                                       \
	X(command, 4096)      /* A command on a state that has a history. */                                           \
	X(state, 16384)       /* A state's records, as catch-up brings them. */                                        \
	X(catchup, 8192)      /* Entries, as catch-up brings them. */                                                  \
	X(snapshot, 128)      /* A Raft snapshot's payload. */                                                         \
	X(log, 24576)         /* Segments of the log. */                                                               \
	X(record, 2048)       /* Records of a write of the log. */                                                     \
	X(twin, 2048)         /* Both copies of the log's metadata, or of a snapshot. */                               \
	X(configuration, 512) /* libraft's configuration in the log. */                                                \
	X(policy, 4096)       /* A policy in YAML. */                                                                  \
	X(compiled, 4096)     /* A policy's compiled form. */                                                          \
	X(condition, 1024)    /* A condition in CEL. */                                                                \
	X(conditions, 1024)   /* The compiled form of one. */                                                          \
	X(genesis, 4096)      /* The genesis file. */                                                                  \
	X(manifest, 2048)     /* Of a backup: its manifest, */                                                         \
	X(backup_keys, 1024)  /* its file of keys, */                                                                  \
	X(sealed, 4096)       /* its bundles of bodies, */                                                             \
	X(backup_state, 4096) /* its state, */                                                                         \
	X(carry, 16384)       /* and that state as it is carried over. */                                              \
	X(settings, 2048)     /* A node's settings. */                                                                 \
	X(keys, 1024)         /* A key file. */                                                                        \
	X(cluster, 2048)      /* A cluster file. */                                                                    \
	X(statefile, 4096)    /* A state in a file, as replay reads it. */                                             \
	X(cloudtrail, 4096)   /* Logs that are imported: */                                                            \
	X(authlog, 2048)      /* doors' words, by syslog, */                                                           \
	X(journal, 2048)      /* and from the journal, */                                                              \
	X(journal_json, 2048) /* in both its forms, */                                                                 \
	X(opa, 4096)          /* OPA's decisions, */                                                                   \
	X(csv, 2048)          /* tables, */                                                                            \
	X(log_file, 4096)     /* a file by its looks, */                                                               \
	X(mapping, 1024)      /* and --map. */                                                                         \
	X(note, 2048)         /* Notes, checkpoints, verifier keys: the node's own reader. */                          \
	X(assertion, 4096)    /* A security key's answer, */                                                           \
	X(registration, 4096) /* what one is enrolled with, */                                                         \
	X(attestation, 4096)  /* its CBOR, as a browser gives it; */                                                   \
	X(token, 4096)        /* an issuer's ID token. */                                                              \
	X(reads, 4096)        /* Searches, histories that are asked for, what was read. */                             \
	X(entry, 4096)        /* Leaves and bodies. */                                                                 \
	X(bundle, 8192)       /* From here on the offline verifier: a bundle, */                                       \
	X(person, 8192)       /* one person's history, */                                                              \
	X(proof, 4096)        /* a proof with its entry, */                                                            \
	X(checkpoint, 2048)   /* a checkpoint, */                                                                      \
	X(trust, 4096)        /* a trust policy, */                                                                    \
	X(audit, 4096)        /* a whole ledger, */                                                                    \
	X(tiles, 8192)        /* one in an export's form. */

#define FUZZ_LOG_SECTORS 24 /* In a segment of target log. */

#define FUZZ_DECLARE(name, size_max) void fuzz_##name(const uint8_t *bytes, size_t len);
FUZZ_LIST(FUZZ_DECLARE)
#undef FUZZ_DECLARE

/* Ends the process with the place, in every build. */
#define FUZZ_DEMAND(condition)                                                                                         \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			fuzz_fail(__FILE__, __LINE__, #condition);                                                     \
	} while (0)
void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));

/* NULL: none of this name. */
fuzz_fn fuzz_target(const char *name);

#endif
