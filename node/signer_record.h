/* The signer's record on the disk: for each key the newest (size, root) that it has signed. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_SIGNER_RECORD_H
#define NODE_SIGNER_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/hash.h"

/*
 * A file of 16 slots of 128 bytes: public key 32 || size u64be || root 32 || BLAKE2b of these 16 || zeros. A slot lies
 * within a sector, so that a power cut leaves the old one or the new one. A slot whose check is wrong is of no key.
 */
#define SIGNER_RECORD_SLOTS 16

struct signer_record {
	int fd; /* -1: there is none, and nothing is kept. */
	struct {
		bool used;
		uint8_t pub[32];
		uint64_t size;
		struct hash root;
	} slots[SIGNER_RECORD_SLOTS];
};

/* Reads it; create: makes an empty one where there is none. CS_ERR_NOT_FOUND, CS_ERR_IO, with a text (256 bytes). */
int signer_record_read(struct signer_record *r, const char *path, bool create, char *ret_text);
void signer_record_close(struct signer_record *r);
int signer_record_find(const struct signer_record *r, const uint8_t pub[32]); /* Its slot, or -1. */
/* A new slot of size 0, on the disk: a free one, or that of the key that signed least. CS_ERR_IO. */
int signer_record_add(struct signer_record *r, const uint8_t pub[32], int *ret_slot);
int signer_record_put(struct signer_record *r, int slot, uint64_t size, const struct hash *root);

#endif
