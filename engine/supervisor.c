/*
 * runfs-supervisor: holds one running run, from its start to its end. Started by the
 * daemon with a job (engine/job.h), it outlives it; all that it has to say later it
 * writes into the run. A job that starts nothing it carries out, and ends.
 *
 *   SIGTERM, SIGINT            end the run: the signal goes to all of its processes, and
 *                              SIGKILL if there are any after the job's stop_timeout
 *   SIGQUIT, SIGUSR1, SIGUSR2,
 *   and the one that SIGRTMIN
 *   has for its value          are passed on
 *
 * A run goes on until no process of it is left. What its command leaves behind may still
 * print for a while; then it is ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/capture.h"
#include "engine/cgroup.h"
#include "engine/child.h"
#include "engine/cleanup.h"
#include "engine/errand.h"
#include "engine/file.h"
#include "engine/job.h"
#include "engine/jobs.h"
#include "engine/live.h"
#include "engine/loop.h"
#include "engine/queueing.h"
#include "engine/record.h"
#include "engine/strbuf.h"
#include "engine/tree.h"

#define JOB_MAX_LEN (256u << 20)

/*
 * What the command has left behind may hold its pipes: it is left alone until it is
 * quiet, but not for ever. Then it is told to end, and after the grace it is killed.
 */
#define QUIET_US   1000000
#define LINGER_US  10000000
#define GRACE_US   1000000
#define MOST_TRIES 3 /* to write the end, after an error other than a full disk */
#define RETRY_US   1000000
#define PRUNE_US   1000000 /* when a start is long over */
#define KILL_US	   50000   /* between two looks for what has got away from a SIGKILL */

/* For what a dead supervisor has left to be gone. */
#define MOST_SWEEPS 400
#define SWEEP_MS    5

struct supervisor {
	struct job job;
	struct record record;
	int slot_fd; /* as long as it is held, this run counts */
	struct cgroup cgroup;
	struct live live;
	struct child child;
	struct loop *loop;
	struct capture *capture;
	struct loop_source *signals, *kill_timer, *end_timer, *prune_timer;
	int exit_status;
	bool has_exited; /* the command; others of the run may go on */
	int64_t exited_us;
	bool is_ending; /* all have been told to end; kill_timer is set */
	int n_tries;	/* of writing the end that have failed */
	bool is_empty;	/* there are no processes any more that could be ended */
	bool is_pruned;
	int64_t emptied_us;
};

static void supervisor_done(struct supervisor *supervisor)
{
	capture_free(supervisor->capture);
	loop_source_free(supervisor->signals);
	loop_source_free(supervisor->kill_timer);
	loop_source_free(supervisor->end_timer);
	loop_source_free(supervisor->prune_timer);
	loop_free(supervisor->loop);
	child_done(&supervisor->child);
	(void)cgroup_remove(&supervisor->cgroup);
	cgroup_done(&supervisor->cgroup);
	live_end(&supervisor->live);
	record_done(&supervisor->record);
	job_done(&supervisor->job);
}

/* Whether there is still somebody of the process group. */
static bool is_group_alive(const struct supervisor *supervisor)
{
	return killpg(supervisor->child.pid, 0) == 0 || errno == EPERM;
}

