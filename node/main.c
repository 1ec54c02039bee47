/* countersignd: its command line, settings, keys and genesis; then the daemon. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "ledger/errors.h"
#include "node/core/core.h"
#include "node/daemon.h"
#include "node/evidence/verify.h"
#include "node/geo.h"
#include "node/log.h"
#include "node/notify.h"
#include "node/unreadable.h"
#include "node/wire/keyfile.h"

#define GENESIS_SIZE_MAX 65536

/* What is read before the data folder is touched. */
struct given {
	struct settings settings;
	uint8_t genesis[GENESIS_SIZE_MAX];
	size_t genesis_len;
	struct channel_keypair channel;
	struct signer *signer;
	struct keyring *keyring;
	struct geo *geo;
};

static void usage(FILE *to)
{
	fputs("usage: countersignd --config FILE [--check]\n"
	      "\n"
	      "One node of a Countersign cluster. Runs in the foreground, logs to stderr, stops on SIGTERM.\n"
	      "\n"
	      "  -c, --config FILE   settings (see countersignd(8)); `countersign init` writes them\n"
	      "      --check         read and check settings, keys and genesis, then exit\n"
	      "  -h, --help          this text\n"
	      "  -V, --version       version\n"
	      "\n"
	      "Exit status: 0 stopped as asked; 2 wrong usage, settings or keys; 3 halted: the node's history differs "
	      "or\n"
	      "went back, see the HALTED file in its data folder; or, without that file, its build is too old; 4 "
	      "crashed\n"
	      "on an error of the disk: start it again; 5 removed from the cluster by its administrators, for ever; 6 "
	      "stopping took\n"
	      "longer than 20 s.\n",
	      to);
}

static int read_genesis(struct given *g)
{
	FILE *f = fopen(g->settings.genesis_path, "re");
	uint8_t *leaf = malloc(LIMIT_ENTRY_SIZE_MAX);
	struct hash hash;
	size_t leaf_len;
	int err;

	if (!f || !leaf) {
		log_error("%s: %s", g->settings.genesis_path, strerror(errno));
		free(leaf);
		if (f)
			fclose(f);
		return CS_ERR_IO;
	}
	g->genesis_len = fread(g->genesis, 1, sizeof g->genesis, f);
	if (ferror(f)) {
		log_error("%s: %s", g->settings.genesis_path, strerror(errno));
		fclose(f);
		free(leaf);
		return CS_ERR_IO;
	}
	fclose(f);
	err = genesis_leaf(g->genesis, g->genesis_len, leaf, LIMIT_ENTRY_SIZE_MAX, &leaf_len, &hash);
	free(leaf);
	if (err)
		log_error("%s: %s", g->settings.genesis_path, err_text(err));
	else if (!hash_equal(&hash, &g->settings.genesis_hash)) {
		err = CS_ERR_INVALID;
		log_error("%s: is not the genesis whose hash the settings name", g->settings.genesis_path);
	}
	return err;
}

static int read_keys(struct given *g)
{
	struct keyfile k;
	char text[256];
	int err = keyfile_read(g->settings.keys_path, &k, text);

	if (err) {
		log_error("%s", text);
		return err;
	}
	err = keyring_open(g->settings.data_path, &k, &g->keyring, text);
	keyfile_wipe(&k);
	if (err) {
		log_error("%s", text);
		return err;
	}
	/* Which of them are in force the ledger says, once it is read: any will do to begin with. */
	const uint8_t *channel = keyring_any(g->keyring, KEY_CHANNEL), *log = keyring_any(g->keyring, KEY_LOG),
	              *cosigner = keyring_any(g->keyring, KEY_COSIGNER);
	if (!channel || !log || !cosigner)
		err = CS_ERR_NOT_FOUND;
	else
		err = channel_keypair_from_secret(&g->channel, channel);
	if (!err)
		err = signer_new(g->settings.origin, g->settings.node, log, cosigner, &g->signer);
	if (err == CS_ERR_NOT_FOUND)
		log_error("%s: a node needs the keys channel, log and cosigner", g->settings.keys_path);
	else if (err)
		log_error("%s: the keys cannot be used: %s", g->settings.keys_path, err_text(err));
	return err;
}

static int read_geo(struct given *g)
{
	char text[GEO_TEXT_SIZE];
	int err = geo_open(g->settings.geo_city_path, g->settings.geo_network_path, &g->geo, text);

	if (err)
		log_error("geo: %s", text);
	return err;
}

static int run(struct given *g, bool check_only)
{
	struct daemon_options o = {.settings = &g->settings, .channel_keys = &g->channel};
	int status;

	if (read_genesis(g) || read_keys(g) || read_geo(g))
		return EXIT_USAGE;
	if (check_only)
		return EXIT_OK;
	unreadable_init(g->settings.data_path);
	o.signer = g->signer;
	o.keyring = g->keyring;
	o.genesis = g->genesis;
	o.genesis_len = g->genesis_len;
	geo_source(g->geo, &o.places);
	status = daemon_run(&o);
	geo_close(g->geo);
	signer_free(g->signer);
	keyring_close(g->keyring);
	sodium_memzero(&g->channel, sizeof g->channel);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	                                        {"check", no_argument, NULL, 'k'},
	                                        {"help", no_argument, NULL, 'h'},
	                                        {"version", no_argument, NULL, 'V'},
	                                        {0}};
	static const struct rlimit no_core = {0, 0};
	static struct given g;
	const char *config = NULL;
	bool check_only = false;
	char text[512];
	int opt;

	while ((opt = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			config = optarg;
			break;
		case 'k':
			check_only = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		case 'V':
			puts("countersignd " PACKAGE_VERSION);
			return EXIT_OK;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (!config || optind < argc) {
		fprintf(stderr, "countersignd: %s\n", config ? "too many arguments" : "--config is missing");
		usage(stderr);
		return EXIT_USAGE;
	}
	setrlimit(RLIMIT_CORE, &no_core); /* Keys and private fields are not for core files. */
	signal(SIGPIPE, SIG_IGN);
	notify_init();
	evidence_init();
	if (sodium_init() < 0)
		return EXIT_CRASH;
	if (settings_read(config, &g.settings, text)) {
		fprintf(stderr, "countersignd: %s\n", text);
		return EXIT_USAGE;
	}
	log_set_level((enum log_level)g.settings.log_level);
	log_set_node(g.settings.node);
	return run(&g, check_only);
}
