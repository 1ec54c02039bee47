/* The keys that a node has: read from its key file and its data folder, made, put aside when their time is over. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "node/keyring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger/errors.h"
#include "node/log.h"
#include "node/wire/textfile.h"

#define FOLDER    "keys"
#define SUFFIX    ".key"
#define FILE_SIZE 40 /* Of a name in the folder. */

static const char *const kinds[KEY_KINDS] = {
        [KEY_CHANNEL] = "channel", [KEY_SIGN] = "sign", [KEY_LOG] = "log", [KEY_COSIGNER] = "cosigner"};

struct ring_key {
	uint8_t pub[32], secret[32];
	char file[FILE_SIZE]; /* In the folder; "": of the node's key file. */
	bool next;
};

struct keyring {
	char folder[PATH_MAX], name[65];
	unsigned n[KEY_KINDS];
	struct ring_key keys[KEY_KINDS][KEYRING_KEYS_MAX];
};

static struct ring_key *find(const struct keyring *r, enum key_kind kind, const uint8_t pub[32])
{
	for (unsigned i = 0; i < r->n[kind]; i++)
		if (memcmp(r->keys[kind][i].pub, pub, 32) == 0)
			return (struct ring_key *)&r->keys[kind][i];
	return NULL;
}

static int add(struct keyring *r, enum key_kind kind, const struct keyfile *k, const char *file, char *ret_text)
{
	struct ring_key *key = &r->keys[kind][r->n[kind]];

	if (r->n[kind] == KEYRING_KEYS_MAX) {
		textfile_error(ret_text, "%s: more than %d keys of the kind %s: delete what is long over", r->folder,
		               KEYRING_KEYS_MAX, kinds[kind]);
		return CS_ERR_TOO_LARGE;
	}
	int err = keyfile_public(k, kind, key->pub, NULL);
	if (err != 0 || find(r, kind, key->pub) != NULL)
		return err;
	memcpy(key->secret, k->secret[kind], sizeof key->secret);
	snprintf(key->file, sizeof key->file, "%s", file);
	key->next = strncmp(file, "next-", 5) == 0;
	r->n[kind]++;
	return 0;
}

static int path_of(const struct keyring *r, const char *file, char ret[PATH_MAX], char *ret_text)
{
	if (snprintf(ret, PATH_MAX, "%s/%s", r->folder, file) < PATH_MAX)
		return 0;
	textfile_error(ret_text, "%s: the path is too long", r->folder);
	return CS_ERR_INVALID;
}

static int read_file(struct keyring *r, const char *file, char *ret_text)
{
	char path[PATH_MAX];
	struct keyfile k;
	int err = path_of(r, file, path, ret_text);

	if (!err)
		err = keyfile_read(path, &k, ret_text);
	if (err)
		return err;
	if (strcmp(k.name, r->name) != 0) {
		textfile_error(ret_text, "%s: a key of \"%s\", and this node is \"%s\"", path, k.name, r->name);
		err = CS_ERR_INVALID;
	}
	for (unsigned i = 0; i < KEY_KINDS && !err; i++)
		if (k.has[i])
			err = add(r, (enum key_kind)i, &k, file, ret_text);
	keyfile_wipe(&k);
	return err;
}

static int read_folder(struct keyring *r, char *ret_text)
{
	DIR *d = opendir(r->folder);
	const struct dirent *e;
	int err = 0;

	if (d == NULL && errno == ENOENT)
		return 0;
	if (d == NULL) {
		textfile_error(ret_text, "%s: %s", r->folder, strerror(errno));
		return CS_ERR_IO;
	}
	while (!err && (e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len > strlen(SUFFIX) && len < FILE_SIZE && strcmp(e->d_name + len - strlen(SUFFIX), SUFFIX) == 0)
			err = read_file(r, e->d_name, ret_text);
	}
	closedir(d);
	return err;
}

