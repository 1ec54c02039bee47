/* Commands about what the ledger keeps: holds, retention, erasures, and a node's word that it has erased. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DECIDE_COMMAND_ERASE_H
#define NODE_DECIDE_COMMAND_ERASE_H

#include "node/decide/command.h"

#define ERASE_REASON_SIZE_MAX 1024       /* As a removal's. */
#define ERASE_FIELDS_ALL      UINT64_MAX /* Every private field, of later kinds too. */
#define ERASE_FIELD_KIND_MAX  63         /* A field's kind is a bit. */
#define ERASE_FIELD(kind)     (UINT64_C(1) << (kind))
#define RETENTION_MS_MIN      UINT64_C(1000)
#define RETENTION_MS_MAX      UINT64_C(3155760000000) /* A hundred years. */

/* What an order about keeping says; public in entries, for ever. */
enum hold_action { HOLD_SET = 1, HOLD_LIFT = 2, HOLD_RETENTION = 3 };

/*
 * An order: [action, nil or [subject type, id], index of the hold's entry, entry kind, milliseconds, reason,
 * signature]. Set: the subject. Lift: the index. Retention: private fields of entries of this kind are erased when they
 * are so old; 0: they are kept for ever. What an action does not need is nil or 0.
 */
struct hold_order {
	unsigned action, kind;
	struct text subject_type, subject_id; /* len 0: none. */
	uint64_t index, keep_ms;
	struct text reason;
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
int hold_order_encode_signed(const struct hold_order *o, void *buf, size_t cap, size_t *ret_len);
int hold_order_encode(const struct hold_order *o, void *buf, size_t cap, size_t *ret_len);
int hold_order_decode(struct hold_order *ret, const void *bytes, size_t len); /* Also the shape of its action. */

/* What is erased; public in entries, for ever. */
enum erase_target { ERASE_SUBJECT = 1, ERASE_ENTRY = 2, ERASE_RETENTION = 3 };

/*
 * An order: [target, nil or [subject type, id], index, [field kind…], blind bin32, reason, signature]. Of a subject:
 * all that is private in entries of its own, and what names it in those of others. Of an entry: these fields,
 * ascending; none: all. The blind is 32 random bytes that are kept nowhere: the ledger keeps SHA-256 of what was
 * signed, by which the signatures can be checked, and which confirms no guess of whom they were about.
 */
struct erase_order {
	unsigned target;
	struct text subject_type, subject_id;
	uint64_t index, fields; /* A bit for each kind; ERASE_FIELDS_ALL. */
	const uint8_t *blind;
	struct text reason;
	struct admin_signature admin;
	const uint8_t *signed_elements;
	size_t signed_len;
};
int erase_order_encode_signed(const struct erase_order *o, void *buf, size_t cap, size_t *ret_len);
int erase_order_encode(const struct erase_order *o, void *buf, size_t cap, size_t *ret_len);
int erase_order_decode(struct erase_order *ret, const void *bytes, size_t len);

/*
 * The leader's own erasure, principal 0, of what is older than its kind is kept: [entry kind, end, time ms]: entries of
 * this kind below index end that are of this time or older.
 */
struct retention_sweep {
	unsigned kind;
	uint64_t end, cutoff_ms;
};
int retention_sweep_encode(const struct retention_sweep *o, void *buf, size_t cap, size_t *ret_len);
int retention_sweep_decode(struct retention_sweep *ret, const void *bytes, size_t len);

/*
 * A node has erased, principal 0: [node id, index of the entry "erased", bodies that it changed, bodies that a hold
 * kept back].
 */
struct erasure_done {
	uint64_t node, index, changed, held;
};
int erasure_done_encode(const struct erasure_done *o, void *buf, size_t cap, size_t *ret_len);
int erasure_done_decode(struct erasure_done *ret, const void *bytes, size_t len);

#endif
