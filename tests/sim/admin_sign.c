/* Who signs the simulated administrators' orders, as governance has it; at times too few. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <sodium.h>

#include "node/decide/decide.h"
#include "tests/sim/admin_internal.h"
#include "tests/sim/checks_internal.h"
#include "tests/sim/os.h"

#define EXPIRY_MS   UINT64_C(3600000)
#define TOO_FEW_PPM 150000

/* In order of their names. */
enum { BOSS, ROOT, SECOND, SIGNERS };
static const char *const names[SIGNERS] = {"boss-1", "root", "second"};
static uint64_t sequences[SIGNERS];
static uint8_t second_pub[32], second_secret[64], second_channel[32];

static uint64_t version; /* Of governance, and its thresholds: as the node that has applied most has them. */
static struct governance thresholds;
static bool lacks;

void admin_sign_begin(void)
{
	uint8_t seed[32];

	version = 1;
	governance_all(&thresholds, 1);
	os_random_bytes(seed, sizeof seed);
	crypto_sign_seed_keypair(second_pub, second_secret, seed);
	os_random_bytes(second_channel, sizeof second_channel);
}

const uint8_t *admin_second(unsigned channel)
{
	return channel ? second_channel : second_pub;
}

const struct governance *admin_thresholds(void)
{
	uint64_t most = 0;

	for (unsigned i = 1; i < OS_PROCESSES_MAX; i++) {
		const struct core *c = views[i].core;
		if (!c || tree_size(c->tree) <= most)
			continue;
		most = tree_size(c->tree);
		version = state_governance(c->state);
		thresholds = *state_thresholds(c->state);
	}
	return &thresholds;
}

bool admin_lacks(void)
{
	return lacks;
}

void admin_good(int err)
{
	if (err)
		os_fail(0, "the simulator made a bad order");
}

static uint64_t below(void *ctx, uint64_t n)
{
	(void)ctx;
	return os_below(n);
}

struct draw admin_draw(void)
{
	static const char *const subjects[] = {"ada-0", "ada-1", "ada-2"};

	return (struct draw){.below = below, .subjects = subjects, .n_subjects = 3};
}

static void sign(unsigned who, unsigned command, const uint8_t *elements, size_t len, struct admin_further *ret)
{
	static uint8_t sigs[SIGNERS][64];
	const uint8_t *secret = who == BOSS   ? clients[n_clients + 1].sign_secret
	                        : who == ROOT ? cluster.admin_secret
	                                      : second_secret;
	uint8_t message[ADMIN_MESSAGE_SIZE_MAX];

	*ret = (struct admin_further){.name = client_text(names[who]),
	                              .sequence = ++sequences[who],
	                              .expiry_ms = client_wall_ms() + EXPIRY_MS,
	                              .signature = sigs[who]};
	len = admin_message(message, CLUSTER_ORIGIN, version, command, ret->sequence, ret->expiry_ms, elements, len);
	crypto_sign_detached(sigs[who], NULL, message, len, secret);
}

void admin_sign_by(unsigned command, unsigned needed, unsigned persons, const uint8_t *elements, size_t len,
                   struct admin_signature *ret)
{
	bool by[SIGNERS] = {[ROOT] = true, [SECOND] = needed > 1};
	struct admin_further all[SIGNERS] = {0};
	unsigned n = 0;

	if (needed == 1 && persons > 1)
		by[os_chance(500000) ? BOSS : SECOND] = true;
	lacks = persons > 1 && os_chance(TOO_FEW_PPM);
	if (lacks) /* Root alone; or, where two administrators are needed, with somebody who is none. */
		by[BOSS] = by[SECOND] = false;
	if (lacks && needed > 1 && (command == COMMAND_ERASE || command == COMMAND_HOLD))
		by[BOSS] = os_chance(500000);
	for (unsigned who = 0; who < SIGNERS; who++)
		if (by[who])
			sign(who, command, elements, len, &all[n++]);
	*ret = (struct admin_signature){.name = all[0].name,
	                                .sequence = all[0].sequence,
	                                .expiry_ms = all[0].expiry_ms,
	                                .signature = all[0].signature,
	                                .n_more = n - 1};
	for (unsigned i = 1; i < n; i++)
		ret->more[i - 1] = all[i];
}

void admin_sign(unsigned command, const uint8_t *elements, size_t len, struct admin_signature *ret)
{
	unsigned class = governance_class_of(command),
	         needed = class == GOVERNANCE_NONE ? 1 : admin_thresholds()->k[class];

	admin_sign_by(command, needed, needed, elements, len, ret);
}
