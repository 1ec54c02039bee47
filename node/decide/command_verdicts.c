/* Approvals, grants' ends and signals from outside, read and written; what an approver signs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/decide/command_verdicts.h"

#include <string.h>

#include "ledger/errors.h"
#include "ledger/limits.h"
#include "node/decide/codec.h"

#define APPROVAL_DOMAIN "countersign/approval/v1"
#define SIG_SIZE        64

/* --- names --- */

const char *say_text(unsigned say)
{
	switch (say) {
	case SAY_APPROVE:
		return "approve";
	case SAY_REJECT:
		return "reject";
	case SAY_BREAK_GLASS:
		return "break-glass";
	default:
		return "unknown";
	}
}

struct name {
	unsigned number;
	const char *text;
};
#define NAME_ROW(name, number, text) {number, text},
static const struct name events[] = {OUTSIDE_LIST(NAME_ROW){0, NULL}};
static const struct name abouts[] = {OUTSIDE_ABOUT_LIST(NAME_ROW){0, NULL}};
#undef NAME_ROW
static const struct name levels[] = {
        {OUTSIDE_LOW, "LOW"}, {OUTSIDE_MEDIUM, "MEDIUM"}, {OUTSIDE_HIGH, "HIGH"}, {0, NULL}};

static const char *name_text(const struct name *names, unsigned number)
{
	for (; names->text != NULL; names++)
		if (names->number == number)
			return names->text;
	return NULL;
}

static unsigned name_parse(const struct name *names, struct text t)
{
	while (names->text != NULL && !text_is(t, names->text))
		names++;
	return names->number;
}

const char *outside_text(unsigned event)
{
	return name_text(events, event);
}

unsigned outside_parse(struct text t)
{
	return name_parse(events, t);
}

const char *about_text(unsigned about)
{
	return name_text(abouts, about);
}

unsigned about_parse(struct text t)
{
	return name_parse(abouts, t);
}

const char *outside_level_text(unsigned level)
{
	return level == OUTSIDE_NONE ? "" : name_text(levels, level);
}

unsigned outside_level_parse(struct text t)
{
	return name_parse(levels, t);
}

/* --- approvals --- */

int approval_encode(const struct approval *a, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 6);
	writer_uint(&w, a->index);
	writer_uint(&w, a->say);
	writer_bin(&w, a->digest, HASH_SIZE);
	writer_uint(&w, a->expiry_ms);
	codec_write_text(&w, a->reason);
	writer_bin(&w, a->signature, SIG_SIZE);
	return writer_end(&w, ret_len);
}

int approval_decode(struct approval *ret, const void *bytes, size_t len)
{
	struct approval a = {0};
	struct reader r;
	uint64_t say = 0;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 6);
	reader_uint(&r, UINT64_MAX, &a.index);
	reader_uint(&r, SAY_BREAK_GLASS, &say);
	codec_fixed(&r, HASH_SIZE, &a.digest);
	reader_uint(&r, UINT64_MAX, &a.expiry_ms);
	codec_text(&r, 0, APPROVAL_REASON_SIZE_MAX, &a.reason);
	codec_fixed(&r, SIG_SIZE, &a.signature);
	if (reader_end(&r) != 0)
		return r.err;
	if (say == 0)
		return CS_ERR_MALFORMED;
	a.say = (unsigned)say;
	*ret = a;
	return 0;
}

size_t approval_message(uint8_t ret[APPROVAL_MESSAGE_SIZE_MAX], const char *origin, const struct approval *a)
{
	_Static_assert(sizeof(APPROVAL_DOMAIN) + LIMIT_ORIGIN_SIZE_MAX + 1 + 8 + 1 + HASH_SIZE + 8 + HASH_SIZE <=
	                       APPROVAL_MESSAGE_SIZE_MAX,
	               "the longest origin fits");
	uint8_t *p = ret + codec_domain(ret, APPROVAL_DOMAIN, origin);
	struct hash reason;

	hash_bytes(&reason, a->reason.s, a->reason.len);
	put_u64be(p, a->index);
	p[8] = (uint8_t)a->say;
	memcpy(p + 9, a->digest, HASH_SIZE);
	put_u64be(p + 9 + HASH_SIZE, a->expiry_ms);
	memcpy(p + 17 + HASH_SIZE, reason.b, HASH_SIZE);
	return (size_t)(p + 17 + 2 * HASH_SIZE - ret);
}

/* --- grants --- */

static void grant_revoke_write(struct writer *w, const struct grant_revoke *g)
{
	if (g->one)
		writer_uint(w, g->index);
	else
		writer_nil(w);
	if (g->subject_id.len > 0)
		codec_write_pair(w, g->subject_type, g->subject_id);
	else
		writer_nil(w);
	codec_write_text(w, g->reason);
}

