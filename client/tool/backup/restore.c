/* countersign restore: a cluster out of a backup, under a new origin whose genesis names the old one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/backup/found.h"
#include "client/tool/backup/trust.h"
#include "client/tool/files.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"

#define ARCHIVE       "archive"
#define ARCHIVE_TRUST "trust.policy"

static const struct usage usage = {
        .command = "restore",
        .arguments = "[DIR]",
        .about = "Makes a new cluster's folder DIR, as `countersign init` does, out of a backup: people, principals,\n"
                 "credentials, policy, governance and profiles are those of the backup; administrators and clients "
                 "keep\n"
                 "their keys; nodes get new ones. Nothing is ever signed twice under one name, so the ledger begins\n"
                 "again, under a new origin, and its genesis names the old one, its size, its root and the digest of\n"
                 "the state. Before that all of the backup is checked: each file, each entry, each private field, the\n"
                 "state, and the checkpoint's cosignatures by the trust policy of before. Open challenges, requests\n"
                 "that wait and grants end. DIR/archive gets the old ledger as an export, under its old origin.\n"
                 "With --check nothing is made.\n",
        .exits = "  0  made (with --check: the backup is whole)\n"
                 "  1  refused: something in the backup is false, or it contradicts --checkpoint\n"
                 "  2  refused: a file, a key or a quorum's cosignatures are missing, or entries would be lost\n"
                 "     (--accept-loss)\n" TOOL_EXIT_TEXT,
        .n_max = 1,
};

struct options {
	const char *from, *keys, *trust, *checkpoint, *name, *log_level;
	uint64_t nodes, base_port, election_ms, heartbeat_ms;
	bool check, accept_loss, accept_gone;
	struct option_list erase;
	uint8_t erased[OPTION_LIST_MAX][32]; /* Their keys. */
};

/* --- what is refused though nothing is false --- */

/* Erasures that came after the backup are carried out before anything is served: whom they are about no entry says. */
static int check_erasures(const struct backupread *r, const struct shown *s, const struct options *o)
{
	uint64_t n;
	int err = shown_erasures(s, r->manifest.size, &n);

	if (err == CS_ERR_NOT_FOUND || (!err && (n <= o->erase.n || o->accept_gone)))
		return 0;
	if (err)
		return tool_fail(EXIT_USAGE, usage.command, "%s: its entries: %s", s->path, err_text(err));
	return tool_fail(
	        RESTORE_UNDECIDED, usage.command,
	        "refused: %s has erased %" PRIu64
	        " subjects since this backup: name each with --erase TYPE:ID, or take the newest file of keys, "
	        "in which theirs are destroyed, and --accept-missing-keys",
	        r->manifest.origin, n);
}

static int read_erased(struct options *o)
{
	char type[TOOL_TYPE_SIZE], id[TOOL_ID_SIZE];

	for (unsigned i = 0; i < o->erase.n; i++) {
		if (!tool_split_typed(o->erase.items[i], type, id))
			return tool_fail(EXIT_USAGE, usage.command, "option --erase: \"%s\" is not TYPE:ID",
			                 o->erase.items[i]);
		subject_key(o->erased[i], (struct text){type, strlen(type)}, (struct text){id, strlen(id)});
	}
	return 0;
}

static int check_loss(const struct backupread *r, const struct shown *s, const struct options *o)
{
	if (!s->there)
		return 0;
	if (strcmp(s->checkpoint.origin, r->manifest.origin) != 0)
		return tool_fail(EXIT_USAGE, usage.command, "%s: is of another ledger: %s", s->path,
		                 s->checkpoint.origin);
	if (s->checkpoint.size <= r->manifest.size)
		return 0;
	int code = backupread_compare(r, s, r->manifest.size, &r->manifest.root);
	if (code)
		return code;
	fprintf(stderr,
	        "countersign restore: the backup ends at entry %" PRIu64 "; %s shows %" PRIu64
	        " more, which would be lost\n",
	        r->manifest.size - 1, s->path, s->checkpoint.size - r->manifest.size);
	if (s->folder < 0)
		fprintf(stderr, "countersign restore: that they follow on the backup's cannot be seen in a checkpoint "
		                "alone: show an export\n");
	return o->accept_loss ? check_erasures(r, s, o)
	                      : tool_fail(RESTORE_UNDECIDED, usage.command,
	                                  "refused: look for a newer backup, or take the loss with --accept-loss");
}