int keyring_open(const char *data_path, const struct keyfile *base, struct keyring **ret, char *ret_text)
{
	struct keyring *r = sodium_malloc(sizeof *r);
	int err = 0;

	if (r == NULL) {
		textfile_error(ret_text, "out of memory");
		return CS_ERR_NOMEM;
	}
	memset(r, 0, sizeof *r);
	snprintf(r->name, sizeof r->name, "%s", base->name);
	if (snprintf(r->folder, sizeof r->folder, "%s/" FOLDER, data_path) >= (int)sizeof r->folder) {
		textfile_error(ret_text, "%s: the path is too long", data_path);
		err = CS_ERR_INVALID;
	}
	for (unsigned i = 0; i < KEY_KINDS && !err; i++)
		if (base->has[i])
			err = add(r, (enum key_kind)i, base, "", ret_text);
	if (!err)
		err = read_folder(r, ret_text);
	if (err)
		keyring_close(r);
	else
		*ret = r;
	return err;
}

void keyring_close(struct keyring *r)
{
	sodium_free(r);
}

const uint8_t *keyring_secret(const struct keyring *r, enum key_kind kind, const uint8_t pub[32])
{
	const struct ring_key *k = find(r, kind, pub);

	return k != NULL ? k->secret : NULL;
}

const uint8_t *keyring_any(const struct keyring *r, enum key_kind kind)
{
	return r->n[kind] > 0 ? r->keys[kind][0].secret : NULL;
}

static const struct ring_key *next_of(const struct keyring *r, enum key_kind kind)
{
	for (unsigned i = 0; i < r->n[kind]; i++)
		if (r->keys[kind][i].next)
			return &r->keys[kind][i];
	return NULL;
}

const uint8_t *keyring_next(const struct keyring *r, enum key_kind kind)
{
	const struct ring_key *k = next_of(r, kind);

	return k != NULL ? k->pub : NULL;
}

static int sync_folder(const char *path, char *ret_text)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd >= 0 && fsync(fd) == 0 ? 0 : CS_ERR_IO;

	if (err)
		textfile_error(ret_text, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return err;
}

/* Its name is on the disk only when the data folder is: a power cut must not take a key that was told to others. */
static int make_folder(const struct keyring *r, char *ret_text)
{
	char parent[PATH_MAX];

	if (mkdir(r->folder, 0700) != 0 && errno != EEXIST) {
		textfile_error(ret_text, "%s: %s", r->folder, strerror(errno));
		return CS_ERR_IO;
	}
	snprintf(parent, sizeof parent, "%.*s", (int)(strlen(r->folder) - strlen("/" FOLDER)), r->folder);
	return sync_folder(parent, ret_text);
}

/*
 * Under its name only once it is whole: what a power cut leaves of a file that is being made is no key, and a node that
 * finds one such among its keys does not start.
 */
static int write_whole(const struct keyring *r, const char *path, const struct keyfile *k, char *ret_text)
{
	char fresh[PATH_MAX];
	int err = path_of(r, "new", fresh, ret_text);

	if (err)
		return err;
	if (unlink(fresh) != 0 && errno != ENOENT)
		err = CS_ERR_IO;
	if (!err)
		err = keyfile_write(fresh, k, ret_text);
	if (!err && rename(fresh, path) != 0)
		err = CS_ERR_IO;
	if (err == CS_ERR_IO)
		textfile_error(ret_text, "%s: %s", path, strerror(errno));
	return err ? err : sync_folder(r->folder, ret_text);
}

int keyring_prepare(struct keyring *r, enum key_kind kind, uint8_t ret_pub[32], char *ret_text)
{
	const struct ring_key *k = next_of(r, kind);
	char path[PATH_MAX], file[FILE_SIZE];
	struct keyfile made = {0};
	int err = 0;

	if (k == NULL) {
		snprintf(file, sizeof file, "next-%s" SUFFIX, kinds[kind]);
		err = path_of(r, file, path, ret_text);
		if (!err)
			err = make_folder(r, ret_text);
		keyfile_random(&made, r->name, 1u << kind);
		if (!err)
			err = write_whole(r, path, &made, ret_text);
		if (!err)
			err = add(r, kind, &made, file, ret_text);
		keyfile_wipe(&made);
		k = next_of(r, kind);
	}
	if (!err && k != NULL)
		memcpy(ret_pub, k->pub, 32);
	return err;
}

