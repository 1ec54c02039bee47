/* Faults of single calls to a disk, and the count of all that was injected. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/faults.h"

#include <errno.h>

#include "tests/sim/drive.h"
#include "tests/sim/os.h"

uint64_t faults_counts[FAULT_COUNT];

static const char *const texts[FAULT_COUNT] = {
#define FAULT_TEXT(name, text) [name] = text,
        FAULT_LIST(FAULT_TEXT)
#undef FAULT_TEXT
};

const char *faults_text(enum fault f)
{
	return texts[f];
}

void faults_count(enum fault f)
{
	faults_counts[f]++;
}

/* Only calls of a process fail: the simulator reads in peace. */
static bool hit(const struct drive *d, uint32_t ppm, enum fault f)
{
	struct process *p = os_process();

	if (!p || !os_chance(ppm))
		return false;
	faults_count(f);
	p->io_errors++;
	os_note(d->node, "fault: %s", faults_text(f));
	return true;
}

bool faults_read(struct drive *d)
{
	return hit(d, d->faults.read_error_ppm, FAULT_READ);
}

int faults_write(struct drive *d)
{
	return hit(d, d->faults.write_error_ppm, FAULT_WRITE) ? EIO : 0;
}

bool faults_sync(struct drive *d)
{
	return hit(d, d->faults.sync_error_ppm, FAULT_SYNC);
}

bool faults_commit(struct drive *d)
{
	return hit(d, d->faults.commit_error_ppm, FAULT_STORE);
}

int faults_full(struct drive *d)
{
	hit(d, 1000000, FAULT_FULL);
	return ENOSPC;
}

void faults_sleep(struct drive *d)
{
	if (os_thread())
		os_sleep(os_between(d->faults.write_ns, d->faults.write_ns_max));
}

void faults_sleep_store(struct drive *d)
{
	faults_sleep(d);
	if (os_thread())
		os_sleep(os_below(d->faults.store_ns_max));
}

/* Within the file: sector for sector somewhere else. */
bool faults_misdirect(struct drive *d, const struct inode *inode, uint64_t *at, size_t len)
{
	struct process *p = os_process();
	uint64_t size = inode_size(inode);

	if (!p || size < len + DISK_SECTOR || !os_chance(d->faults.misdirect_ppm))
		return false;
	faults_count(FAULT_MISDIRECT);
	p->damaged = p->misled = true;
	*at = os_below((size - len) / DISK_SECTOR + 1) * DISK_SECTOR;
	return true;
}
