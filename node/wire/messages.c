/* The clients' messages: envelopes, the proved reply and the status, packed and read back within their bounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/wire/messages.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "ledger/errors.h"

#define ERROR_MAX 255 /* REFUSE of the channel gives an error one byte; so do replies. */

const char *wire_type_text(unsigned type)
{
	switch (type) {
#define WIRE_TYPE_TEXT(name, number, text)                                                                             \
	case number:                                                                                                   \
		return text;
		WIRE_TYPE_LIST(WIRE_TYPE_TEXT)
#undef WIRE_TYPE_TEXT
	default:
		return NULL;
	}
}

void wire_request_id(uint8_t ret[WIRE_REQUEST_ID_SIZE], uint64_t now_ms)
{
	put_u16be(ret, (uint16_t)(now_ms >> 32));
	put_u32be(ret + 2, (uint32_t)now_ms);
	randombytes_buf(ret + 6, WIRE_REQUEST_ID_SIZE - 6);
}

uint64_t wire_request_id_time(const uint8_t id[WIRE_REQUEST_ID_SIZE])
{
	return (uint64_t)get_u16be(id) << 32 | get_u32be(id + 2);
}

/* Passes over one value that must be an array, whatever is in it. */
static void read_body(struct reader *r, const uint8_t **ret, size_t *ret_len)
{
	if (r->err == 0 && reader_peek(r) != VALUE_ARRAY)
		r->err = CS_ERR_MALFORMED;
	reader_skip(r, ret, ret_len);
}

/* Reads a string into a fixed array and ends it with NUL; cap counts the NUL. */
static void read_text(struct reader *r, char *ret, size_t cap)
{
	const char *s;
	size_t len;

	if (reader_str(r, cap - 1, &s, &len) != 0)
		return;
	memcpy(ret, s, len);
	ret[len] = '\0';
}

/* Begins [version, request id, …] with n elements. */
static void write_head(struct writer *w, uint32_t n, const uint8_t *id)
{
	writer_array(w, n);
	writer_uint(w, WIRE_VERSION);
	writer_bin(w, id, WIRE_REQUEST_ID_SIZE);
}

static void read_head(struct reader *r, uint32_t n, uint8_t *ret_id)
{
	uint64_t version = WIRE_VERSION;

	reader_array_exact(r, n);
	reader_uint(r, UINT8_MAX, &version);
	if (r->err == 0 && version != WIRE_VERSION)
		r->err = CS_ERR_MALFORMED;
	reader_bin_exact(r, ret_id, WIRE_REQUEST_ID_SIZE);
}

static void write_request(struct writer *w, const struct wire_request *r)
{
	write_head(w, 5, r->id);
	writer_uint(w, r->type);
	writer_uint(w, r->deadline_ms);
	writer_raw(w, r->body, r->body_len);
}

int wire_request_encode(const struct wire_request *r, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	if (wire_type_text(r->type) == NULL || r->deadline_ms > WIRE_DEADLINE_MS_MAX)
		return CS_ERR_INVALID;
	writer_init(&w, buf, cap < WIRE_REQUEST_SIZE_MAX ? cap : WIRE_REQUEST_SIZE_MAX);
	write_request(&w, r);
	return writer_end(&w, ret_len);
}

