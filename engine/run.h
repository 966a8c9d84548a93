/*
 * One run in the home: its attributes and what they say. Every call reads the disk;
 * a run that is held open sees what others do to it.
 *
 * Format: section 1 of guild-behaviour.md (runs/ID/.guild/...); statuses: section 2.1,
 * with the corrections at run_status().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

#include "engine/cleanup.h"
#include "engine/flags.h"
#include "engine/strbuf.h"
#include "engine/value.h"

#define RUN_ATTR_MAX_LEN  (16u << 20) /* bytes; no attribute of a sane run comes near */
#define RUN_OPREF_MAX_LEN 65536

struct run;

/*
 * Opens the run @id under @runs_fd. 0; -ENOENT when there is no such run (a directory
 * without .guild/opref is none), -EINVAL for what can't be an ID, else -errno.
 */
int run_open(int runs_fd, const char *id, struct run **ret);
void run_free(struct run *run);
DEFINE_CLEANUP(struct run, run_free);

/*
 * Opens an earlier start of @run (engine/attempts.h) as if it was a run, which is not
 * alive: its flags, its status and so on are those that it had. 0, -ENOENT or -errno.
 */
int run_open_attempt(const struct run *run, const char *number, struct run **ret);

/* What stat says of the run's .guild directory, which each start changes. 0 or -errno. */
int run_stat(int runs_fd, const char *id, struct stat *ret);

/* A file name that may be an ID: no '/', no control bytes, not hidden, at most 255 bytes.
 */
bool run_id_is_valid(const char *id);

const char *run_id(const struct run *run);
int run_guild_fd(const struct run *run); /* its .guild directory, of the run */
int run_open_dir(const struct run *run); /* its own directory: a descriptor or -errno */

/* Appends an attribute as it is on disk. 0, -ENOENT when absent, else -errno. */
int run_attr_text(const struct run *run, const char *name, struct strbuf *ret);

/* Reads an attribute. 0, -ENOENT when absent or null, -EBADMSG when it is no YAML. */
int run_attr(const struct run *run, const char *name, struct value *ret);

/* The same for a whole number (-EBADMSG when it is none) and for a text. */
int run_attr_int(const struct run *run, const char *name, int64_t *ret);
int run_attr_string(const struct run *run, const char *name, struct strbuf *ret);

int run_flags(const struct run *run, struct flags *ret); /* none when absent */

/*
 * Why a request is refused over a file of the run: .guild/@path gave the error @r, and
 * must be what @expected says. Appends a sentence, and returns the request's errno:
 * -EINVAL for a file that somebody has to mend, else @r.
 */
int run_refuse(const struct run *run, const char *path, int r, const char *expected,
	       struct strbuf *ret_why);

enum run_status {
	RUN_PENDING,
	RUN_STAGED,
	RUN_RUNNING,
	RUN_COMPLETED,
	RUN_TERMINATED,
	RUN_ERROR,
};

/*
 * An enum run_status; or -errno, when it can't be seen whether somebody runs it, or for
 * lack of anything it takes (file_is_lack()).
 * It is what Guild's rules say of the markers and attributes (2.1), but
 *  - a run that somebody runs (lock_holder) is running, whatever an older exit_status
 * says;
 *  - an exit_status from before the last start, which Guild leaves, counts for nothing;
 *  - nor does a PENDING of Guild's from before the machine was last started.
 * A run with an attribute that can't be read, or that is of another type than Guild's, is
 * an error once it has ended.
 */
int run_status(const struct run *run);

/* What a pending run would be without that: what it was before it had to wait. */
int run_status_behind(const struct run *run);

/*
 * One that is staged, or waits for its first start, has times for Guild's list only. As
 * run_status(), 1, 0 or -errno.
 */
int run_was_started(const struct run *run);
const char *run_status_name(int status);

/* What a run is at one moment. */
struct run_moment {
	enum run_status status;
	bool may_be_starting; /* as run_may_be_starting(), of an error */
	bool has_exit_status; /* of the last start, which has ended */
	int64_t exit_status;
};

/*
 * All of it of the same start, also while somebody starts the run again. 0, or -errno as
 * run_status().
 */
int run_look(const struct run *run, struct run_moment *ret);

/* Reads a word of run_status_name(): 0 or -EINVAL. */
int run_status_parse(struct str word, enum run_status *ret);
static inline bool run_status_is_live(int status)
{
	return status == RUN_PENDING || status == RUN_RUNNING;
}

/* Is there a marker of a live run? Cheaper than run_status(), and true of all such. */
bool run_has_marker(const struct run *run);

/*
 * The process that holds a live run (the supervisor, or Guild's); 0 when there is none;
 * or -errno, as run_status().
 */
int run_pid(const struct run *run);

/*
 * May the run be at the instant of Guild's start that has no marker: PENDING is gone and
 * LOCK not there yet (1.8)? Then it reads as an error, but whoever waits should wait on.
 */
bool run_may_be_starting(const struct run *run);

/* 0 and the exit status of the last start; -ENOENT while there is none. */
int run_exit_status(const struct run *run, int64_t *ret);

/* When it was last started, or else made. 0, or -ENOENT when it does not say. */
int run_time(const struct run *run, struct timespec *ret);

/*
 * The statuses in .guild/needed as a set of 1 << status. 0; -ENOENT when there is no
 * such file. An empty file means run_needed_default().
 */
int run_needed(const struct run *run, unsigned int *ret_statuses);
unsigned int run_needed_default(void);

/*
 * Lines of status words as a set; none at all is run_needed_default(). -EINVAL with a
 * sentence for another word; without @complete the last word may still go on.
 */
int run_needed_parse(struct str text, bool complete, unsigned int *ret_statuses,
		     struct strbuf *ret_why);
int run_needed_format(unsigned int statuses, struct strbuf *ret); /* one line */

int run_set_needed(const struct run *run, unsigned int statuses); /* 0 or -errno */
