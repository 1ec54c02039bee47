/* countersign backup: a ledger with its private fields and its state, out of a node's store in use, into a folder. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tool/backup/folder.h"
#include "client/tool/backup/trust.h"
#include "client/tool/progress.h"
#include "client/tool/tool.h"
#include "ledger/errors.h"

#define PAGE                                                                                                           \
	256 /* Entries that are read under one view: an old one would keep the node from using its pages again.        \
	     */

static const struct usage usage = {
        .command = "backup",
        .arguments = "",
        .about =
                "Copies a ledger with its private fields and the state, out of a node's folder while the node runs "
                "(or\n"
                "does not), into a folder from which `countersign restore` makes a cluster again. All of it is of one\n"
                "moment, not before the command's start where the node runs; it is checked while it is written, and\n"
                "ends in a manifest that your key signs. The next backup into the same folder adds what is new. It "
                "may\n"
                "be killed at any moment: the backup of before stays good, and the next run goes on. Private fields "
                "are\n"
                "sealed under one key a subject, in the file --keys, without which nothing private can be read again:\n"
                "keep it apart, and old copies of it for a short time only. It needs no more than to read the "
                "ledger's\n"
                "folder and to write its lock.mdb.\n",
        .exits = "  0  written, or nothing is new\n"
                 "  2  no quorum has cosigned a checkpoint over the state: nothing was written\n" TOOL_EXIT_TEXT,
};

struct options {
	struct tool_access access;
	const char *node, *dir, *keys, *trust;
	uint64_t wait_ms;
};

struct run {
	struct options o;
	struct verify_policy *trust;
	struct keyfile signer;
	struct backupsource source;
	struct backupkeys *keys;
	struct backupfolder *folder;
};

static int failed(struct run *r, int err)
{
	int code = err == CS_ERR_REFUTED || err == CS_ERR_DAMAGED ? EXIT_REFUTED : EXIT_LOCAL;

	return tool_fail(code, usage.command, "%s", backupfolder_why(r->folder));
}

/* One entry and its body; borrowed from the view. */
static int copy_one(struct run *r, uint64_t index)
{
	const void *leaf, *body = NULL;
	size_t leaf_len, body_len = 0;
	int err = store_view_entry(r->source.view, index, &leaf, &leaf_len);

	if (!err)
		err = store_view_body(r->source.view, index, &body, &body_len);
	if (err == CS_ERR_ERASED) {
		body = NULL;
		err = 0;
	}
	if (err)
		return tool_fail(EXIT_LOCAL, usage.command, "%s: entry %" PRIu64 ": %s", r->o.node, index,
		                 err_text(err));
	err = backupfolder_append(r->folder, index, leaf, leaf_len, body, body_len);
	return err ? failed(r, err) : 0;
}

static int copy_entries(struct run *r)
{
	struct progress progress = {.what = "saved", .unit = "entries"};
	uint64_t size = r->source.checkpoint.size, at = backupfolder_begin(r->folder);
	int code = 0;

	while (!code && at < size) {
		int err = store_view_renew(r->source.view);

		if (err)
			code = tool_fail(EXIT_LOCAL, usage.command, "%s: %s", r->o.node, err_text(err));
		for (unsigned i = 0; i < PAGE && at < size && !code; i++)
			code = copy_one(r, at++);
		progress_show(&progress, at, size);
	}
	progress_end(&progress);
	return code;
}

static int report(const struct run *r, uint64_t before)
{
	const struct backupsource *s = &r->source;

	printf("%s: entries %" PRIu64 " to %" PRIu64 " added, cosigned by a quorum; the state of entry %" PRIu64
	       "; %zu keys in %s\n",
	       r->o.dir, before, s->checkpoint.size - 1, s->state_size - 1, backupkeys_count(r->keys), r->o.keys);
	if (s->state_size < s->checkpoint.size)
		printf("The last %" PRIu64
		       " entries came after the state: decisions and their like, saved but not restored.\n",
		       s->checkpoint.size - s->state_size);
	return 0;
}

