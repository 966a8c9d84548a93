/*
 * Open files: snapshots, requests and their answers on rows of our own making, and the
 * output and the end of runs in a scratch home, of which a held LOCK makes a live one.
 */
#include "fs/handle.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/file.h"
#include "engine/lock.h"
#include "engine/request.h"
#include "scratch.h"

#define PID   100
#define OWNER 1

/* What the rows below do, and what was done to them. */
static struct {
	const char *content; /* of a read */
	int read_result, check_result, commit_result, operation_result;
	const char *sentence; /* of a check or commit */
	int n_reads, n_checks, n_commits;
	struct strbuf committed;
	struct commit *commit;
	const struct operation *operation;
	int n_called_back;
} fake;

static struct view view;
static int lock_fd = -1, guild_fd = -1;

static int fake_read(const struct node *node, struct strbuf *ret_text)
{
	fake.n_reads++;
	return fake.read_result < 0 ? fake.read_result
				    : strbuf_adds(ret_text, fake.content);
}

static int fake_operation(const struct node *node, struct operation **ret)
{
	*ret = fake.operation_result < 0 ? NULL : operation_new();
	fake.operation = *ret;
	return fake.operation_result;
}

static int fake_check(const struct node *node, const struct operation *operation,
		      struct str text, struct strbuf *ret_why)
{
	fake.n_checks++;
	cr_expect_eq(operation, fake.operation);
	if (fake.check_result < 0)
		strbuf_adds(ret_why, fake.sentence);
	return fake.check_result;
}

static int fake_commit(const struct node *node, struct commit *commit, struct str text,
		       struct strbuf *ret_answer)
{
	fake.n_commits++;
	cr_expect_eq(commit->operation, fake.operation);
	strbuf_reset(&fake.committed);
	strbuf_addstr(&fake.committed, text);
	strbuf_adds(ret_answer, fake.sentence);
	fake.commit = commit;
	return fake.commit_result;
}

static const struct node_type snapshot_type = { "snapshot", S_IFREG | 0444,
						.read = fake_read };
static const struct node_type empty_type = { "empty", S_IFREG | 0444 };
static const struct node_type control_type = {
	"control",	     S_IFREG | 0644,	    .read = fake_read,
	.check = fake_check, .commit = fake_commit, .operation = fake_operation
};
static const struct node_type output_type = { "output", S_IFREG | 0444, NODE_OUTPUT,
					      .backing = "output" };
static const struct node_type wait_type = { "wait", S_IFREG | 0444, NODE_WAIT,
					    .read = fake_read };

static struct node snapshot, empty, control, output, wait_node;

static struct node make_node(const struct node_type *type)
{
	return (struct node){ .view = &view,
			      .type = type,
			      .path = (char *)(uintptr_t)type->name,
			      .run_id = (char *)(uintptr_t) "r1" };
}

static void make(void)
{
	scratch_make();
	view_init(&view);
	view.store = scratch_store();
	snapshot = make_node(&snapshot_type);
	empty = make_node(&empty_type);
	control = make_node(&control_type);
	output = make_node(&output_type);
	wait_node = make_node(&wait_type);
	fake.content = "content\n";
	fake.sentence = "";
}

static void end_run(void)
{
	scratch_put_attr("r1", "exit_status", "0\n");
	if (lock_fd >= 0)
		lock_remove(guild_fd, lock_fd);
	close_fd(take_fd(&lock_fd));
	close_fd(take_fd(&guild_fd));
}

static void finish(void)
{
	end_run();
	strbuf_done(&fake.committed);
	view_done(&view);
	store_free(view.store);
	scratch_remove();
}

TestSuite(handle, .init = make, .fini = finish, .timeout = 60);

/* The run r1, which goes on until end_run(). */
static void begin_run(void)
{
	scratch_put_run("r1");
	guild_fd = file_open_dir(scratch_fd, "home/runs/r1/.guild");
	lock_fd = lock_take(guild_fd);
	cr_assert_geq(lock_fd, 0);
}

