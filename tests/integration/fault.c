/*
 * Kills a daemon or a supervisor before a chosen system call, or lets that call fail:
 *     fault PID DIR self|supervisors changes|takes [N kill|ERRNO]
 * Counted are the calls of the process PID itself, or of the supervisors that it starts
 * from now on: those that change something below DIR (an absolute path without links), or
 * those that take a descriptor, memory or a process. Says "ready" when it has attached
 * itself, a line for each call, "NUMBER CALL PATH", with " <-" after the N-th, "failed"
 * when that has its error (without us it would be another), and "dead" when who was
 * killed is no more. Lets go of everybody when its standard input ends. Exits with 77
 * where it may not trace.
 *
 * Programs that a run executes are let go at their exec. Knows the registers of x86-64.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/strbuf.h"

#define EXIT_SKIPPED 77
#define N_TRACEES    64
#define TRACE_OPTIONS                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |              \
	 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

enum role {
	ROLE_OTHER, /* between fork and exec */
	ROLE_SELF,
	ROLE_SUPERVISOR,
};

/* Each thread is traced by itself. */
struct tracee {
	pid_t tid; /* 0: a free place */
	enum role role;
	int error; /* what the call that it is in is to fail with, or 0 */
};

static struct tracee tracees[N_TRACEES];

static struct {
	pid_t self;
	const char *dir;
	enum role role;
	bool takes;
	long number; /* 0: only count */
	int error;   /* 0: kill */
} wish;

static long n_calls;
static pid_t killed;

/* Where a call has the path or the descriptor of what it changes. */
enum place {
	PLACE_NONE,  /* nowhere: it takes something */
	PLACE_FD,    /* in argument .at */
	PLACE_PATH,  /* a path in argument .at */
	PLACE_AT,    /* a directory in argument .at, a path in the next */
	PLACE_TWO,   /* as PLACE_AT, and once more in the two after */
	PLACE_OPEN,  /* as PLACE_AT, with flags in the one after */
	PLACE_OPEN2, /* as PLACE_AT, with a struct open_how in the one after */
};

static const struct call {
	long number;
	const char *name;
	enum place place;
	int at;
} calls[] = {
	{ SYS_openat, "openat", PLACE_OPEN, 0 },
	{ SYS_openat2, "openat2", PLACE_OPEN2, 0 },
	{ SYS_mkdir, "mkdir", PLACE_PATH, 0 },
	{ SYS_mkdirat, "mkdirat", PLACE_AT, 0 },
	{ SYS_mknodat, "mknodat", PLACE_AT, 0 },
	{ SYS_rename, "rename", PLACE_PATH, 0 },
	{ SYS_renameat, "renameat", PLACE_TWO, 0 },
	{ SYS_renameat2, "renameat2", PLACE_TWO, 0 },
	{ SYS_link, "link", PLACE_PATH, 1 },
	{ SYS_linkat, "linkat", PLACE_TWO, 0 },
	{ SYS_symlink, "symlink", PLACE_PATH, 1 },
	{ SYS_symlinkat, "symlinkat", PLACE_AT, 1 },
	{ SYS_unlink, "unlink", PLACE_PATH, 0 },
	{ SYS_rmdir, "rmdir", PLACE_PATH, 0 },
	{ SYS_unlinkat, "unlinkat", PLACE_AT, 0 },
	{ SYS_write, "write", PLACE_FD, 0 },
	{ SYS_pwrite64, "pwrite64", PLACE_FD, 0 },
	{ SYS_writev, "writev", PLACE_FD, 0 },
	{ SYS_pwritev, "pwritev", PLACE_FD, 0 },
	{ SYS_copy_file_range, "copy_file_range", PLACE_FD, 2 },
	{ SYS_sendfile, "sendfile", PLACE_FD, 0 },
	{ SYS_splice, "splice", PLACE_FD, 2 },
	{ SYS_truncate, "truncate", PLACE_PATH, 0 },
	{ SYS_ftruncate, "ftruncate", PLACE_FD, 0 },
	{ SYS_fallocate, "fallocate", PLACE_FD, 0 },
	{ SYS_fsync, "fsync", PLACE_FD, 0 },
	{ SYS_fdatasync, "fdatasync", PLACE_FD, 0 },
	{ SYS_syncfs, "syncfs", PLACE_FD, 0 },
	{ SYS_flock, "flock", PLACE_FD, 0 },
	{ SYS_chmod, "chmod", PLACE_PATH, 0 },
	{ SYS_fchmod, "fchmod", PLACE_FD, 0 },
	{ SYS_fchmodat, "fchmodat", PLACE_AT, 0 },
	{ SYS_fchown, "fchown", PLACE_FD, 0 },
	{ SYS_fchownat, "fchownat", PLACE_AT, 0 },
	{ SYS_utimensat, "utimensat", PLACE_AT, 0 },
	{ SYS_fsetxattr, "fsetxattr", PLACE_FD, 0 },
	{ SYS_pipe2, "pipe2", PLACE_NONE, 0 },
	{ SYS_memfd_create, "memfd_create", PLACE_NONE, 0 },
	{ SYS_epoll_create1, "epoll_create1", PLACE_NONE, 0 },
	{ SYS_timerfd_create, "timerfd_create", PLACE_NONE, 0 },
	{ SYS_signalfd4, "signalfd4", PLACE_NONE, 0 },
	{ SYS_clone, "clone", PLACE_NONE, 0 },
	{ SYS_clone3, "clone3", PLACE_NONE, 0 },
	{ SYS_mmap, "mmap", PLACE_NONE, 0 },
	{},
};

