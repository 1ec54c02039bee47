/* Asks kernel and libraries who they are, and processes how much they worked. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "bench/machine.h"

#include <inttypes.h>
#include <lmdb.h>
#include <mntent.h>
#include <nng/nng.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "bench/clock.h"

static void copy(char ret[MACHINE_TEXT_SIZE], const char *text)
{
	snprintf(ret, MACHINE_TEXT_SIZE, "%s", text);
}

/* The mount whose device is the folder's; the last one, which lies on top of the others. */
static void find_mount(const char *folder, struct machine *m)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct stat wanted, at;
	struct mntent *e;

	copy(m->file_system, "unknown");
	copy(m->device, "unknown");
	while (f && stat(folder, &wanted) == 0 && (e = getmntent(f)))
		if (stat(e->mnt_dir, &at) == 0 && at.st_dev == wanted.st_dev) {
			snprintf(m->file_system, sizeof m->file_system, "%s (%s)", e->mnt_type, e->mnt_opts);
			copy(m->device, e->mnt_fsname);
		}
	if (f)
		endmntent(f);
}

static void find_processor(struct machine *m)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256], *value;

	copy(m->processor, "unknown");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, "model name", 10) == 0 && (value = strchr(line, ':'))) {
			value[strcspn(value, "\n")] = 0;
			copy(m->processor, value + 2);
			break;
		}
	if (f)
		fclose(f);
}

void machine_describe(const char *folder, struct machine *ret)
{
	struct utsname u;
	time_t now = time(NULL);
	struct tm utc;

	memset(ret, 0, sizeof *ret);
	snprintf(ret->kernel, sizeof ret->kernel, "%s %s %s", uname(&u) ? "unknown" : u.sysname, u.release, u.machine);
	find_processor(ret);
	find_mount(folder, ret);
	snprintf(ret->libraries, sizeof ret->libraries, "libraft %s, libuv %s, nng %s, LMDB %d.%d.%d, libsodium %s",
	         BENCH_RAFT_VERSION, uv_version_string(), nng_version(), MDB_VERSION_MAJOR, MDB_VERSION_MINOR,
	         MDB_VERSION_PATCH, sodium_version_string());
	copy(ret->compiler, __VERSION__);
	ret->cores = sysconf(_SC_NPROCESSORS_ONLN);
	ret->memory_mib = sysconf(_SC_PHYS_PAGES) / 1024 * sysconf(_SC_PAGESIZE) / 1024;
	if (getloadavg(&ret->load, 1) != 1)
		ret->load = 0;
	if (gmtime_r(&now, &utc))
		strftime(ret->time, sizeof ret->time, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

uint64_t machine_process_cpu_ns(pid_t pid)
{
	char path[64], line[1024] = "", *p;
	uint64_t user, system, ret = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	/* proc(5): the second field is in parentheses and may hold anything; utime and stime are fields 14 and 15. */
	if (fgets(line, sizeof line, f) && (p = strrchr(line, ')')) &&
	    sscanf(p, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user, &system) == 2)
		ret = (user + system) * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
	fclose(f);
	return ret;
}

static uint64_t ns_of(struct timeval t)
{
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_usec * 1000;
}

uint64_t machine_own_cpu_ns(void)
{
	struct rusage r;

	return getrusage(RUSAGE_SELF, &r) ? 0 : ns_of(r.ru_utime) + ns_of(r.ru_stime);
}
