/* Fuzzing: writes the seeds of the corpus, made by the encoders themselves; all but the handshake as in every run. */
/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ledger/bytes.h"
#include "ledger/entry.h"
#include "ledger/multiset.h"
#include "node/core/batch.h"
#include "node/core/catchup_bytes.h"
#include "node/core/frame.h"
#include "node/core/snapshot.h"
#include "node/decide/cel/cel_request.h"
#include "node/decide/command_erase.h"
#include "node/decide/policy.h"
#include "node/decide/policy_form.h"
#include "node/wire/channel.h"
#include "node/wire/messages.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/history.h"
#include "tests/fuzz/seeds.h"
#include "tests/verify_fixture.h"

static const char *top;
static uint8_t buf[BATCH_SIZE_MAX];
static size_t len;
static struct kit kit;
static struct fixture ledger;

void seed_after(const char *target, const char *name, const void *front, size_t front_len, const void *bytes, size_t n)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/%s", top, target);
	if (mkdir(path, 0777) && errno != EEXIST) {
		perror(path);
		exit(1);
	}
	snprintf(path, sizeof path, "%s/%s/%s", top, target, name);
	FILE *f = fopen(path, "w");
	if (!f || fwrite(front, 1, front_len, f) != front_len || fwrite(bytes, 1, n, f) != n || fclose(f)) {
		perror(path);
		exit(1);
	}
}

void seed(const char *target, const char *name, const void *bytes, size_t n)
{
	seed_after(target, name, "", 0, bytes, n);
}

static void seed_text(const char *target, const char *name, const char *text)
{
	seed(target, name, text, strlen(text));
}

/* --- frames --- */

static struct frame_parts parts;
static uint8_t session[8192]; /* For the guard: several frames, one after the other. */
static size_t session_len;

static void flatten(void)
{
	len = 0;
	for (unsigned i = 0; i < parts.n; i++) {
		memcpy(buf + len, parts.parts[i].base, parts.parts[i].len);
		len += parts.parts[i].len;
	}
}

static void session_add(uint8_t what)
{
	session[session_len] = what;
	session[session_len + 1] = (uint8_t)(len >> 8);
	session[session_len + 2] = (uint8_t)len;
	memcpy(session + session_len + 3, buf, len);
	session_len += 3 + len;
}

static void session_wait(uint8_t ms)
{
	session[session_len++] = 0;
	session[session_len++] = ms;
}

static void seed_message(const char *name, const struct raft_message *m, uint8_t from)
{
	FUZZ_DEMAND(frame_encode_raft(m, &parts) == 0);
	flatten();
	seed("frame", name, buf, len);
	session_add(from);
}

static void seed_frame(const char *name, const struct frame *f)
{
	FUZZ_DEMAND(frame_encode(f, &parts) == 0);
	flatten();
	seed("frame", name, buf, len);
}

static void session_end(const char *name)
{
	session_wait(100);
	seed("guard", name, session, session_len);
	session_len = 0;
}

/* What a follower hears from a leader of term 3 whose log goes on where the script's ends. */
static void frames_of_leader(struct raft_configuration *conf)
{
	uint8_t data[64] = "a command";
	struct raft_buffer change;
	uint64_t index = 9;

	FUZZ_DEMAND(raft_configuration_encode(conf, &change) == 0);
	struct raft_entry entries[] = {{.term = 3, .type = RAFT_BARRIER, .buf = {data, 8}},
	                               {.term = 3, .type = RAFT_COMMAND, .buf = {data, 64}},
	                               {.term = 3, .type = RAFT_CHANGE, .buf = change}};
	struct raft_message m = {.type = RAFT_IO_APPEND_ENTRIES};
	m.append_entries = (struct raft_append_entries){3, 4, 2, 4, NULL, 0};
	seed_message("heartbeat", &m, 2);
	m.append_entries = (struct raft_append_entries){3, 4, 2, 5, entries, 3};
	seed_message("append", &m, 2);
	session_wait(2);
	m.append_entries = (struct raft_append_entries){3, 7, 3, 7, NULL, 0};
	seed_message("commit", &m, 2);
	m.append_entries = (struct raft_append_entries){4, 3, 2, 3, entries, 1};
	seed_message("conflict", &m, 3);
	session_end("follow");
	raft_free(change.base);

	m.type = RAFT_IO_INSTALL_SNAPSHOT;
	m.install_snapshot = (struct raft_install_snapshot){.term = 3,
	                                                    .last_index = 9,
	                                                    .last_term = 3,
	                                                    .conf_index = 1,
	                                                    .conf = *conf,
	                                                    .data = {&index, sizeof index}};
	seed_message("install", &m, 2);
	session_wait(10);
	m.type = RAFT_IO_APPEND_ENTRIES;
	m.append_entries = (struct raft_append_entries){3, 9, 3, 9, entries, 2};
	seed_message("append-after", &m, 2);
	session_end("install");
}