int wire_request_decode(struct wire_request *ret, const void *bytes, size_t len)
{
	struct wire_request q = {0};
	uint64_t type = 0, deadline_ms = 0;
	struct reader r;
	int rv;

	if (len > WIRE_REQUEST_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	reader_init(&r, bytes, len);
	read_head(&r, 5, q.id);
	reader_uint(&r, UINT8_MAX, &type);
	reader_uint(&r, WIRE_DEADLINE_MS_MAX, &deadline_ms);
	read_body(&r, &q.body, &q.body_len);
	rv = reader_end(&r);
	if (rv != 0)
		return rv;
	if (wire_type_text((unsigned)type) == NULL)
		return CS_ERR_MALFORMED;
	q.type = (unsigned)type;
	q.deadline_ms = (uint32_t)deadline_ms;
	*ret = q;
	return 0;
}

bool wire_many_takes(unsigned type)
{
	return type == WIRE_DECIDE || type == WIRE_IMPORT || type == WIRE_ANSWER || type == WIRE_CHECK;
}

void wire_many_begin(struct writer *w, const uint8_t id[WIRE_REQUEST_ID_SIZE], uint32_t deadline_ms, unsigned n)
{
	write_head(w, 5, id);
	writer_uint(w, WIRE_MANY);
	writer_uint(w, deadline_ms);
	writer_array(w, n);
}

/* Bytes of an unsigned integer, a bin's header: the specification's "formats" (msgpack). */
static size_t uint_size(uint32_t v)
{
	return v < 128 ? 1 : v <= UINT8_MAX ? 2 : v <= UINT16_MAX ? 3 : 5;
}

static void write_bin_header(struct writer *w, size_t len)
{
	if (len <= UINT8_MAX)
		writer_raw(w, (const uint8_t[]){0xc4, (uint8_t)len}, 2);
	else if (len <= UINT16_MAX)
		writer_raw(w, (const uint8_t[]){0xc5, (uint8_t)(len >> 8), (uint8_t)len}, 3);
	else
		w->err = w->err != 0 ? w->err : CS_ERR_TOO_LARGE; /* Larger than any request. */
}

#define HEAD_SIZE (1 + 1 + 2 + WIRE_REQUEST_ID_SIZE) /* Array, version, id. */

/* Written in place, its length reckoned beforehand: no copy. */
void wire_many_add(struct writer *w, const struct wire_request *r)
{
	size_t len = HEAD_SIZE + uint_size(r->type) + uint_size(r->deadline_ms) + r->body_len;

	write_bin_header(w, len);
	size_t before = w->len;
	write_request(w, r);
	assert(w->err != 0 || w->len - before == len);
}

int wire_many_decode(struct wire_part ret[WIRE_MANY_MAX], unsigned *ret_n, const void *body, size_t len)
{
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, body, len);
	reader_array(&r, WIRE_MANY_MAX, &n);
	for (uint32_t i = 0; i < n; i++)
		reader_bin(&r, WIRE_REPLY_SIZE_MAX, &ret[i].bytes, &ret[i].len);
	int rv = reader_end(&r);
	if (rv != 0)
		return rv;
	if (n < WIRE_MANY_MIN)
		return CS_ERR_MALFORMED;
	*ret_n = n;
	return 0;
}

static void write_error(struct writer *w, const struct wire_reply *r)
{
	writer_array(w, 3);
	writer_str(w, r->text, strnlen(r->text, sizeof r->text - 1));
	if (r->leader_url[0] != '\0')
		writer_str(w, r->leader_url, strnlen(r->leader_url, sizeof r->leader_url - 1));
	else
		writer_nil(w);
	writer_uint(w, r->retry_ms);
}

static void read_error(struct reader *r, struct wire_reply *ret)
{
	uint64_t retry_ms = 0;

	reader_array_exact(r, 3);
	read_text(r, ret->text, sizeof ret->text);
	if (!reader_nil(r))
		read_text(r, ret->leader_url, sizeof ret->leader_url);
	reader_uint(r, UINT32_MAX, &retry_ms);
	ret->retry_ms = (uint32_t)retry_ms;
}

int wire_reply_encode(const struct wire_reply *r, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	if (r->err > 0 || r->err < -ERROR_MAX)
		return CS_ERR_INVALID;
	writer_init(&w, buf, cap < WIRE_REPLY_SIZE_MAX ? cap : WIRE_REPLY_SIZE_MAX);
	write_head(&w, 4, r->id);
	writer_uint(&w, (uint64_t)-r->err);
	if (r->err == 0)
		writer_raw(&w, r->body, r->body_len);
	else
		write_error(&w, r);
	return writer_end(&w, ret_len);
}

