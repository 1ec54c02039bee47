/* A policy's section of signals: its compiled form. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/policy_signals.h"

#include "ledger/errors.h"
#include "node/decide/codec.h"

#define WEIGHTS_MAX    64 /* Of this and later builds: signals 24 and on. */
#define PARAMETERS_MAX 64

void signal_policy_defaults(struct signal_policy *ret)
{
	*ret = (struct signal_policy){
#define PARAMETER_DEFAULT(name, key, kind, least, most, fallback) .name = (fallback),
	        SIGNAL_PARAMETER_LIST(PARAMETER_DEFAULT)
#undef PARAMETER_DEFAULT
	};
}

#define PARAMETER_ONE(name, key, kind, least, most, fallback) +1

void signal_policy_write(struct writer *w, const struct signal_policy *p, const int32_t *weights)
{
	writer_array(w, 3);
	writer_array(w, SIGNAL_MAX - SIGNAL_MAX_1);
	for (unsigned id = SIGNAL_MAX_1 + 1; id <= SIGNAL_MAX; id++)
		writer_int(w, weights[id]);
	writer_array(w, 0 SIGNAL_PARAMETER_LIST(PARAMETER_ONE));
#define PARAMETER_WRITE(name, key, kind, least, most, fallback) writer_uint(w, p->name);
	SIGNAL_PARAMETER_LIST(PARAMETER_WRITE)
#undef PARAMETER_WRITE
	writer_array(w, p->n_outside);
	for (unsigned i = 0; i < p->n_outside; i++)
		codec_write_text(w, p->outside[i]);
}

static void malformed(struct reader *r)
{
	if (r->err == 0)
		r->err = CS_ERR_MALFORMED;
}

static void read_weights(struct reader *r, int32_t *weights)
{
	uint32_t n = 0;

	reader_array(r, WEIGHTS_MAX, &n);
	if (n > SIGNAL_MAX - SIGNAL_MAX_1)
		malformed(r); /* A later build's signal must not be passed over. */
	for (unsigned id = SIGNAL_MAX_1 + 1; id <= SIGNAL_MAX; id++) {
		int64_t v = 0;
		if (id - SIGNAL_MAX_1 <= n)
			reader_int(r, &v);
		if (v < -SIGNAL_WEIGHT_MAX || v > SIGNAL_WEIGHT_MAX)
			malformed(r);
		weights[id] = (int32_t)v;
	}
}

static void read_parameter(struct reader *r, uint32_t *left, uint64_t least, uint64_t most, uint64_t *ret)
{
	if (*left == 0)
		return;
	--*left;
	reader_uint(r, most, ret);
	if (*ret < least)
		malformed(r);
}

void signal_policy_read(struct reader *r, struct signal_policy *ret, int32_t *weights)
{
	uint32_t n = 0;

	signal_policy_defaults(ret);
	reader_array_exact(r, 3);
	read_weights(r, weights);
	reader_array(r, PARAMETERS_MAX, &n);
#define PARAMETER_READ(name, key, kind, least, most, fallback) read_parameter(r, &n, least, most, &ret->name);
	SIGNAL_PARAMETER_LIST(PARAMETER_READ)
#undef PARAMETER_READ
	if (n > 0)
		malformed(r);
	n = 0;
	reader_array(r, SIGNALS_OUTSIDE_MAX, &n);
	for (uint32_t i = 0; i < n && r->err == 0; i++)
		codec_text(r, 1, REQUEST_STR_SIZE_MAX, &ret->outside[i]);
	ret->n_outside = r->err == 0 ? n : 0;
}