/* What a candidate hears until it leads, and what a leader hears. */
static void frames_of_followers(void)
{
	struct raft_message m = {.type = RAFT_IO_REQUEST_VOTE};

	m.request_vote =
	        (struct raft_request_vote){.term = 3, .candidate_id = 2, .last_log_index = 9, .last_log_term = 2};
	m.request_vote.pre_vote = true;
	seed_message("pre-vote", &m, 2);
	m.request_vote.pre_vote = false;
	seed_message("vote", &m, 2);
	m.request_vote.disrupt_leader = true;
	seed_message("vote-disrupt", &m, 3);
	m.type = RAFT_IO_TIMEOUT_NOW;
	m.timeout_now = (struct raft_timeout_now){3, 4, 2};
	seed_message("timeout-now", &m, 2);
	session_end("elections");

	session_wait(250); /* Longer than the election timeout: it asks for votes of term 3. */
	m.type = RAFT_IO_REQUEST_VOTE_RESULT;
	m.request_vote_result =
	        (struct raft_request_vote_result){.term = 3, .vote_granted = true, .pre_vote = raft_tribool_true};
	seed_message("pre-vote-result", &m, 2);
	m.request_vote_result.pre_vote = raft_tribool_false;
	seed_message("vote-result", &m, 2);
	session_wait(2);
	m.type = RAFT_IO_APPEND_ENTRIES_RESULT;
	m.append_entries_result = (struct raft_append_entries_result){.term = 3, .last_log_index = 5};
	seed_message("result", &m, 2);
	session[session_len++] = 1;
	session[session_len++] = 0;
	session_wait(1);
	m.append_entries_result.last_log_index = 6;
	seed_message("result-next", &m, 3);
	m.append_entries_result = (struct raft_append_entries_result){.term = 3, .rejected = 5, .last_log_index = 4};
	seed_message("rejected", &m, 3);
	session_end("lead");
}

static void seed_frames(void)
{
	struct raft_configuration conf;
	const char *line = "\xE2\x80\x94 example/node-2 AAAA\n";
	char note[LIMIT_NOTE_SIZE_MAX];

	raft_configuration_init(&conf);
	FUZZ_DEMAND(raft_configuration_add(&conf, 1, "1", RAFT_VOTER) == 0);
	FUZZ_DEMAND(raft_configuration_add(&conf, 2, "2", RAFT_VOTER) == 0);
	FUZZ_DEMAND(raft_configuration_add(&conf, 3, "3", RAFT_SPARE) == 0);
	frames_of_leader(&conf);
	frames_of_followers();
	raft_configuration_close(&conf);
	struct frame f = {.type = FRAME_ANNOUNCE, .announce = {.size = 13, .note = note}};
	f.announce.note_len = fixture_checkpoint(&ledger, 13, (struct fixture_signers){.logs = 1}, note);
	seed_frame("announce", &f);
	f = (struct frame){.type = FRAME_COSIGNATURE, .cosignature = {13, line, strlen(line)}};
	seed_frame("cosignature", &f);
	f = (struct frame){.type = FRAME_HELLO, .hello = {FRAME_VERSION, 12, 13}};
	seed_frame("hello", &f);
	f = (struct frame){.type = FRAME_FETCH, .fetch = {3, 12, 100}};
	seed_frame("fetch", &f);
	f = (struct frame){.type = FRAME_CHUNK, .chunk = {2, 12, (const uint8_t *)"bytes", 5}};
	seed_frame("chunk", &f);
}

