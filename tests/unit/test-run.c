/* One run: what is one, its attributes, and the status that all of it amounts to. */
#include "engine/run.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/file.h"
#include "descriptors.h"
#include "expect.h"
#include "scratch.h"

#define ID "0123456789abcdef0123456789abcdef"

TestSuite(run, .init = scratch_make, .fini = scratch_remove);

Test(run, an_id_is_the_name_of_a_plain_directory)
{
	static const struct {
		const char *id;
		bool valid;
	} rows[] = {
		{ ID, true },	      { "x", true },	  { "a b", true },
		{ "\xc3\xa9", true }, { "a.b-c", true },  { "", false },
		{ ".", false },	      { "..", false },	  { ".x", false },
		{ "a/b", false },     { "/", false },	  { "a\nb", false },
		{ "\x1f", false },    { "a\x7f", false },
	};
	char longest[NAME_MAX + 2];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(run_id_is_valid(rows[i].id), rows[i].valid, "%s",
			     rows[i].id);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[NAME_MAX + 1] = '\0';
	cr_expect_not(run_id_is_valid(longest));
	longest[NAME_MAX] = '\0';
	cr_expect(run_id_is_valid(longest));
}

Test(run, a_directory_with_an_opref_is_one)
{
	_cleanup_close_ int runs_fd = -1;
	static const struct {
		const char *id;
		int r;
	} rows[] = {
		{ ID, 0 },
		{ "none", -ENOENT },
		{ "file", -ENOENT },
		{ "empty", -ENOENT },
		{ "no-opref", -ENOENT },
		{ "..", -EINVAL },
		{ "a/b", -EINVAL },
		{ "file-guild", -ENOENT },
	};

	scratch_put_run(ID);
	scratch_put("home/runs/file", "");
	scratch_put("home/runs/file-guild/.guild", "");
	scratch_make_dir("home/runs/empty");
	scratch_make_dir("home/runs/no-opref/.guild/attrs");
	runs_fd = file_open_dir(scratch_fd, "home/runs");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(run_freep) struct run *run = NULL;

		cr_expect_eq(run_open(runs_fd, rows[i].id, &run), rows[i].r, "%s",
			     rows[i].id);
		cr_expect_eq(run != NULL, rows[i].r == 0);
	}
}

Test(run, it_stays_the_same_run_when_it_is_renamed)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int dir_fd = -1;

	scratch_put_run(ID);
	scratch_put_attr(ID, "label", "a\n");
	scratch_put("home/runs/" ID "/file", "x");
	run = scratch_run(ID);
	cr_assert_eq(renameat(scratch_fd, "home/runs/" ID, scratch_fd, "home/runs/b"), 0);
	cr_expect_str_eq(run_id(run), ID);
	cr_expect_eq(run_attr_string(run, "label", &text), 0);
	expect_text(strbuf_str(&text), "a", "label");
	dir_fd = run_open_dir(run);
	cr_expect_eq(faccessat(dir_fd, "file", F_OK, 0), 0);
}

Test(run, an_attribute_is_read_as_its_type)
{
	static const struct {
		const char *text;
		int r, r_int, r_string;
	} rows[] = {
		{ "1\n", 0, 0, -EBADMSG },
		{ "-15", 0, 0, -EBADMSG },
		{ "1.5\n", 0, -EBADMSG, -EBADMSG },
		{ "abc\n", 0, -EBADMSG, 0 },
		{ "'1'\n", 0, -EBADMSG, 0 },
		{ "[1]\n", 0, -EBADMSG, -EBADMSG },
		{ "true\n", 0, -EBADMSG, -EBADMSG },
		{ "null\n", -ENOENT, -ENOENT, -ENOENT },
		{ "", -ENOENT, -ENOENT, -ENOENT },
		{ "[1\n", -EBADMSG, -EBADMSG, -EBADMSG },
		{ "99999999999999999999\n", 0, -EBADMSG, -EBADMSG },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(run_freep) struct run *run = NULL;
		_cleanup_(value_done) struct value value = VALUE_INIT;
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		int64_t number = 77;

		scratch_put_run(ID);
		scratch_put_attr(ID, "x", rows[i].text);
		run = scratch_run(ID);
		cr_expect_eq(run_attr(run, "x", &value), rows[i].r, "%s", rows[i].text);
		cr_expect_eq(run_attr_int(run, "x", &number), rows[i].r_int, "%s",
			     rows[i].text);
		cr_expect_eq(run_attr_string(run, "x", &text), rows[i].r_string, "%s",
			     rows[i].text);
	}
}

