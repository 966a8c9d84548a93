/* What changed in a home, told to who asked: at once by inotify, else by the tick. */
#include "engine/watch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/file.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

#define CAN_NOT 77

#define GUILD(id) "home/runs/" id "/.guild"

static struct loop *loop;
static struct store *store;
static struct watch *watch;
static struct strbuf told;	     /* "ID " for a change, "+ID " when it came or went */
static const char *remove_when_told; /* a run that the callback stops watching */

static void on_change(void *userdata, const char *id, bool listed)
{
	strbuf_addf(&told, "%s%s ", listed ? "+" : "", id ? id : "(all)");
	if (id && remove_when_told && strcmp(id, remove_when_told) == 0) {
		remove_when_told = NULL;
		watch_remove(watch, id);
	}
	loop_stop(loop);
}

static void begin(void)
{
	scratch_make();
	scratch_put_run("a");
	scratch_put_run("b");
	store = scratch_store();
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(watch_new(loop, store, on_change, NULL, &watch), 0);
}

static void end(void)
{
	watch_free(watch);
	store_free(store);
	loop_free(loop);
	strbuf_done(&told);
	scratch_remove();
}

TestSuite(watch, .init = begin, .fini = end, .timeout = 120);

static void expect_told(const char *expected, const char *about)
{
	watch_process(watch);
	expect_text(strbuf_str(&told), expected, about);
	strbuf_reset(&told);
}

/* That something, maybe several times, and nothing else was told. */
static void expect_told_of(const char *what, const char *about)
{
	struct str rest, one;
	size_t n = 0;

	watch_process(watch);
	rest = strbuf_str(&told);
	while (str_split(&rest, ' ', &one)) {
		expect_text(one, what, about);
		n++;
	}
	cr_expect_gt(n, 0, "%s: nothing was told", about);
	strbuf_reset(&told);
}

static void rename_in_scratch(const char *from, const char *to, unsigned int flags)
{
	cr_assert_eq(renameat2(scratch_fd, from, scratch_fd, to, flags), 0, "%s", from);
}

Test(watch, runs_that_come_and_go_are_told)
{
	expect_told("", "nothing happened");
	scratch_make_dir("home/runs/c");
	expect_told("+c ", "made");
	scratch_make_dir("elsewhere");
	rename_in_scratch("home/runs/c", "elsewhere/c", 0);
	expect_told("+c ", "moved away");
	rename_in_scratch("elsewhere/c", "home/runs/d", 0);
	expect_told("+d ", "moved here");
	scratch_delete("home/runs/d");
	expect_told("+d ", "removed");
}

Test(watch, a_run_that_nobody_watches_is_not_told)
{
	scratch_put_guild("a", "LOCK", "1");
	scratch_put_attr("a", "started", "1\n");
	expect_told("", "nobody watches");
	cr_expect_eq(watch_count(watch), 0);
}

Test(watch, who_watches_a_run_is_told_of_it_alone)
{
	cr_assert_eq(watch_add(watch, "a"), 0);
	cr_expect_eq(watch_count(watch), 1);
	scratch_put_guild("b", "LOCK", "1");
	expect_told("", "another run");
	scratch_put_guild("a", "LOCK", "1");
	expect_told_of("a", "a file of .guild");
	scratch_put_guild("a", "output", "more");
	expect_told_of("a", "output that is written");
	cr_assert_eq(unlinkat(scratch_fd, GUILD("a") "/LOCK", 0), 0);
	expect_told_of("a", "a file that is removed");
	scratch_put_attr("a", "exit_status", "0\n");
	expect_told_of("a", "an attribute");
	scratch_put_attr("b", "exit_status", "0\n");
	scratch_put("home/runs/a/generated", "x");
	expect_told("", "another run, and another file");
}

Test(watch, output_is_told_while_it_is_written)
{
	_cleanup_close_ int fd = -1;

	scratch_put_guild("a", "output", "");
	fd = openat(scratch_fd, GUILD("a") "/output", O_WRONLY | O_APPEND | O_CLOEXEC);
	cr_assert_eq(watch_add(watch, "a"), 0);
	cr_assert_eq(write(fd, "x", 1), 1);
	expect_told_of("a", "one byte");
	cr_assert_eq(write(fd, "y", 1), 1);
	expect_told_of("a", "another");
}

Test(watch, a_run_is_watched_until_the_last_who_asked_is_gone)
{
	cr_assert_eq(watch_add(watch, "a"), 0);
	cr_assert_eq(watch_add(watch, "b"), 0);
	cr_assert_eq(watch_add(watch, "a"), 0);
	cr_expect_eq(watch_count(watch), 2);
	watch_remove(watch, "a");
	scratch_put_attr("a", "x", "1\n");
	expect_told_of("a", "one is left");
	watch_remove(watch, "a");
	cr_expect_eq(watch_count(watch), 1);
	scratch_put_attr("a", "x", "2\n");
	expect_told("", "none is left");
	scratch_put_attr("b", "x", "2\n");
	expect_told_of("b", "another run goes on");
	watch_remove(watch, "a");
	watch_remove(watch, "none");
	cr_expect_eq(watch_count(watch), 1);
}

