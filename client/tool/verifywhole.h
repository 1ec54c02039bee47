/* countersign verify, of a whole ledger: which kind it is, its progress on a terminal. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLIENT_TOOL_VERIFYWHOLE_H
#define CLIENT_TOOL_VERIFYWHOLE_H

#include "client/tool/files.h"
#include "ledger/verify_whole.h"

struct verifywhole {
	const char *old_path; /* NULL: no older checkpoint, or bundle, or proof that has one. */
	uint64_t from;
	bool bodies;
	/* As of struct verify_whole_options. */
	bool trusted;
	void (*entry)(void *ctx, const void *leaf, size_t len);
	void *entry_ctx;
};

bool verifywhole_asked(const struct verifywhole *w); /* Some option that only a whole ledger has. */
bool verifywhole_is(const char *path);               /* A folder, or a store's file: not one proof. */
/* The folder of the store that path names: its file, its folder, or the node's folder above. False: none is there. */
bool verifywhole_store(const char *path, char ret[FILES_PATH_SIZE]);
/* Fills r. 0, or the exit code after a message: nothing was verified. */
int verifywhole_run(const char *command, const char *path, const struct verify_policy *policy,
                    const struct verifywhole *w, struct verify_result *r);
/* From now on a store that leads LMDB astray ends the process as "could not tell". */
void verifywhole_catch_damage(void);

#endif