static int64_t max_us(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* How long what holds the pipes may still print; 0 or less when it has been enough. */
static int64_t remaining_us(const struct supervisor *supervisor)
{
	int64_t active_us = capture_active_us(supervisor->capture);
	int64_t resumed_us = capture_resumed_us(supervisor->capture);
	int64_t begin_us = max_us(supervisor->exited_us, supervisor->emptied_us);
	int64_t quiet_us, linger_us;

	if (capture_is_at_end(supervisor->capture))
		return 0;
	quiet_us = max_us(begin_us, active_us) + QUIET_US;
	linger_us = max_us(begin_us, resumed_us) + LINGER_US;
	return (quiet_us < linger_us ? quiet_us : linger_us) - loop_now_us();
}

/* Tells all to end, and sees to it that they do. One that is held can't even end. */
static void end_processes(struct supervisor *supervisor, int signal, int64_t grace_us)
{
	(void)tree_signal(signal);
	(void)tree_signal(SIGCONT);
	if (supervisor->is_ending)
		return;
	supervisor->is_ending = true;
	loop_timer_set(supervisor->kill_timer, grace_us);
}

static bool is_full(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

static void end(struct supervisor *supervisor)
{
	bool again;
	int r;

	r = capture_finish(supervisor->capture);
	again = r < 0;
	if (!again) {
		r = record_end(&supervisor->record, supervisor->exit_status);
		again = is_full(r) || (r < 0 && ++supervisor->n_tries < MOST_TRIES);
	}
	if (again)
		loop_timer_set(supervisor->end_timer, RETRY_US);
	else
		loop_stop(supervisor->loop);
}

/* Looks whether the run is over. */
static void supervisor_check(void *userdata)
{
	struct supervisor *supervisor = userdata;
	int64_t us;

	if (!supervisor->has_exited || capture_is_stuck(supervisor->capture))
		return;
	if (!supervisor->is_empty && supervisor->is_ending)
		return;
	us = remaining_us(supervisor);
	if (us > 0)
		loop_timer_set(supervisor->end_timer, us);
	else if (supervisor->is_empty)
		end(supervisor);
	else
		end_processes(supervisor, SIGTERM, GRACE_US);
}

static void end_timer_fire(void *userdata, uint32_t events)
{
	supervisor_check(userdata);
}

/* What takes time and can wait: neither the start nor the end does for it. */
static void prune(void *userdata, uint32_t events)
{
	struct supervisor *supervisor = userdata;

	if (!supervisor->is_pruned)
		record_prune(&supervisor->record);
	supervisor->is_pruned = true;
}

static void command_exited(struct supervisor *supervisor, int status)
{
	supervisor->has_exited = true;
	supervisor->exited_us = loop_now_us();
	supervisor->exit_status =
		WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void processes_ended(struct supervisor *supervisor)
{
	if (supervisor->is_empty)
		return;
	supervisor->is_empty = true;
	supervisor->emptied_us = loop_now_us();
	loop_timer_set(supervisor->kill_timer, -1);
}

/* What has lost its parent comes to us too (see tree_adopt()). */
static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
		if (pid == supervisor->child.pid)
			command_exited(supervisor, status);
	if (pid < 0 && errno == ECHILD)
		processes_ended(supervisor);
	supervisor_check(supervisor);
}

/*
 * Kills until nobody is left, but for those that we may not signal: nothing that could be
 * done would end them.
 */
static void kill_timer_fire(void *userdata, uint32_t events)
{
	struct supervisor *supervisor = userdata;

	supervisor->is_ending = true;
	/* Those that come and go faster than they can be looked at. */
	(void)cgroup_kill(&supervisor->cgroup);
	if (tree_signal(SIGKILL) != 0 || !supervisor->has_exited)
		loop_timer_set(supervisor->kill_timer, KILL_US);
	else
		processes_ended(supervisor);
	supervisor_check(supervisor);
}

/* Others go to the command's group: they end a program that does not know of them. */
static bool is_for_all(int signal)
{
	return signal == SIGTERM || signal == SIGINT || signal == SIGHUP ||
	       signal == SIGQUIT || signal == SIGSTOP || signal == SIGCONT;
}

static void pass_on(struct supervisor *supervisor, int signal)
{
	if (signal == SIGKILL)
		kill_timer_fire(supervisor, 0);
	else if (is_for_all(signal))
		(void)tree_signal(signal);
	else if (!supervisor->has_exited || is_group_alive(supervisor))
		/* Once both are gone, the number may be another's. */
		(void)killpg(supervisor->child.pid, signal);
}

static void signal_come(void *userdata, const struct signalfd_siginfo *info)
{
	struct supervisor *supervisor = userdata;
	int signal = (int)info->ssi_signo;

	if (signal == SIGCHLD)
		reap(supervisor);
	else if (signal == SIGTERM || signal == SIGINT)
		end_processes(supervisor, signal, supervisor->job.stop_timeout_us);
	else
		pass_on(supervisor, signal == SIGRTMIN ? info->ssi_int : signal);
}

static void signals_of(sigset_t *ret)
{
	(void)sigemptyset(ret);
	(void)sigaddset(ret, SIGCHLD);
	(void)sigaddset(ret, SIGTERM);
	(void)sigaddset(ret, SIGINT);
	(void)sigaddset(ret, SIGQUIT);
	(void)sigaddset(ret, SIGUSR1);
	(void)sigaddset(ret, SIGUSR2);
	(void)sigaddset(ret, SIGRTMIN);
}

/* What could end us, or reach the command: first of all. */
static int init_process(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	(void)sigaction(SIGHUP, &ignore, NULL);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	(void)sigaction(SIGXFSZ, &ignore, NULL);
	signals_of(&set);
	/* Until the loop is there to take them. */
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)tree_adopt();
	for (int fd = JOB_ANSWER_FD; fd <= JOB_GUILD_FD; fd++)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	return chdir("/") < 0 ? -errno : 0;
}

/* Reads the job, then leaves /dev/null in its place. */
static int read_job(struct job *ret, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int null_fd;
	int r;

	r = file_read_fd(JOB_FD, JOB_MAX_LEN, &text);
	if (r == 0)
		r = job_parse(strbuf_str(&text), ret);
	if (r < 0) {
		strbuf_addf(ret_why, "cannot read the job: %s", strerror(-r));
		return r;
	}
	(void)close(JOB_FD);
	null_fd = open("/dev/null", O_RDONLY);
	return null_fd == JOB_FD ? 0 : -errno;
}

static int init_loop(struct supervisor *supervisor)
{
	sigset_t set;
	int r;

	signals_of(&set);
	r = loop_new(&supervisor->loop);
	if (r == 0)
		r = loop_add_signals(supervisor->loop, &set, signal_come, supervisor,
				     &supervisor->signals);
	if (r == 0)
		r = loop_add_timer(supervisor->loop, kill_timer_fire, supervisor,
				   &supervisor->kill_timer);
	if (r == 0)
		r = loop_add_timer(supervisor->loop, end_timer_fire, supervisor,
				   &supervisor->end_timer);
	if (r == 0)
		r = loop_add_timer(supervisor->loop, prune, supervisor,
				   &supervisor->prune_timer);
	if (r == 0)
		r = capture_new(supervisor->loop, supervisor->child.output_fds,
				supervisor->record.output_fd, supervisor->record.index_fd,
				supervisor_check, supervisor, &supervisor->capture);
	return r;
}

static int begin(struct supervisor *supervisor, struct strbuf *ret_why)
{
	struct job *job = &supervisor->job;

	return record_begin(&supervisor->record, job, JOB_HOME_FD,
			    job->is_new ? -1 : JOB_GUILD_FD, ret_why);
}

/*
 * Writes a run that is not started: one that somebody starts later, or one that can't be
 * started any more.
 */
static int write_down(struct supervisor *supervisor, struct strbuf *ret_why)
{
	struct record *record = &supervisor->record;
	int r;

	r = begin(supervisor, ret_why);
	if (r == 0)
		r = record_prepare(record, ret_why);
	if (r == 0)
		r = record_commit(record, ret_why);
	if (r < 0)
		return r;
	/* No LOCK keeps the next away once this one has let go. */
	record_clear(record);
	record_settle(record);
	return 0;
}

/*
 * What the supervisor before us has left is ended first, so that no two starts of a run
 * ever go on at once. Then it is written down what we would leave. A home or a system
 * that does not let us is no reason not to start.
 */
static void begin_processes(struct supervisor *supervisor)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	const char *id = supervisor->job.id;
	char name[NAME_MAX + 1];

	for (int i = 0; i < MOST_SWEEPS && live_sweep(JOB_HOME_FD, id) == -EAGAIN; i++)
		(void)poll(NULL, 0, SWEEP_MS);
	(void)snprintf(name, sizeof(name), "runfs-%.200s-%d", id, (int)getpid());
	(void)cgroup_add_path(name, &path);
	/* First where others find it. */
	(void)live_begin(JOB_HOME_FD, id, strbuf_cstr(&path), &supervisor->live);
	if (path.len > 0)
		(void)cgroup_make(strbuf_cstr(&path), &supervisor->cgroup);
}