static void call_back(void *userdata, struct handle *handle)
{
	fake.n_called_back++;
	cr_expect_eq(userdata, &fake);
	cr_expect_not(handle_is_committing(handle));
}

static struct handle *open_node(const struct node *node, int flags)
{
	struct handle *handle = NULL;

	cr_assert_eq(handle_open(node, flags, PID, call_back, &fake, &handle), 0);
	return handle;
}

/* One read that must give @text, or fail as @result says. */
static void expect_read(struct handle *handle, off_t offset, size_t size, int result,
			const char *text)
{
	_cleanup_(strbuf_done) struct strbuf data = STRBUF_INIT;
	int r = handle_read(handle, offset, size, false, &data);

	cr_expect_eq(r, result, "%d instead of %d (%s)", r, result, text);
	cr_expect(str_is(strbuf_str(&data), text), "'%s' instead of '%s'",
		  strbuf_cstr(&data), text);
}

static int print(struct handle *handle, const char *text)
{
	return handle_write(handle, OWNER, str_from(text));
}

static int flush(struct handle *handle)
{
	return handle_flush(handle, OWNER, PID);
}

static void expect_committed(int n_commits, const char *text)
{
	cr_expect_eq(fake.n_commits, n_commits, "%d commits", fake.n_commits);
	cr_expect(str_is(strbuf_str(&fake.committed), text), "'%s' instead of '%s'",
		  strbuf_cstr(&fake.committed), text);
}

Test(handle, a_snapshot_is_that_of_open)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&snapshot, O_RDONLY);

	fake.content = "another\n";
	expect_read(handle, 0, 3, 0, "con");
	expect_read(handle, 3, 3, 0, "ten");
	expect_read(handle, 6, 100, 0, "t\n");
	expect_read(handle, 8, 100, 0, "");
	expect_read(handle, 1000, 100, 0, "");
	cr_expect_eq(fake.n_reads, 1);
}

Test(handle, reading_from_the_start_again_takes_a_new_snapshot)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&snapshot, O_RDONLY);

	expect_read(handle, 0, 100, 0, "content\n");
	fake.content = "x";
	expect_read(handle, 4, 100, 0, "ent\n");
	expect_read(handle, 0, 100, 0, "x");
	expect_read(handle, 1, 100, 0, "");
	cr_expect_eq(fake.n_reads, 2);
	fake.read_result = -ENOENT;
	expect_read(handle, 0, 100, -ENOENT, "");
}

Test(handle, a_snapshot_that_can_not_be_taken_fails_the_open)
{
	struct handle *handle = NULL;

	fake.read_result = -EBADMSG;
	cr_expect_eq(handle_open(&snapshot, O_RDONLY, PID, call_back, &fake, &handle),
		     -EBADMSG);
	fake.read_result = -EINPROGRESS;
	cr_expect_eq(handle_open(&snapshot, O_RDONLY, PID, call_back, &fake, &handle),
		     -EINPROGRESS);
	cr_expect_null(handle);
}

Test(handle, a_file_of_nothing_is_empty)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&empty, O_RDONLY);

	expect_read(handle, 0, 100, 0, "");
}

Test(handle, a_file_that_can_only_be_read_is_not_opened_for_writing)
{
	static const int flags[] = { O_WRONLY, O_RDWR, O_WRONLY | O_TRUNC | O_APPEND };
	struct handle *handle = NULL;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		cr_expect_eq(handle_open(&snapshot, flags[i], PID, call_back, &fake,
					 &handle),
			     -EACCES);
		cr_expect_eq(handle_open(&output, flags[i], PID, call_back, &fake,
					 &handle),
			     -EACCES);
	}
	cr_expect_eq(fake.n_reads, 0);
}

Test(handle, a_snapshot_takes_no_request)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&snapshot, O_RDONLY);

	cr_expect_eq(print(handle, "x=1\n"), -EACCES);
	cr_expect_eq(flush(handle), 0);
	cr_expect_eq(fake.n_checks, 0);
}

