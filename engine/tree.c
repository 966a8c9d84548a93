/* The processes of a run, found by ancestry. */
#include "engine/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/proc.h"

/* Of a tree that grows while it is walked; one that is killed meanwhile can't for long.
 */
#define MAX_LOOKS 100

struct procs {
	struct proc *procs;
	size_t n_procs;
};

static void procs_done(struct procs *procs)
{
	free(procs->procs);
}

/* One that there is no memory for is not seen this time. */
static void procs_add(void *userdata, const struct proc *proc)
{
	struct procs *procs = userdata;
	struct proc *more;

	more = reallocarray(procs->procs, procs->n_procs + 1, sizeof(*more));
	if (!more)
		return;
	procs->procs = more;
	procs->procs[procs->n_procs++] = *proc;
}

static int compare(const void *a, const void *b)
{
	const struct proc *first = a;
	const struct proc *second = b;

	return (first->pid > second->pid) - (first->pid < second->pid);
}

/* @procs are in order of their pids. */
static const struct proc *find(const struct procs *procs, pid_t pid)
{
	struct proc key = { .pid = pid };

	return procs->n_procs == 0 ? NULL
				   : bsearch(&key, procs->procs, procs->n_procs,
					     sizeof(*procs->procs), compare);
}

static bool is_below(const struct procs *all, const struct proc *proc, pid_t top)
{
	/* Not more steps than there are: a pid that was given anew may close a ring. */
	for (size_t i = 0; proc && i < all->n_procs; i++) {
		if (proc->parent == top)
			return true;
		proc = find(all, proc->parent);
	}
	return false;
}

/*
 * Is the process behind a pidfd that was opened just now still the one that was seen? One
 * that has got its number since is nobody's child of ours.
 */
static bool is_still(const struct proc *seen)
{
	struct proc now;

	return proc_read(seen->pid, &now) == 0 && proc_is_alive(&now) &&
	       (now.parent == seen->parent || now.parent == getpid());
}

/* Whether there is somebody to be told; for want of a descriptor, at another time. */
static bool send(const struct proc *proc, int signal)
{
	_cleanup_close_ int pidfd = pidfd_open(proc->pid, 0);

	if (pidfd < 0)
		return errno != ESRCH;
	return is_still(proc) &&
	       syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0;
}

static bool contains(const struct procs *procs, pid_t pid)
{
	for (size_t i = 0; i < procs->n_procs; i++)
		if (procs->procs[i].pid == pid)
			return true;
	return false;
}

/*
 * Whether somebody who has been told of @signal has made @proc to handle it, as a program
 * that saves its state when it is asked to end: that needs its time. Who has no handler
 * had made @proc before.
 */
static bool is_for_handler(const struct procs *all, const struct proc *proc, int signal,
			   const struct procs *told)
{
	for (size_t i = 0; proc && i < all->n_procs; i++) {
		if (contains(told, proc->parent))
			return proc_catches(proc->parent, signal);
		proc = find(all, proc->parent);
	}
	return false;
}

/* Signals those that are not among @told, and adds them. Returns how many, or -errno. */
static int signal_new(int signal, struct procs *told)
{
	_cleanup_(procs_done) struct procs all = { 0 };
	size_t n_before = told->n_procs;
	pid_t self = getpid();
	int r;

	r = proc_each(procs_add, &all);
	if (r < 0)
		return r;
	if (all.n_procs > 0)
		qsort(all.procs, all.n_procs, sizeof(*all.procs), compare);
	for (size_t i = 0; i < all.n_procs; i++) {
		const struct proc *proc = &all.procs[i];
		const struct procs before = { told->procs, n_before };

		if (proc_is_alive(proc) && is_below(&all, proc, self) &&
		    !contains(&before, proc->pid) &&
		    !is_for_handler(&all, proc, signal, &before) && send(proc, signal))
			procs_add(told, proc);
	}
	return (int)(told->n_procs - n_before);
}

int tree_adopt(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

int tree_signal(int signal)
{
	_cleanup_(procs_done) struct procs told = { 0 };
	int r = 1;

	/* What was made during one look is found by the next. */
	for (int i = 0; i < MAX_LOOKS && r > 0; i++)
		r = signal_new(signal, &told);
	return r < 0 ? r : (int)told.n_procs;
}

bool tree_is_empty(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 &&
	       errno == ECHILD;
}