static void rename_to(struct keyring *r, struct ring_key *k, enum key_kind kind)
{
	char from[PATH_MAX], to[PATH_MAX], file[FILE_SIZE], text[TEXTFILE_ERROR_SIZE];

	snprintf(file, sizeof file, "%s-%02x%02x%02x%02x" SUFFIX, kinds[kind], k->pub[0], k->pub[1], k->pub[2],
	         k->pub[3]);
	k->next = false;
	if (path_of(r, k->file, from, text) || path_of(r, file, to, text) || rename(from, to) != 0) {
		log_warning("%s/%s cannot be renamed: %s", r->folder, k->file, strerror(errno));
		return;
	}
	snprintf(k->file, sizeof k->file, "%s", file);
	log_info("new key in force kind=%s file=" FOLDER "/%s", kinds[kind], file);
}

void keyring_drop(struct keyring *r, enum key_kind kind, const uint8_t pub[32])
{
	struct ring_key *k = find(r, kind, pub);
	char path[PATH_MAX], text[TEXTFILE_ERROR_SIZE];

	if (k == NULL)
		return;
	if (*k->file && (path_of(r, k->file, path, text) || (unlink(path) != 0 && errno != ENOENT)))
		log_warning("%s/%s cannot be deleted: %s", r->folder, k->file, strerror(errno));
	else if (*k->file)
		log_info("old key deleted kind=%s file=" FOLDER "/%s", kinds[kind], k->file);
	else
		log_info("the key \"%s\" of this node's key file is over: delete its line there", kinds[kind]);
	*k = r->keys[kind][--r->n[kind]];
	sodium_memzero(&r->keys[kind][r->n[kind]], sizeof *k);
}

void keyring_in_force(struct keyring *r, enum key_kind kind, const uint8_t current[32])
{
	struct ring_key *k = find(r, kind, current);

	if (k != NULL && k->next)
		rename_to(r, k, kind);
}

bool keyring_grown(const struct keyring *r, enum key_kind kind)
{
	for (unsigned i = 0; i < r->n[kind]; i++)
		if (*r->keys[kind][i].file)
			return true;
	return r->n[kind] == 0;
}

static void channel_add(const struct ring_key *k, struct channel_keys *ret)
{
	if (k == NULL || ret->n == CHANNEL_KEYS_MAX)
		return;
	for (unsigned i = 0; i < ret->n; i++)
		if (memcmp(ret->list[i].pub, k->pub, sizeof k->pub) == 0)
			return;
	memcpy(ret->list[ret->n].pub, k->pub, sizeof k->pub);
	memcpy(ret->list[ret->n].secret, k->secret, sizeof k->secret);
	ret->n++;
}

void keyring_channel(const struct keyring *r, const uint8_t current[32], const uint8_t before[32], bool link,
                     struct channel_keys *ret)
{
	ret->n = 0;
	channel_add(find(r, KEY_CHANNEL, current), ret);
	channel_add(next_of(r, KEY_CHANNEL), ret);
	channel_add(before != NULL ? find(r, KEY_CHANNEL, before) : NULL, ret);
	for (unsigned i = 0; link && i < r->n[KEY_CHANNEL]; i++)
		channel_add(&r->keys[KEY_CHANNEL][i], ret);
}

bool keyring_channel_at(const struct keyring *r, unsigned i, const uint8_t **ret_pub, const uint8_t **ret_secret)
{
	if (i >= r->n[KEY_CHANNEL])
		return false;
	*ret_pub = r->keys[KEY_CHANNEL][i].pub;
	*ret_secret = r->keys[KEY_CHANNEL][i].secret;
	return true;
}
