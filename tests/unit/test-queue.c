/* The queue: who waits is started, in order, and nobody is lost. */
#include "engine/queue.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/claim.h"
#include "engine/file.h"
#include "engine/jobs.h"
#include "engine/lock.h"
#include "engine/pending.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

static struct loop *loop;
static struct store *store;
static struct index *runs;
static struct python *python;
static struct launcher *launcher;
static struct queue *queue;
static struct strbuf told; /* what came to what, in order */
static size_t n_told, n_expected;
static char *helper, *op_main;

static void on_index(void *userdata)
{
	launcher_ask_again(launcher);
	if (queue)
		queue_look(queue);
}

static void begin(void)
{
	const char *scripts = getenv("RUNFS_SCRIPTS");
	struct launcher_config config = { .supervisor = getenv("RUNFS_SUPERVISOR"),
					  .stop_timeout_us = 1000000 };

	scratch_make();
	store = scratch_store();
	cr_assert_gt(asprintf(&helper, "%s/python-flags.py", scripts), 0);
	cr_assert_gt(asprintf(&op_main, "%s/op-main.py", scripts), 0);
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(index_new(loop, store, on_index, NULL, &runs), 0);
	cr_assert_eq(python_new(loop, helper, &python), 0);
	config.loop = loop;
	config.store = store;
	config.index = runs;
	config.python = python;
	config.op_main = op_main;
	cr_assert_eq(launcher_new(&config, &launcher), 0);
}

static void end(void)
{
	queue_free(queue);
	launcher_free(launcher);
	python_free(python);
	index_free(runs);
	store_free(store);
	loop_free(loop);
	free(helper);
	free(op_main);
	strbuf_done(&told);
	scratch_remove();
}

TestSuite(queue, .init = begin, .fini = end, .timeout = 300);

static void on_turn(void *userdata, const char *id, int r, struct str answer)
{
	strbuf_addf(&told, "%s: %d ", id, r);
	strbuf_addstr(&told, answer);
	strbuf_addc(&told, '\n');
	if (++n_told == n_expected)
		loop_stop(loop);
}

static void put_run(const char *id)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	scratch_put_run(id);
	scratch_put_guild(id, "opref", "guildfile:/p/guild.yml 1 '' t");
	strbuf_addf(&path, "home/runs/%s/x.sh", id);
	scratch_put_program(strbuf_cstr(&path), "#!/bin/sh\necho $1\n");
	scratch_put_attr(id, "flags", "{x: 1}\n");
	scratch_put_attr(id, "exit_status", "0\n");
	scratch_put_attr(id, "op", "op-cmd: {cmd-args: [./x.sh, '${x}']}\n");
}

/* The run @id, which waits since @order with @request. */
static void put_waiting(const char *id, int64_t order, const char *request)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct pending pending = { .order_us = order,
				   .request = (char *)(uintptr_t)request };

	put_run(id);
	cr_assert_eq(pending_format(&pending, &text), 0);
	scratch_put_guild(id, "PENDING", strbuf_cstr(&text));
	close_fd(pending_announce(store_fd(store), id, order));
}

static void serve(void)
{
	struct queue_config config = { .loop = loop,
				       .store = store,
				       .index = runs,
				       .launcher = launcher,
				       .fn = on_turn };

	cr_assert_eq(queue_new(&config, &queue), 0);
}

/* Runs until @n have been told of. */
static void await_told(size_t n)
{
	n_expected = n;
	if (n_told < n)
		run_patiently(loop);
}

static enum run_status status_of(const char *id)
{
	_cleanup_(run_freep) struct run *run = scratch_run(id);

	return run_status(run);
}

static bool has_ended(const void *id)
{
	return !run_status_is_live(status_of(id));
}

static void expect_output(const char *id, const char *expected)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	_cleanup_free_ char *text = NULL;

	await(has_ended, id, "the end of a run");
	strbuf_addf(&path, "home/runs/%s/.guild/output", id);
	text = scratch_get(strbuf_cstr(&path));
	expect_text(str_from(text ? text : "(none)"), expected, id);
}