__attribute__((noreturn)) static void give_up(const char *what)
{
	int error = errno;

	(void)fprintf(stderr, "fault: %s: %s\n", what, strerror(error));
	exit(error == EPERM ? EXIT_SKIPPED : EXIT_FAILURE);
}

/* The errnos that the faults are made of, by the names that users of strace know. */
static int parse_error(const char *name)
{
	static const struct {
		const char *name;
		int error;
	} errors[] = {
		{ "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EIO", EIO },
		{ "EROFS", EROFS },   { "EMFILE", EMFILE }, { "ENOMEM", ENOMEM },
	};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(name, errors[i].name) == 0)
			return errors[i].error;
	errno = EINVAL;
	give_up(name);
}

static struct tracee *find_tracee(pid_t tid)
{
	for (size_t i = 0; i < N_TRACEES; i++)
		if (tracees[i].tid == tid)
			return &tracees[i];
	return NULL;
}

static struct tracee *add_tracee(pid_t tid, enum role role)
{
	struct tracee *tracee = find_tracee(0);

	if (!tracee) {
		errno = EAGAIN;
		give_up("too many processes");
	}
	*tracee = (struct tracee){ .tid = tid, .role = role };
	return tracee;
}

/* What the link /proc/TID/NAME says. */
static void add_link(pid_t tid, const char *name, struct strbuf *ret)
{
	char path[64];
	char target[PATH_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	n = readlink(path, target, sizeof(target));
	if (n > 0)
		strbuf_add(ret, target, (size_t)n);
}

static void add_fd(pid_t tid, uint64_t fd, struct strbuf *ret)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "fd/%d", (int)fd);
	add_link(tid, (int)fd == AT_FDCWD ? "cwd" : name, ret);
}

