/* Fuzzing: files that people and programs write for a node, a client or an auditor to start with. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/tool/replaystate.h"
#include "node/settings.h"
#include "node/wire/keyfile.h"
#include "tests/fuzz/fuzz.h"

#define REASON_SIZE 512 /* The largest that a reader fills. */

/* A file in memory, under a path, readable by nobody else. */
struct file {
	int fd;
	char path[64];
};

static void file_make(struct file *f, const uint8_t *bytes, size_t len)
{
	f->fd = memfd_create("fuzz", MFD_CLOEXEC);
	FUZZ_DEMAND(f->fd >= 0 && fchmod(f->fd, 0600) == 0);
	FUZZ_DEMAND(write(f->fd, bytes, len) == (ssize_t)len);
	snprintf(f->path, sizeof f->path, "/proc/self/fd/%d", f->fd);
}

/* Refused with a reason that names the file, or taken. */
static void check_reason(const struct file *f, int err, const char *reason)
{
	if (err)
		FUZZ_DEMAND(memchr(reason, 0, REASON_SIZE) && strncmp(reason, f->path, strlen(f->path)) == 0);
	close(f->fd);
}

void fuzz_settings(const uint8_t *bytes, size_t len)
{
	static struct settings s;
	char reason[REASON_SIZE] = "";
	struct file f;

	file_make(&f, bytes, len);
	int err = settings_read(f.path, &s, reason);
	if (!err)
		FUZZ_DEMAND(s.node > 0 && s.n_urls > 0 && s.n_urls <= FRONT_URLS_MAX && s.n_peers <= LINK_PEERS_MAX &&
		            s.heartbeat_ms * 3 <= s.election_timeout_ms && s.origin[0]);
	check_reason(&f, err, reason);
}

void fuzz_keys(const uint8_t *bytes, size_t len)
{
	struct keyfile k = {0};
	char reason[REASON_SIZE] = "";
	uint8_t pub[32];
	struct file f;

	file_make(&f, bytes, len);
	int err = keyfile_read(f.path, &k, reason);
	for (unsigned i = 0; !err && i < KEY_KINDS; i++)
		(void)keyfile_public(&k, i, pub, NULL);
	if (!err)
		FUZZ_DEMAND(k.name[0] && memchr(k.name, 0, sizeof k.name));
	keyfile_wipe(&k);
	check_reason(&f, err, reason);
}

void fuzz_cluster(const uint8_t *bytes, size_t len)
{
	static struct cluster_file c;
	char reason[REASON_SIZE] = "";
	struct file f;

	file_make(&f, bytes, len);
	int err = cluster_file_read(f.path, &c, reason);
	if (!err)
		FUZZ_DEMAND(c.n_nodes > 0 && c.n_nodes <= CLUSTER_NODES_MAX && c.origin[0] && c.trust_path[0]);
	check_reason(&f, err, reason);
}

/* The digest that it says it has makes a change of it a refusal: records must come in with their sum right. */
void fuzz_statefile(const uint8_t *bytes, size_t len)
{
	struct replaystate records = {0};
	struct state_head head;
	struct state *s = NULL;
	struct file f;

	file_make(&f, bytes, len);
	int err = replaystate_read(&records, f.path, &head);
	if (!err && replaystate_load(&records, NULL, 0, &s) == 0)
		state_free(s);
	replaystate_close(&records);
	close(f.fd);
}
