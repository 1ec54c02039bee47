/* Orders: signed by one administrator or several, sent, or kept so that others sign them elsewhere. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/client_internal.h"
#include "client/order.h"
#include "ledger/errors.h"
#include "node/decide/codec.h"

#define ORDER_EXPIRY_MS (5 * 60 * 1000) /* A signed order that comes later than this is not carried out. */
#define NAMES_SIZE      200

struct orders {
	unsigned n_signers;
	struct keyfile signers[ADMIN_SIGNATURES_MAX - 1]; /* Beside the client's own key. */
	cs_order_keeper keeper;                           /* NULL: orders are sent. */
	void *keeper_ctx;
};

static struct orders *orders_of(cs_client *c)
{
	if (c->orders == NULL)
		c->orders = calloc(1, sizeof(*c->orders));
	return c->orders;
}

void orders_close(cs_client *c)
{
	if (c->orders == NULL)
		return;
	for (unsigned i = 0; i < c->orders->n_signers; i++)
		keyfile_wipe(&c->orders->signers[i]);
	free(c->orders);
	c->orders = NULL;
}

int cs_sign_with(cs_client *client, const char *key_file)
{
	struct orders *o = orders_of(client);
	char text[TEXT_SIZE] = "";

	if (o == NULL)
		return CS_E_NOMEM;
	if (o->n_signers == ADMIN_SIGNATURES_MAX - 1) {
		last_error_set("an order takes at most %d signatures", ADMIN_SIGNATURES_MAX);
		return CS_E_TOO_LARGE;
	}
	struct keyfile *k = &o->signers[o->n_signers];
	int err = keyfile_read(key_file, k, text);
	if (err < 0) {
		last_error_set("%s", text);
		return err;
	}
	if (!k->has[KEY_SIGN]) {
		last_error_set("%s: there is no sign key in it: only administrators have one", key_file);
		keyfile_wipe(k);
		return CS_E_INVALID;
	}
	o->n_signers++;
	return CS_OK;
}

int cs_orders_keep(cs_client *client, cs_order_keeper keeper, void *context)
{
	struct orders *o = orders_of(client);

	if (o == NULL)
		return CS_E_NOMEM;
	o->keeper = keeper;
	o->keeper_ctx = context;
	return CS_OK;
}

bool orders_kept(const cs_client *c)
{
	return c->orders != NULL && c->orders->keeper != NULL;
}

/* --- signatures --- */

/* Order of names as orders have them: by their bytes, the shorter first. */
static int by_name(const void *a, const void *b)
{
	const struct cs_signature *x = a, *y = b;

	return text_compare((struct text){x->name, strlen(x->name)}, (struct text){y->name, strlen(y->name)});
}

static int sign_one(const struct keyfile *k, const char *origin, const struct cs_order *o, uint64_t valid_ms,
                    struct cs_signature *ret)
{
	uint8_t message[ADMIN_MESSAGE_SIZE_MAX], pub[32], sk[64];
	int err = keyfile_public(k, KEY_SIGN, pub, sk);

	if (err < 0) {
		last_error_set("the key file has no sign key: only administrators have one");
		return CS_ERR_NOT_PERMITTED;
	}
	/* The time: strictly above the administrator's last sequence, on any machine whose clock is right. */
	ret->sequence = clock_wall_ns();
	ret->expiry_ms = ret->sequence / NS_PER_MS + valid_ms;
	snprintf(ret->name, sizeof(ret->name), "%s", k->name);
	size_t n = admin_message(message, origin, o->governance, o->type, ret->sequence, ret->expiry_ms, o->elements,
	                         o->size);
	crypto_sign_detached(ret->signature, NULL, message, n, sk);
	sodium_memzero(sk, sizeof(sk));
	return CS_OK;
}

int cs_order_sign(const char *key_file, const struct cs_order *order, uint64_t valid_ms, struct cs_signature *ret)
{
	char text[TEXT_SIZE] = "";
	struct keyfile k;
	int err = keyfile_read(key_file, &k, text);

	if (err < 0) {
		last_error_set("%s", text);
		return err;
	}
	err = sign_one(&k, order->origin, order, valid_ms, ret);
	keyfile_wipe(&k);
	return err;
}

/* --- governance --- */