Test(run, an_attribute_is_shown_as_it_is_on_disk)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	scratch_put_run(ID);
	scratch_put_attr(ID, "x", "[1   # as it is\n");
	run = scratch_run(ID);
	cr_expect_eq(run_attr_text(run, "x", &text), 0);
	expect_text(strbuf_str(&text), "[1   # as it is\n", "x");
	cr_expect_eq(run_attr_text(run, "none", &text), -ENOENT);
	cr_expect_eq(run_attr_text(run, "../opref", &text), -ENOENT);
	cr_expect_eq(run_attr_text(run, "../../../../../../etc/passwd", &text), -ENOENT);
}

/* A start may die between its two renames. */
Test(run, attributes_that_a_start_has_put_aside_are_still_there)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int64_t number = 0;

	scratch_put_run(ID);
	scratch_put_guild(ID, "attrs.old/x", "1\n");
	run = scratch_run(ID);
	cr_expect_eq(run_attr_int(run, "x", &number), -ENOENT, "beside the new ones");
	scratch_delete("home/runs/" ID "/.guild/attrs");
	cr_expect_eq(run_attr_int(run, "x", &number), 0);
	cr_expect_eq(number, 1);
}

Test(run, flags_may_be_absent)
{
	static const struct {
		const char *text; /* NULL: no attribute */
		int r;
		size_t n;
	} rows[] = { { NULL, 0, 0 },	       { "{}\n", 0, 0 },
		     { "null\n", 0, 0 },       { "x: 1\n'y': 2\n", 0, 2 },
		     { "[1]\n", -EBADMSG, 0 }, { "x: [\n", -EBADMSG, 0 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(run_freep) struct run *run = NULL;
		_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

		scratch_put_run(ID);
		if (rows[i].text)
			scratch_put_attr(ID, "flags", rows[i].text);
		run = scratch_run(ID);
		cr_expect_eq(run_flags(run, &flags), rows[i].r, "row %zu", i);
		cr_expect_eq(flags.n_items, rows[i].n, "row %zu", i);
	}
}

/* Who runs it: nobody; a file with this text; us, written there as Guild does; a flock.
 */
enum holder {
	NOBODY,
	GARBAGE,
	DEAD,
	GUILD,
	SUPERVISOR,
};

static pid_t a_dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	return pid;
}

static pid_t guild_pid;

/* A process in the run's directory, such as Guild starts. */
static pid_t a_process_of_guild_s(void)
{
	guild_pid = fork();
	if (guild_pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)pause();
		_exit(0);
	}
	return guild_pid;
}

static void end_guild(void)
{
	if (guild_pid > 0) {
		(void)kill(guild_pid, SIGKILL);
		(void)waitpid(guild_pid, NULL, 0);
	}
	guild_pid = 0;
}

static pid_t holder_pid(enum holder holder)
{
	if (holder == DEAD)
		return a_dead_pid();
	return holder == GUILD ? a_process_of_guild_s() : getpid();
}

/* Returns the descriptor that holds the lock, or -1. */
static int put_lock(enum holder holder)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int fd = -1;

	if (holder == NOBODY)
		return -1;
	if (holder == GARBAGE)
		strbuf_adds(&text, "garbage");
	else
		strbuf_addf(&text, "%d\n", (int)holder_pid(holder));
	scratch_put_guild(ID, "LOCK", strbuf_cstr(&text));
	if (holder != SUPERVISOR)
		return -1;
	fd = openat(scratch_fd, "home/runs/" ID "/.guild/LOCK", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	return take_fd(&fd);
}

struct state {
	const char *about;
	const char *marks[3]; /* empty files of .guild */
	const char *exit_status, *started, *stopped;
	enum holder holder;
	enum run_status status;
	bool has_exit_status;
};