Test(queue, who_waits_is_started_in_order)
{
	put_waiting("b", 1, "x=2\n");
	put_waiting("a", 3, "x=4\n");
	put_waiting("c", 2, "x=3\n");
	serve();
	await_told(3);
	cr_expect_str_eq(strbuf_cstr(&told), "b: 0 Restarting b\nc: 0 Restarting c\n"
					     "a: 0 Restarting a\n");
	expect_output("b", "2\n");
	expect_output("c", "3\n");
	expect_output("a", "4\n");
	cr_expect_not(scratch_has("home/runfs/queue/a"));
}

Test(queue, what_waits_later_is_seen)
{
	serve();
	run_for(loop, 100000);
	put_waiting("a", 1, "\n");
	await_told(1);
	expect_output("a", "1\n");
}

static void ignore(void *userdata, const char *id)
{
}

Test(queue, one_that_nobody_announces_is_found_when_runs_are_listed)
{
	put_waiting("b", 1, "");
	put_waiting("a", 2, "");
	scratch_delete("home/runfs/queue");
	scratch_put("home/runfs/jobs", "pause\n");
	serve();
	run_for(loop, 10000);
	cr_expect_eq(queue_length(queue), 0);
	while (index_each(runs, NULL, ignore, NULL) == -EINPROGRESS)
		run_for(loop, 1000);
	cr_expect(scratch_has("home/runfs/queue/a"));
	scratch_put("home/runfs/jobs", "0\n");
	await_told(2);
	cr_expect_str_eq(strbuf_cstr(&told), "b: 0 Restarting b\na: 0 Restarting a\n");
	expect_output("a", "1\n");
	cr_expect_not(scratch_has("home/runfs/queue/a"));
}

Test(queue, none_starts_while_there_is_no_slot_and_the_end_of_one_is_seen_at_once)
{
	int64_t before_us;
	int slot_fd;

	scratch_put("home/runfs/jobs", "1\n");
	slot_fd = claim_make(store_fd(store), JOBS_SLOTS_DIR, "x", STR(""), false);
	cr_assert_geq(slot_fd, 0);
	put_waiting("a", 1, "\n");
	serve();
	run_for(loop, 100000);
	cr_expect_eq(n_told, 0);
	cr_expect_eq(status_of("a"), RUN_PENDING);
	before_us = loop_now_us();
	close_fd(slot_fd); /* as the kernel does for a supervisor that is killed */
	await_told(1);
	cr_expect_lt(loop_now_us() - before_us, 900000, "not by the tick");
	expect_output("a", "1\n");
}

Test(queue, a_new_limit_is_seen)
{
	struct jobs jobs = { .kind = JOBS_MAX };

	scratch_put("home/runfs/jobs", "pause\n");
	put_waiting("a", 1, "\n");
	serve();
	run_for(loop, 100000);
	cr_expect_eq(n_told, 0);
	cr_assert_eq(jobs_write(store_fd(store), &jobs), 0);
	await_told(1);
}

Test(queue, a_lock_that_is_held_for_a_moment_loses_nobody_the_turn)
{
	_cleanup_close_ int guild_fd = -1;

	put_waiting("a", 1, "\n");
	put_waiting("b", 2, "\n");
	guild_fd = file_open_dir(scratch_fd, "home/runs/a/.guild");
	cr_assert_eq(lock_try(guild_fd), 0);
	serve();
	run_for(loop, 100000);
	cr_expect_eq(n_told, 0);
	close_fd(take_fd(&guild_fd));
	await_told(2);
	cr_expect_str_eq(strbuf_cstr(&told), "a: 0 Restarting a\nb: 0 Restarting b\n");
}

