#!/bin/sh
# By hand: a member misses N decisions and catches up under load; what the others' clients see of it. Usage: [N [SECONDS]]
# SPDX-License-Identifier: Apache-2.0
#
# Runs in the build folder, after `make check TESTS=` has built tests/cluster_catchup. Prints rate and latency before the
# member comes back, while it fetches (killed once in the middle), and afterwards. Three million decisions take about
# 4 GiB in each node's folder under $TMPDIR.
set -eu

exec timeout 14400 ./tests/cluster_catchup "${1:-3000000}" "${2:-30}"