Test(watch, it_may_end_while_it_tells)
{
	cr_assert_eq(watch_add(watch, "a"), 0);
	remove_when_told = "a";
	scratch_put_attr("a", "x", "1\n");
	scratch_put_attr("a", "y", "1\n");
	expect_told("a ", "the rest is not told");
	cr_expect_eq(watch_count(watch), 0);
}

/* A start builds another attrs/ and exchanges the two (engine/replace.c). */
Test(watch, attributes_that_a_start_puts_in_place_are_watched)
{
	cr_assert_eq(watch_add(watch, "a"), 0);
	scratch_make_dir(GUILD("a") "/attrs.new");
	rename_in_scratch(GUILD("a") "/attrs.new", GUILD("a") "/attrs", RENAME_EXCHANGE);
	expect_told_of("a", "the exchange");
	scratch_put(GUILD("a") "/attrs/exit_status", "0\n");
	expect_told_of("a", "the new attributes");
	scratch_put(GUILD("a") "/attrs.new/exit_status", "0\n");
	expect_told("", "the old attributes");
}

/* How many inotify watches this process has (proc(5), fdinfo). */
static size_t n_inotify_watches(void)
{
	_cleanup_closedir_ DIR *dir = opendir("/proc/self/fdinfo");
	size_t n = 0;

	cr_assert_not_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
		struct str rest, line;

		if (file_read(dirfd(dir), entry->d_name, 1 << 20, &text) < 0)
			continue;
		rest = strbuf_str(&text);
		while (str_split(&rest, '\n', &line))
			n += str_starts(line, "inotify wd:");
	}
	return n;
}

Test(watch, a_run_takes_two_watches_and_gives_them_back)
{
	size_t n = n_inotify_watches();

	cr_assert_eq(watch_add(watch, "a"), 0);
	cr_expect_eq(n_inotify_watches(), n + 2);
	scratch_make_dir(GUILD("a") "/attrs.new");
	rename_in_scratch(GUILD("a") "/attrs.new", GUILD("a") "/attrs", RENAME_EXCHANGE);
	watch_process(watch);
	cr_expect_eq(n_inotify_watches(), n + 2, "the old attributes are watched too");
	watch_remove(watch, "a");
	cr_expect_eq(n_inotify_watches(), n);
}

Test(watch, attributes_may_come_later)
{
	cr_assert_eq(unlinkat(scratch_fd, GUILD("a") "/attrs", AT_REMOVEDIR), 0);
	cr_assert_eq(watch_add(watch, "a"), 0);
	scratch_make_dir(GUILD("a") "/attrs");
	expect_told_of("a", "the directory");
	scratch_put_attr("a", "exit_status", "0\n");
	expect_told_of("a", "an attribute in it");
}

Test(watch, runs_that_are_replaced_are_told)
{
	rename_in_scratch("home/runs", "home/old", 0);
	expect_told_of("+(all)", "moved away");
	scratch_make_dir("home/old/c");
	expect_told("", "what is no list any more");
	scratch_make_dir("home/runs");
	expect_told_of("+(all)", "made anew");
	scratch_make_dir("home/runs/c");
	expect_told("+c ", "a run in it");
}

/* More events than the kernel keeps for one who does not look. */
static void overflow(void)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	long n_events;

	cr_assert_eq(file_read(AT_FDCWD, "/proc/sys/fs/inotify/max_queued_events", 64,
			       &text),
		     0);
	n_events = strtol(strbuf_cstr(&text), NULL, 10);
	if (n_events > 100000)
		cr_skip_test("max_queued_events is %ld", n_events);
	scratch_make_dir("home/runs/c");
	for (long i = 0; i < n_events / 2 + 10; i++) /* of two events each */
		rename_in_scratch(i % 2 ? "home/runs/d" : "home/runs/c",
				  i % 2 ? "home/runs/c" : "home/runs/d", 0);
}

Test(watch, what_the_kernel_has_dropped_may_be_anything)
{
	overflow();
	watch_process(watch);
	cr_expect(str_ends(strbuf_str(&told), "+(all) "));
}

Test(watch, what_is_watched_is_found_again_after_an_overflow)
{
	cr_assert_eq(watch_add(watch, "a"), 0);
	overflow();
	scratch_make_dir(GUILD("a") "/attrs.new");
	rename_in_scratch(GUILD("a") "/attrs.new", GUILD("a") "/attrs", RENAME_EXCHANGE);
	rename_in_scratch("home/runs", "home/old", 0);
	rename_in_scratch("home/old", "home/runs", 0);
	watch_process(watch);
	cr_expect(str_ends(strbuf_str(&told), "+(all) a "));
	strbuf_reset(&told);
	scratch_put_attr("a", "exit_status", "0\n");
	expect_told_of("a", "the new attributes");
	scratch_make_dir("home/runs/e");
	expect_told("+e ", "the list");
}

