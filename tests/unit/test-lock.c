/* The locks of a run: who holds it, and whom to believe. */
#include "engine/lock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

static char path[] = "/tmp/test-lock.XXXXXX";
static int dir = -1;

static void make_directory(void)
{
	cr_assert_not_null(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(dir, 0);
}

static void remove_directory(void)
{
	close_fd(dir);
	cr_expect_eq(file_remove_tree(AT_FDCWD, path), 0);
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
	_cleanup_close_ int other = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

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
	write_pid(getpid(), "");
	expect_holder(getpid());
	write_pid(getpid(), "\n");
	expect_holder(getpid());
	cr_expect_not(lock_is_held(dir));
	cr_expect_eq(lock_take(dir), -EBUSY);
}

Test(lock, a_process_that_began_after_it_was_written_is_another)
{
	struct timespec times[2] = { { .tv_sec = time(NULL) - 3600 },
				     { .tv_sec = time(NULL) - 3600 } };

	write_pid(getpid(), "");
	cr_assert_eq(utimensat(dir, "LOCK", times, 0), 0);
	expect_holder(0);
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
