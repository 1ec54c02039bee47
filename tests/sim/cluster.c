/* The simulated cluster: made from chance, started as the daemon starts; a node's end is judged. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/cluster.h"

#include <assert.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "node/core/core.h"
#include "node/core/members.h"
#include "node/daemon.h"
#include "node/decide/policy.h"
#include "tests/sim/checks.h"
#include "tests/sim/faults.h"
#include "tests/sim/loop.h"
#include "tests/sim/os.h"
#include "tests/sim/store_env.h"
#include "tests/sim/swarm.h"
#include "tests/sim/voters.h"

#define RESTART_NS_MIN (200 * OS_MS)
#define RESTART_NS_MAX (2 * OS_S)

struct cluster cluster;

static struct text text(const char *s)
{
	return (struct text){s, strlen(s)};
}

struct drive *faults_drive(unsigned node)
{
	assert(node >= 1 && node <= cluster.n);
	return &cluster.nodes[node].disk;
}

unsigned cluster_majority(void)
{
	return cluster.n / 2 + 1;
}

/* --- making --- */

static void make_genesis(void)
{
	static uint8_t compiled[POLICY_COMPILED_SIZE_MAX];
	static uint8_t pubs[CLUSTER_NODES_MAX + 1][2][32];
	static char urls[CLUSTER_NODES_MAX + 1][64];
	const char *yaml = cluster_policy();
	struct genesis g = {.origin = text(CLUSTER_ORIGIN),
	                    .governance = text("single"),
	                    .time_ms = CLUSTER_GENESIS_MS,
	                    .n_admins = 1,
	                    .n_nodes = cluster.n,
	                    .policy_source = (const uint8_t *)yaml,
	                    .policy_source_len = strlen(yaml),
	                    .policy_compiled = compiled};
	struct policy_error where;
	uint8_t seed[32], admin_pub[32], sk[64];
	int err = policy_compile(yaml, strlen(yaml), compiled, sizeof compiled, &g.policy_compiled_len, &where);

	assert(!err);
	os_random_bytes(seed, sizeof seed);
	crypto_sign_seed_keypair(admin_pub, cluster.admin_secret, seed);
	os_random_bytes(cluster.admin_channel, sizeof cluster.admin_channel);
	g.admins[0].name = text("root");
	g.admins[0].sign_pub = admin_pub;
	g.admins[0].channel_pub = cluster.admin_channel;
	for (unsigned i = 1; i <= cluster.n; i++) {
		struct node *n = &cluster.nodes[i];
		crypto_sign_seed_keypair(pubs[i][0], sk, n->log_seed);
		crypto_sign_seed_keypair(pubs[i][1], sk, n->cosigner_seed);
		snprintf(urls[i], sizeof urls[i], "tcp://sim:%u", i);
		g.nodes[i - 1].id = i;
		g.nodes[i - 1].url = text(urls[i]);
		g.nodes[i - 1].log_pub = pubs[i][0];
		g.nodes[i - 1].cosigner_pub = pubs[i][1];
		g.nodes[i - 1].channel_pub = n->channel.pub;
	}
	err = genesis_encode(&g, cluster.genesis, sizeof cluster.genesis, &cluster.genesis_len);
	assert(!err);
}

static void make_settings(struct node *n)
{
	struct settings *s = &n->settings;

	*s = (struct settings){.election_timeout_ms = swarm.election_timeout_ms,
	                       .heartbeat_ms = swarm.heartbeat_ms,
	                       .snapshot_entries = swarm.snapshot_entries,
	                       .state_digest_entries = 32,
	                       .batch_commands_max = swarm.batch_commands_max,
	                       .contexts = 64,
	                       .map_size = 1 << 30,
	                       .log_level = 7};
	s->node = n->id;
	snprintf(s->origin, sizeof s->origin, "%s", CLUSTER_ORIGIN);
	snprintf(s->data_path, sizeof s->data_path, "/sim/%u", n->id);
	s->n_urls = 1;
	snprintf(s->urls[0], sizeof s->urls[0], "tcp://sim:%u", n->id);
	for (unsigned i = 1; i <= cluster.n; i++) {
		struct settings_peer *p = &s->peers[s->n_peers];
		if (i == n->id)
			continue;
		p->id = i;
		p->port = 1;
		snprintf(p->host, sizeof p->host, "sim");
		snprintf(p->url, sizeof p->url, "tcp://sim:%u", i);
		memcpy(p->channel_pub, cluster.nodes[i].channel.pub, sizeof p->channel_pub);
		s->n_peers++;
	}
}

/* As `countersign init` or `member prepare` leaves it: the folder with its mark. */
static void make_disk(struct node *n, const char *mark)
{
	struct inode *fresh = inode_new(false);

	drive_init(&n->disk, n->id);
	inode_link(n->disk.root, mark, fresh);
	inode_synced(n->disk.root);
}

static void make_keys(struct node *n, unsigned id)
{
	uint8_t secret[32];

	n->id = id;
	os_random_bytes(secret, sizeof secret);
	channel_keypair_from_secret(&n->channel, secret);
	os_random_bytes(n->log_seed, 32);
	os_random_bytes(n->cosigner_seed, 32);
}

static void make_node(struct node *n, const char *mark)
{
	struct process *p = &os_processes[n->id];

	make_settings(n);
	make_disk(n, mark);
	p->id = n->id;
	p->rate_ppm = 1000000;
	p->wall_offset = CLUSTER_GENESIS_MS * OS_MS + OS_S;
	p->slice_ns = swarm.slice_ns;
}