static void seed_channel(void)
{
	static const uint8_t secrets[2][32] = {{1, 2, 3}, {4, 5, 6}}, init_choice = 0, data_choice = 2;
	struct channel_keypair a, b;
	struct channel_initiator i;
	struct channel_session s = {.id = 7};
	uint8_t frame[CHANNEL_INIT_SIZE];

	FUZZ_DEMAND(channel_keypair_from_secret(&a, secrets[0]) == 0 &&
	            channel_keypair_from_secret(&b, secrets[1]) == 0);
	FUZZ_DEMAND(channel_initiate(&i, &a, b.pub, CHANNEL_CLIENT, 1, FIXTURE_ORIGIN, 5, frame) == 0);
	seed_after("channel", "init", &init_choice, 1, frame, sizeof frame);
	FUZZ_DEMAND(channel_seal(&s, NULL, "plain", 5, buf) == 0);
	seed_after("channel", "data", &data_choice, 1, buf, 5 + CHANNEL_OVERHEAD);
}

/* --- clients' messages --- */

static void seed_request(const char *name, unsigned type, const uint8_t *body, size_t body_len)
{
	struct wire_request r = {.id = {1, 2, 3}, .type = type, .deadline_ms = 500, .body = body, .body_len = body_len};

	FUZZ_DEMAND(wire_request_encode(&r, buf, sizeof buf, &len) == 0);
	seed("request", name, buf, len);
}

static void seed_many(const uint8_t *body, size_t body_len)
{
	static const uint8_t id[WIRE_REQUEST_ID_SIZE] = {9};
	struct wire_request r = {.type = WIRE_DECIDE, .deadline_ms = 500, .body = body, .body_len = body_len};
	struct writer w;

	writer_init(&w, buf, sizeof buf);
	wire_many_begin(&w, id, 700, 3);
	for (uint8_t i = 0; i < 3; i++) {
		r.id[0] = i;
		wire_many_add(&w, &r);
		r.type = WIRE_CHECK;
	}
	FUZZ_DEMAND(writer_end(&w, &len) == 0);
	seed("request", "many", buf, len);
}

static void seed_reply(const char *name, int err, const uint8_t *body, size_t body_len)
{
	struct wire_reply r = {.id = {1, 2, 3}, .err = err, .body = body, .body_len = body_len};

	if (err)
		snprintf(r.text, sizeof r.text, "why"), snprintf(r.leader_url, sizeof r.leader_url, "tcp://h:1");
	FUZZ_DEMAND(wire_reply_encode(&r, buf, sizeof buf, &len) == 0);
	seed("reply", name, buf, len);
}

static void seed_replies(void)
{
	static struct wire_proved p;
	static uint8_t body[WIRE_REPLY_SIZE_MAX];
	struct wire_status s = {.node_id = 1, .term = 3, .role = "leader", .health = "ok", .version = "0.1"};
	char note[LIMIT_NOTE_SIZE_MAX];
	size_t n;

	p.leaf = kit.out->leaf;
	p.leaf_len = kit.out->leaf_len;
	p.body = kit.out->body;
	p.body_len = kit.out->body_len;
	p.n_proof = 2;
	p.checkpoint = note;
	p.checkpoint_len = fixture_checkpoint(&ledger, 13, (struct fixture_signers){.logs = 1}, note);
	FUZZ_DEMAND(wire_proved_encode(&p, body, sizeof body, &n) == 0);
	seed_reply("proved", 0, body, n);
	FUZZ_DEMAND(wire_status_encode(&s, body, sizeof body, &n) == 0);
	seed_reply("status", 0, body, n);
	seed_reply("not-leader", CS_ERR_NOT_LEADER, NULL, 0);
}

/* --- commands: each that made the history, and the request in it --- */

static struct batch_writer batch;

static void seed_command(const char *name, unsigned wire_type)
{
	struct command c;
	uint8_t *at;

	seed("command", name, kit.command, kit.command_len);
	FUZZ_DEMAND(command_decode(&c, kit.command, kit.command_len) == 0);
	if (wire_type)
		seed_request(name, wire_type, c.payload, c.payload_len);
	FUZZ_DEMAND(batch_room(&batch, &at) >= kit.command_len);
	memcpy(at, kit.command, kit.command_len);
	batch_add(&batch, kit.command_len);
}