static size_t read_memory(pid_t tid, uint64_t address, void *ret, size_t size)
{
	struct iovec here = { ret, size };
	struct iovec there = { (void *)(uintptr_t)address, size };
	ssize_t n = process_vm_readv(tid, &here, 1, &there, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}

/* Page by page, since the text may end right before one that is not there. */
static void add_text(pid_t tid, uint64_t address, struct strbuf *ret)
{
	char page[4096];
	const char *end;
	size_t n;

	do {
		n = read_memory(tid, address, page,
				sizeof(page) - address % sizeof(page));
		end = memchr(page, '\0', n);
		strbuf_add(ret, page, end ? (size_t)(end - page) : n);
		address += n;
	} while (n > 0 && !end);
}

/* The path at @address, seen from the directory @fd; without one, the directory. */
static void add_path(pid_t tid, uint64_t fd, uint64_t address, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (address)
		add_text(tid, address, &text);
	if (text.len == 0 || strbuf_cstr(&text)[0] != '/')
		add_fd(tid, fd, ret);
	if (text.len > 0 && strbuf_cstr(&text)[0] != '/')
		strbuf_addc(ret, '/');
	strbuf_addstr(ret, strbuf_str(&text));
}

static bool is_below(const struct strbuf *path)
{
	size_t len = strlen(wish.dir);

	return path->len > len && strncmp(strbuf_cstr(path), wish.dir, len) == 0 &&
	       strbuf_cstr(path)[len] == '/';
}

static bool opens_for_writing(pid_t tid, const struct call *call, const uint64_t *args)
{
	struct open_how how = { .flags = args[2] };

	if (call->place == PLACE_OPEN2 &&
	    read_memory(tid, args[2], &how, sizeof(how)) != sizeof(how))
		return false;
	return (how.flags & O_ACCMODE) != O_RDONLY || how.flags & (O_CREAT | O_TRUNC);
}

/* Whether the call changes something below the directory; its path. */
static bool is_change(pid_t tid, const struct call *call, const uint64_t *args,
		      struct strbuf *ret_path)
{
	_cleanup_(strbuf_done) struct strbuf second = STRBUF_INIT;

	switch (call->place) {
	case PLACE_NONE:
		return false;
	case PLACE_FD:
		/* To unlock can't fail, and is no change that a crash would not make. */
		if (call->number == SYS_flock && args[1] == LOCK_UN)
			return false;
		add_fd(tid, args[call->at], ret_path);
		return is_below(ret_path);
	case PLACE_PATH:
		add_path(tid, (uint64_t)AT_FDCWD, args[call->at], ret_path);
		return is_below(ret_path);
	case PLACE_OPEN:
	case PLACE_OPEN2:
		if (!opens_for_writing(tid, call, args))
			return false;
		break;
	case PLACE_TWO:
		add_path(tid, args[2], args[3], &second);
		break;
	case PLACE_AT:
		break;
	}
	add_path(tid, args[call->at], args[call->at + 1], ret_path);
	return is_below(ret_path) || is_below(&second);
}

static bool is_taking(pid_t tid, const struct call *call, const uint64_t *args,
		      struct strbuf *ret_path)
{
	if (call->place == PLACE_OPEN || call->place == PLACE_OPEN2) {
		add_path(tid, args[0], args[1], ret_path);
		return true;
	}
	return call->place == PLACE_NONE;
}

/* Takes the call away before the kernel has seen it. */
static void skip_call(pid_t tid)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &registers) < 0)
		return;
	registers.orig_rax = (unsigned long long)-1;
	(void)ptrace(PTRACE_SETREGS, tid, NULL, &registers);
}

static void set_result(pid_t tid, int error)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &registers) < 0)
		return;
	registers.rax = (unsigned long long)-error;
	(void)ptrace(PTRACE_SETREGS, tid, NULL, &registers);
}

/* Does to the call what was wished for. */
static void meddle(struct tracee *tracee)
{
	skip_call(tracee->tid);
	if (wish.error) {
		tracee->error = wish.error;
		return;
	}
	killed = tracee->role == ROLE_SELF ? wish.self : tracee->tid;
	(void)kill(killed, SIGKILL);
}

static void on_call(struct tracee *tracee, uint64_t number, const uint64_t *args)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	const struct call *call = calls;

	while (call->name && call->number != (long)number)
		call++;
	if (!call->name || tracee->role != wish.role)
		return;
	if (wish.takes ? !is_taking(tracee->tid, call, args, &path)
		       : !is_change(tracee->tid, call, args, &path))
		return;
	n_calls++;
	(void)printf("%ld %s %s%s\n", n_calls, call->name, strbuf_cstr(&path),
		     n_calls == wish.number ? " <-" : "");
	if (n_calls == wish.number)
		meddle(tracee);
}

static void on_syscall_stop(struct tracee *tracee)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->tid, sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		on_call(tracee, info.entry.nr, info.entry.args);
	} else if (tracee->error) {
		set_result(tracee->tid, tracee->error);
		tracee->error = 0;
		(void)printf("failed\n");
	}
}

static bool is_supervisor(pid_t pid)
{
	_cleanup_(strbuf_done) struct strbuf program = STRBUF_INIT;

	add_link(pid, "exe", &program);
	return str_ends(strbuf_str(&program), "/runfs-supervisor");
}

