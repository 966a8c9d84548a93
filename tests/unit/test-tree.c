/* The processes below this one, wherever they have got to. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/tree.h"

/* Else nobody is told to end, and waited for in vain. */
static void skip_under_valgrind(void)
{
	if (getenv("RUNFS_VALGRIND"))
		cr_skip_test("valgrind knows no pidfd_open");
}
TestSuite(tree, .init = skip_under_valgrind, .timeout = 60);

/* Sleeps for ever, having told that it is there. */
static void rest(int told_fd)
{
	pid_t pid = getpid();

	(void)!write(told_fd, &pid, sizeof(pid));
	while (true)
		pause();
}

static pid_t await_one(int told_fd)
{
	pid_t pid = 0;

	cr_assert_eq(read(told_fd, &pid, sizeof(pid)), sizeof(pid));
	return pid;
}

/* Waits for all there are; returns how many ended by @signal. */
static int reap_all(int signal)
{
	int n_signalled = 0;
	int status;

	while (wait(&status) > 0)
		n_signalled += WIFSIGNALED(status) && WTERMSIG(status) == signal;
	return n_signalled;
}

Test(tree, is_empty_without_children)
{
	cr_assert_eq(tree_adopt(), 0);
	cr_expect(tree_is_empty());
	cr_expect_eq(tree_signal(SIGKILL), 0);
}

Test(tree, a_child_that_is_to_be_waited_for_is_left)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	cr_expect_not(tree_is_empty());
	cr_expect_eq(tree_signal(SIGKILL), 0, "but it is not alive");
	(void)waitpid(pid, NULL, 0);
	cr_expect(tree_is_empty());
}

Test(tree, who_has_left_the_session_and_lost_the_parent_is_found)
{
	int told_fds[2];

	cr_assert_eq(tree_adopt(), 0);
	cr_assert_eq(pipe(told_fds), 0);
	if (fork() == 0) {
		(void)setsid();
		if (fork() == 0) {
			(void)setsid();
			if (fork() == 0)
				rest(told_fds[1]);
		}
		_exit(0);
	}
	(void)await_one(told_fds[0]);
	/* Both that it comes from: the second is ours when the first has ended. */
	for (int i = 0; i < 2; i++)
		(void)wait(NULL);
	cr_expect_eq(tree_signal(SIGTERM), 1);
	cr_expect_eq(reap_all(SIGTERM), 1);
	cr_expect(tree_is_empty());
}

Test(tree, each_of_a_chain_is_told)
{
	int told_fds[2];

	cr_assert_eq(tree_adopt(), 0);
	cr_assert_eq(pipe(told_fds), 0);
	if (fork() == 0) {
		for (int i = 0; i < 4 && fork() == 0; i++)
			continue;
		rest(told_fds[1]);
	}
	for (int i = 0; i < 5; i++)
		(void)await_one(told_fds[0]);
	cr_expect_eq(tree_signal(SIGTERM), 5);
	cr_expect_eq(reap_all(SIGTERM), 5);
}

static int handled_fd;

static void save(int signal_number)
{
	if (fork() == 0) {
		/* As a program that is only begun, with nothing to handle it. */
		(void)signal(SIGTERM, SIG_DFL);
		(void)poll(NULL, 0, 300);
		(void)!write(handled_fd, &signal_number, sizeof(signal_number));
	} else {
		(void)wait(NULL);
	}
	_exit(0);
}

Test(tree, what_a_handler_has_made_is_left_to_it)
{
	int told_fds[2], handled_fds[2];

	cr_assert_eq(tree_adopt(), 0);
	cr_assert_eq(pipe(told_fds), 0);
	cr_assert_eq(pipe(handled_fds), 0);
	handled_fd = handled_fds[1];
	if (fork() == 0) {
		(void)signal(SIGTERM, save);
		rest(told_fds[1]);
	}
	(void)await_one(told_fds[0]);
	/* To be told after it, so that its handler has begun when we look again. */
	for (int i = 0; i < 200; i++) {
		if (fork() == 0)
			rest(told_fds[1]);
		(void)await_one(told_fds[0]);
	}
	cr_expect_eq(tree_signal(SIGTERM), 201);
	cr_expect_eq(await_one(handled_fds[0]), SIGTERM);
	cr_expect_eq(reap_all(SIGTERM), 200);
}

Test(tree, others_are_left_alone)
{
	pid_t bystander = fork();
	pid_t other;
	int status;

	if (bystander == 0)
		rest(-1);
	other = fork();
	if (other == 0) {
		if (fork() == 0)
			rest(-1);
		_exit(tree_signal(SIGKILL) == 1 ? 0 : 1);
	}
	cr_assert_eq(waitpid(other, &status, 0), other);
	cr_expect_eq(status, 0);
	cr_expect_eq(waitpid(bystander, &status, WNOHANG), 0);
	cr_assert_eq(kill(bystander, SIGTERM), 0);
	cr_expect_eq(reap_all(SIGTERM), 1);
}

/* One maker: what it makes rests, so that the number stays small whatever happens. */
static void make_sleepers(void)
{
	(void)signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < 60; i++) {
		if (fork() == 0) {
			(void)setsid();
			(void)alarm(30);
			while (true)
				pause();
		}
		(void)poll(NULL, 0, 1);
	}
	_exit(0);
}

Test(tree, a_tree_that_grows_is_killed)
{
	cr_assert_eq(tree_adopt(), 0);
	if (fork() == 0)
		make_sleepers();
	(void)poll(NULL, 0, 50);
	cr_expect_gt(tree_signal(SIGKILL), 0);
	(void)reap_all(SIGKILL);
	cr_expect(tree_is_empty());
}