static void seed_leaf(const char *name)
{
	uint8_t front[2];

	front[0] = (uint8_t)(kit.out->leaf_len >> 8);
	front[1] = (uint8_t)kit.out->leaf_len;
	memcpy(buf, kit.out->leaf, kit.out->leaf_len);
	memcpy(buf + kit.out->leaf_len, kit.out->body, kit.out->body_len);
	seed_after("entry", name, front, 2, buf, kit.out->leaf_len + kit.out->body_len);
}

/* Orders about what the ledger keeps; each payload is a seed of the decoders, whoever signed it. */
static void seed_keeping(void)
{
	static const uint8_t blind[32] = {7}, sig[64] = {8};
	struct admin_signature admin = {.name = {"root", 4}, .sequence = 9, .expiry_ms = 10, .signature = sig};
	struct hold_order h = {.action = HOLD_SET,
	                       .subject_type = {"user", 4},
	                       .subject_id = {"ada", 3},
	                       .reason = {"a lawsuit", 9},
	                       .admin = admin};
	struct erase_order e = {.target = ERASE_ENTRY,
	                        .index = 3,
	                        .fields = ERASE_FIELD(FIELD_DEVICE) | ERASE_FIELD(FIELD_ADDRESS),
	                        .blind = blind,
	                        .reason = {"by mistake", 10},
	                        .admin = admin};
	struct erasure_done d = {1, 12, 3, 0};
	uint8_t payload[512];
	size_t n;

	FUZZ_DEMAND(hold_order_encode(&h, payload, sizeof payload, &n) == 0);
	kit_apply(&kit, COMMAND_HOLD, KIT_ADMIN, NULL, payload, n, NULL, 0);
	seed_command("hold", WIRE_HOLD);
	FUZZ_DEMAND(erase_order_encode(&e, payload, sizeof payload, &n) == 0);
	kit_apply(&kit, COMMAND_ERASE, KIT_ADMIN, NULL, payload, n, NULL, 0);
	seed_command("erase", WIRE_ERASE);
	FUZZ_DEMAND(erasure_done_encode(&d, payload, sizeof payload, &n) == 0);
	kit_apply(&kit, COMMAND_ERASURE_DONE, 0, NULL, payload, n, NULL, 0);
	seed_command("erasure-done", 0);
}

static void seed_commands(void)
{
	static uint8_t batch_buf[BATCH_SIZE_MAX];
	const struct hash root = {{7}};
	uint8_t key[32] = {77};
	struct request q;
	struct command c;
	struct state_head head;

	batch_begin(&batch, batch_buf, sizeof batch_buf);
	state_head(kit.s, &head);
	kit_answer(&kit, KIT_GATEWAY, head.size - 2, "ada-key", kit.device_sk);
	seed_command("answer", WIRE_ANSWER);
	seed_leaf("answer");
	kit_ask_for(&kit, "ada", "read", "laptop", "192.0.2.7");
	seed_command("decide", WIRE_DECIDE);
	seed_leaf("decision");
	FUZZ_DEMAND(command_decode(&c, kit.command, kit.command_len) == 0);
	seed_many(c.payload, c.payload_len);
	seed_replies();
	kit_request(&q, "cyd", "read", "phone", "2001:db8::7");
	kit_import(&kit, &q, kit.now_ms - KIT_HOUR_MS);
	seed_command("import", WIRE_IMPORT);
	kit_enroll(&kit, "second", ROLE_DECIDE, key, NULL, NULL);
	seed_command("enroll", WIRE_ENROLL);
	kit_remove(&kit, "second");
	seed_command("remove", WIRE_REMOVE);
	kit_policy(&kit, "version: 1\nthresholds: {step_up: 0, deny: 9}\nrules: [{id: r, verdict: risk}]\n");
	seed_command("policy", WIRE_POLICY_SET);
	kit_apply(&kit, COMMAND_TICK, 0, NULL, "\x90", 1, NULL, 0);
	seed_command("tick", 0);
	seed_keeping();
	seed("batch", "all", batch_buf, batch_end(&batch, 1, kit.now_ms, 99, &root));
	batch_begin(&batch, batch_buf, sizeof batch_buf);
	seed("batch", "empty", batch_buf, batch_end(&batch, 1, kit.now_ms, 99, &root));
	seed_request("hello", WIRE_HELLO, (const uint8_t *)"\x90", 1);
	seed_request("entries", WIRE_ENTRIES, (const uint8_t *)"\x93\x05\x10\x00", 4);
}