static void on_exec(struct tracee *tracee)
{
	if (is_supervisor(tracee->tid)) {
		tracee->role = ROLE_SUPERVISOR;
		(void)ptrace(PTRACE_SYSCALL, tracee->tid, NULL, NULL);
	} else {
		(void)ptrace(PTRACE_DETACH, tracee->tid, NULL, NULL);
		tracee->tid = 0;
	}
}

static enum role role_of_new(pid_t tid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)wish.self, (int)tid);
	return access(path, F_OK) == 0 ? ROLE_SELF : ROLE_OTHER;
}

/* SIGSTOP and its like stop for as long as they say; other stops of that kind are ours.
 */
static void on_event_stop(pid_t tid, int signal)
{
	if (signal == SIGTRAP)
		(void)ptrace(PTRACE_SYSCALL, tid, NULL, NULL);
	else
		(void)ptrace(PTRACE_LISTEN, tid, NULL, NULL);
}

static void on_stop(struct tracee *tracee, int status)
{
	int signal = WSTOPSIG(status);
	int event = status >> 16;
	pid_t tid = tracee->tid;

	if (signal == (SIGTRAP | 0x80)) {
		on_syscall_stop(tracee);
		(void)ptrace(PTRACE_SYSCALL, tid, NULL, NULL);
	} else if (event == PTRACE_EVENT_EXEC) {
		on_exec(tracee);
	} else if (event == PTRACE_EVENT_STOP) {
		on_event_stop(tid, signal);
	} else {
		(void)ptrace(PTRACE_SYSCALL, tid, NULL,
			     (void *)(uintptr_t)(event ? 0 : signal));
	}
}

static void take_events(void)
{
	int status;
	pid_t tid;

	while ((tid = waitpid(-1, &status, __WALL | WNOHANG)) > 0) {
		struct tracee *tracee = find_tracee(tid);

		if (!tracee)
			tracee = add_tracee(tid, role_of_new(tid));
		if (WIFSTOPPED(status)) {
			on_stop(tracee, status);
			continue;
		}
		tracee->tid = 0;
		if (tid == killed)
			(void)printf("dead\n");
	}
}

static void attach_thread(pid_t tid)
{
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)(uintptr_t)TRACE_OPTIONS) < 0 ||
	    ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		give_up("cannot trace");
	(void)add_tracee(tid, ROLE_SELF);
}

static void attach(void)
{
	_cleanup_closedir_ DIR *dir = NULL;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)wish.self);
	dir = opendir(path);
	if (!dir)
		give_up(path);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.')
			attach_thread((pid_t)strtol(entry->d_name, NULL, 10));
}

/* Threads that have been interrupted stop once; only then are their calls seen. */
static void wait_until_attached(void)
{
	for (size_t i = 0; i < N_TRACEES && tracees[i].tid; i++) {
		int status;

		if (waitpid(tracees[i].tid, &status, __WALL) < 0)
			give_up("waitpid");
		if (WIFSTOPPED(status))
			on_stop(&tracees[i], status);
	}
}

static void watch(int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	while (poll(fds, 2, -1) > 0 && !fds[0].revents) {
		if (read(signal_fd, &info, sizeof(info)) > 0)
			take_events();
	}
}

int main(int argc, char *argv[])
{
	sigset_t signals;
	int signal_fd;

	if (argc != 5 && argc != 7) {
		(void)fprintf(stderr, "usage: fault PID DIR self|supervisors"
				      " changes|takes [N kill|ERRNO]\n");
		return EXIT_FAILURE;
	}
	wish.self = (pid_t)strtol(argv[1], NULL, 10);
	wish.dir = argv[2];
	wish.role = strcmp(argv[3], "self") == 0 ? ROLE_SELF : ROLE_SUPERVISOR;
	wish.takes = strcmp(argv[4], "takes") == 0;
	if (argc == 7) {
		wish.number = strtol(argv[5], NULL, 10);
		wish.error = strcmp(argv[6], "kill") == 0 ? 0 : parse_error(argv[6]);
	}

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		give_up("signalfd");
	attach();
	wait_until_attached();
	(void)printf("ready\n");
	watch(signal_fd);
	return EXIT_SUCCESS;
}