/* Everything that can fail comes before the commit, and the command after it. */
static int start_process(struct supervisor *supervisor, struct strbuf *ret_why)
{
	struct record *record = &supervisor->record;
	struct job *job = &supervisor->job;
	int r;

	begin_processes(supervisor);
	r = child_fork(job, record->guild_fd, supervisor->cgroup.fd, &supervisor->child);
	if (r < 0) {
		strbuf_addf(ret_why, "cannot make a process: %s", strerror(-r));
		return r;
	}
	r = record_prepare(record, ret_why);
	if (r < 0)
		return r;
	r = init_loop(supervisor);
	if (r < 0) {
		strbuf_addf(ret_why, "cannot watch the run: %s", strerror(-r));
		return r;
	}
	r = record_commit(record, ret_why);
	if (r < 0)
		return r;

	child_go(&supervisor->child);
	record_settle(record);
	return 0;
}

static int start(struct supervisor *supervisor, struct strbuf *ret_why)
{
	struct record *record = &supervisor->record;
	int r = begin(supervisor, ret_why);

	if (r < 0)
		return r;
	supervisor->slot_fd = jobs_take_slot(JOB_HOME_FD, &supervisor->job, ret_why);
	if (supervisor->slot_fd == -EAGAIN && !supervisor->job.in_turn)
		return queueing_enter(record, ret_why);
	return supervisor->slot_fd < 0 ? supervisor->slot_fd
				       : start_process(supervisor, ret_why);
}

