/* The network of a chaos run: a namespace for each node around a router that drops, or proxies between the nodes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/chaos.h"

/* 10.77.N.2 is node N, 10.77.N.1 this process, which routes between them. */
#define SUBNET "10.77"

static bool quietly(const char *command)
{
	return system(command) == 0;
}

/* All of it is gone with this process and its children: names under a /run of its own, shared memory of libfaketime. */
static bool own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=16m") == 0 &&
	       mount("tmpfs", "/run", "tmpfs", 0, "size=16m") == 0;
}

static bool own_network(unsigned n)
{
	char command[1024];

	if (unshare(CLONE_NEWNET) || !quietly("mkdir -p /run/netns && ip link set lo up"))
		return false;
	for (unsigned i = 1; i <= n; i++) {
		snprintf(command, sizeof command,
		         "ip netns add n%u && ip link add v%u type veth peer name e0 netns n%u && "
		         "ip addr add " SUBNET ".%u.1/24 dev v%u && ip link set v%u up && ip -n n%u link set lo up && "
		         "ip -n n%u addr add " SUBNET ".%u.2/24 dev e0 && ip -n n%u link set e0 up && "
		         "ip -n n%u route add default via " SUBNET ".%u.1",
		         i, i, i, i, i, i, i, i, i, i, i, i);
		if (!quietly(command))
			return false;
	}
	return quietly("echo 1 >/proc/sys/net/ipv4/ip_forward && "
	               /* The rule must bite, or every partition would be none. */
	               "ip rule add from " SUBNET ".1.2 to " SUBNET ".2.2 blackhole && "
	               "! ip route get " SUBNET ".2.2 from " SUBNET ".1.2 iif v1 2>/dev/null && "
	               "ip rule del from " SUBNET ".1.2 to " SUBNET ".2.2 blackhole && "
	               "ip route get " SUBNET ".2.2 from " SUBNET ".1.2 iif v1 >/dev/null");
}

void net_sandbox(struct chaos *c, bool proxies_only)
{
	c->mounts = geteuid() == 0 && own_mounts();
	c->namespaces = c->mounts && !proxies_only && own_network(c->n);
}

static unsigned port_of(const struct chaos *c, unsigned node, const char *format)
{
	char path[400], line[256];
	unsigned port = 0;

	snprintf(path, sizeof path, "%s/c/node-%u/countersignd.yaml", c->cluster.dir, node + 1);
	FILE *f = fopen(path, "re");
	while (f && !port && fgets(line, sizeof line, f))
		sscanf(line, format, &port);
	if (!port) {
		fprintf(stderr, "%s: no port\n", path);
		abort();
	}
	fclose(f);
	return port;
}

/* Nodes listen and find each other in the router's network; clients still find them on loopback, through a proxy. */
static void open_namespaces(struct chaos *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		unsigned link = port_of(c, i, "link: \"127.0.0.1:%u"),
		         url = port_of(c, i, "listen: [\"tcp://127.0.0.1:%u");
		char host[32];
		snprintf(host, sizeof host, SUBNET ".%u.2", i + 1);
		c->doors[i] = proxy_open_to((uint16_t)url, host, (uint16_t)url);
		cluster_shell("sed -i -e 's/link: \"127.0.0.1:%u\"/link: \"%s:%u\"/' "
		              "-e 's/^listen:.*127.0.0.1:%u.*/listen: [\"tcp:\\/\\/%s:%u\"]/' "
		              "'%s'/c/node-*/countersignd.yaml",
		              link, host, link, url, host, url, c->cluster.dir);
	}
}

static void open_proxies(struct chaos *c)
{
	unsigned ports[CHAOS_NODES_MAX];

	for (unsigned i = 0; i < c->n; i++)
		ports[i] = port_of(c, i, "link: \"127.0.0.1:%u");
	for (unsigned i = 0; i < c->n; i++)
		for (unsigned k = 0; k < c->n; k++) {
			if (i == k)
				continue;
			c->links[i][k] = proxy_open((uint16_t)ports[k]);
			cluster_shell("sed -i 's/\\({id: %u, link: \"127.0.0.1:\\)%u/\\1%u/' "
			              "'%s/c/node-%u/countersignd.yaml'",
			              k + 1, ports[k], proxy_port(c->links[i][k]), c->cluster.dir, i + 1);
		}
}

void net_open(struct chaos *c)
{
	if (c->namespaces)
		open_namespaces(c);
	else
		open_proxies(c);
}

void net_close(struct chaos *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		proxy_close(c->doors[i]);
		for (unsigned k = 0; k < c->n; k++)
			proxy_close(c->links[i][k]);
	}
}

void net_cut(struct chaos *c, unsigned from, unsigned to, bool cut)
{
	if (from == to || c->cut[from][to] == cut)
		return;
	c->cut[from][to] = cut;
	if (c->namespaces) {
		cluster_shell("ip rule %s from " SUBNET ".%u.2 to " SUBNET ".%u.2 blackhole", cut ? "add" : "del",
		              from + 1, to + 1);
		return;
	}
	/* Each has a stream of its own to the other, and both carry both directions. */
	proxy_drop(c->links[from][to], (c->cut[from][to] ? PROXY_OUT : 0) | (c->cut[to][from] ? PROXY_BACK : 0));
	proxy_drop(c->links[to][from], (c->cut[to][from] ? PROXY_OUT : 0) | (c->cut[from][to] ? PROXY_BACK : 0));
}

void net_heal(struct chaos *c)
{
	for (unsigned i = 0; i < c->n; i++)
		for (unsigned k = 0; k < c->n; k++)
			net_cut(c, i, k, false);
}

int net_namespace(const struct chaos *c, unsigned node)
{
	char path[64];

	if (!c->namespaces)
		return -1;
	snprintf(path, sizeof path, "/run/netns/n%u", node + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		abort();
	}
	return fd;
}
