/* The command of a run, from fork to exec. */
#include "engine/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/path.h"
#include "engine/strbuf.h"

enum {
	EXIT_NOT_EXECUTABLE = 126, /* as shells have it */
	EXIT_NOT_FOUND = 127,
};

/* For an environment without PATH. */
void child_done(struct child *child)
{
	if (child->go_fd >= 0) {
		close_fd(child->go_fd);
		if (child->pid > 0)
			(void)waitpid(child->pid, NULL, 0);
	}
	close_fd(child->output_fds[0]);
	close_fd(child->output_fds[1]);
	*child = CHILD_INIT;
}

void child_go(struct child *child)
{
	(void)file_write_fd(child->go_fd, STR("g"));
	close_fd(take_fd(&child->go_fd));
}

/* A signal that is ignored, or blocked, would stay so in the command. */
static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < _NSIG; i++)
		(void)sigaction(i, &action, NULL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns when the command may start; else ends the process. */
static void wait_for_go(int go_fd)
{
	ssize_t n;
	char c;

	do
		n = read(go_fd, &c, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(EXIT_FAILURE);
}

/*
 * Executes @name as found in @path. An entry where it can't be executed is passed over,
 * and decides the errno if none is better, as execvp(3) has it; but a file without
 * "#!" is not given to a shell, for it may be anything. Returns -errno.
 */
static int exec_in_path(const struct job *job, const char *path)
{
	struct str rest = str_from(path);
	struct str dir;
	int r = -ENOENT;

	while (str_split(&rest, ':', &dir)) {
		_cleanup_(strbuf_done) struct strbuf file = STRBUF_INIT;

		strbuf_addstr(&file, dir.len > 0 ? dir : STR("."));
		strbuf_addf(&file, "/%s", job->argv[0]);
		if (strbuf_error(&file) < 0)
			return -ENOMEM;
		(void)execve(strbuf_cstr(&file), job->argv, job->envp);
		if (errno == EACCES)
			r = -EACCES;
		else if (errno != ENOENT && errno != ENOTDIR)
			return -errno;
	}
	return r;
}

static const char *search_path(const struct job *job)
{
	const char *path = job_getenv(job, "PATH");

	return path ? path : PATH_DEFAULT;
}

static int exec_command(const struct job *job)
{
	if (!strchr(job->argv[0], '/'))
		return exec_in_path(job, search_path(job));
	(void)execve(job->argv[0], job->argv, job->envp);
	return -errno;
}

static void add_reason(const struct job *job, int r, struct strbuf *ret)
{
	const char *name = job->argv[0];

	if (r == -ENOENT && !strchr(name, '/'))
		strbuf_addf(ret, "no such command in PATH (%s)", search_path(job));
	else if (r == -ENOENT && access(name, F_OK) == 0)
		strbuf_adds(ret,
			    "its interpreter, named in its first line, does not exist");
	else
		strbuf_adds(ret, strerror(-r));

	if (r == -EACCES)
		strbuf_adds(ret, "; it must be an executable file (chmod +x)");
	else if (r == -ENOEXEC)
		strbuf_adds(ret, "; the first line of a script is like #!/bin/sh");
}

/* Says on stderr why there is no command, and ends the process. */
__attribute__((noreturn)) static void give_up(const struct job *job, int r)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	strbuf_adds(&text, "runfs: cannot start ");
	strbuf_add_quoted(&text, str_from(job->argv[0]));
	strbuf_adds(&text, ": ");
	add_reason(job, r, &text);
	strbuf_addc(&text, '\n');
	(void)file_write_fd(STDERR_FILENO, strbuf_str(&text));
	_exit(r == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

struct child_ends {
	int go_fd;
	int output_fds[2];
};

/* The daemon has raised its own; a program may think that descriptors are below 1024. */
static void restore_file_limit(const struct job *job)
{
	struct rlimit limit;

	if (job->n_files == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = job->n_files < limit.rlim_max ? job->n_files : limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The new process; returns -errno when it can't be the command. */
static int become_command(const struct job *job, int guild_fd, pid_t supervisor,
			  const struct child_ends *ends)
{
	_cleanup_close_ int dir_fd = -1;

	(void)setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (getppid() != supervisor)
		_exit(EXIT_FAILURE); /* it died before we asked */
	if (dup2(ends->output_fds[0], STDOUT_FILENO) < 0 ||
	    dup2(ends->output_fds[1], STDERR_FILENO) < 0)
		return -errno;

	wait_for_go(ends->go_fd);
	dir_fd = file_open_dir(guild_fd, "..");
	if (dir_fd < 0)
		return dir_fd;
	if (fchdir(dir_fd) < 0)
		return -errno;
	/* All of ours go with exec; this is for what we were given and don't know of. */
	restore_file_limit(job);
	(void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	reset_signals();
	return exec_command(job);
}

/* A pipe whose reading end does not block; the writing end must, it is the command's. */
static int open_output(int *ret_read_fd, int *ret_write_fd)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_read_fd = fds[0];
	*ret_write_fd = fds[1];
	return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int open_pipes(struct child *child, struct child_ends *ends)
{
	int fds[2];
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	ends->go_fd = fds[0];
	child->go_fd = fds[1];

	r = open_output(&child->output_fds[0], &ends->output_fds[0]);
	if (r == 0)
		r = open_output(&child->output_fds[1], &ends->output_fds[1]);
	return r;
}

static void child_ends_done(struct child_ends *ends)
{
	close_fd(ends->go_fd);
	close_fd(ends->output_fds[0]);
	close_fd(ends->output_fds[1]);
}

/*
 * fork(2) into a cgroup. To move there later would wait for all processors of the
 * machine, which takes milliseconds.
 */
static pid_t fork_into(int cgroup_fd)
{
	struct clone_args args = { .flags = CLONE_INTO_CGROUP,
				   .exit_signal = SIGCHLD,
				   .cgroup = (uint64_t)cgroup_fd };
	pid_t pid = -1;

	if (cgroup_fd >= 0)
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	return pid < 0 ? fork() : pid;
}

int child_fork(const struct job *job, int guild_fd, int cgroup_fd, struct child *ret)
{
	_cleanup_(child_ends_done) struct child_ends ends = { -1, { -1, -1 } };
	_cleanup_(child_done) struct child child = CHILD_INIT;
	pid_t supervisor = getpid();
	int r;

	r = open_pipes(&child, &ends);
	if (r < 0)
		return r;
	child.pid = fork_into(cgroup_fd);
	if (child.pid < 0)
		return -errno;
	if (child.pid == 0) {
		close_fd(child.go_fd); /* or our own end would hide the supervisor's */
		give_up(job, become_command(job, guild_fd, supervisor, &ends));
	}
	(void)setpgid(child.pid, child.pid);

	*ret = child;
	child = CHILD_INIT;
	return 0;
}
