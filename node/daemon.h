/* The daemon from its data folder on: opens its parts in order, runs the core, closes them in reverse. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NODE_DAEMON_H
#define NODE_DAEMON_H

#include <stddef.h>
#include <stdint.h>

#include "node/decide/place.h"
#include "node/keyring.h"
#include "node/settings.h"
#include "node/signer.h"
#include "node/wire/channel.h"

/* What the daemon has read before it touches its data folder. All borrowed for the run. */
struct daemon_options {
	const struct settings *settings;
	const struct channel_keypair *channel_keys;
	struct signer *signer;
	struct keyring *keyring; /* NULL: its keys never change. */
	const uint8_t *genesis;  /* Payload of the genesis command, its hash already checked. */
	size_t genesis_len;
	struct place_source places; /* Zero: where addresses are is not known. */
};

/* Runs until core_stop, SIGTERM or SIGINT; returns the exit status (node/core/core.h). */
int daemon_run(const struct daemon_options *o);

#endif