static int check_gone(const struct backupread *r, const struct options *o)
{
	if (r->keys_gone == 0 && r->records_gone == 0)
		return 0;
	fprintf(stderr,
	        "countersign restore: the keys of %" PRIu64 " entries' private fields and of %" PRIu64
	        " records of the state are gone: erased, or not in this file\n",
	        r->keys_gone, r->records_gone);
	return o->accept_gone ? 0
	                      : tool_fail(RESTORE_UNDECIDED, usage.command,
	                                  "refused: take the file of keys of this backup, or go on without them with "
	                                  "--accept-missing-keys");
}

/* --- all of it --- */

static int read_backup(struct backupread *r, const struct options *o, const char *archive)
{
	struct shown shown = {.folder = -1};
	int code = backupread_open(r, o->keys);

	if (!code && o->checkpoint)
		code = shown_open(usage.command, o->checkpoint, r->trust, &shown);
	if (!code)
		code = check_loss(r, &shown, o);
	if (!code)
		code = backupread_files(r, archive);
	if (!code)
		code = backupread_entries(r, &shown);
	if (!code)
		code = backupread_state(r);
	if (!code)
		code = check_gone(r, o);
	shown_close(&shown);
	return code;
}

static void report(const struct backupread *r)
{
	printf("%s: whole: %" PRIu64 " entries of %s, cosigned by a quorum; %" PRIu64 " with private fields, %" PRIu64
	       " erased; the state of entry %" PRIu64 "\n",
	       r->dir, r->manifest.size, r->manifest.origin, r->bodies, r->erased + r->keys_gone,
	       r->manifest.state_size - 1);
	if (r->n_left_out)
		printf("%" PRIu64 " records of whom --erase names are left out\n", r->records_left_out);
}

static void list_totp(void *ctx, const struct credential *c)
{
	unsigned *n = ctx;

	if (c->revoked || c->kind != CREDENTIAL_TOTP)
		return;
	if ((*n)++ == 0)
		printf("\nTheir secrets were sealed to the nodes of before: these TOTP credentials must be enrolled "
		       "again:\n");
	printf("  %s\n", c->name);
}

/* Beside the archive: by whose keys it is checked. */
static int archive_trust(const struct options *o, const char *archive)
{
	char path[FILES_PATH_SIZE], *text = NULL;
	size_t size;
	int err = files_read(o->trust, VERIFY_POLICY_SIZE_MAX, &text, &size);

	if (!err)
		err = files_join(path, archive, ARCHIVE_TRUST) ? files_write(path, text, size, 0644) : ENAMETOOLONG;
	free(text);
	return err ? tool_fail(EXIT_LOCAL, usage.command, "%s/" ARCHIVE_TRUST ": %s", archive, strerror(err)) : 0;
}

/* The name of before, without the 16 digits that init adds. */
static const char *old_name(const struct manifest *m, char ret[LIMIT_ORIGIN_SIZE_MAX + 1])
{
	char *dash;

	memcpy(ret, m->origin, sizeof m->origin);
	dash = strrchr(ret, '-');
	if (dash && dash > ret)
		*dash = 0;
	return ret;
}

static int make_cluster(struct backupread *r, const struct options *o, const char *dir)
{
	char name[LIMIT_ORIGIN_SIZE_MAX + 1];
	struct newcluster_settings s = {.dir = dir,
	                                .name = o->name ? o->name : old_name(&r->manifest, name),
	                                .n_nodes = (unsigned)o->nodes,
	                                .base_port = (uint16_t)o->base_port,
	                                .election_timeout_ms = (unsigned)o->election_ms,
	                                .heartbeat_ms = (unsigned)o->heartbeat_ms,
	                                .log_level = o->log_level};
	unsigned n = 0;
	int code = newcluster_check(usage.command, &s);

	if (code)
		return code;
	state_each_credential(carry_state(r->carry), list_totp, &n);
	if (n)
		putchar('\n');
	code = found_cluster(r, &s);
	if (!code)
		printf("\nThe sheet is in %s/ceremony-sheet.txt, to be printed, compared and signed.\n"
		       "Administrators and clients keep their key files; each needs the new %s/cluster.yaml.\n"
		       "The old ledger: countersign verify %s/" ARCHIVE " --trust %s/" ARCHIVE "/" ARCHIVE_TRUST "\n"
		       "Next: countersign cluster up %s\n",
		       dir, dir, dir, dir, dir);
	return code;
}

