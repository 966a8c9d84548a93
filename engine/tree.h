/*
 * All processes of a run: its command and whatever came of that, also what has left the
 * process group or the session, has changed its environment, or has lost its parent.
 *
 * They are the descendants of this process, which whoever loses its parent is left to
 * (PR_SET_CHILD_SUBREAPER). So a look through /proc by ancestry finds each, and wait(2)
 * says when there is none any more. What another program starts when it is asked to
 * (systemd-run, at, a container's daemon) is that program's, and no process of the run.
 */
#pragma once

#include <stdbool.h>

int tree_adopt(void); /* before the first process is made; 0 or -errno */

/*
 * Sends @signal to each process below this one, once, but for what their handlers of the
 * signal make. Returns how many there were that are alive and that it may signal (one
 * that has become another user's it may not), or -errno when it could not look.
 */
int tree_signal(int signal);

/* No process is left below this one, not even one that only has to be waited for. */
bool tree_is_empty(void);