static void put_state(const struct state *state)
{
	scratch_delete("home/runs");
	scratch_put_run(ID);
	for (int i = 0; i < 3 && state->marks[i]; i++)
		scratch_put_guild(ID, state->marks[i], "");
	if (state->exit_status)
		scratch_put_attr(ID, "exit_status", state->exit_status);
	if (state->started)
		scratch_put_attr(ID, "started", state->started);
	if (state->stopped)
		scratch_put_attr(ID, "stopped", state->stopped);
	/* Where a child of ours is then, too. */
	cr_assert_eq(fchdir(scratch_fd), 0);
	cr_assert_eq(chdir("home/runs/" ID), 0);
}

/* The first rule that matches counts (2.1). */
Test(run, a_status_follows_from_markers_locks_and_exit_status_in_this_order)
{
	static const struct state states[] = {
		{ "bare", { 0 }, NULL, NULL, NULL, NOBODY, RUN_ERROR },
		{ "exit 0", { 0 }, "0\n", NULL, NULL, NOBODY, RUN_COMPLETED, true },
		{ "exit 0.0", { 0 }, "0.0\n", NULL, NULL, NOBODY, RUN_COMPLETED, true },
		{ "exit 1", { 0 }, "1\n", NULL, NULL, NOBODY, RUN_ERROR, true },
		{ "exit -15", { 0 }, "-15\n", NULL, NULL, NOBODY, RUN_TERMINATED, true },
		{ "exit 143", { 0 }, "143\n", NULL, NULL, NOBODY, RUN_ERROR, true },
		{ "exit null", { 0 }, "null\n", NULL, NULL, NOBODY, RUN_ERROR },
		{ "exit text", { 0 }, "'0'\n", NULL, NULL, NOBODY, RUN_ERROR },
		{ "exit .nan", { 0 }, ".nan\n", NULL, NULL, NOBODY, RUN_ERROR },
		{ "exit 1e300", { 0 }, "1.0e+300\n", NULL, NULL, NOBODY, RUN_ERROR },
		{ "exit [", { 0 }, "[\n", NULL, NULL, NOBODY, RUN_ERROR },
		{ "ended", { 0 }, "0\n", "1\n", "2\n", NOBODY, RUN_COMPLETED, true },
		{ "at once", { 0 }, "0\n", "2\n", "2\n", NOBODY, RUN_COMPLETED, true },
		{ "of an older start", { 0 }, "0\n", "3\n", "2\n", NOBODY, RUN_ERROR },
		{ "no stop time",
		  { 0 },
		  "0\n",
		  "3\n",
		  NULL,
		  NOBODY,
		  RUN_COMPLETED,
		  true },
		{ "unreadable start",
		  { 0 },
		  "0\n",
		  "[\n",
		  "2\n",
		  NOBODY,
		  RUN_ERROR,
		  true },
		{ "pending",
		  { "PENDING" },
		  "0\n",
		  NULL,
		  NULL,
		  NOBODY,
		  RUN_PENDING,
		  true },
		{ "pending, staged",
		  { "PENDING", "STAGED" },
		  NULL,
		  NULL,
		  NULL,
		  NOBODY,
		  RUN_PENDING },
		{ "staged", { "STAGED" }, "0\n", NULL, NULL, NOBODY, RUN_STAGED, true },
		{ "staged, held", { "STAGED" }, NULL, NULL, NULL, GUILD, RUN_STAGED },
		{ "remote",
		  { "LOCK.remote" },
		  "0\n",
		  NULL,
		  NULL,
		  NOBODY,
		  RUN_RUNNING,
		  true },
		{ "remote, pending",
		  { "LOCK.remote", "PENDING", "STAGED" },
		  NULL,
		  NULL,
		  NULL,
		  NOBODY,
		  RUN_RUNNING },
		{ "Guild's", { 0 }, NULL, NULL, NULL, GUILD, RUN_RUNNING },
		{ "supervised", { 0 }, NULL, NULL, NULL, SUPERVISOR, RUN_RUNNING },
		{ "restarted by Guild", { 0 }, "0\n", "3\n", "2\n", GUILD, RUN_RUNNING },
		{ "not yet cleared", { 0 }, "0\n", NULL, NULL, GUILD, RUN_RUNNING, true },
		{ "held, exit -9",
		  { 0 },
		  "-9\n",
		  "1\n",
		  "2\n",
		  SUPERVISOR,
		  RUN_RUNNING,
		  true },
		{ "killed", { 0 }, NULL, NULL, NULL, DEAD, RUN_ERROR },
		{ "killed, exit 0", { 0 }, "0\n", NULL, NULL, DEAD, RUN_COMPLETED, true },
		{ "garbage", { 0 }, NULL, NULL, NULL, GARBAGE, RUN_ERROR },
	};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		const struct state *state = &states[i];
		_cleanup_(run_freep) struct run *run = NULL;
		_cleanup_close_ int lock_fd = -1;
		int64_t exit_status;

		put_state(state);
		lock_fd = put_lock(state->holder);
		run = scratch_run(ID);
		cr_expect_eq(run_status(run), state->status, "%s: %s", state->about,
			     run_status_name(run_status(run)));
		cr_expect_eq(run_exit_status(run, &exit_status) == 0,
			     state->has_exit_status, "%s", state->about);
		cr_expect_eq(run_pid(run),
			     state->status == RUN_RUNNING && state->holder != NOBODY
				     ? (guild_pid > 0 ? guild_pid : getpid())
				     : 0,
			     "%s", state->about);
		end_guild();
	}
}