static int write_backup(struct run *r)
{
	uint64_t before = backupfolder_old_size(r->folder);
	int err, code;

	if (backupfolder_current(r->folder, &r->source)) {
		printf("%s: up to date, %" PRIu64 " entries, cosigned by a quorum\n", r->o.dir, before);
		return 0;
	}
	/* First: whoever comes back after an erasure gets a new key, in the state too. */
	err = backupfolder_again(r->folder, &r->source);
	if (err < 0)
		return failed(r, err);
	code = err ? backupsource_choose(&r->source, r->o.wait_ms) : 0;
	if (code)
		return code;
	err = backupfolder_start(r->folder, &r->source);
	if (err)
		return failed(r, err);
	code = copy_entries(r);
	if (code)
		return code;
	err = backupfolder_finish(r->folder, &r->source, &r->signer);
	return err ? failed(r, err) : report(r, before);
}

static int open_parts(struct run *r)
{
	const char *path = r->o.access.key ? r->o.access.key : getenv("COUNTERSIGN_KEY");
	char text[BACKUPKEYS_WHY_SIZE] = "";
	uint8_t pub[32];
	int code, err;

	if (!path)
		return tool_fail(EXIT_USAGE, usage.command, "option --key FILE is missing: who signs the manifest");
	if (keyfile_read(path, &r->signer, text))
		return tool_fail(EXIT_USAGE, usage.command, "%s", text);
	if (!r->signer.has[KEY_SIGN])
		return tool_fail(EXIT_USAGE, usage.command, "%s: has no signing key", path);
	if (keyfile_public(&r->signer, KEY_SIGN, pub, NULL))
		return tool_fail(EXIT_USAGE, usage.command, "%s: its signing key cannot be used", path);
	code = trust_open(usage.command, &r->o.access, r->o.trust, &r->trust);
	r->source.command = usage.command;
	r->source.trust = r->trust;
	if (!code)
		code = backupsource_open(&r->source, r->o.node);
	if (!code)
		code = backupsource_choose(&r->source, r->o.wait_ms);
	if (!code && !backupsource_knows(&r->source, pub))
		code = tool_fail(
		        EXIT_USAGE, usage.command,
		        "%s: its signing key is not enrolled as an auditor's or administrator's: no restore would "
		        "believe it",
		        path);
	if (code)
		return code;
	err = backupkeys_open(r->o.keys, true, &r->keys, text);
	if (!err)
		err = backupfolder_open(r->o.dir, r->keys, &r->folder, text, sizeof text);
	return err ? tool_fail(EXIT_LOCAL, usage.command, "%s", text) : 0;
}

int backup_run(int argc, char **argv)
{
	struct run r = {.o = {.wait_ms = 15000}};
	const struct option options[] = {
	        {"node", OPTION_TEXT, &r.o.node, "FOLDER", "a node's folder, or its ledger's (data.mdb)", 0, 0},
	        {"to", OPTION_TEXT, &r.o.dir, "DIR", "the backup's folder (made if there is none)", 0, 0},
	        {"keys", OPTION_TEXT, &r.o.keys, "FILE", "the keys of the backup (made, mode 0600, if there is none)",
	         0, 0},
	        {"key", OPTION_TEXT, &r.o.access.key, "FILE",
	         "the key file of an auditor or administrator, who signs (default: $COUNTERSIGN_KEY)", 0, 0},
	        {"trust", OPTION_TEXT, &r.o.trust, "POLICY",
	         "whose signatures count (default: the cluster file's policy)", 0, 0},
	        {"cluster", OPTION_TEXT, &r.o.access.cluster, "FILE",
	         "the cluster file (default: $COUNTERSIGN_CLUSTER)", 0, 0},
	        {"wait", OPTION_NUMBER, &r.o.wait_ms, "MS",
	         "longest wait for a state of now, and a checkpoint over it (default: 15000)", 0, 600000},
	        {NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0},
	};
	unsigned n;
	int code = options_parse(&usage, options, argc, argv, &n);

	if (code != OPTIONS_GO_ON)
		return code;
	if (!r.o.node || !r.o.dir || !r.o.keys)
		return tool_fail(EXIT_USAGE, usage.command, "option %s is missing",
		                 !r.o.node  ? "--node FOLDER"
		                 : !r.o.dir ? "--to DIR"
		                            : "--keys FILE");
	code = open_parts(&r);
	if (!code)
		code = write_backup(&r);
	backupfolder_close(r.folder);
	backupkeys_close(r.keys);
	backupsource_close(&r.source);
	verify_policy_free(r.trust);
	keyfile_wipe(&r.signer);
	return code;
}