static int restore(struct backupread *r, const struct options *o, const char *dir)
{
	char archive[FILES_PATH_SIZE];
	int code;

	if (!files_empty_folder(dir))
		return tool_fail(EXIT_USAGE, usage.command, "%s: %s", dir,
		                 errno == ENOTEMPTY ? "is not empty; nothing was changed" : strerror(errno));
	if (!files_join(archive, dir, ARCHIVE))
		return tool_fail(EXIT_USAGE, usage.command, "%s: the path is too long", dir);
	/* First without a trace: what is refused makes no folder. */
	code = read_backup(r, o, NULL);
	if (code)
		return code;
	report(r);
	code = make_cluster(r, o, dir);
	if (!code)
		code = backupread_files(r, archive);
	return code ? code : archive_trust(o, archive);
}

int restore_run(int argc, char **argv)
{
	struct options o = {.nodes = 3, .election_ms = 200, .heartbeat_ms = 40, .log_level = "info"};
	const struct option options[] = {
	        {"from", OPTION_TEXT, &o.from, "DIR", "the backup", 0, 0},
	        {"keys", OPTION_TEXT, &o.keys, "FILE", "the keys of the backup", 0, 0},
	        {"trust", OPTION_TEXT, &o.trust, "POLICY", "the trust policy of the old ledger", 0, 0},
	        {"checkpoint", OPTION_TEXT, &o.checkpoint, "FILE",
	         "the newest checkpoint of the old ledger that is known: a checkpoint, an auditor's state, or the "
	         "folder of "
	         "an export",
	         0, 0},
	        {"accept-loss", OPTION_FLAG, &o.accept_loss, NULL, "go on though that checkpoint is newer", 0, 0},
	        {"accept-missing-keys", OPTION_FLAG, &o.accept_gone, NULL, "go on though keys are gone", 0, 0},
	        {"erase", OPTION_LIST, &o.erase, "TYPE:ID", "somebody who was erased after the backup: is left out", 0,
	         0},
	        {"check", OPTION_FLAG, &o.check, NULL, "only read and check the backup", 0, 0},
	        {"name", OPTION_TEXT, &o.name, "NAME", "the cluster's name (default: as before)", 0, 0},
	        {"nodes", OPTION_NUMBER, &o.nodes, "N", "1, 3, 5 or 7 (default: 3)", 1, CLUSTER_NODES_MAX},
	        {"base-port", OPTION_NUMBER, &o.base_port, "PORT", "first of two ports a node (default: free ones)",
	         1024, 65535},
	        {"election-timeout-ms", OPTION_NUMBER, &o.election_ms, "MS", "of the nodes (default: 200)", 50, 60000},
	        {"heartbeat-ms", OPTION_NUMBER, &o.heartbeat_ms, "MS", "of the leader (default: 40)", 5, 10000},
	        {"log-level", OPTION_TEXT, &o.log_level, "LEVEL", "error, warning, info or debug (default: info)", 0,
	         0},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	struct tool_access none = {0};
	struct verify_policy *trust = NULL;
	struct backupread r = {.command = usage.command, .fd = -1};
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!o.from || !o.keys || !o.trust || (!o.check && n == 0))
		return tool_fail(EXIT_USAGE, usage.command, "%s is missing",
		                 !o.from    ? "option --from DIR"
		                 : !o.keys  ? "option --keys FILE"
		                 : !o.trust ? "option --trust POLICY"
		                            : "the new cluster's folder");
	code = read_erased(&o);
	if (!code)
		code = trust_open(usage.command, &none, o.trust, &trust);
	if (code)
		return code;
	r.dir = o.from;
	r.trust = trust;
	r.left_out = o.erased;
	r.n_left_out = o.erase.n;
	if (o.check) {
		code = read_backup(&r, &o, NULL);
		if (!code)
			report(&r);
	} else {
		code = restore(&r, &o, argv[0]);
	}
	backupread_close(&r);
	verify_policy_free(trust);
	return code;
}
