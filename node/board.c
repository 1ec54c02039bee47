/* The board: facts under one lock, a count of changes to wait for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/board.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "node/clock.h"

struct board {
	pthread_mutex_t lock;
	pthread_cond_t bell;
	uint64_t rung;
	unsigned waiting;
	struct wire_status status;
	char leader_url[WIRE_URL_SIZE_MAX];
	struct board_note leader, cosigned, reached;
	uint8_t members[BOARD_MEMBERS_SIZE_MAX];
	uint8_t features[BOARD_FEATURES_SIZE_MAX];
	size_t features_len;
	size_t members_len;
	uint64_t members_version;
	uint64_t wanted[BOARD_PROOFS_MAX];
	atomic_uint n_wanted; /* Changed under the lock. */
	struct board_proof proofs[BOARD_PROOFS_MAX];
	unsigned n_proofs; /* Ever given; each has the place of its number, modulo the table. */
};

int board_new(struct board **ret)
{
	struct board *b = calloc(1, sizeof *b);
	pthread_condattr_t attr;

	if (!b)
		return CS_ERR_NOMEM;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->bell, &attr);
	pthread_condattr_destroy(&attr);
	*ret = b;
	return 0;
}

void board_free(struct board *b)
{
	if (!b)
		return;
	pthread_cond_destroy(&b->bell);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

/* Ends a change that was begun with the lock taken. No system call where nobody waits. */
static void ring_unlock(struct board *b)
{
	b->rung++;
	if (b->waiting)
		pthread_cond_broadcast(&b->bell);
	pthread_mutex_unlock(&b->lock);
}

void board_ring(struct board *b)
{
	pthread_mutex_lock(&b->lock);
	ring_unlock(b);
}

void board_set_status(struct board *b, const struct wire_status *s, const char *leader_url)
{
	pthread_mutex_lock(&b->lock);
	b->status = *s;
	snprintf(b->leader_url, sizeof b->leader_url, "%s", leader_url);
	ring_unlock(b);
}

void board_set_ledger(struct board *b, uint64_t size, const struct hash *root)
{
	pthread_mutex_lock(&b->lock);
	b->status.size = size;
	b->status.root = *root;
	ring_unlock(b);
}

static void set_note(struct board *b, struct board_note *n, uint64_t size, const char *text, size_t len)
{
	if (len > sizeof n->text)
		return;
	pthread_mutex_lock(&b->lock);
	n->size = size;
	n->len = len;
	memcpy(n->text, text, len);
	ring_unlock(b);
}

void board_set_leader_note(struct board *b, uint64_t size, const char *text, size_t len)
{
	set_note(b, &b->leader, size, text, len);
}

void board_set_cosigned_note(struct board *b, uint64_t size, const char *text, size_t len)
{
	set_note(b, &b->cosigned, size, text, len);
}

void board_cosigned_reached(struct board *b)
{
	pthread_mutex_lock(&b->lock);
	b->reached = b->cosigned;
	ring_unlock(b);
}

void board_status(struct board *b, struct wire_status *ret, char ret_leader_url[WIRE_URL_SIZE_MAX])
{
	pthread_mutex_lock(&b->lock);
	*ret = b->status;
	memcpy(ret_leader_url, b->leader_url, WIRE_URL_SIZE_MAX);
	pthread_mutex_unlock(&b->lock);
}

static void get_note(struct board *b, const struct board_note *n, struct board_note *ret)
{
	pthread_mutex_lock(&b->lock);
	ret->size = n->size;
	ret->len = n->len;
	memcpy(ret->text, n->text, n->len);
	pthread_mutex_unlock(&b->lock);
}

void board_leader_note(struct board *b, struct board_note *ret)
{
	get_note(b, &b->leader, ret);
}

void board_cosigned_note(struct board *b, struct board_note *ret)
{
	get_note(b, &b->cosigned, ret);
}

void board_reached_note(struct board *b, struct board_note *ret)
{
	get_note(b, &b->reached, ret);
}

uint64_t board_cosigned_size(struct board *b)
{
	uint64_t size;

	pthread_mutex_lock(&b->lock);
	size = b->cosigned.size;
	pthread_mutex_unlock(&b->lock);
	return size;
}

void board_want_proof(struct board *b, uint64_t index)
{
	unsigned i = 0;

	pthread_mutex_lock(&b->lock);
	unsigned n = atomic_load(&b->n_wanted);
	while (i < n && b->wanted[i] != index)
		i++;
	if (i == n && n < BOARD_PROOFS_MAX) {
		b->wanted[n] = index;
		atomic_store(&b->n_wanted, n + 1);
	}
	/* One that was made for somebody else may be under an older note than there is by now. */
	for (unsigned k = 0; k < BOARD_PROOFS_MAX; k++)
		if (b->proofs[k].note.size && b->proofs[k].index == index)
			b->proofs[k].note.size = 0;
	pthread_mutex_unlock(&b->lock);
}

unsigned board_wanted_proofs(struct board *b, uint64_t size, uint64_t ret[BOARD_PROOFS_MAX])
{
	unsigned n = 0, left = 0;

	if (atomic_load(&b->n_wanted) == 0) /* Nearly always. */
		return 0;
	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < atomic_load(&b->n_wanted); i++) {
		if (b->wanted[i] < size)
			ret[n++] = b->wanted[i];
		else
			b->wanted[left++] = b->wanted[i];
	}
	atomic_store(&b->n_wanted, left);
	pthread_mutex_unlock(&b->lock);
	return n;
}