static int carry_out(struct supervisor *supervisor, struct strbuf *ret_why)
{
	int r;

	switch (supervisor->job.kind) {
	case JOB_START:
		return start(supervisor, ret_why);
	case JOB_STAGE:
	case JOB_FAIL:
		return write_down(supervisor, ret_why);
	case JOB_QUEUE:
		r = begin(supervisor, ret_why);
		return r < 0 ? r : queueing_enter(&supervisor->record, ret_why);
	case JOB_LEAVE:
		return queueing_leave(JOB_HOME_FD, JOB_GUILD_FD, supervisor->job.id,
				      ret_why);
	case JOB_AMEND:
	case JOB_SYNC:
	case JOB_SWEEP:
		return errand_run(&supervisor->job, JOB_HOME_FD, JOB_GUILD_FD, ret_why);
	case JOB_N_KINDS:
		break;
	}
	return -EBADMSG;
}

static void leave_slot(struct supervisor *supervisor)
{
	jobs_leave_slot(JOB_HOME_FD, supervisor->job.id, take_fd(&supervisor->slot_fd));
}

static void answer(int result, const struct strbuf *why)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (job_format_answer(result, strbuf_str(why), &text) == 0)
		(void)file_write_fd(JOB_ANSWER_FD, strbuf_str(&text));
	(void)close(JOB_ANSWER_FD);
}

int main(void)
{
	_cleanup_(supervisor_done) struct supervisor supervisor = {
		.record = RECORD_INIT,
		.cgroup = CGROUP_INIT,
		.live = LIVE_INIT,
		.child = CHILD_INIT,
		.slot_fd = -1,
	};
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r;

	r = init_process();
	if (r == 0)
		r = read_job(&supervisor.job, &why);
	if (r == 0)
		r = carry_out(&supervisor, &why);
	if (r < 0) {
		child_done(&supervisor.child);
		record_done(&supervisor.record);
		live_end(&supervisor.live);
		leave_slot(&supervisor);
		/* Who is told may try again at once: the lock of a job that was not begun
		 * must have gone by then, too. */
		(void)close(JOB_GUILD_FD);
	}
	answer(r, &why);
	if (r < 0)
		return EXIT_FAILURE;
	if (job_is_errand(&supervisor.job)) {
		errand_finish(&supervisor.job, JOB_HOME_FD);
		return EXIT_SUCCESS;
	}

	if (supervisor.job.kind != JOB_START)
		return EXIT_SUCCESS;
	record_clear(&supervisor.record);
	loop_timer_set(supervisor.prune_timer, PRUNE_US);
	r = loop_run(supervisor.loop);
	if (supervisor.job.delete_on_success && supervisor.exit_status == 0)
		record_delete(&supervisor.record);
	record_close(&supervisor.record);
	leave_slot(&supervisor);
	prune(&supervisor, 0);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