/* Guild's is empty, ours is not. */
Test(run, a_pending_of_guilds_from_before_the_boot_is_stale)
{
	const struct timespec long_ago[] = { { .tv_sec = 1000000000 },
					     { .tv_sec = 1000000000 } };
	_cleanup_(run_freep) struct run *run = NULL;

	scratch_put_run(ID);
	run = scratch_run(ID);
	scratch_put_guild(ID, "PENDING", "");
	cr_expect_eq(run_status(run), RUN_PENDING, "now");
	cr_assert_eq(utimensat(run_guild_fd(run), "PENDING", long_ago, 0), 0);
	cr_expect_eq(run_status(run), RUN_ERROR, "never started");
	scratch_put_attr(ID, "exit_status", "0\n");
	cr_expect_eq(run_status(run), RUN_COMPLETED, "was about to start again");

	scratch_put_guild(ID, "PENDING", "the request");
	cr_assert_eq(utimensat(run_guild_fd(run), "PENDING", long_ago, 0), 0);
	cr_expect_eq(run_status(run), RUN_PENDING, "waits for its turn");
}

Test(run, an_ended_run_that_can_not_be_shown_is_an_error)
{
	static const char *const names[] = { "flags", "op", "started", "stopped" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_(run_freep) struct run *run = NULL;

		scratch_delete("home/runs");
		scratch_put_run(ID);
		scratch_put_attr(ID, "exit_status", "0\n");
		scratch_put_attr(ID, names[i], "a: [\n");
		run = scratch_run(ID);
		cr_expect_eq(run_status(run), RUN_ERROR, "%s", names[i]);
		scratch_put_guild(ID, "PENDING", "");
		cr_expect_eq(run_status(run), RUN_PENDING, "%s", names[i]);
	}
}

static void expect_status_or_none(int expected)
{
	_cleanup_(run_freep) struct run *run = scratch_run(ID);
	int status = -EMFILE;

	for (int n = 0; status == -EMFILE; n++) {
		descriptors_leave(n);
		status = run_status(run);
		descriptors_leave(-1);
	}
	cr_expect_eq(status, expected);
}

Test(run, without_descriptors_it_has_no_status_and_no_wrong_one)
{
	_cleanup_close_ int lock_fd = -1;

	scratch_put_run(ID);
	scratch_put_attr(ID, "exit_status", "0\n");
	expect_status_or_none(RUN_COMPLETED);
	lock_fd = put_lock(SUPERVISOR);
	expect_status_or_none(RUN_RUNNING);
	scratch_put_guild(ID, "STAGED", "");
	expect_status_or_none(RUN_STAGED);
	scratch_put_guild(ID, "PENDING", "");
	expect_status_or_none(RUN_PENDING);
}

Test(run, a_status_has_a_word_that_reads_as_it)
{
	static const char *const words[] = { "pending",	  "staged",	"running",
					     "completed", "terminated", "error" };

	for (int status = RUN_PENDING; status <= RUN_ERROR; status++) {
		enum run_status again = RUN_PENDING;

		cr_expect_str_eq(run_status_name(status), words[status]);
		cr_expect_eq(run_status_parse(str_from(words[status]), &again), 0);
		cr_expect_eq((int)again, status);
		cr_expect_eq(run_status_is_live(status),
			     status == RUN_PENDING || status == RUN_RUNNING);
	}
	cr_expect_eq(run_status_parse(STR("complete"), &(enum run_status){ 0 }), -EINVAL);
	cr_expect_eq(run_status_parse(STR(""), &(enum run_status){ 0 }), -EINVAL);
}

