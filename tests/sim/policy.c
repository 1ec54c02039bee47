/* The policy that simulated clusters begin with: every kind of verdict, wait and grant comes about often. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "tests/sim/cluster.h"

const char *cluster_policy(void)
{
	return "version: 2\n"
	       "name: simulated\n"
	       "bias: -2000\n"
	       "thresholds: {step_up: 0, deny: 5000}\n"
	       "rates: {subject: 120, client: 100000}\n"
	       "sensitive: ['deploy*']\n"
	       "break_glass: {from: ['boss-*'], within: 1m}\n"
	       "grants: {revoke_risk: 4000, revoke_outside: MEDIUM}\n"
	       "rules:\n"
	       "- {id: by-risk, verdict: risk}\n"
	       /* Approved by two of the three; few come in time. */
	       "- id: four-eyes\n"
	       "  match: {action: delete}\n"
	       "  verdict: defer\n"
	       "  defer: {approvals: {needed: 2, from: ['boss-*'], expires: 5s}}\n"
	       "  grant: {for: 10s, scope: {action: delete, resource: '*'}, bind: []}\n"
	       "- id: later\n"
	       "  match: {action: write}\n"
	       "  when: \"has(context.amount) && context.amount > 1500\"\n"
	       "  verdict: defer\n"
	       "  defer: {until: 2s}\n"
	       "- id: proven\n"
	       "  match: {action: deploy}\n"
	       "  verdict: step_up\n"
	       "  grant: {for: 1m, scope: {action: 'deploy*', resource: '*'}, bind: []}\n"
	       "- id: odd\n"
	       "  when: \"context.amount % 7 == 0 || subject.id.endsWith('4')\"\n"
	       "  weight: 300\n";
}
