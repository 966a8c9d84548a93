/* The locks of a run: who holds it, and whom to believe. */
#include "engine/lock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

static char path[] = "/tmp/test-lock.XXXXXX";
static char guild[sizeof(path) + sizeof("/.guild")];
static int dir = -1;	/* .guild */
static pid_t child_pid; /* a process that waits for its end */

static void make_directory(void)
{
	cr_assert_not_null(mkdtemp(path));
	(void)snprintf(guild, sizeof(guild), "%s/.guild", path);
	cr_assert_eq(mkdir(guild, 0755), 0);
	dir = open(guild, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir, 0);
}

static void end_child(void)
{
	if (child_pid > 0) {
		(void)kill(child_pid, SIGKILL);
		(void)waitpid(child_pid, NULL, 0);
	}
	child_pid = 0;
}

static void remove_directory(void)
{
	end_child();
	close_fd(dir);
	cr_expect_eq(file_remove_tree(AT_FDCWD, path), 0);
}

/* Starts a process in the directory @cwd, with @variable in its environment. */
static void start_child(const char *cwd, const char *variable)
{
	char *const argv[] = { (char *)(uintptr_t) "sleep", (char *)(uintptr_t) "1000",
			       NULL };
	char *const envp[] = { (char *)(uintptr_t) "A=b", (char *)(uintptr_t)variable,
			       NULL };
	int fds[2];
	char end;

	end_child();
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	child_pid = fork();
	if (child_pid == 0) {
		if (chdir(cwd) == 0)
			(void)execve("/bin/sleep", argv, envp);
		_exit(100);
	}
	close_fd(fds[1]);
	cr_assert_eq(read(fds[0], &end, 1), 0, "until it has become that program");
	close_fd(fds[0]);
}

TestSuite(lock, .init = make_directory, .fini = remove_directory);

static void write_lock(const char *text)
{
	cr_assert_eq(file_write(dir, "LOCK", str_from(text), 0644, false), 0);
}

static void write_pid(pid_t pid, const char *end)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%d%s", (int)pid, end);
	write_lock(text);
}

static void expect_holder(pid_t expected)
{
	pid_t pid = -1;

	cr_expect_eq(lock_holder(dir, &pid), expected > 0);
	if (expected > 0)
		cr_expect_eq(pid, expected);
}

Test(lock, one_at_a_time_may_decide)
{
	_cleanup_close_ int other = open(guild, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cr_expect_eq(lock_try(dir), 0);
	cr_expect_eq(lock_try(other), -EBUSY);
	lock_leave(dir);
	cr_expect_eq(lock_try(other), 0);
}

Test(lock, who_takes_it_is_the_holder_until_it_lets_go)
{
	int fd = lock_take(dir);

	cr_assert_geq(fd, 0);
	expect_holder(getpid());
	cr_expect(lock_is_held(dir));
	cr_expect_eq(lock_take(dir), -EBUSY);
	lock_remove(dir, fd);
	cr_expect_not(lock_is_held(dir));
	expect_holder(0);
	close_fd(fd);
	cr_expect_eq(faccessat(dir, "LOCK", F_OK, 0), -1);
	cr_expect_eq(faccessat(dir, "LOCK.new", F_OK, 0), -1);
}

Test(lock, one_that_is_not_held_any_more_is_taken_over)
{
	int fd = lock_take(dir);

	write_lock("999999999");
	expect_holder(0);
	cr_expect_geq(fd, 0);
	lock_remove(dir, fd);
	close_fd(fd);
	cr_expect_eq(faccessat(dir, "LOCK", F_OK, 0), 0, "it was another's by then");
	fd = lock_take(dir);
	expect_holder(getpid());
	close_fd(fd);
}

Test(lock, a_live_process_of_guild_holds_it_without_a_lock)
{
	start_child(path, NULL);
	write_pid(child_pid, "");
	expect_holder(child_pid);
	write_pid(child_pid, "\n");
	expect_holder(child_pid);
	cr_expect_eq(lock_check_holder(dir, child_pid), 0);
	cr_expect_not(lock_is_held(dir));
	cr_expect_eq(lock_take(dir), -EBUSY);
}

Test(lock, guild_s_process_may_have_gone_elsewhere)
{
	char variable[sizeof(path) + sizeof("RUN_DIR=")];

	(void)snprintf(variable, sizeof(variable), "RUN_DIR=%s", path);
	start_child("/", variable);
	write_pid(child_pid, "");
	expect_holder(child_pid);
	cr_expect_eq(lock_check_holder(dir, child_pid), 0);
}

Test(lock, a_process_that_does_not_run_the_run_is_another)
{
	static const char *const variables[] = { NULL, "RUN_DIR=/", "RUN_DIR=/none",
						 "RUN_DIR=", "NO_RUN_DIR=x" };

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		start_child("/", variables[i]);
		write_pid(child_pid, "");
		expect_holder(0);
		cr_expect_eq(lock_check_holder(dir, child_pid), -EPERM);
	}
	write_pid(1, "");
	expect_holder(0);
	cr_expect_eq(lock_check_holder(dir, 1), -EPERM);
	write_pid(getpid(), "");
	expect_holder(0);
	cr_expect_eq(lock_check_holder(dir, getpid()), -EPERM);
}

Test(lock, a_clock_that_was_set_makes_no_difference)
{
	static const int64_t steps_s[] = { -86400, 86400 };

	for (size_t i = 0; i < sizeof(steps_s) / sizeof(steps_s[0]); i++) {
		struct timespec times[2] = { { .tv_sec = time(NULL) + steps_s[i] },
					     { .tv_sec = time(NULL) + steps_s[i] } };

		start_child(path, NULL);
		write_pid(child_pid, "");
		cr_assert_eq(utimensat(dir, "LOCK", times, 0), 0);
		expect_holder(child_pid);
		start_child("/", NULL);
		write_pid(child_pid, "");
		cr_assert_eq(utimensat(dir, "LOCK", times, 0), 0);
		expect_holder(0);
	}
}

Test(lock, a_held_one_may_name_whom_it_likes)
{
	_cleanup_close_ int fd = lock_take(dir);
	pid_t pid;

	cr_assert_geq(fd, 0);
	start_child("/", NULL);
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_geq(dprintf(fd, "%d", (int)child_pid), 1);
	cr_expect_eq(lock_holder(dir, &pid), 1);
	cr_expect_eq(lock_check_holder(dir, child_pid), -EPERM);
	cr_expect_eq(lock_check_holder(dir, 1), -EPERM);
}

Test(lock, a_zombie_holds_nothing)
{
	pid_t pid = fork();
	siginfo_t info;

	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	write_pid(pid, "");
	expect_holder(0);
	(void)waitpid(pid, NULL, 0);
}

Test(lock, what_is_no_pid_is_nobody)
{
	static const char *const texts[] = { "",   "x",		  "-1",	   "1x", "0",
					     "+1", "99999999999", "12 34", "\n", "0x10" };

	expect_holder(0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_lock(texts[i]);
		expect_holder(0);
	}
	cr_assert_eq(file_remove(dir, "LOCK"), 0);
	cr_assert_eq(mkdirat(dir, "LOCK", 0755), 0);
	expect_holder(0);
}
