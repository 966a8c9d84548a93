/*
 * Job slots: how many runs of a home may go on at once, and which do.
 *
 *   HOME/runfs/jobs        the limit, for all mounts of the home
 *   HOME/runfs/slots/ID    a slot: held (engine/claim.h) by the supervisor of the run
 *   HOME/locks/run-status  Guild's lock for transitions of runs
 *
 * Who takes a slot counts those that are held, and the runs of Guild, under the lock: so
 * two never take the last one. A slot is taken before anything of the run changes, and
 * held until its end is recorded, so a run that is about to start counts too.
 */
#pragma once

#include <stdbool.h>

#include "engine/job.h"
#include "engine/strbuf.h"

#define JOBS_SLOTS_DIR "runfs/slots"
#define JOBS_QUEUE_DIR "runfs/queue" /* runs that wait for one: engine/pending.h */

struct jobs {
	enum jobs_kind {
		JOBS_NUMBER, /* of runs at once; 0: no limit */
		JOBS_MAX,    /* no limit */
		JOBS_PAUSE,  /* none starts */
	} kind;
	unsigned int number;
};

/*
 * Reads what a user writes: a number, max or pause. -EINVAL with a sentence for anything
 * else; without @complete the last word may still go on.
 */
int jobs_parse(struct str text, bool complete, struct jobs *ret, struct strbuf *ret_why);
int jobs_format(const struct jobs *jobs, struct strbuf *ret); /* the same, one line */

/*
 * What is in force in the home; 0 as long as nobody has set anything. 0, or -errno with a
 * sentence.
 */
int jobs_read(int home_fd, struct jobs *ret, struct strbuf *ret_why);
int jobs_write(int home_fd, const struct jobs *jobs); /* 0 or -errno */

/* May @n_live runs be joined by another? */
bool jobs_admit(const struct jobs *jobs, size_t n_live);

/*
 * Takes HOME/locks/run-status, waiting up to half a minute, as Guild does: only for a
 * process that may wait. Returns a descriptor that holds it, or -errno (-EBUSY).
 */
int jobs_lock(int home_fd);

size_t jobs_count(int home_fd); /* slots that are held now */

/* Does the run @id go on without a slot, as one of Guild's does? It counts too. */
bool jobs_is_other(int home_fd, const char *id);

/*
 * Takes a slot for the run of @job. Its descriptor, which holds it; -EAGAIN when none is
 * free, or others wait for one and the job is not in turn; else -errno with a sentence.
 */
int jobs_take_slot(int home_fd, const struct job *job, struct strbuf *ret_why);

/* Gives a slot back, and closes @slot_fd; does nothing for none (-1). */
void jobs_leave_slot(int home_fd, const char *id, int slot_fd);