#define COMPLETED  (1u << RUN_COMPLETED)
#define TERMINATED (1u << RUN_TERMINATED)

Test(run, needed_takes_the_words_of_statuses)
{
	static const struct {
		const char *text;
		bool complete;
		int r;
		unsigned int statuses;
	} rows[] = {
		{ "", true, 0, COMPLETED | TERMINATED },
		{ "\n", true, 0, COMPLETED | TERMINATED },
		{ "completed\n", true, 0, COMPLETED },
		{ "completed", true, 0, COMPLETED },
		{ "terminated\n", false, 0, TERMINATED },
		{ "terminated completed\n", true, 0, COMPLETED | TERMINATED },
		{ " completed\n\n  terminated \n", true, 0, COMPLETED | TERMINATED },
		{ "completed\tterminated\n", true, 0, COMPLETED | TERMINATED },
		{ "completed completed\n", true, 0, COMPLETED },
		{ "error\n", true, -EINVAL, 0 },
		{ "staged\n", true, -EINVAL, 0 },
		{ "running\n", false, -EINVAL, 0 },
		{ "completed x\n", true, -EINVAL, 0 },
		{ "Completed\n", true, -EINVAL, 0 },
		{ "comp", true, -EINVAL, 0 },
		{ "comp", false, 0, COMPLETED | TERMINATED },
		{ "completed\nterm", false, 0, COMPLETED },
		{ "completed term", false, 0, COMPLETED },
		{ "x completed", false, -EINVAL, 0 },
		{ "x\ncomp", false, -EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		size_t len = strlen(rows[i].text);
		/* Of the exact size, so that a sanitizer sees a read beyond the end. */
		_cleanup_free_ char *copy = malloc(len + (len == 0));
		unsigned int statuses = 0;

		memcpy(copy, rows[i].text, len);
		cr_expect_eq(run_needed_parse((struct str){ copy, len }, rows[i].complete,
					      &statuses, &why),
			     rows[i].r, "%s", rows[i].text);
		cr_expect_eq(statuses, rows[i].statuses, "%s", rows[i].text);
		if (rows[i].r < 0)
			expect_sentence(&why, "no status that can make a run not needed",
					rows[i].text);
	}
}

Test(run, needed_is_a_file_of_the_run)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_free_ char *text = NULL;
	unsigned int statuses = 0;

	scratch_put_run(ID);
	run = scratch_run(ID);
	cr_expect_eq(run_needed(run, &statuses), -ENOENT);
	cr_expect_eq(run_set_needed(run, TERMINATED | COMPLETED), 0);
	text = scratch_get("home/runs/" ID "/.guild/needed");
	cr_expect_str_eq(text, "completed terminated\n");
	cr_expect_eq(run_set_needed(run, TERMINATED), 0);
	cr_expect_eq(run_needed(run, &statuses), 0);
	cr_expect_eq(statuses, TERMINATED);
}

Test(run, a_hand_made_needed_accepts_what_a_new_one_does)
{
	static const char *const rows[] = { "", "yes\n", "completed error\n" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(run_freep) struct run *run = NULL;
		unsigned int statuses = 0;

		scratch_put_run(ID);
		scratch_put_guild(ID, "needed", rows[i]);
		run = scratch_run(ID);
		cr_expect_eq(run_needed(run, &statuses), 0);
		cr_expect_eq(statuses, run_needed_default(), "%s", rows[i]);
	}
	cr_expect_eq(run_needed_default(), COMPLETED | TERMINATED);
}

