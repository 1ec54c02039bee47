#!/bin/sh
# By hand: a member misses N decisions and catches up under load; what the others' clients see of it.
# SPDX-License-Identifier: Apache-2.0
#
# usage: tests/catchup_soak.sh [N [SECONDS [OUT]]], in the build folder, after `make check TESTS=` has built
# tests/cluster_catchup. N decisions are missed (3,000,000); OUT (32) are asked at once while rate and latency are
# measured: for SECONDS (30) before the member comes back, while it fetches (killed once in the middle), and for SECONDS
# afterwards. The leader's own CPU time for each decision stands beside the rate; at the end, by how much the rate fell.
#
# All nodes and the clients share this machine. So that the member's work is not taken for the leader's, the member has
# core 1 for itself and all others share core 0 from before it comes back; CATCHUP_PIN= (empty) leaves them alone. The
# disk is shared in any case. Three million decisions take about 4 GiB in each node's folder under $TMPDIR.
set -eu

if [ "${CATCHUP_PIN-yes}" ] && [ "$(nproc)" -gt 1 ] && command -v taskset >/dev/null; then
	export CATCHUP_PIN=yes
else
	unset CATCHUP_PIN
fi
exec timeout 14400 ./tests/cluster_catchup "${1:-3000000}" "${2:-30}" "${3:-32}"
