/* Stopping: which signal a line names, and which process gets it. */
#include "engine/stop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descriptors.h"
#include "expect.h"
#include "patience.h"
#include "scratch.h"

#define ID "0123456789abcdef0123456789abcdef"

static struct loop *loop;
static struct stopper *stopper;
static struct run *run;
static pid_t held_pid; /* the process that runs the run */

static void begin(void)
{
	scratch_make();
	scratch_put_run(ID);
	run = scratch_run(ID);
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(stopper_new(loop, 300000, &stopper), 0);
}

static void end(void)
{
	if (held_pid > 0) {
		(void)kill(held_pid, SIGKILL);
		(void)waitpid(held_pid, NULL, 0);
	}
	stopper_free(stopper);
	loop_free(loop);
	run_free(run);
	scratch_remove();
}

static void skip_under_valgrind(void)
{
	if (getenv("RUNFS_VALGRIND"))
		cr_skip_test("valgrind knows no pidfd_open");
}

TestSuite(stop, .init = begin, .fini = end, .timeout = 60);

Test(stop, a_line_names_a_signal)
{
	static const struct {
		const char *text;
		bool complete;
		int signal; /* 0: no signal */
	} rows[] = {
		{ "", true, SIGTERM },
		{ "\n", true, SIGTERM },
		{ "1\n", true, SIGTERM },
		{ "TERM\n", true, SIGTERM },
		{ "SIGTERM\n", true, SIGTERM },
		{ " INT \n", true, SIGINT },
		{ "KILL", true, SIGKILL },
		{ "STOP\n", true, SIGSTOP },
		{ "CONT\n", true, SIGCONT },
		{ "HUP\n", false, SIGHUP },
		{ "USR1\n", true, SIGUSR1 },
		{ "SIGUSR2\n", true, SIGUSR2 },
		{ "TE", false, SIGTERM },
		{ "bogus", false, SIGTERM },
		{ "", false, SIGTERM },
		{ "usr1\n", true, SIGUSR1 },
		{ "sigterm\n", true, SIGTERM },
		{ "SigInt", true, SIGINT },
		{ "10\n", true, SIGUSR1 },
		{ "2\n", true, SIGINT },
		{ "9\n", true, SIGKILL },
		{ "15\n", true, SIGTERM },
		{ "bogus\n", false, 0 },
		{ "bogus", true, 0 },
		{ "-9\n", true, 0 },
		{ "99\n", true, 0 },
		{ "000000000000009\n", true, 0 },
		{ "9x\n", true, 0 },
		{ "SIG9\n", true, 0 },
		{ "SIG\n", true, 0 },
		{ "SIGSIGTERM\n", true, 0 },
		{ "TERM INT\n", true, 0 },
		{ "0\n", true, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		int signal = 0;
		int r = stop_parse(str_from(rows[i].text), rows[i].complete, &signal,
				   &why);

		cr_expect_eq(r, rows[i].signal ? 0 : -EINVAL, "%s", rows[i].text);
		if (rows[i].signal)
			cr_expect_eq(signal, rows[i].signal, "%s", rows[i].text);
		else
			expect_sentence(&why, "is no signal: write an empty line",
					rows[i].text);
	}
}

static int stop(int signal, const char *sentence)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r = stop_run(stopper, run, signal, &why);

	if (sentence)
		expect_sentence(&why, sentence, "");
	else
		cr_expect_eq(why.len, 0, "%s", strbuf_cstr(&why));
	return r;
}

Test(stop, a_run_that_is_not_alive_is_left_alone)
{
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	scratch_put_attr(ID, "exit_status", "0\n");
	cr_expect_eq(stop(SIGKILL, NULL), 0);
	scratch_put_guild(ID, "LOCK", "garbage");
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	scratch_put_guild(ID, "LOCK.remote", "there");
	cr_expect_eq(stop(SIGTERM, NULL), 0);
}

Test(stop, one_that_is_only_being_started_is_ebusy)
{
	scratch_put_guild(ID, "PENDING", "");
	cr_expect_eq(stop(SIGTERM, "is only being started: stop it when it runs"),
		     -EBUSY);
}

Test(stop, a_foreign_process_in_lock_is_left_alone)
{
	char pid[16];

	held_pid = fork();
	if (held_pid == 0) {
		(void)pause();
		_exit(0);
	}
	(void)snprintf(pid, sizeof(pid), "%d", (int)held_pid);
	scratch_put_guild(ID, "LOCK", pid);
	cr_expect_eq(stop(SIGKILL, NULL), 0);
	scratch_put_guild(ID, "LOCK", "1");
	cr_expect_eq(stop(SIGCONT, NULL), 0);
	cr_expect_eq(waitpid(held_pid, NULL, WNOHANG), 0, "it was signalled");
}