/* Runs that Guild itself has made. */
Test(run, guild_s_own_runs_have_guild_s_statuses)
{
	static const struct {
		const char *id;
		enum run_status status;
	} rows[] = {
		{ "00000000000000000000000000000a01", RUN_COMPLETED },
		{ "00000000000000000000000000000a02", RUN_COMPLETED },
		{ "00000000000000000000000000000a03", RUN_ERROR },
		{ "00000000000000000000000000000a07", RUN_STAGED },
		{ "00000000000000000000000000000a08", RUN_TERMINATED },
	};
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	_cleanup_close_ int runs_fd = -1;

	strbuf_addf(&path, "%s/guild-home/runs", getenv("RUNFS_FIXTURES"));
	runs_fd = file_open_dir(AT_FDCWD, strbuf_cstr(&path));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(run_freep) struct run *run = NULL;

		cr_assert_eq(run_open(runs_fd, rows[i].id, &run), 0);
		cr_expect_eq(run_status(run), rows[i].status, "%s", rows[i].id);
	}
}

/* Puts an end of its own into attrs/: exit status, start and stop. */
static void put_end(const char *exit_status, const char *started, const char *stopped)
{
	scratch_put_attr(ID, "exit_status", exit_status);
	scratch_put_attr(ID, "started", started);
	scratch_put_attr(ID, "stopped", stopped);
}

/* Starts the run again and again, as a supervisor does, but faster than anybody looks. */
static _Noreturn void exchange_for_ever(void)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (renameat2(scratch_fd, "home/runs/" ID "/.guild/attrs", scratch_fd,
			 "home/attrs", RENAME_EXCHANGE) == 0)
		;
	_exit(100);
}

Test(run, an_attempt_reads_as_the_run_did)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_(run_freep) struct run *attempt = NULL;

	scratch_put_run(ID);
	scratch_put_guild(ID, "attempts/2/attrs/started", "1\n");
	scratch_put_guild(ID, "attempts/2/attrs/stopped", "2\n");
	scratch_put_guild(ID, "attempts/2/attrs/exit_status", "0\n");
	scratch_put_guild(ID, "LOCK", "1");
	run = scratch_run(ID);
	cr_expect_eq(run_open_attempt(run, "1", &attempt), -ENOENT);
	cr_assert_eq(run_open_attempt(run, "2", &attempt), 0);
	cr_expect_eq(run_status(attempt), RUN_COMPLETED);
	cr_expect_str_eq(run_id(attempt), ID);
	scratch_put_guild(ID, "attempts/2/attrs/exit_status", "-15\n");
	cr_expect_eq(run_status(attempt), RUN_TERMINATED);
	scratch_delete("home/runs/" ID "/.guild/attempts/2/attrs/exit_status");
	cr_expect_eq(run_status(attempt), RUN_ERROR);
	cr_expect_not(run_may_be_starting(attempt));
}

Test(run, a_look_is_of_one_start, .timeout = 60)
{
	_cleanup_(run_freep) struct run *run = NULL;
	unsigned int n_completed = 0, n_terminated = 0;

	scratch_put_run(ID);
	put_end("0\n", "1\n", "2\n");
	cr_assert_eq(renameat(scratch_fd, "home/runs/" ID "/.guild/attrs", scratch_fd,
			      "home/attrs"),
		     0);
	put_end("-15\n", "11\n", "12\n");
	run = scratch_run(ID);
	guild_pid = fork();
	if (guild_pid == 0)
		exchange_for_ever();
	while (n_completed < 300 || n_terminated < 300) {
		struct run_moment moment;

		run_look(run, &moment);
		cr_assert(moment.has_exit_status);
		cr_assert_eq(moment.exit_status, moment.status == RUN_COMPLETED ? 0 : -15,
			     "%s %d", run_status_name(moment.status),
			     (int)moment.exit_status);
		n_completed += moment.status == RUN_COMPLETED;
		n_terminated += moment.status == RUN_TERMINATED;
	}
	end_guild();
}

Test(run, a_time_to_come_is_no_start_under_way)
{
	static const struct {
		int64_t age_s;
		bool may_be_starting;
	} rows[] = { { 0, true }, { 10, false }, { -1, false }, { -3600, false } };

	scratch_put_run(ID);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(run_freep) struct run *run = scratch_run(ID);
		time_t then = time(NULL) - rows[i].age_s;
		struct timespec times[2] = { { .tv_sec = then }, { .tv_sec = then } };

		cr_assert_eq(utimensat(scratch_fd, "home/runs/" ID "/.guild", times, 0),
			     0);
		cr_expect_eq(run_may_be_starting(run), rows[i].may_be_starting, "%d",
			     (int)rows[i].age_s);
	}
}