/* --- catch-up and snapshot --- */

static void seed_catchup(void)
{
	struct snapshot s = {.index = 900, .term = 3, .size = 13};
	uint8_t snapshot[SNAPSHOT_SIZE];
	size_t n = 0;

	for (unsigned i = 0; i < 3; i++) {
		const struct fixture_entry *e = &ledger.entry[i];
		put_u32be(buf + n, (uint32_t)e->leaf_len);
		put_u32be(buf + n + 4, (uint32_t)e->body_len);
		memcpy(buf + n + 8, e->leaf, e->leaf_len);
		memcpy(buf + n + 8 + e->leaf_len, e->body, e->body_len);
		n += 8 + e->leaf_len + e->body_len;
	}
	seed("catchup", "entries", buf, n);
	/* The last one's body: some of it was erased by one entry, some by another. */
	size_t last = 8 + ledger.entry[2].leaf_len + ledger.entry[2].body_len;
	put_u32be(buf + n - last + 4, (uint32_t)ledger.entry[2].body_len | CATCHUP_ERASURES);
	put_u32be(buf + n, 2);
	put_u64be(buf + n + 4, 11);
	put_u64be(buf + n + 12, UINT64_C(1) << FIELD_DEVICE);
	put_u64be(buf + n + 20, 12);
	put_u64be(buf + n + 28, STORE_ERASED_ALL);
	seed("catchup", "erased", buf, n + 36);
	snapshot_encode(&s, snapshot);
	seed("snapshot", "whole", snapshot, sizeof snapshot);
}

/* --- policies, genesis, files --- */

static void seed_conditions(void)
{
	static const char *const texts[] = {
	        "has(context.device) && context.device.startsWith('lap') ? risk < 1000 : !imported",
	        "[1, 2u, 'a', b'\\xff', null].map(x, type(x)).filter(t, t in [int, uint]).size() == 2",
	        "{'a': [context], 'b': 7}.exists(k, k.matches('^(a|b){1,3}[[:alpha:]]*$')) || signals.new_device > 0",
	        "now - timestamp('2024-02-29T12:00:00.5+01:00') > duration('1h30m') && now.getHours('-07:30') in [1, "
	        "2]",
	        "r'\\' + \"\\u00e4\\101\" != '''it's''' && -9223372036854775808 / 3 % 7 < 2 && groups.all(g, g.size() "
	        "> 1)"};
	static struct cel_program p;
	static uint8_t form[8192];
	struct cel_work *w = cel_work_new();
	struct cel_error e;
	uint16_t root;
	uint32_t cost;
	size_t n;
	char name[16];

	FUZZ_DEMAND(w != NULL);
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		snprintf(name, sizeof name, "text-%u", i);
		seed_text("condition", name, texts[i]);
		FUZZ_DEMAND(cel_compile(w, cel_request_env(), (struct text){texts[i], strlen(texts[i])}, CEL_WANTS_BOOL,
		                        &p, &root, &cost, &e) == 0);
		FUZZ_DEMAND(cel_write(&p, root, form, sizeof form, &n) == 0);
		seed("conditions", name, form, n);
	}
	cel_work_free(w);
}

