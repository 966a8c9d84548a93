/* Which runs go on, and what is ended of those that were let down. */
#include "engine/live.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/proc.h"
#include "scratch.h"

#define ENTRY "home/runfs/live/r1"

static int home_fd;

static void make_home(void)
{
	scratch_make();
	scratch_put_run("r1");
	home_fd = file_open_dir(scratch_fd, "home");
}

static void remove_home(void)
{
	close_fd(home_fd);
	scratch_remove();
}

TestSuite(live, .init = make_home, .fini = remove_home, .timeout = 60);

/*
 * A supervisor that begins in a session of its own, makes a process in @dir, which leaves
 * the session when @leaves, and dies. Returns that process.
 */
static pid_t let_down(const char *dir, bool leaves)
{
	pid_t supervisor, pid;
	int fds[2];

	if (getenv("RUNFS_VALGRIND"))
		cr_skip_test("valgrind knows no pidfd_open");
	cr_assert_eq(pipe(fds), 0);
	supervisor = fork();
	if (supervisor == 0) {
		struct live live;

		(void)setsid();
		if (live_begin(home_fd, "r1", "", &live) < 0)
			_exit(1);
		pid = fork();
		if (pid == 0) {
			close_fd(live.fd);
			if (fchdir(scratch_fd) < 0 || chdir(dir) < 0 ||
			    (leaves && setsid() < 0))
				_exit(1);
			pid = getpid();
			(void)!write(fds[1], &pid, sizeof(pid));
			while (true)
				pause();
		}
		(void)pause();
		_exit(0);
	}
	cr_assert_eq(read(fds[0], &pid, sizeof(pid)), sizeof(pid));
	cr_expect_eq(live_sweep(home_fd, "r1"), -EBUSY);
	cr_assert_eq(kill(supervisor, SIGKILL), 0);
	cr_assert_eq(waitpid(supervisor, NULL, 0), supervisor);
	return pid;
}

static bool is_alive(pid_t pid)
{
	struct proc proc;

	return proc_read(pid, &proc) == 0 && proc_is_alive(&proc);
}

static void sweep_until(int result)
{
	int r;

	for (int i = 0; i < 1000 && (r = live_sweep(home_fd, "r1")) == -EAGAIN; i++)
		(void)poll(NULL, 0, 5);
	cr_expect_eq(r, result);
}

Test(live, is_there_while_the_run_goes_on)
{
	struct live live = LIVE_INIT;

	cr_assert_eq(live_begin(home_fd, "r1", "", &live), 0);
	cr_expect(scratch_has(ENTRY));
	cr_expect_eq(live_sweep(home_fd, "r1"), -EBUSY);
	cr_expect_eq(live_sweep_all(home_fd), 0);
	live_end(&live);
	cr_expect_not(scratch_has(ENTRY));
	cr_expect_eq(live_sweep(home_fd, "r1"), 0);
	live_end(&live);
}

Test(live, one_that_another_start_has_made_is_left_alone)
{
	struct live first = LIVE_INIT, second = LIVE_INIT;

	cr_assert_eq(live_begin(home_fd, "r1", "", &first), 0);
	cr_assert_eq(live_begin(home_fd, "r1", "", &second), 0);
	live_end(&first);
	cr_expect(scratch_has(ENTRY));
	live_end(&second);
	cr_expect_not(scratch_has(ENTRY));
}

Test(live, what_a_dead_supervisor_has_left_is_ended)
{
	pid_t pid = let_down("home/runs/r1", false);

	cr_expect(is_alive(pid));
	cr_expect_eq(live_sweep_all(home_fd), 1);
	sweep_until(0);
	cr_expect_not(is_alive(pid));
	cr_expect_not(scratch_has(ENTRY));
}

Test(live, who_is_elsewhere_or_of_another_session_is_left_alone)
{
	pid_t elsewhere = let_down("home", false);
	pid_t other;

	sweep_until(0);
	cr_expect(is_alive(elsewhere));
	other = let_down("home/runs/r1", true);
	sweep_until(0);
	cr_expect(is_alive(other));
	cr_assert_eq(kill(elsewhere, SIGKILL), 0);
	cr_assert_eq(kill(other, SIGKILL), 0);
}

Test(live, one_that_was_not_written_to_its_end_means_nobody)
{
	scratch_put(ENTRY, "");
	cr_expect_eq(live_sweep(home_fd, "r1"), 0);
	cr_expect_not(scratch_has(ENTRY));
	scratch_put(ENTRY, "1");
	cr_expect_eq(live_sweep_all(home_fd), 0);
	cr_expect_not(scratch_has(ENTRY));
}

Test(live, a_cgroup_of_before_the_boot_is_gone)
{
	scratch_put(ENTRY, "1\n/sys/fs/cgroup/no/such/cgroup\n");
	cr_expect_eq(live_sweep(home_fd, "r1"), 0);
	cr_expect_not(scratch_has(ENTRY));
}

Test(live, a_home_without_any_has_none)
{
	cr_expect_eq(live_sweep_all(home_fd), 0);
	cr_expect_eq(live_sweep(home_fd, "r1"), 0);
}
