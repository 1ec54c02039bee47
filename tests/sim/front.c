/* The double of the front: requests of the simulated clients become jobs, and their replies go back. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/front.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/errors.h"
#include "tests/sim/client.h"
#include "tests/sim/memory.h"
#include "tests/sim/os.h"

#define WAIT_POLL_NS OS_MS

struct front {
	struct process *process;
	unsigned life;
	struct front_options o;
	struct front_principal *principals;
	unsigned n_principals;
	bool authoritative, closing;
	unsigned out;
};

/* A job with what it needs of its own. */
struct held {
	struct job job;
	struct front *front;
	unsigned client;
	uint64_t call;
	size_t body_len;
	uint8_t body[];
};

static struct front *fronts[OS_PROCESSES_MAX];

int front_open(const struct front_options *o, struct front **ret)
{
	struct front *f = memory_lasting_zeros(1, sizeof *f); /* Asked for its life when that is over. */

	f->process = os_process();
	f->life = f->process->life;
	f->o = *o;
	fronts[f->process->id] = f;
	*ret = f;
	return 0;
}

void front_stop(struct front *f)
{
	f->closing = true;
	while (f->out)
		os_sleep(WAIT_POLL_NS);
	fronts[f->process->id] = NULL;
	free(f->principals);
	free(f);
}

int front_set_principals(struct front *f, const struct front_principal *p, unsigned n)
{
	free(f->principals);
	f->principals = malloc((n + 1) * sizeof *p);
	assert(f->principals);
	if (n)
		memcpy(f->principals, p, n * sizeof *p);
	f->n_principals = n;
	return 0;
}

void front_set_keys(struct front *f, const struct channel_keys *keys)
{
	(void)f;
	(void)keys;
}

void front_set_authoritative(struct front *f, bool authoritative)
{
	f->authoritative = authoritative;
}

void front_stats(const struct front *f, struct front_stats *ret)
{
	(void)f;
	*ret = (struct front_stats){0};
}

/* --- jobs --- */

static const struct front_principal *principal_of(const struct front *f, const uint8_t pub[32])
{
	for (unsigned i = 0; i < f->n_principals; i++)
		if (memcmp(f->principals[i].channel_pub, pub, 32) == 0)
			return &f->principals[i];
	return NULL;
}

static void end(struct held *h)
{
	h->front->out--;
	free(h->job.facts);
	free(h);
}

static void submit(void *arg)
{
	struct held *h = arg;

	h->front->o.submit(h->front->o.ctx, &h->job);
}

void client_request_arrives(unsigned node, const struct client_request *q)
{
	struct process *p = &os_processes[node];
	struct front *f = fronts[node];
	const struct front_principal *who;
	struct held *h;

	if (!f || !p->alive || f->life != p->life || f->closing)
		return;
	who = principal_of(f, q->channel_pub);
	if (!who) {
		client_reply(q->client, q->call, node, f->authoritative ? CS_ERR_UNAUTHENTICATED : CS_ERR_NOT_READY,
		             NULL, NULL, 0);
		return;
	}
	h = memory_lasting(sizeof *h + q->body_len);
	*h = (struct held){.front = f, .client = q->client, .call = q->call, .body_len = q->body_len};
	memcpy(h->body, q->body, q->body_len);
	h->job.request.type = q->type;
	h->job.request.deadline_ms = q->deadline_ms;
	h->job.request.body = h->body;
	h->job.request.body_len = q->body_len;
	memcpy(h->job.request.id, q->id, sizeof h->job.request.id);
	h->job.principal = who->id;
	h->job.roles = who->roles;
	h->job.received_ns = os_mono(p);
	h->job.deadline_ns = h->job.received_ns + q->deadline_ms * OS_MS;
	f->out++;
	os_spawn(p, submit, h);
}

void job_reply(struct job *j, const void *body, size_t len)
{
	struct held *h = (struct held *)j;

	client_reply(h->client, h->call, h->front->process->id, 0, NULL, body, len);
	end(h);
}

void job_error(struct job *j, int err, const char *text, const char *leader_url, uint32_t retry_ms)
{
	struct held *h = (struct held *)j;

	(void)text, (void)retry_ms;
	client_reply(h->client, h->call, h->front->process->id, err, leader_url, NULL, 0);
	end(h);
}