Test(stop, a_held_lock_that_names_another_is_refused)
{
	_cleanup_close_ int fd = -1;

	skip_under_valgrind();
	scratch_put_guild(ID, "LOCK", "1");
	fd = openat(scratch_fd, "home/runs/" ID "/.guild/LOCK", O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	cr_expect_eq(stop(SIGCONT, "process 1, which .guild/LOCK names, is not seen to"),
		     -EPERM);
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_expect_eq(stop(SIGCONT, "its .guild/LOCK names no process"), -EINVAL);
}

Test(stop, without_descriptors_it_is_not_said_to_be_done)
{
	_cleanup_close_ int fd = -1;
	int r = -EMFILE;

	skip_under_valgrind();
	scratch_put_guild(ID, "LOCK", "1");
	fd = openat(scratch_fd, "home/runs/" ID "/.guild/LOCK", O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
	for (int n = 0; r == -EMFILE; n++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		descriptors_leave(n);
		r = stop_run(stopper, run, SIGCONT, &why);
		descriptors_leave(-1);
		cr_expect_neq(r, 0, "%d", n);
	}
	cr_expect_eq(r, -EPERM);
}

/* Takes the lock of the run as a supervisor does. */
static void hold_lock(void)
{
	int fd = openat(scratch_fd, "home/runs/" ID "/.guild/LOCK", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		_exit(100);
}

/*
 * The first signal that comes is the exit code; one that was sent with a number, that
 * number. With @deaf, TERM is of no effect.
 */
static _Noreturn void await_signal(int ready_fd, bool supervises, bool deaf)
{
	siginfo_t info;
	sigset_t set;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test runs out of time */
	if (fchdir(scratch_fd) < 0 || chdir("home/runs/" ID) < 0)
		_exit(103);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (!scratch_has("home/runs/" ID "/.guild/LOCK"))
		(void)poll(NULL, 0, 1);
	if (supervises)
		hold_lock();
	if (write(ready_fd, "x", 1) != 1)
		_exit(101);
	do {
		while (sigwaitinfo(&set, &info) < 0)
			if (errno != EINTR) /* as after a SIGCONT */
				_exit(102);
	} while (deaf && info.si_signo == SIGTERM);
	_exit(info.si_signo == SIGRTMIN ? info.si_value.sival_int : info.si_signo);
}

static void start(bool supervises, bool deaf)
{
	char pid[16], ready;
	int fds[2];

	skip_under_valgrind();
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	held_pid = fork();
	if (held_pid == 0)
		await_signal(fds[1], supervises, deaf);
	(void)snprintf(pid, sizeof(pid), "%d", (int)held_pid);
	scratch_put_guild(ID, "LOCK", pid);
	cr_assert_eq(read(fds[0], &ready, 1), 1);
	close_fd(fds[0]);
	close_fd(fds[1]);
	cr_assert_eq(run_pid(run), held_pid);
}

/* How it ended: its exit code, or -signal. */
static int wait_for_end(void)
{
	int status;

	cr_assert_eq(waitpid(held_pid, &status, 0), held_pid);
	held_pid = 0;
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

Test(stop, a_process_of_guild_s_gets_the_signal_itself)
{
	start(false, false);
	cr_expect_eq(stop(SIGINT, NULL), 0);
	cr_expect_eq(wait_for_end(), SIGINT);
	start(false, false);
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	cr_expect_eq(wait_for_end(), SIGTERM);
	cr_expect_eq(stop(SIGTERM, NULL), 0, "it has ended");
}

Test(stop, a_supervisor_is_told_which_signal_to_pass_on)
{
	start(true, false);
	cr_expect_eq(stop(SIGUSR1, NULL), 0);
	cr_expect_eq(wait_for_end(), SIGUSR1);
	start(true, false);
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	cr_expect_eq(wait_for_end(), SIGTERM);
}

Test(stop, a_supervisor_that_was_stopped_goes_on)
{
	start(true, false);
	cr_assert_eq(kill(held_pid, SIGSTOP), 0);
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	cr_expect_eq(wait_for_end(), SIGTERM);
}

Test(stop, a_process_of_guild_s_that_stays_is_killed_after_the_timeout)
{
	int64_t begin_us = loop_now_us();

	start(false, true);
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	run_for(loop, 1000000);
	cr_expect_eq(wait_for_end(), -SIGKILL);
	cr_expect_geq(loop_now_us() - begin_us, 300000);
}

Test(stop, only_term_kills_later)
{
	start(false, true);
	cr_expect_eq(stop(SIGCONT, NULL), 0);
	run_for(loop, 600000);
	cr_expect_eq(run_pid(run), held_pid, "it was killed");
}

Test(stop, a_supervisor_kills_by_its_own_clock)
{
	start(true, true);
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	run_for(loop, 600000);
	cr_expect_eq(run_pid(run), held_pid, "it was killed");
}

Test(stop, a_process_that_ends_in_time_is_not_killed)
{
	start(false, false);
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	run_for(loop, 600000);
	cr_expect_eq(wait_for_end(), SIGTERM);
}

Test(stop, a_stopper_may_go_while_it_waits)
{
	start(false, true);
	cr_expect_eq(stop(SIGTERM, NULL), 0);
	stopper_free(take_ptr(stopper));
	run_for(loop, 600000);
	cr_expect_eq(run_pid(run), held_pid, "it was killed");
}