static int governance_read_reply(struct governance_view *ret, const uint8_t *body, size_t len)
{
	struct governance_view g = {0};
	struct reader r;
	uint32_t n = 0;

	reader_init(&r, body, len);
	reader_array_exact(&r, 3);
	reader_uint(&r, UINT64_MAX, &g.version);
	governance_read(&r, &g.thresholds);
	reader_array(&r, UINT16_MAX, &n);
	for (g.administrators = n; r.err == 0 && n > 0; n--) {
		struct text name = {0};
		uint64_t sequence = 0;
		reader_array_exact(&r, 2);
		codec_text(&r, 1, PRINCIPAL_NAME_SIZE_MAX, &name);
		reader_uint(&r, UINT64_MAX, &sequence);
		if (r.err != 0 || g.n_named == ADMIN_SIGNATURES_MAX)
			continue;
		memcpy(g.named[g.n_named].name, name.s, name.len);
		g.named[g.n_named++].sequence = sequence;
	}
	int err = reader_end(&r);
	if (err == CS_OK)
		*ret = g;
	return err;
}

static int governance_convert(struct call *call, const struct wire_reply *reply, nng_msg *msg, void **ret_result,
                              char *text)
{
	struct governance_view *g = malloc(sizeof(*g));

	(void)call;
	(void)text;
	int err = g == NULL ? CS_ERR_NOMEM : governance_read_reply(g, reply->body, reply->body_len);
	nng_msg_free(msg);
	if (err == CS_OK)
		*ret_result = g;
	else
		free(g);
	return err;
}

int governance_ask(cs_client *c, struct governance_view *ret)
{
	struct call *call;
	struct writer w;
	void *result;
	int err = call_new(c, WIRE_PEOPLE_LIST, 16, &call);

	if (err < 0)
		return err;
	writer_init(&w, call->body, call->body_cap);
	writer_array(&w, 0);
	err = call_wait(call, w.len, governance_convert, &result);
	if (err == CS_ERR_MALFORMED) {
		/* A node of before governance: one signature, under the version that genesis made. */
		*ret = (struct governance_view){.version = 1};
		governance_all(&ret->thresholds, 1);
		return CS_OK;
	}
	if (err == CS_OK) {
		*ret = *(struct governance_view *)result;
		free(result);
	}
	return err;
}

/* "root, alice, bob" */
static void names_text(const struct governance_view *g, char ret[NAMES_SIZE])
{
	size_t at = 0;

	ret[0] = '\0';
	for (unsigned i = 0; i < g->n_named && at < NAMES_SIZE - 1; i++)
		at += (size_t)snprintf(ret + at, NAMES_SIZE - at, "%s%s", i > 0 ? ", " : "", g->named[i].name);
}

/* --- one order of this client's --- */

static int refuse_few(const struct governance_view *g, unsigned class, unsigned n)
{
	char names[NAMES_SIZE];

	names_text(g, names);
	last_error_set(
	        "needs %u of %u administrators' signatures (%s), has %u: sign with --sign-with KEYFILE too, or let "
	        "each sign it: countersign order make",
	        g->thresholds.k[class], g->administrators, names, n);
	return CS_ERR_NOT_PERMITTED;
}

static int sign_all(cs_client *c, const struct cs_order *o, struct cs_signature *ret, unsigned *ret_n)
{
	unsigned n = 0, extra = c->orders == NULL ? 0 : c->orders->n_signers;
	int err = sign_one(&c->keys, c->cluster.origin, o, ORDER_EXPIRY_MS, &ret[n++]);

	for (unsigned i = 0; i < extra && err == CS_OK; i++)
		if (strcmp(c->orders->signers[i].name, c->keys.name) != 0)
			err = sign_one(&c->orders->signers[i], c->cluster.origin, o, ORDER_EXPIRY_MS, &ret[n++]);
	*ret_n = n;
	return err;
}

int order_signatures(const struct cs_signature *s, size_t n, struct admin_signature *ret)
{
	if (n == 0 || n > ADMIN_SIGNATURES_MAX) {
		last_error_set("an order has 1 to %d signatures", ADMIN_SIGNATURES_MAX);
		return CS_ERR_INVALID;
	}
	ret->name = (struct text){s[0].name, strlen(s[0].name)};
	ret->sequence = s[0].sequence;
	ret->expiry_ms = s[0].expiry_ms;
	ret->signature = s[0].signature;
	ret->n_more = (unsigned)n - 1;
	for (size_t i = 1; i < n; i++) {
		if (by_name(&s[i - 1], &s[i]) >= 0) {
			last_error_set("%s has signed twice", s[i].name);
			return CS_ERR_INVALID;
		}
		ret->more[i - 1] = (struct admin_further){
		        {s[i].name, strlen(s[i].name)}, s[i].sequence, s[i].expiry_ms, s[i].signature};
	}
	return CS_OK;
}