void cluster_begin(unsigned n)
{
	cluster.n = n;
	for (unsigned i = 1; i <= n; i++)
		make_keys(&cluster.nodes[i], i);
	make_genesis();
	for (unsigned i = 1; i <= n; i++)
		make_node(&cluster.nodes[i], "fresh");
}

struct node *cluster_prepare(void)
{
	struct node *n = &cluster.nodes[cluster.n + 1];

	assert(cluster.n < CLUSTER_NODES_MAX);
	make_keys(n, ++cluster.n);
	make_node(n, MEMBERS_JOIN_FILE);
	n->disk.faults = swarm.disk;
	return n;
}

void cluster_keys(const struct node *n, uint8_t ret_log_pub[32], uint8_t ret_cosigner_pub[32])
{
	uint8_t sk[64];

	crypto_sign_seed_keypair(ret_log_pub, sk, n->log_seed);
	crypto_sign_seed_keypair(ret_cosigner_pub, sk, n->cosigner_seed);
}

/* --- lives --- */

/* Each node has databases of its own, the third has none: what the leader says counts. */
static void find_place(const void *ctx, const char *address, size_t len, struct place *ret)
{
	uint32_t id = (uint32_t)((const struct node *)ctx)->id;
	uint8_t last = len > 0 ? (uint8_t)address[len - 1] : 0;

	*ret = (struct place){.looked = true, .city_built_s = 1000 + id, .network = 64500 + last % 3};
	if (last % 4 == 0)
		return;
	ret->has_position = true;
	ret->latitude = (int32_t)(last * 1000 + id);
	ret->longitude = -(int32_t)last * 20000;
	memcpy(ret->country, last % 2 ? "NL" : "BR", 2);
}

/* As the daemon's main does: its key file, and what was made in its folder; which of them are in force the ledger says.
 */
static int open_keys(struct node *n, struct daemon_options *o)
{
	struct keyfile base = {.has = {[KEY_CHANNEL] = true, [KEY_LOG] = true, [KEY_COSIGNER] = true}};
	char text[256];
	int err;

	snprintf(base.name, sizeof base.name, "node-%u", n->id);
	memcpy(base.secret[KEY_CHANNEL], n->channel.secret, 32);
	memcpy(base.secret[KEY_LOG], n->log_seed, 32);
	memcpy(base.secret[KEY_COSIGNER], n->cosigner_seed, 32);
	err = keyring_open(n->settings.data_path, &base, &o->keyring, text);
	if (err)
		os_note(n->id, "%s", text);
	if (!err && signer_new(CLUSTER_ORIGIN, n->id, keyring_any(o->keyring, KEY_LOG),
	                       keyring_any(o->keyring, KEY_COSIGNER), &o->signer))
		os_fail(n->id, "no signer");
	return err;
}

static void node_main(void *arg)
{
	struct node *n = arg;
	struct daemon_options o = {.settings = &n->settings,
	                           .channel_keys = &n->channel,
	                           .genesis = cluster.genesis,
	                           .genesis_len = cluster.genesis_len};
	int status;

	if (n->id != 3)
		o.places = (struct place_source){.find = find_place, .ctx = n};
	if (open_keys(n, &o))
		os_exit(EXIT_USAGE);
	status = daemon_run(&o);
	signer_free(o.signer);
	keyring_close(o.keyring);
	os_exit(status);
}

void cluster_start(struct node *n)
{
	n->wanted = true;
	if (n->out || os_processes[n->id].alive || cluster.ending)
		return;
	os_note(n->id, "--- starts");
	os_trace(n->id, "start", NULL, 0);
	os_start(&os_processes[n->id], node_main, n);
}

static void start_event(void *arg, uint64_t life)
{
	struct node *n = arg;

	if (n->wanted && os_processes[n->id].life == life)
		cluster_start(n);
}

void cluster_crash(struct node *n, bool power)
{
	struct process *p = &os_processes[n->id];

	n->wanted = false;
	n->disk.cut = power;
	if (p->alive) {
		os_note(n->id, "--- %s", power ? "power cut" : "killed");
		os_kill(p, SIGKILL + 128);
	}
	if (power) {
		drive_power_cut(&n->disk);
		env_power_cut(&n->disk);
	}
}

void cluster_stop(struct node *n)
{
	os_note(n->id, "--- asked to stop");
	n->wanted = false;
	loop_signal(&os_processes[n->id], SIGTERM);
}

/* Without a fault of its disk nothing ends a node but our own doing; only damage may halt it. */
void os_ended(struct process *p)
{
	struct node *n = &cluster.nodes[p->id];
	bool excused = p->io_errors > 0 || p->damaged;

	checks_ended(p->id);
	os_trace(p->id, "end", &p->status, sizeof p->status);
	if (p->status == SIGKILL + 128)
		return;
	os_note(p->id, "--- ended with status %d", p->status);
	/* With its folder its keys may have gone back: they are no longer those of the ledger. */
	if (((p->status == EXIT_HALTED || p->status == EXIT_USAGE) && (p->damaged || p->gone_back)) ||
	    (p->status == EXIT_REMOVED && voters_removed(p->id)))
		n->out = true;
	else if (p->status == EXIT_HALTED || (p->status != EXIT_OK && !excused))
		os_fail(p->id, "the process ended with status %d, and its disk had no fault", p->status);
	n->crashes++;
	os_at(os_now + os_between(RESTART_NS_MIN, RESTART_NS_MAX), start_event, n, p->life);
}