int grant_revoke_encode_signed(const struct grant_revoke *g, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	grant_revoke_write(&w, g);
	return writer_end(&w, ret_len);
}

int grant_revoke_encode(const struct grant_revoke *g, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	grant_revoke_write(&w, g);
	admin_signature_write(&w, &g->admin);
	return writer_end(&w, ret_len);
}

int grant_revoke_decode(struct grant_revoke *ret, const void *bytes, size_t len)
{
	struct grant_revoke g = {0};
	struct reader r;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 4);
	const uint8_t *start = r.pos;
	g.one = !reader_nil(&r);
	if (g.one)
		reader_uint(&r, UINT64_MAX, &g.index);
	if (!reader_nil(&r))
		codec_pair(&r, &g.subject_type, &g.subject_id);
	codec_text(&r, 0, APPROVAL_REASON_SIZE_MAX, &g.reason);
	int err = codec_signed_end(&r, start, &g.signed_elements, &g.signed_len, &g.admin);
	if (err == 0 && g.one == (g.subject_id.len > 0))
		err = CS_ERR_MALFORMED; /* One of the two, so that a signature means one thing. */
	if (err == 0)
		*ret = g;
	return err;
}

/* --- signals from outside --- */

static void write_or_nil(struct writer *w, struct text t)
{
	if (t.len > 0)
		codec_write_text(w, t);
	else
		writer_nil(w);
}

static int outside_write(const struct outside *o, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, 9);
	writer_uint(&w, o->event);
	writer_uint(&w, o->about);
	writer_uint(&w, o->level);
	codec_write_pair(&w, o->subject_type, o->subject_id);
	write_or_nil(&w, o->session);
	write_or_nil(&w, o->device);
	write_or_nil(&w, o->credential);
	writer_uint(&w, o->event_ms);
	codec_write_text(&w, o->reason);
	return writer_end(&w, ret_len);
}

int outside_encode(const struct outside *o, void *buf, size_t cap, size_t *ret_len)
{
	struct outside check;
	size_t len = 0;
	int err = outside_write(o, buf, cap, &len);

	if (err == 0 && outside_decode(&check, buf, len) != 0)
		err = CS_ERR_INVALID; /* Nobody may send what nobody will read. */
	if (err == 0)
		*ret_len = len;
	return err;
}

/* Each event has what it is about and nothing else. */
static bool outside_shaped(const struct outside *o)
{
	bool session = o->session.len > 0, device = o->device.len > 0, credential = o->credential.len > 0;

	switch (o->event) {
	case OUTSIDE_SESSION_REVOKED: /* No session: all of the subject's. */
		return o->about == ABOUT_SESSION && o->level == OUTSIDE_NONE && !device && !credential;
	case OUTSIDE_RISK_LEVEL:
		return o->about != 0 && o->level != OUTSIDE_NONE && !credential &&
		       session == (o->about == ABOUT_SESSION) && device == (o->about == ABOUT_DEVICE);
	case OUTSIDE_CREDENTIAL_CHANGE: /* No credential: any of the subject's. */
		return o->about == ABOUT_USER && o->level == OUTSIDE_NONE && !session && !device;
	case OUTSIDE_ASSURANCE_LEVEL: /* No session: all of the subject's. */
		return o->about == (session ? ABOUT_SESSION : ABOUT_USER) && o->level != OUTSIDE_NONE && !device &&
		       !credential;
	default:
		return false;
	}
}

static void read_or_nil(struct reader *r, size_t len_max, struct text *ret)
{
	if (!reader_nil(r))
		codec_text(r, 1, len_max, ret);
}

int outside_decode(struct outside *ret, const void *bytes, size_t len)
{
	struct outside o = {0};
	struct reader r;
	uint64_t event = 0, about = 0, level = 0;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 9);
	reader_uint(&r, UINT8_MAX, &event);
	reader_uint(&r, ABOUT_SESSION, &about);
	reader_uint(&r, OUTSIDE_HIGH, &level);
	codec_pair(&r, &o.subject_type, &o.subject_id);
	read_or_nil(&r, REQUEST_STR_SIZE_MAX, &o.session);
	read_or_nil(&r, REQUEST_STR_SIZE_MAX, &o.device);
	read_or_nil(&r, PRINCIPAL_NAME_SIZE_MAX, &o.credential);
	reader_uint(&r, UINT64_MAX, &o.event_ms);
	codec_text(&r, 0, APPROVAL_REASON_SIZE_MAX, &o.reason);
	if (reader_end(&r) != 0)
		return r.err;
	o.event = (unsigned)event;
	o.about = (unsigned)about;
	o.level = (unsigned)level;
	if (!outside_shaped(&o))
		return CS_ERR_MALFORMED;
	*ret = o;
	return 0;
}
