/* What /proc says of a process. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/proc.h"

TestSuite(proc, .timeout = 60);

Test(proc, says_who_a_process_is)
{
	struct proc proc;

	cr_assert_eq(proc_read(getpid(), &proc), 0);
	cr_expect_eq(proc.pid, getpid());
	cr_expect_eq(proc.parent, getppid());
	cr_expect_eq(proc.session, getsid(0));
	cr_expect(proc_is_alive(&proc));
	cr_expect_not(proc.is_killed);
	cr_expect_lt(time(NULL) - proc.start_us / 1000000, 60);
}

Test(proc, a_name_may_hold_anything)
{
	struct proc proc;

	cr_assert_eq(prctl(PR_SET_NAME, "a) Z 1 (b"), 0);
	cr_assert_eq(proc_read(getpid(), &proc), 0);
	cr_expect_eq(proc.parent, getppid());
	cr_expect_eq(proc.state, 'R');
}

Test(proc, a_zombie_is_not_alive)
{
	struct proc proc;
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	cr_assert_eq(proc_read(pid, &proc), 0);
	cr_expect_not(proc_is_alive(&proc));
	(void)waitpid(pid, NULL, 0);
	cr_expect_eq(proc_read(pid, &proc), -ENOENT);
}

static void look_for_self(void *userdata, const struct proc *proc)
{
	if (proc->pid == getpid())
		++*(int *)userdata;
}

Test(proc, each_is_shown_once)
{
	int n_times = 0;

	cr_expect_eq(proc_each(look_for_self, &n_times), 0);
	cr_expect_eq(n_times, 1);
}