Test(queue, a_lock_that_is_never_let_go_holds_up_only_its_own)
{
	_cleanup_close_ int guild_fd = -1;

	put_waiting("a", 1, "\n");
	put_waiting("b", 2, "\n");
	guild_fd = file_open_dir(scratch_fd, "home/runs/a/.guild");
	cr_assert_eq(lock_try(guild_fd), 0);
	serve();
	await_told(1);
	cr_expect_str_eq(strbuf_cstr(&told), "b: 0 Restarting b\n");
	cr_expect_eq(status_of("a"), RUN_PENDING);
}

Test(queue, what_can_not_be_started_is_an_error_that_says_why)
{
	put_waiting("a", 1, "z=1\n");
	put_waiting("b", 2, "\n");
	put_waiting("c", 3, "\n");
	scratch_delete("home/runs/b/x.sh");
	serve();
	await_told(3);
	expect_output("b", "'./x.sh' is not there\n");
	cr_expect_eq(status_of("b"), RUN_ERROR);
	cr_expect_not(scratch_has("home/runs/b/.guild/attrs/exit_status"));
	cr_expect_eq(status_of("a"), RUN_ERROR);
	expect_sentence(&told, "a: -22 unsupported flag 'z'", "");
	expect_sentence(&told, "b: -2 './x.sh' is not there", "");
	expect_output("c", "1\n");
}

Test(queue, a_run_that_is_not_needed_any_more_is_as_before)
{
	put_waiting("a", 1, "--needed\n");
	serve();
	await_told(1);
	expect_sentence(&told, "a: 0 Skipping run", "");
	cr_expect_eq(status_of("a"), RUN_COMPLETED);
	cr_expect_not(scratch_has("home/runfs/queue/a"));
}

static bool has_no_announcement(const void *id)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	run_for(loop, 10000);
	strbuf_addf(&path, "home/runfs/queue/%s", (const char *)id);
	return !scratch_has(strbuf_cstr(&path));
}

Test(queue, an_announcement_of_nothing_goes)
{
	put_run("ended");
	close_fd(pending_announce(store_fd(store), "ended", 1));
	close_fd(pending_announce(store_fd(store), "gone", 2));
	put_waiting("a", 3, "\n");
	serve();
	await_told(1);
	await(has_no_announcement, "ended", "an announcement goes");
	await(has_no_announcement, "gone", "an announcement goes");
	cr_expect_eq(status_of("ended"), RUN_COMPLETED);
}

Test(queue, an_announcement_that_is_being_made_stays)
{
	_cleanup_close_ int held = -1;

	put_run("new");
	held = pending_announce(store_fd(store), "new", 1);
	serve();
	run_for(loop, 200000);
	cr_expect(scratch_has("home/runfs/queue/new"));
}

/* Descriptors run out where a start needs them: the run waits on, and is started later.
 */
Test(queue, a_lack_that_passes_is_no_error)
{
	struct rlimit limit;
	int fds[128], n = 0;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 128;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	put_waiting("a", 1, "\n");
	serve();
	while (n < 128 && (fds[n] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		n++;
	/* The first of them is for the test's own timer. */
	while (n > 0 && n_told == 0) {
		close_fd(fds[--n]);
		queue_look(queue);
		run_for(loop, 3000);
	}
	while (n > 0)
		close_fd(fds[--n]);
	await_told(1);
	cr_expect_str_eq(strbuf_cstr(&told), "a: 0 Restarting a\n");
	expect_output("a", "1\n");
}

Test(queue, two_that_serve_a_home_start_each_run_once)
{
	struct queue_config config = { .loop = loop,
				       .store = store,
				       .index = runs,
				       .launcher = launcher,
				       .fn = on_turn };
	struct queue *other = NULL;

	scratch_put("home/runfs/jobs", "2\n");
	for (int i = 0; i < 6; i++)
		put_waiting((char[]){ (char)('a' + i), '\0' }, i + 1, "\n");
	serve();
	cr_assert_eq(queue_new(&config, &other), 0);
	await_told(6);
	run_for(loop, 100000);
	cr_expect_eq(n_told, 6);
	queue_free(other);
	for (int i = 0; i < 6; i++)
		expect_output((char[]){ (char)('a' + i), '\0' }, "1\n");
}
