/*
 * The places that a run goes through when it is deleted, each left by one rename:
 *
 *   HOME/runs/ID                   the run
 *   HOME/trash/runs/ID             deleted, and can be restored: where Guild has them
 *   HOME/cache/runfs/purge/RANDOM  deleted for good; nobody reads a run there
 *
 * What is in the last is removed by a sweep, which takes its time, and which whoever
 * mounts the home next finishes when it was interrupted.
 */
#pragma once

#include <stdbool.h>

/*
 * Opens HOME/trash/runs, which may be reached by links; @make: makes it first. The
 * descriptor, or -errno (-ENOENT).
 */
int trash_place_open(int home_fd, bool make);

/*
 * Moves the directory @id of @from_fd to @name of @to_fd, where nothing may be of that
 * name. 0, -EEXIST, or -errno (-EXDEV where the two lie on different file systems).
 */
int trash_place_move(int from_fd, const char *id, int to_fd, const char *name);

/*
 * Moves runs/@id to the trash as Guild does: a deleted run of the same ID becomes
 * ID_XXXXXXXX there first. 0 or -errno.
 */
int trash_place_put(int home_fd, int runs_fd, const char *id);

/* Moves trash/runs/@id to where a sweep removes it. 0, -ENOENT, or -errno. */
int trash_place_discard(int home_fd, const char *id);

/* Brings the moves that have been made to the disk. 0 or the first -errno. */
int trash_place_sync(int home_fd);

/* Is there something to be swept? */
bool trash_place_has_discarded(int home_fd);

/*
 * Removes what was discarded, also what is discarded meanwhile. Of many that sweep at
 * once, one works and the others return.
 */
void trash_place_sweep(int home_fd);
