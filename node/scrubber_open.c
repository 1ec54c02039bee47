/* The scrubber opened, asked and closed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdlib.h>

#include "ledger/errors.h"
#include "node/scrubber_internal.h"

int scrubber_open(const struct scrubber_options *o, struct scrubber **ret)
{
	struct scrubber *s = calloc(1, sizeof *s);
	pthread_condattr_t attr;

	if (!s)
		return CS_ERR_NOMEM;
	s->o = *o;
	s->shown.rate = o->rate;
	s->scrub.origin = o->origin;
	s->scrub.found = scrubber_found;
	s->scrub.signatures = scrubber_signatures;
	s->scrub.entry = scrubber_learn;
	s->scrub.ctx = s;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	int err = pages_file_open(o->path, true, &s->file);
	if (!err && pthread_create(&s->thread, NULL, scrubber_run, s))
		err = CS_ERR_NOMEM;
	if (err) {
		pages_file_close(&s->file);
		free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void scrubber_stop(struct scrubber *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	if (s->view)
		store_view_close(s->view);
	s->view = NULL;
}

void scrubber_close(struct scrubber *s)
{
	if (!s)
		return;
	scrub_end(&s->scrub);
	pages_file_close(&s->file);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void scrubber_ask(struct scrubber *s)
{
	pthread_mutex_lock(&s->lock);
	s->shown.asked = s->shown.passes + s->shown.running + 1;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
}