Test(handle, writes_are_judged_together_and_carried_out_once)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_WRONLY);

	cr_expect_eq(flush(handle), 0);
	cr_expect_eq(print(handle, "a=1\n"), 0);
	cr_expect_eq(print(handle, "b=2\n"), 0);
	cr_expect_eq(fake.n_checks, 2);
	expect_committed(0, "");
	cr_expect_eq(handle_flush(handle, OWNER + 1, PID + 1), 0);
	expect_committed(0, "");
	cr_expect_eq(flush(handle), 0);
	expect_committed(1, "a=1\nb=2\n");
	cr_expect_eq(flush(handle), 0);
	expect_committed(1, "a=1\nb=2\n");
}

Test(handle, nothing_written_is_nothing_done)
{
	struct handle *handle = open_node(&control, O_WRONLY | O_TRUNC);

	cr_expect_eq(flush(handle), 0);
	cr_expect_eq(flush(handle), 0);
	handle_release(handle);
	expect_committed(0, "");
	cr_expect_eq(fake.n_checks, 0);
}

Test(handle, a_fresh_open_reads_what_the_file_says)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_RDWR);

	expect_read(handle, 0, 100, 0, "content\n");
	expect_committed(0, "");
}

Test(handle, a_read_carries_out_and_gives_the_answer_at_its_own_cursor)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_RDWR);

	fake.sentence = "Restarting r1";
	cr_expect_eq(print(handle, "x=1\n"), 0);
	expect_read(handle, 4, 10, 0, "Restarting");
	expect_committed(1, "x=1\n");
	expect_read(handle, 14, 100, 0, " r1\n");
	expect_read(handle, 0, 100, 0, "");
	cr_expect_eq(flush(handle), 0);
	expect_committed(1, "x=1\n");
}

Test(handle, the_answer_to_a_second_request_is_read_from_its_start)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_RDWR);

	fake.sentence = "one";
	cr_expect_eq(print(handle, "x=1\n"), 0);
	expect_read(handle, 0, 100, 0, "one\n");
	fake.sentence = "two";
	cr_expect_eq(print(handle, "x=2\n"), 0);
	expect_read(handle, 0, 100, 0, "two\n");
	expect_committed(2, "x=2\n");
}

Test(handle, the_answer_is_kept_for_later_opens)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_WRONLY);

	fake.sentence = "Restarting r1";
	cr_expect_eq(print(handle, "\n"), 0);
	cr_expect_eq(flush(handle), 0);
	cr_expect(str_is(view_answer(&view, "control"), "Restarting r1\n"));
}

Test(handle, one_that_has_nothing_to_answer_gives_what_the_file_says)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_RDWR);

	fake.content = "completed\n";
	cr_expect_eq(print(handle, "completed\n"), 0);
	expect_read(handle, 0, 100, 0, "completed\n");
}

Test(handle, a_refused_write_says_why_and_does_nothing)
{
	struct handle *handle = open_node(&control, O_RDWR);

	fake.check_result = -EINVAL;
	fake.sentence = "unsupported flag 'q'";
	cr_expect_eq(print(handle, "q=1\n"), -EINVAL);
	cr_expect(str_is(view_answer(&view, "control"), "error: unsupported flag 'q'\n"));
	/* Python sends it twice. */
	cr_expect_eq(print(handle, "q=1\n"), -EINVAL);
	cr_expect_eq(fake.n_checks, 1);
	cr_expect_eq(flush(handle), 0);
	handle_release(handle);
	expect_committed(0, "");
}

Test(handle, an_error_without_a_sentence_is_named)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_WRONLY);

	fake.check_result = -EBUSY;
	cr_expect_eq(print(handle, "x=1\n"), -EBUSY);
	cr_expect(str_is(view_answer(&view, "control"),
			 "error: Device or resource busy\n"));
}

