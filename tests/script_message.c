/* Messages that a test delivers by hand, and what they are made of. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/script_disk.h"

void script_configuration_fill(unsigned n, struct raft_configuration *ret)
{
	raft_configuration_init(ret);
	for (unsigned i = 0; i < n; i++) {
		char address[16];
		snprintf(address, sizeof address, "%u", i + 1);
		if (raft_configuration_add(ret, i + 1, address, RAFT_VOTER) != 0)
			abort();
	}
}

void script_encode(unsigned n, struct raft_buffer *ret)
{
	struct raft_configuration c;

	script_configuration_fill(n, &c);
	if (raft_configuration_encode(&c, ret) != 0)
		abort();
	raft_configuration_close(&c);
}

void script_recv(struct script *s, unsigned i, struct raft_message *m)
{
	guard_recv(s->s[i].guard, m);
}

static void append_recv(struct script *s, unsigned i, raft_id from, const struct raft_append_entries *ae)
{
	struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES, .server_id = from, .server_address = "x"};

	m.append_entries = *ae;
	m.append_entries.entries = script_entries_copy(ae->entries, ae->n_entries);
	script_recv(s, i, &m);
}

void script_append(struct script *s, unsigned i, raft_id from, raft_term term, raft_index prev, raft_term prev_term,
                   raft_index commit, raft_term entry_term, unsigned n)
{
	struct raft_entry e[16];
	char zeros[8] = {0};

	assert(n <= 16);
	for (unsigned k = 0; k < n; k++)
		e[k] = (struct raft_entry){.term = entry_term, .type = RAFT_COMMAND, .buf = {zeros, sizeof zeros}};
	append_recv(s, i, from,
	            &(struct raft_append_entries){.term = term,
	                                          .prev_log_index = prev,
	                                          .prev_log_term = prev_term,
	                                          .leader_commit = commit,
	                                          .entries = e,
	                                          .n_entries = n});
}

void script_append_configuration(struct script *s, unsigned i, raft_id from, raft_term term, raft_index prev,
                                 raft_term prev_term, raft_index commit, unsigned servers)
{
	struct raft_entry e = {.term = term, .type = RAFT_CHANGE};

	script_encode(servers, &e.buf);
	append_recv(s, i, from,
	            &(struct raft_append_entries){.term = term,
	                                          .prev_log_index = prev,
	                                          .prev_log_term = prev_term,
	                                          .leader_commit = commit,
	                                          .entries = &e,
	                                          .n_entries = 1});
	raft_free(e.buf.base);
}

void script_append_odd(struct script *s, unsigned i, raft_id from, raft_term term, raft_index prev, raft_term prev_term)
{
	char odd[13] = {0};
	struct raft_entry e = {.term = term, .type = RAFT_COMMAND, .buf = {odd, sizeof odd}};

	append_recv(s, i, from,
	            &(struct raft_append_entries){.term = term,
	                                          .prev_log_index = prev,
	                                          .prev_log_term = prev_term,
	                                          .entries = &e,
	                                          .n_entries = 1});
}

void script_install(struct script *s, unsigned i, raft_id from, raft_term term, raft_index index, raft_term index_term)
{
	struct raft_message m = {.type = RAFT_IO_INSTALL_SNAPSHOT, .server_id = from, .server_address = "x"};
	struct raft_install_snapshot *is = &m.install_snapshot;

	is->term = term;
	is->last_index = index;
	is->last_term = index_term;
	is->conf_index = 1;
	script_configuration_fill(s->n, &is->conf);
	is->data = script_buffer_copy(&(struct raft_buffer){.base = &index, .len = sizeof index});
	script_recv(s, i, &m);
}