int order_sign(cs_client *c, unsigned command_type, const void *signed_elements, size_t len,
               struct admin_signature *ret, struct order_signatures *kept)
{
	struct governance_view g;
	unsigned n = 0, class = governance_class_of(command_type);
	int err = governance_ask(c, &g);
	struct cs_order o = {command_type, signed_elements, len, c->cluster.origin, g.version};

	if (err < 0)
		return err;
	if (orders_kept(c)) {
		c->orders->keeper(c->orders->keeper_ctx, &o);
		last_error_set("the order was kept, and not sent");
		return CS_E_KEPT;
	}
	err = sign_all(c, &o, kept->list, &n);
	if (err == CS_OK && class != GOVERNANCE_NONE && n < g.thresholds.k[class])
		err = refuse_few(&g, class, n);
	if (err < 0)
		return err;
	qsort(kept->list, n, sizeof(kept->list[0]), by_name);
	return order_signatures(kept->list, n, ret);
}

/* --- an order that was signed elsewhere --- */

static unsigned wire_of(unsigned command_type)
{
	static const struct {
		unsigned command, wire;
	} types[] = {{COMMAND_ENROLL, WIRE_ENROLL},
	             {COMMAND_REMOVE, WIRE_REMOVE},
	             {COMMAND_POLICY_SET, WIRE_POLICY_SET},
	             {COMMAND_MEMBER, WIRE_MEMBER},
	             {COMMAND_FEATURE, WIRE_FEATURE},
	             {COMMAND_PEOPLE, WIRE_PEOPLE},
	             {COMMAND_GOVERNANCE, WIRE_GOVERNANCE},
	             {COMMAND_GRANT_REVOKE, WIRE_GRANT_REVOKE},
	             {COMMAND_KEY, WIRE_KEY},
	             {COMMAND_CREDENTIAL_REVOKE, WIRE_CREDENTIAL_REVOKE},
	             {COMMAND_HOLD, WIRE_HOLD},
	             {COMMAND_ERASE, WIRE_ERASE}};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (types[i].command == command_type)
			return types[i].wire;
	return 0;
}

int order_body(const struct cs_order *o, const struct admin_signature *sig, void *buf, size_t cap, size_t *ret_len)
{
	const uint8_t *skipped;
	size_t skipped_len;
	struct writer w;
	struct reader r;
	uint32_t n = 0;

	/* The elements lie one after another: how many, the array around them says. */
	for (const uint8_t *at = o->elements; at < o->elements + o->size; at += skipped_len, n++) {
		reader_init(&r, at, (size_t)(o->elements + o->size - at));
		if (reader_skip(&r, &skipped, &skipped_len) != 0)
			return r.err;
	}
	writer_init(&w, buf, cap);
	writer_array(&w, n + 1);
	writer_raw(&w, o->elements, o->size);
	admin_signature_write(&w, sig);
	return writer_end(&w, ret_len);
}

int cs_order_submit(cs_client *client, const struct cs_order *order, const struct cs_signature *signatures, size_t n,
                    cs_result **ret)
{
	struct order_signatures sorted;
	struct admin_signature sig = {0};
	struct call *call;
	size_t len = 0;
	unsigned type = wire_of(order->type);

	if (type == 0 || n > ADMIN_SIGNATURES_MAX) {
		last_error_set("this order is none that this tool knows");
		return CS_E_INVALID;
	}
	memcpy(sorted.list, signatures, n * sizeof(*signatures));
	qsort(sorted.list, n, sizeof(sorted.list[0]), by_name);
	int err = order_signatures(sorted.list, n, &sig);
	if (err == CS_OK)
		err = call_new(client, type, WIRE_REQUEST_SIZE_MAX, &call);
	if (err < 0)
		return err;
	err = order_body(order, &sig, call->body, call->body_cap, &len);
	if (err < 0)
		last_error_set("the order: %s", err_text(err));
	return order_send(call, err, len, ret);
}