Test(handle, a_read_after_a_refused_write_fails_and_the_next_request_works)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_RDWR);

	fake.check_result = -EINVAL;
	cr_expect_eq(print(handle, "q=1\n"), -EINVAL);
	expect_read(handle, 0, 100, -EINVAL, "");
	expect_read(handle, 0, 100, -EINVAL, "");
	fake.check_result = 0;
	fake.sentence = "Restarting r1";
	cr_expect_eq(print(handle, "x=1\n"), 0);
	expect_read(handle, 0, 100, 0, "Restarting r1\n");
	expect_committed(1, "x=1\n");
}

Test(handle, after_a_refused_write_and_its_close_the_next_request_works)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_RDWR);

	fake.check_result = -EINVAL;
	cr_expect_eq(print(handle, "q=1\n"), -EINVAL);
	cr_expect_eq(flush(handle), 0);
	fake.check_result = 0;
	cr_expect_eq(print(handle, "x=1\n"), 0);
	cr_expect_eq(flush(handle), 0);
	expect_committed(1, "x=1\n");
}

Test(handle, a_commit_that_fails_fails_the_flush_and_the_reads)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_RDWR);

	fake.commit_result = -ENOENT;
	fake.sentence = "no such command";
	cr_expect_eq(print(handle, "x=1\n"), 0);
	cr_expect_eq(flush(handle), -ENOENT);
	expect_read(handle, 0, 100, -ENOENT, "");
	cr_expect_eq(handle_result(handle), -ENOENT);
	cr_expect(str_is(view_answer(&view, "control"), "error: no such command\n"));
	fake.commit_result = 0;
	cr_expect_eq(print(handle, "x=2\n"), 0);
	expect_read(handle, 0, 100, 0, "no such command\n");
	expect_committed(2, "x=2\n");
}

Test(handle, a_request_that_is_too_long_is_refused_by_every_file)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_WRONLY);
	_cleanup_free_ char *text = calloc(1, REQUEST_MAX_LEN + 1);
	int r = 0;

	memset(text, ' ', REQUEST_MAX_LEN);
	cr_expect_eq(print(handle, text), 0);
	r = print(handle, "x");
	cr_expect_eq(r, -E2BIG, "%d", r);
	cr_expect_eq(flush(handle), 0);
	cr_expect_eq(fake.n_commits, 0);
	cr_expect(str_starts(view_answer(&view, "control"), "error: a request has"));
}

Test(handle, the_operation_is_that_of_open)
{
	_cleanup_(handle_releasep) struct handle *reader = open_node(&control, O_RDONLY);
	_cleanup_(handle_releasep) struct handle *handle = NULL;

	cr_expect_null(fake.operation);
	handle = open_node(&control, O_WRONLY);
	cr_expect_not_null(fake.operation);
	cr_expect_eq(print(handle, "x=1\n"), 0);
	cr_expect_eq(flush(handle), 0);
	expect_committed(1, "x=1\n");
}

Test(handle, without_its_operation_there_is_no_open)
{
	struct handle *handle = NULL;

	fake.operation_result = -EINPROGRESS;
	cr_expect_eq(handle_open(&control, O_WRONLY, PID, call_back, &fake, &handle),
		     -EINPROGRESS);
	fake.operation_result = -ENOENT;
	cr_expect_eq(handle_open(&control, O_WRONLY, PID, call_back, &fake, &handle),
		     -ENOENT);
}

Test(handle, what_takes_time_is_told_when_it_is_through)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_RDWR);

	fake.commit_result = -EINPROGRESS;
	cr_expect_eq(print(handle, "x=1\n"), 0);
	cr_expect_eq(flush(handle), -EINPROGRESS);
	cr_expect(handle_is_committing(handle));
	expect_read(handle, 0, 100, -EINPROGRESS, "");
	cr_expect_eq(print(handle, "x=2\n"), -EBUSY);
	cr_expect_eq(handle_flush(handle, OWNER + 1, PID + 1), 0);
	expect_committed(1, "x=1\n");

	fake.commit->done(fake.commit->userdata, 0, STR("Restarting r1"));
	cr_expect_eq(fake.n_called_back, 1);
	cr_expect_eq(handle_result(handle), 0);
	expect_read(handle, 0, 100, 0, "Restarting r1\n");
	cr_expect_eq(flush(handle), 0);
	expect_committed(1, "x=1\n");
}