static void seed_policies(void)
{
	static uint8_t compiled[POLICY_COMPILED_SIZE_MAX];
	static const char *const texts[] = {
	        "version: 1\nthresholds: {step_up: 0, deny: 5000}\nrules: [{id: by-risk, verdict: risk}]\n",
	        "version: 1\nname: small\nbias: -2000\nthresholds: {step_up: -10, deny: 5000}\nvalid_for: 5s\n"
	        "rates: {subject: 3, client: 20}\nweights: {client_velocity: 10}\nsensitive: ['deploy*', delete]\n"
	        "challenge: {methods: [ed25519], expires: 2m}\n"
	        "rules:\n- {id: a, match: {action: [read, 'get*'], context: {mfa: true}}, verdict: "
	        "allow}\n"
	        "- {id: b, match: {subject: 'a*b', context: {age: 7}}, weight: 300}\n"
	        "- {id: by-risk, verdict: risk}\n",
	        "version: 2\nthresholds: {step_up: 0, deny: 5000}\n"
	        "rules: [{id: a, when: 'signals.new_device > 0 && risk > -100', verdict: step_up}, {id: b, verdict: "
	        "allow}]\n"};
	struct policy_error e;
	char name[16];

	seed_conditions();
	seed_text("policy", "default", policy_default_yaml());
	FUZZ_DEMAND(policy_compile(policy_default_yaml(), strlen(policy_default_yaml()), compiled, sizeof compiled,
	                           &len, &e) == 0);
	seed("compiled", "default", compiled, len);
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		snprintf(name, sizeof name, "text-%u", i);
		seed_text("policy", name, texts[i]);
		if (policy_compile(texts[i], strlen(texts[i]), compiled, sizeof compiled, &len, &e) == 0)
			seed("compiled", name, compiled, len);
		else
			fprintf(stderr, "policy %s: %u:%u: %s\n", name, e.line, e.column, e.text);
	}
}

#define KEY32 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void seed_files(void)
{
	seed_text("settings", "whole",
	          "node: 1\norigin: acme-0123456789abcdef\ngenesis: genesis\ngenesis_hash: " KEY32
	          "\nkeys: node.key\ndata: /var/lib/countersign\nlisten: [tcp://127.0.0.1:7101, ipc:///run/cs.sock]\n"
	          "link: 127.0.0.1:7201\npeers:\n  - {id: 2, link: '[::1]:7202', url: tcp://127.0.0.1:7102, "
	          "channel: " KEY32
	          "}\nelection_timeout_ms: 300\nheartbeat_ms: 50\nbatch_commands_max: 64\ncontexts: 100\n"
	          "snapshot_entries: 64\nmap_size_mib: 64\nlog_level: debug\n");
	seed_text("keys", "node",
	          "countersign-key/v1\nname node 1\nchannel " KEY32 "\nlog " KEY32 "\ncosigner " KEY32 "\n");
	seed_text("keys", "person", "countersign-key/v1\nname ada\nsign " KEY32 "\n");
	seed_text("cluster", "whole",
	          "# Public.\norigin: \"acme-0123456789abcdef\"\ngenesis: \"" KEY32
	          "\"\ntrust: \"trust.policy\"\nnodes:\n  - {id: 1, url: \"tcp://127.0.0.1:7101\", channel: \"" KEY32
	          "\"}\n  - {id: 2, url: \"tcp://[::1]:7102\", channel: \"" KEY32 "\"}\n");
}

/* No record; and one that makes up no state. */
static void seed_statefile(void)
{
	static const char magic[] = "countersign/state/v1\n";
	static const uint8_t key[9] = {'h'};
	uint8_t bytes[256] = {0}, *p = bytes + sizeof magic - 1, *end;
	struct multiset sum = {0};
	struct hash digest;

	memcpy(bytes, magic, sizeof magic - 1);
	multiset_digest(&sum, &digest);
	memcpy(p + 40, digest.b, HASH_SIZE);
	seed("statefile", "empty", bytes, sizeof magic - 1 + 80);
	put_u64be(p, 7);
	put_u64be(p + 72, 1);
	end = p + 80;
	memcpy(end, key, sizeof key);
	put_u32be(end + 9, 2);
	memcpy(end + 13, "\x91\x02", 2);
	multiset_add(&sum, key[0], end + 13, 2);
	multiset_digest(&sum, &digest);
	memcpy(p + 40, digest.b, HASH_SIZE);
	seed("statefile", "one", bytes, (size_t)(end + 15 - bytes));
}

/* --- the ledger and its verifier --- */

/* An entry that supports itself. */
static void seed_supported(const char *json)
{
	static const char head[] = "{\"format\":\"countersign/bundle/v1\",";
	static char text[FORMAT_BUNDLE_SIZE_MAX];

	FUZZ_DEMAND(strncmp(json, head, sizeof head - 1) == 0);
	json += sizeof head - 1;
	snprintf(text, sizeof text, "{\"format\":\"" FORMAT_BUNDLE_2 "\",\"supports\":[{%s],%s", json, json);
	seed_text("bundle", "supported", text);
}