int wire_reply_decode(struct wire_reply *ret, const void *bytes, size_t len)
{
	struct wire_reply p = {0};
	uint64_t err = 0;
	struct reader r;
	int rv;

	if (len > WIRE_REPLY_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	reader_init(&r, bytes, len);
	read_head(&r, 4, p.id);
	reader_uint(&r, ERROR_MAX, &err);
	if (err == 0)
		read_body(&r, &p.body, &p.body_len);
	else
		read_error(&r, &p);
	rv = reader_end(&r);
	if (rv != 0)
		return rv;
	p.err = -(int)err;
	*ret = p;
	return 0;
}

int wire_proved_encode(const struct wire_proved *p, void *buf, size_t cap, size_t *ret_len)
{
	struct writer w;

	if (p->n_proof > LIMIT_PROOF_HASHES_MAX)
		return CS_ERR_INVALID;
	writer_init(&w, buf, cap);
	writer_array(&w, 4);
	writer_bin(&w, p->leaf, p->leaf_len);
	writer_bin(&w, p->body, p->body_len);
	writer_array(&w, p->n_proof);
	for (unsigned i = 0; i < p->n_proof; i++)
		writer_bin(&w, p->proof[i].b, HASH_SIZE);
	writer_str(&w, p->checkpoint, p->checkpoint_len);
	return writer_end(&w, ret_len);
}

int wire_proved_decode(struct wire_proved *ret, const void *bytes, size_t len)
{
	struct wire_proved p = {0};
	uint32_t n = 0;
	struct reader r;
	int rv;

	reader_init(&r, bytes, len);
	reader_array_exact(&r, 4);
	reader_bin(&r, LIMIT_ENTRY_SIZE_MAX, &p.leaf, &p.leaf_len);
	reader_bin(&r, LIMIT_BODY_SIZE_MAX, &p.body, &p.body_len);
	reader_array(&r, LIMIT_PROOF_HASHES_MAX, &n);
	for (uint32_t i = 0; i < n; i++)
		reader_bin_exact(&r, p.proof[i].b, HASH_SIZE);
	reader_str(&r, LIMIT_NOTE_SIZE_MAX, &p.checkpoint, &p.checkpoint_len);
	rv = reader_end(&r);
	if (rv != 0)
		return rv;
	p.n_proof = n;
	*ret = p;
	return 0;
}

#define STATUS_FIELDS 16
#define STATUS_GUARDS (sizeof((struct wire_status *)0)->guards / sizeof(uint64_t) - 1)

/* In the order of struct wire_details. */
#define DETAIL_NUMBERS(d)                                                                                              \
	&(d)->disk_free, &(d)->disk_size, &(d)->disk_reserve, &(d)->map_free, &(d)->map_size, &(d)->ledger_bytes,      \
	        &(d)->log_bytes, &(d)->room, &(d)->checkpoint_s, &(d)->now_ms, &(d)->voters
#define DETAIL_FIELDS   12  /* The numbers and the array of cosigners. */
#define DETAIL_FEATURES 2   /* Behind them, from the build on that has features. */
#define DETAIL_GEO      2   /* Behind them, from the build on that knows databases of addresses. */
#define DETAIL_SCRUB    1   /* Behind them, from the build on that has a scrubber. */
#define LATER_MAX       256 /* What later versions may have added behind what this one knows. */

static void encode_details(struct writer *w, const struct wire_details *d)
{
	const uint64_t *const numbers[] = {DETAIL_NUMBERS(d)};

	static_assert(sizeof numbers / sizeof *numbers == DETAIL_FIELDS - 1, "one each");
	writer_array(w, DETAIL_FIELDS + DETAIL_FEATURES + DETAIL_GEO + DETAIL_SCRUB);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		writer_uint(w, *numbers[i]);
	writer_array(w, d->n_cosigners);
	for (unsigned i = 0; i < d->n_cosigners; i++)
		writer_uint(w, d->cosigners[i]);
	writer_uint(w, d->features_have);
	writer_uint(w, d->features_on);
	writer_uint(w, d->geo_city_s);
	writer_uint(w, d->geo_network_s);
	wire_scrub_write(w, &d->scrub);
}

static void skip(struct reader *r, uint32_t n)
{
	const uint8_t *bytes;
	size_t len;

	while (n-- > 0 && reader_skip(r, &bytes, &len) == 0)
		;
}

static void decode_details(struct reader *r, struct wire_details *d)
{
	uint64_t *const numbers[] = {DETAIL_NUMBERS(d)};
	uint32_t n = 0, n_cosigners = 0;

	reader_array(r, LATER_MAX, &n);
	if (r->err == 0 && n < DETAIL_FIELDS)
		r->err = CS_ERR_MALFORMED;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		reader_uint(r, UINT64_MAX, numbers[i]);
	reader_array(r, WIRE_COSIGNERS_MAX, &n_cosigners);
	for (uint32_t i = 0; r->err == 0 && i < n_cosigners; i++)
		reader_uint(r, UINT64_MAX, &d->cosigners[i]);
	d->n_cosigners = n_cosigners;
	n -= DETAIL_FIELDS;
	if (r->err == 0 && n >= DETAIL_FEATURES) {
		reader_uint(r, UINT64_MAX, &d->features_have);
		reader_uint(r, UINT64_MAX, &d->features_on);
		n -= DETAIL_FEATURES;
	}
	if (r->err == 0 && n >= DETAIL_GEO) {
		reader_uint(r, UINT64_MAX, &d->geo_city_s);
		reader_uint(r, UINT64_MAX, &d->geo_network_s);
		n -= DETAIL_GEO;
	}
	if (r->err == 0 && n >= DETAIL_SCRUB) {
		wire_scrub_read(r, &d->scrub);
		n -= DETAIL_SCRUB;
	}
	if (r->err == 0)
		skip(r, n);
}

int wire_status_encode(const struct wire_status *s, void *buf, size_t cap, size_t *ret_len)
{
	const uint64_t numbers[] = {s->node_id,       s->leader_id,    s->term,     s->raft_last,
	                            s->raft_commit,   s->raft_applied, s->size,     s->stored_size,
	                            s->cosigned_size, s->pending,      s->uptime_ms};
	struct writer w;

	writer_init(&w, buf, cap);
	writer_array(&w, STATUS_FIELDS + s->detailed);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		writer_uint(&w, numbers[i]);
	writer_array(&w, STATUS_GUARDS);
	for (size_t i = 1; i <= STATUS_GUARDS; i++)
		writer_uint(&w, s->guards[i]);
	writer_bin(&w, s->root.b, HASH_SIZE);
	writer_str(&w, s->role, strnlen(s->role, sizeof s->role - 1));
	writer_str(&w, s->health, strnlen(s->health, sizeof s->health - 1));
	writer_str(&w, s->version, strnlen(s->version, sizeof s->version - 1));
	if (s->detailed)
		encode_details(&w, &s->details);
	return writer_end(&w, ret_len);
}

int wire_status_decode(struct wire_status *ret, const void *bytes, size_t len)
{
	struct wire_status s = {0};
	uint64_t *const numbers[] = {&s.node_id,       &s.leader_id,    &s.term,     &s.raft_last,
	                             &s.raft_commit,   &s.raft_applied, &s.size,     &s.stored_size,
	                             &s.cosigned_size, &s.pending,      &s.uptime_ms};
	struct reader r;
	uint32_t n = 0;
	int rv;

	reader_init(&r, bytes, len);
	reader_array(&r, LATER_MAX, &n);
	if (r.err == 0 && n < STATUS_FIELDS)
		r.err = CS_ERR_MALFORMED;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		reader_uint(&r, UINT64_MAX, numbers[i]);
	reader_array_exact(&r, STATUS_GUARDS);
	for (size_t i = 1; i <= STATUS_GUARDS; i++)
		reader_uint(&r, UINT64_MAX, &s.guards[i]);
	reader_bin_exact(&r, s.root.b, HASH_SIZE);
	read_text(&r, s.role, sizeof s.role);
	read_text(&r, s.health, sizeof s.health);
	read_text(&r, s.version, sizeof s.version);
	s.detailed = n > STATUS_FIELDS;
	if (s.detailed)
		decode_details(&r, &s.details);
	if (r.err == 0 && s.detailed)
		skip(&r, n - STATUS_FIELDS - 1);
	rv = reader_end(&r);
	if (rv == 0)
		*ret = s;
	return rv;
}