Test(handle, what_takes_time_may_fail_in_the_end)
{
	_cleanup_(handle_releasep) struct handle *handle = open_node(&control, O_RDWR);

	fake.commit_result = -EINPROGRESS;
	cr_expect_eq(print(handle, "x=1\n"), 0);
	expect_read(handle, 0, 100, -EINPROGRESS, "");
	fake.commit->done(fake.commit->userdata, -ENOSPC, STR("the disk is full"));
	cr_expect_eq(handle_result(handle), -ENOSPC);
	expect_read(handle, 0, 100, -ENOSPC, "");
	cr_expect(str_is(view_answer(&view, "control"), "error: the disk is full\n"));
}

Test(handle, the_release_carries_out_what_is_left)
{
	struct handle *handle = open_node(&control, O_WRONLY);

	cr_expect_eq(flush(handle), 0);
	cr_expect_eq(handle_write(handle, OWNER + 1, STR("x=1\n")), 0);
	cr_expect_eq(handle_flush(handle, OWNER + 1, PID + 1), 0);
	expect_committed(0, "");
	handle_release(handle);
	expect_committed(1, "x=1\n");
	cr_expect_eq(fake.n_called_back, 0);
}

Test(handle, a_release_waits_for_nobody_and_the_answer_is_kept)
{
	struct handle *handle = open_node(&control, O_WRONLY);

	fake.commit_result = -EINPROGRESS;
	cr_expect_eq(print(handle, "x=1\n"), 0);
	handle_release(handle);
	expect_committed(1, "x=1\n");
	fake.commit->done(fake.commit->userdata, 0, STR("Restarting r1"));
	cr_expect_eq(fake.n_called_back, 0);
	cr_expect(str_is(view_answer(&view, "control"), "Restarting r1\n"));
}

Test(handle, a_release_in_the_middle_of_a_commit_starts_none)
{
	struct handle *handle = open_node(&control, O_WRONLY);

	fake.commit_result = -EINPROGRESS;
	cr_expect_eq(print(handle, "x=1\n"), 0);
	cr_expect_eq(flush(handle), -EINPROGRESS);
	handle_release(handle);
	expect_committed(1, "x=1\n");
	fake.commit->done(fake.commit->userdata, -EIO, STR(""));
	cr_expect_eq(fake.n_called_back, 0);
	cr_expect(str_is(view_answer(&view, "control"), "error: Input/output error\n"));
}

Test(handle, no_handle_is_released_without_harm)
{
	handle_release(NULL);
}

Test(handle, the_end_of_the_output_is_the_end_of_the_run)
{
	_cleanup_(handle_releasep) struct handle *handle = NULL;

	begin_run();
	handle = open_node(&output, O_RDONLY);
	expect_read(handle, 0, 100, -EAGAIN, "");
	cr_expect_not(handle_is_readable(handle));
	scratch_put_guild("r1", "output", "one\n");
	cr_expect(handle_is_readable(handle));
	expect_read(handle, 0, 100, 0, "one\n");
	cr_expect_not(handle_is_readable(handle));
	expect_read(handle, 4, 100, -EAGAIN, "");
	expect_read(handle, 2, 1, 0, "e");
	scratch_put_guild("r1", "output", "one\ntwo");
	expect_read(handle, 4, 100, 0, "two");
	expect_read(handle, 7, 100, -EAGAIN, "");
	end_run();
	cr_expect(handle_is_readable(handle));
	expect_read(handle, 7, 100, 0, "");
	expect_read(handle, 0, 100, 0, "one\ntwo");
}