Test(watch, of_very_many_at_once_it_is_told_that_all_may_have_changed)
{
	struct str rest, one;
	size_t n = 0, n_all = 0;
	char path[32];

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(path, sizeof(path), "home/runs/%04d", i);
		scratch_make_dir(path);
	}
	watch_process(watch);
	rest = strbuf_str(&told);
	while (str_split(&rest, ' ', &one)) {
		n++;
		n_all += str_is(one, "+(all)");
	}
	cr_expect_eq(n_all, 1);
	cr_expect_lt(n, 500, "each takes a look into the run");
}

Test(watch, the_loop_tells_too)
{
	cr_assert_eq(watch_add(watch, "a"), 0);
	scratch_put_attr("a", "x", "1\n");
	run_patiently(loop);
	expect_told_of("a", "");
}

Test(watch, the_tick_tells_of_what_is_watched_though_nothing_is_seen)
{
	int64_t begin_us = loop_now_us();

	cr_assert_eq(watch_add(watch, "a"), 0);
	for (int i = 0; i < 2; i++) {
		run_patiently(loop);
		expect_told("a ", "the tick");
	}
	cr_expect_geq(loop_now_us() - begin_us, 900000);
	watch_remove(watch, "a");
	run_for(loop, 1200000);
	expect_told("", "nobody watches any more");
	cr_assert_eq(watch_add(watch, "b"), 0);
	run_patiently(loop);
	expect_told("b ", "somebody does again");
}

Test(watch, a_run_that_is_not_there_yet_is_found_by_the_tick)
{
	cr_assert_eq(watch_add(watch, "c"), 0);
	scratch_put_run("c");
	watch_process(watch);
	strbuf_reset(&told);
	run_patiently(loop);
	expect_told("c ", "the tick");
	scratch_put_attr("c", "x", "1\n");
	expect_told_of("c", "inotify");
}

Test(watch, a_run_that_is_made_anew_is_found_by_the_tick)
{
	cr_assert_eq(watch_add(watch, "a"), 0);
	scratch_delete("home/runs/a");
	scratch_put_run("a");
	watch_process(watch);
	strbuf_reset(&told);
	run_patiently(loop);
	expect_told_of("a", "the tick");
	scratch_put_attr("a", "x", "1\n");
	expect_told_of("a", "inotify");
}

static bool write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Leaves this process, of one thread, @number of inotify's @what. */
static bool limit_inotify(const char *what, const char *number)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	strbuf_addf(&path, "/proc/sys/user/max_inotify_%s", what);
	return write_file(strbuf_cstr(&path), number);
}

static void watch_anew(void)
{
	watch_free(take_ptr(watch));
	loop_free(take_ptr(loop));
	if (loop_new(&loop) < 0 || watch_new(loop, store, on_change, NULL, &watch) < 0 ||
	    watch_add(watch, "a") < 0)
		_exit(EXIT_FAILURE);
}

/* With none of @what, which is @problem, and then with enough. */
static int watch_without(const char *what, int problem)
{
	if (unshare(CLONE_NEWUSER) < 0 || !limit_inotify(what, "0"))
		return CAN_NOT;
	watch_anew();
	scratch_put_attr("a", "x", "1\n");
	scratch_make_dir("home/runs/c");
	watch_process(watch);
	if (told.len > 0 || watch_problem(watch) != problem)
		return EXIT_FAILURE;
	run_patiently(loop);
	if (!str_is(strbuf_str(&told), "+(all) a "))
		return EXIT_FAILURE;

	/* Watches may become free, and are looked for; an instance is not. */
	if (problem != -ENOSPC)
		return EXIT_SUCCESS;
	limit_inotify(what, "100");
	run_patiently(loop);
	strbuf_reset(&told);
	if (watch_problem(watch) != 0)
		return EXIT_FAILURE;
	scratch_make_dir("home/runs/d");
	scratch_put_attr("a", "x", "2\n");
	watch_process(watch);
	return str_is(strbuf_str(&told), "+d a ") ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void expect_watching_without(const char *what, int problem)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(watch_without(what, problem));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == CAN_NOT)
		cr_skip_test("can't make a user namespace");
	cr_expect_eq(WEXITSTATUS(status), EXIT_SUCCESS);
}

Test(watch, the_tick_tells_where_no_watch_is_possible)
{
	expect_watching_without("watches", -ENOSPC);
}

Test(watch, the_tick_tells_where_no_instance_is_left)
{
	expect_watching_without("instances", -EMFILE);
}
