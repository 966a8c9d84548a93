/*
 * The command of a run: a process that is made at a standstill, so that whatever may be
 * lacking shows before anything has changed, and let go later.
 *
 * It is the leader of a process group of its own, works in the run's directory, reads
 * nothing and writes two pipes, and is killed if the supervisor dies. A command that
 * can't be executed writes a sentence to its stderr and exits with 127 when it is not
 * there, else 126: from outside it is like any command that fails.
 */
#pragma once

#include <sys/types.h>

#include "engine/job.h"

struct child {
	pid_t pid; /* 0: none, or it has been waited for */
	int go_fd;
	int output_fds[2]; /* of its stdout and stderr, for reading, non-blocking */
};

#define CHILD_INIT ((struct child){ .go_fd = -1, .output_fds = { -1, -1 } })

/* Ends a child that was never let go; one that was is left alone. */
void child_done(struct child *child);

/*
 * Makes the process that is to run the command of @job in the directory that holds
 * @guild_fd, and in the cgroup of the directory @cgroup_fd if it can be; -1: in ours. 0
 * or -errno.
 */
int child_fork(const struct job *job, int guild_fd, int cgroup_fd, struct child *ret);
void child_go(struct child *child);