Test(handle, a_pending_run_is_followed_too)
{
	_cleanup_(handle_releasep) struct handle *handle = NULL;

	scratch_put_run("r1");
	scratch_put_guild("r1", "PENDING", "");
	handle = open_node(&output, O_RDONLY);
	expect_read(handle, 0, 100, -EAGAIN, "");
	scratch_put_attr("r1", "exit_status", "0\n");
	scratch_delete("home/runs/r1/.guild/PENDING");
	expect_read(handle, 0, 100, 0, "");
}

Test(handle, the_instant_without_a_marker_in_guilds_start_is_waited_through)
{
	_cleanup_(handle_releasep) struct handle *handle = NULL;
	struct timespec long_ago[2] = { { .tv_sec = 1769860800 },
					{ .tv_sec = 1769860800 } };
	struct run *run = NULL;

	scratch_put_run("r1");
	scratch_put_guild("r1", "PENDING", "");
	handle = open_node(&output, O_RDONLY);
	expect_read(handle, 0, 100, -EAGAIN, "");
	scratch_delete("home/runs/r1/.guild/PENDING");
	expect_read(handle, 0, 100, -EAGAIN, "");

	/* But not for ever. */
	cr_assert_eq(store_find(view.store, "r1", &run), 0);
	cr_assert_eq(futimens(run_guild_fd(run), long_ago), 0);
	run_free(run);
	expect_read(handle, 0, 100, 0, "");
}

Test(handle, without_blocking_or_following_a_read_gives_what_there_is)
{
	_cleanup_(strbuf_done) struct strbuf data = STRBUF_INIT;
	_cleanup_(handle_releasep) struct handle *handle = NULL;

	begin_run();
	handle = open_node(&output, O_RDONLY | O_NONBLOCK);
	cr_expect_eq(handle_read(handle, 0, 100, true, &data), 0);
	cr_expect_eq(data.len, 0);
	scratch_put_guild("r1", "output", "one\n");
	cr_expect_eq(handle_read(handle, 0, 100, true, &data), 0);
	cr_expect_str_eq(strbuf_cstr(&data), "one\n");
	cr_expect_eq(handle_read(handle, 4, 100, true, &data), 0);
	cr_expect_eq(data.len, 4);
	view.nofollow = true;
	expect_read(handle, 4, 100, 0, "");
}

Test(handle, a_restart_ends_the_output_that_it_replaces)
{
	_cleanup_(handle_releasep) struct handle *handle = NULL;
	_cleanup_(handle_releasep) struct handle *later = NULL;

	begin_run();
	scratch_put_guild("r1", "output", "old\n");
	handle = open_node(&output, O_RDONLY);
	expect_read(handle, 0, 100, 0, "old\n");
	scratch_put_guild("r1", "output.new", "new\n");
	cr_assert_eq(renameat(guild_fd, "output.new", guild_fd, "output"), 0);
	cr_expect(handle_is_readable(handle));
	expect_read(handle, 4, 100, 0, "");
	expect_read(handle, 0, 100, 0, "old\n");
	later = open_node(&output, O_RDONLY);
	expect_read(later, 0, 100, 0, "new\n");
	expect_read(later, 4, 100, -EAGAIN, "");
}

Test(handle, who_reads_a_run_that_waits_gets_the_output_of_the_start_to_come)
{
	_cleanup_(handle_releasep) struct handle *handle = NULL, *placed = NULL;

	scratch_put_run("r1");
	scratch_put_guild("r1", "output", "old\n");
	placed = open_node(&output, O_RDONLY);
	scratch_put_guild("r1", "PENDING", "");
	handle = open_node(&output, O_RDONLY);
	cr_expect_not(handle_is_readable(handle));
	expect_read(handle, 0, 100, -EAGAIN, "");
	expect_read(placed, 2, 100, 0, "d\n");
	expect_read(placed, 4, 100, 0, "");
	scratch_put_guild("r1", "output.new", "new\n");
	guild_fd = file_open_dir(scratch_fd, "home/runs/r1/.guild");
	cr_assert_eq(renameat(guild_fd, "output.new", guild_fd, "output"), 0);
	scratch_delete("home/runs/r1/.guild/PENDING");
	cr_expect(handle_is_readable(handle));
	expect_read(handle, 0, 100, 0, "new\n");
}