static void seed_ledger(void)
{
	static const struct fixture_signers all = {.logs = 3, .cosigners = 7, .witness = true, .stranger = true},
	                                    few = {.logs = 1, .cosigners = 1};
	static const uint8_t front[2] = {5, 0};
	char note[LIMIT_NOTE_SIZE_MAX], proof[FORMAT_PROOF_SIZE_MAX], trust[4096];
	size_t n = fixture_checkpoint(&ledger, 13, all, note), n_all = 1;

	seed("note", "note", note, n);
	seed("checkpoint", "quorum", note, n);
	n = fixture_proof(&ledger, 5, 13, note, proof);
	seed_after("proof", "quorum", front, 2, proof, n);
	char *json = fixture_bundle(&ledger, 5, UINT64_MAX, proof, &n);
	seed("bundle", "whole", json, n);
	free(json);
	json = fixture_bundle(&ledger, 5, 0, proof, &n);
	seed("bundle", "closed", json, n);
	seed_supported(json);
	free(json);
	n = fixture_checkpoint(&ledger, 13, few, note);
	seed("checkpoint", "claim", note, n);
	seed_text("note", "key", ledger.cosigner[0].vkey);
	seed_text("note", "base64", KEY32);
	snprintf(trust, sizeof trust,
	         "# whom\nlog %s https://h/\nwitness n1 %s\nwitness n2 %s\ngroup g 1 n1 n2\ngroup h all g n1\n"
	         "quorum h\n",
	         ledger.log[0].vkey, ledger.cosigner[0].vkey, ledger.cosigner[1].vkey);
	seed_text("trust", "groups", trust);
	snprintf(trust, sizeof trust, "log %s\nquorum none\n", ledger.log[0].vkey);
	seed_text("trust", "none", trust);
	buf[0] = 4;
	for (unsigned i = 0; i < 4; i++) {
		const struct fixture_entry *e = &ledger.entry[i];
		buf[n_all] = (uint8_t)(e->leaf_len >> 8);
		buf[n_all + 1] = (uint8_t)e->leaf_len;
		memcpy(buf + n_all + 2, e->leaf, e->leaf_len);
		n_all += 2 + e->leaf_len;
	}
	seed("audit", "four", buf, n_all);
	memmove(buf + 3, buf + 1, n_all - 1);
	buf[0] = 3; /* Four entries. */
	buf[1] = (uint8_t)((n_all - 1) >> 8);
	buf[2] = (uint8_t)(n_all - 1);
	n_all += 2;
	for (unsigned i = 0; i < 4; i++, n_all += HASH_SIZE)
		memcpy(buf + n_all, ledger.entry[i].hash.b, HASH_SIZE);
	seed("tiles", "four", buf, n_all);
}

/* The same as of a ledger that carries on another one. */
static void seed_restored(const uint8_t *one, size_t one_len)
{
	static const uint8_t root[HASH_SIZE] = {1}, digest[HASH_SIZE] = {2};
	static uint8_t restored[65536];
	struct genesis g;
	size_t n;

	FUZZ_DEMAND(genesis_decode(&g, one, one_len) == 0);
	g.restored = true;
	g.predecessor = (struct predecessor){
	        .origin = {"old-1", 5}, .size = 700, .state_size = 690, .root = root, .digest = digest};
	FUZZ_DEMAND(genesis_encode(&g, restored, sizeof restored, &n) == 0);
	seed("genesis", "restored", restored, n);
}

int main(int argc, char **argv)
{
	if (argc != 2 || sodium_init() < 0) {
		fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
		return 2;
	}
	top = argv[1];
	if (mkdir(top, 0777) && errno != EEXIST) {
		perror(top);
		return 1;
	}
	fixture_init(&ledger);
	fuzz_history(&kit);
	seed_frames();
	seed_channel();
	seed_catchup();
	seed_commands();
	uint8_t *records = fuzz_history_records(&kit, &len);
	seed("state", "history", records, len);
	seed("carry", "history", records, len);
	free(records);
	len = kit_genesis(&kit, NULL, buf, sizeof buf);
	seed("genesis", "one", buf, len);
	seed_restored(buf, len);
	seed_policies();
	seed_files();
	seed_statefile();
	seeds_of_backup();
	seed_ledger();
	seeds_of_log();
	seeds_of_evidence();
	seeds_of_reads();
	return 0;
}
