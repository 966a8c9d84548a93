/* What the kernel says of a process (proc(5)). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
	pid_t pid, parent, session;
	char state;	  /* as ps(1) shows it */
	int64_t start_us; /* since 1970, by the clock as it is set now */
	/* A signal that ends it has been sent, and it has not come to take notice. */
	bool is_killed;
};

/* 0; -ENOENT or -ESRCH when there is no such process, or thread. */
int proc_read(pid_t pid, struct proc *ret);

/* It has not ended: neither a zombie nor on its way to be none. */
bool proc_is_alive(const struct proc *proc);

struct stat;

/*
 * Whether @pid is in the directory @dir, or has it as RUN_DIR in its environment, as the
 * processes of a run. 1, 0, or -errno for a process of another user, of whom that is not
 * told. Nothing here asks a file system: where another process is may be our own mount.
 */
int proc_works_in(pid_t pid, const struct stat *dir);

/* Whether @pid has the file @file open. As above. */
int proc_has_open(pid_t pid, const struct stat *file);

/* When the machine was started: what is older was written by none that is alive. */
int64_t proc_boot_us(void);

/* Whether @pid has a handler of its own for @signal; not when that can't be read. */
bool proc_catches(pid_t pid, int signal);

/* Calls @fn for each process there is. 0 or -errno. */
int proc_each(void (*fn)(void *userdata, const struct proc *proc), void *userdata);
