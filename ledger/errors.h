/* The one list of errors: their numbers (stable: they travel on the wire, negated) and their texts. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEDGER_ERRORS_H
#define LEDGER_ERRORS_H

/* X(name, number, text). Numbers are never reused. Functions return 0 (CS_OK) or a negative cs_err. */
#define CS_ERR_LIST(X)                                                                                                 \
	X(CS_OK, 0, "success")                                                                                         \
	X(CS_ERR_NOMEM, -1, "out of memory")                                                                           \
	X(CS_ERR_MALFORMED, -2, "malformed")                                                                           \
	X(CS_ERR_TOO_LARGE, -3, "too large")                                                                           \
	X(CS_ERR_UNAUTHENTICATED, -4, "unauthenticated: the key is not enrolled, or its proof failed")                 \
	X(CS_ERR_NOT_PERMITTED, -5, "not permitted")                                                                   \
	X(CS_ERR_NOT_LEADER, -6, "not the leader")                                                                     \
	X(CS_ERR_NO_QUORUM, -7, "no quorum")                                                                           \
	X(CS_ERR_OVERLOADED, -8, "overloaded: try again later")                                                        \
	X(CS_ERR_TIMEOUT, -9, "timeout: the outcome is unknown, retry with the same request id")                       \
	X(CS_ERR_DISK_FULL, -10, "disk full")                                                                          \
	X(CS_ERR_DAMAGED, -11, "damaged")                                                                              \
	X(CS_ERR_NOT_FOUND, -12, "not found")                                                                          \
	X(CS_ERR_ERASED, -13, "erased")                                                                                \
	X(CS_ERR_IO, -14, "input/output error")                                                                        \
	X(CS_ERR_INVALID, -15, "invalid argument")                                                                     \
	X(CS_ERR_REFUTED, -16, "refuted: the proof does not hold")                                                     \
	X(CS_ERR_UNDECIDED, -17, "could not tell")                                                                     \
	X(CS_ERR_CONFLICT, -18, "conflict: this request id was used for another request")                              \
	X(CS_ERR_EXPIRED, -19, "expired")                                                                              \
	X(CS_ERR_EXISTS, -20, "exists already")                                                                        \
	X(CS_ERR_UNREACHABLE, -21, "unreachable")                                                                      \
	X(CS_ERR_DIVERGED, -22, "diverged: this node's history differs from the cluster's")                            \
	X(CS_ERR_NOT_READY, -23, "not ready: the node is starting or catching up")                                     \
	X(CS_ERR_VERSION, -24, "of another version than this build knows")

enum cs_err {
#define CS_ERR_ENUM(name, number, text) name = number,
	CS_ERR_LIST(CS_ERR_ENUM)
#undef CS_ERR_ENUM
};

/* The text of an error of the list; for any other number "unknown error". Never NULL, never freed. */
const char *err_text(int err);

#endif