void board_set_proof(struct board *b, const struct board_proof *p)
{
	pthread_mutex_lock(&b->lock);
	b->proofs[b->n_proofs++ % BOARD_PROOFS_MAX] = *p;
	pthread_mutex_unlock(&b->lock);
}

bool board_proof(struct board *b, uint64_t index, struct board_proof *ret)
{
	bool found = false;

	pthread_mutex_lock(&b->lock);
	for (unsigned i = 1; i <= BOARD_PROOFS_MAX && i <= b->n_proofs && !found; i++) {
		const struct board_proof *p = &b->proofs[(b->n_proofs - i) % BOARD_PROOFS_MAX];
		found = p->note.size && p->index == index;
		if (found)
			*ret = *p;
	}
	pthread_mutex_unlock(&b->lock);
	return found;
}

void board_wait(struct board *b, uint64_t *seen, uint64_t until_ns)
{
	struct timespec t = clock_timespec(until_ns);
	int rv = 0;

	pthread_mutex_lock(&b->lock);
	b->waiting++;
	while (b->rung == *seen && rv != ETIMEDOUT)
		rv = until_ns ? pthread_cond_timedwait(&b->bell, &b->lock, &t) : pthread_cond_wait(&b->bell, &b->lock);
	b->waiting--;
	*seen = b->rung;
	pthread_mutex_unlock(&b->lock);
}

void board_set_members(struct board *b, uint64_t version, const void *bytes, size_t len)
{
	if (len > sizeof b->members)
		return;
	pthread_mutex_lock(&b->lock);
	memcpy(b->members, bytes, len);
	b->members_len = len;
	b->members_version = version;
	pthread_mutex_unlock(&b->lock);
}

size_t board_members(struct board *b, uint8_t ret[BOARD_MEMBERS_SIZE_MAX], uint64_t *ret_version)
{
	size_t len;

	pthread_mutex_lock(&b->lock);
	len = b->members_len;
	memcpy(ret, b->members, len);
	*ret_version = b->members_version;
	pthread_mutex_unlock(&b->lock);
	return len;
}

void board_set_features(struct board *b, const void *bytes, size_t len)
{
	if (len > sizeof b->features)
		return;
	pthread_mutex_lock(&b->lock);
	memcpy(b->features, bytes, len);
	b->features_len = len;
	pthread_mutex_unlock(&b->lock);
}

size_t board_features(struct board *b, uint8_t ret[BOARD_FEATURES_SIZE_MAX])
{
	size_t len;

	pthread_mutex_lock(&b->lock);
	len = b->features_len;
	memcpy(ret, b->features, len);
	pthread_mutex_unlock(&b->lock);
	return len;
}
