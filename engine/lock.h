/*
 * The two locks of a run, both flock(2), so that the death of a holder frees them.
 *
 * The transition lock is on the directory .guild itself. Who starts a run, or changes
 * what a start would read, takes it first, and holds it for moments.
 *
 * The LOCK is on the file .guild/LOCK, which holds the decimal pid of who runs the run,
 * for as long as it goes on. Guild writes the file too but never locks it.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Takes the transition lock for @guild_fd, whoever else has that same open directory
 * inherits it. It goes with the last descriptor of it, or by lock_leave(). 0, or -EBUSY
 * while somebody else holds it.
 */
int lock_try(int guild_fd);
void lock_leave(int guild_fd);

/*
 * 1 and the pid when somebody runs the run, 0 when nobody does, or -errno. Somebody
 * does while .guild/LOCK is held, or, when it is not, while the pid in it (its first 10
 * characters, as Guild reads it) is the process that Guild wrote there: one that is no
 * zombie and works in the run's directory, or has it as RUN_DIR in its environment. Of a
 * process of another user only its start is known, which must be before LOCK was written.
 * So neither a recycled pid nor one from before a reboot is taken for a live run.
 */
int lock_holder(int guild_fd, pid_t *ret_pid);

/*
 * May @pid, which lock_holder() gave, be sent a signal? 0 for one that has LOCK open
 * while it is held, else for one that is seen to work on the run; -ESRCH when it is gone;
 * -EPERM for any other, for pid 1 and for ourselves: whatever LOCK says then, the signal
 * would hit a process that has nothing to do with the run.
 */
int lock_check_holder(int guild_fd, pid_t pid);

/* Is it a supervisor that holds .guild/LOCK (and not a process of Guild's)? Or -errno. */
int lock_is_held(int guild_fd);

/*
 * Makes .guild/LOCK this process's: it appears with the pid in it and held. Returns the
 * descriptor that holds it, or -errno; -EBUSY when lock_holder() finds somebody.
 */
int lock_take(int guild_fd);

/*
 * Removes .guild/LOCK if it is still the file of @lock_fd, and leaves the lock held until
 * the caller closes @lock_fd: for readers the run has ended when the name is gone.
 */
void lock_remove(int guild_fd, int lock_fd);