Test(handle, a_run_that_waits_no_more_gives_the_output_that_it_has)
{
	_cleanup_(handle_releasep) struct handle *handle = NULL;

	scratch_put_run("r1");
	scratch_put_guild("r1", "output", "old\n");
	scratch_put_guild("r1", "PENDING", "");
	handle = open_node(&output, O_RDONLY);
	expect_read(handle, 0, 100, -EAGAIN, "");
	scratch_delete("home/runs/r1/.guild/PENDING");
	expect_read(handle, 0, 100, 0, "old\n");
}

Test(handle, a_run_that_goes_ends_its_output)
{
	_cleanup_(handle_releasep) struct handle *handle = NULL;

	begin_run();
	scratch_put_guild("r1", "output", "one\n");
	handle = open_node(&output, O_RDONLY);
	scratch_delete("home/runs/r1");
	expect_read(handle, 0, 100, 0, "one\n");
	expect_read(handle, 4, 100, 0, "");
}

Test(handle, an_output_that_is_no_file_is_an_error)
{
	struct handle *handle = NULL;

	scratch_put_run("r1");
	scratch_put_link("home/runs/r1/.guild/output", "/etc/passwd");
	cr_expect_eq(handle_open(&output, O_RDONLY, PID, call_back, &fake, &handle),
		     -ELOOP);
	scratch_delete("home/runs/r1/.guild/output");
	scratch_make_dir("home/runs/r1/.guild/output");
	cr_expect_eq(handle_open(&output, O_RDONLY, PID, call_back, &fake, &handle),
		     -EIO);
	scratch_delete("home/runs/r1/.guild/output");
	cr_assert_eq(mkfifoat(scratch_fd, "home/runs/r1/.guild/output", 0644), 0);
	cr_expect_eq(handle_open(&output, O_RDONLY, PID, call_back, &fake, &handle),
		     -EIO);
}

Test(handle, binary_output_comes_through)
{
	_cleanup_(strbuf_done) struct strbuf data = STRBUF_INIT;
	_cleanup_(handle_releasep) struct handle *handle = NULL;
	_cleanup_close_ int fd = -1;

	scratch_put_run("r1");
	fd = openat(scratch_fd, "home/runs/r1/.guild/output",
		    O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	cr_assert_eq(file_write_fd(fd, STR("a\0\xff\r\nb")), 0);
	handle = open_node(&output, O_RDONLY);
	cr_expect_eq(handle_read(handle, 0, 4096, false, &data), 0);
	cr_expect(str_eq(strbuf_str(&data), STR("a\0\xff\r\nb")));
}

Test(handle, wait_gives_the_result_when_the_run_has_ended)
{
	_cleanup_(handle_releasep) struct handle *handle = NULL;

	begin_run();
	fake.content = "completed 0\n";
	handle = open_node(&wait_node, O_RDONLY);
	expect_read(handle, 0, 100, -EAGAIN, "");
	cr_expect_not(handle_is_readable(handle));
	cr_expect_eq(fake.n_reads, 0);
	end_run();
	cr_expect(handle_is_readable(handle));
	expect_read(handle, 0, 4, 0, "comp");
	expect_read(handle, 0, 100, 0, "leted 0\n");
	expect_read(handle, 0, 100, 0, "");
	cr_expect_eq(fake.n_reads, 1);
}

Test(handle, snapshots_and_control_files_are_always_readable)
{
	_cleanup_(handle_releasep) struct handle *one = open_node(&snapshot, O_RDONLY);
	_cleanup_(handle_releasep) struct handle *two = open_node(&control, O_RDWR);

	cr_expect(handle_is_readable(one) && handle_is_readable(two));
	cr_expect_eq(handle_node(two), &control);
}
