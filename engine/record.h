/* A run on the disk, from its start to its end, as a supervisor writes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/job.h"
#include "engine/replace.h"
#include "engine/sourcecode.h"

/*
 * The steps, in this order:
 *   record_begin()    makes the directory of a new run where nobody looks, or takes the
 *                     .guild of an old one; then a command can be made for it
 *   record_prepare()  writes all that the start changes beside what is there
 *   record_commit()   puts it in place; from here on others see the run as running
 *   record_settle()   makes an attempt of what it has replaced, waits for the disk, then
 *                     lets others decide again; before that it clears up where no LOCK
 *                     keeps the others away
 *   record_clear()    removes what is left over
 *   record_prune()    at any time later: removes the attempts that are too many
 *   record_end()      writes how the run ended
 *   record_delete()   moves it to the trash, if that is wanted
 *   record_close()    makes it known: there is no LOCK any more
 *
 * A run that is not started ends with record_settle(), and is cleared before that.
 *
 * record_done() undoes what record_commit() has not completed, so an error of the first
 * three leaves the home as it was.
 */
struct record {
	struct job *job;   /* borrowed; the attributes about its source are added to it */
	int home_fd;	   /* borrowed */
	int transition_fd; /* .guild, with the transition lock, until settled */
	int guild_fd;	   /* .guild */
	int lock_fd;	   /* .guild/LOCK, held */
	int output_fd, index_fd;
	char *build_path; /* of a new run under the home, until committed */
	bool is_committed;
	struct sourcecode source;
	struct replace replace; /* of an old run */
};

#define RECORD_INIT                                                                      \
	((struct record){ .home_fd = -1,                                                 \
			  .transition_fd = -1,                                           \
			  .guild_fd = -1,                                                \
			  .lock_fd = -1,                                                 \
			  .output_fd = -1,                                               \
			  .index_fd = -1 })

void record_done(struct record *record);

/*
 * Begins for @job, whose run is the directory @guild_fd unless it is new; takes over
 * @guild_fd. 0, or -errno with a sentence.
 */
int record_begin(struct record *record, struct job *job, int home_fd, int guild_fd,
		 struct strbuf *ret_why);
int record_prepare(struct record *record, struct strbuf *ret_why);
int record_commit(struct record *record, struct strbuf *ret_why);
void record_settle(struct record *record);
void record_clear(struct record *record);
void record_prune(struct record *record);

/*
 * Writes exit_status (-N for a signal) and stopped, on the disk when this returns. 0,
 * also when the run is gone, or -errno: it may be called again.
 */
int record_end(struct record *record, int exit_status);

/*
 * Moves the run to the trash, whoever else is changing it being waited for, and that to
 * the disk. Still with its LOCK, so nobody starts it meanwhile. Not when it is somewhere
 * else by now; what can't be moved stays.
 */
void record_delete(struct record *record);

/* Removes LOCK, and at last lets go of it. */
void record_close(struct record *record);
