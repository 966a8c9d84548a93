/*
 * Which runs go on, and what to end when their supervisor has died: HOME/runfs/live/ID is
 * made by a supervisor before there is a process of its run, held (flock(2)) for as long
 * as it lives, and removed at the end. One that nobody holds is that of a supervisor that
 * was killed. There is one for each live run only, so that these are found without a look
 * at all runs.
 *
 * The kernel kills the command with its supervisor. What the command had started is ended
 * by who finds the file: all that is in the run's cgroup; and without one, what has
 * stayed in the supervisor's session, and in the run's directory or has it as RUN_DIR.
 */
#pragma once

#include "engine/cgroup.h"

struct live {
	int dir_fd, fd;
	char *id;
};

#define LIVE_INIT ((struct live){ .dir_fd = -1, .fd = -1 })

/*
 * Says that this process holds the run @id, and will make the cgroup @cgroup, a path or
 * "". 0 or -errno.
 */
int live_begin(int home_fd, const char *id, const char *cgroup, struct live *ret);

/* All is over, and nothing is left. Takes one that never began. */
void live_end(struct live *live);

/*
 * Ends what the dead supervisor of @id has left. 0: there is nothing (more); -EBUSY: it
 * is alive; -EAGAIN: it is being killed, look again; else -errno.
 */
int live_sweep(int home_fd, const char *id);

/* The same for each run. Returns how many are to be looked at again, or -errno. */
int live_sweep_all(int home_fd);
