/*
 * A job: what the daemon asks of one supervisor, and what that answers.
 *
 * The daemon decides everything: flags, command, attributes. The supervisor answers once,
 * with one JSON object, when the run has been started and recorded, or could not be and
 * is as it was before. An end of file without an answer means that it died first.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/cleanup.h"
#include "engine/source-rule.h"
#include "engine/strbuf.h"

/*
 * The descriptors that a supervisor is spawned with; 1 and 2 are /dev/null, and all
 * others are closed.
 */
enum {
	JOB_FD = 0,	   /* the job as JSON, from offset 0 (a memfd) */
	JOB_ANSWER_FD = 3, /* where to answer: the writing end of a pipe */
	JOB_HOME_FD = 4,
	/*
	 * For a run that is not new: its .guild directory, with an exclusive flock on it
	 * (JOB_LEAVE: without, it waits for that itself).
	 * Whoever holds that lock may start the run; the supervisor lets go of it, also
	 * for all others that have this open directory, when the start is on disk and
	 * .guild/LOCK says who runs it.
	 */
	JOB_GUILD_FD = 5,
};

/* What is asked for. */
enum job_kind {
	JOB_START, /* start the run */
	JOB_STAGE, /* make it without starting it, or write it anew while it is staged */
	JOB_QUEUE, /* let it wait for a job slot: what a start comes to when none is free
		    */
	JOB_LEAVE, /* take it out of the queue: it is as it was before, or staged */
	JOB_FAIL,  /* it can't be started now that its turn has come: it is an error */
	/*
	 * Write the job's attributes into JOB_GUILD_FD, when its lock is free; an empty
	 * text removes one. Or bring those that have been written so to the disk.
	 */
	JOB_AMEND,
	JOB_SYNC,
	JOB_SWEEP, /* clear up the home's trash: see engine/trash-place.h */
	JOB_N_KINDS,
};

/* What an errand (JOB_AMEND to JOB_SWEEP) has no use for, it does not have. */
struct job {
	enum job_kind kind;
	char *id;
	bool is_new; /* make runs/ID; else start what is there again */
	char *opref; /* content of .guild/opref; NULL leaves it */

	/*
	 * Attributes to write: an array of { char *name; text } in order. Those not named
	 * stay, but for exit_status and stopped, which every start removes.
	 */
	struct job_attr {
		char *name;
		char *text; /* a YAML document, with its newline */
	} * attrs;
	size_t n_attrs;

	char **argv; /* NULL-terminated; a word of argv[0] without '/' is looked up in
			PATH of envp */
	char **envp; /* NULL-terminated NAME=value */

	/*
	 * What .guild/ENV of a run that is not started yet holds: its environment as a
	 * shell reads it, without secrets. NULL: none is written.
	 */
	char *env_file;

	/*
	 * Source code to copy into the run before it starts (engine/sourcecode.h); root
	 * NULL: none. Then the supervisor also writes the attributes sourcecode_digest
	 * and vcs_commit, and .guild/manifest.
	 */
	struct {
		char *root;    /* absolute path of the directory that it comes from */
		char *project; /* that of the project, which has the commit; NULL: root */
		char *prefix;  /* root as seen from the project, with a '/' at its end;
				  NULL: they are one */
		char *dest;    /* a path below the run, with a '/' at its end; NULL: the
				  run's directory itself */
		char *also; /* a file below root that is copied whatever the rules say; or
			       NULL */
		struct source_rules rules; /* after Guild's default ones */
		bool python; /* leave out build products and virtual environments too */
		bool no_digest;	 /* record none */
		bool vcs_commit; /* record the commit, when root is in a git work tree */
	} source;

	/*
	 * A file to write into the run, in the place of what the source may have there;
	 * path NULL: none.
	 */
	struct {
		char *path; /* in the run */
		char *text; /* its content */
		/*
		 * The file below the root that it was made from, which is not copied, and
		 * what the manifest calls that; both NULL for one that is source all the
		 * same.
		 */
		char *source;
		char *uri;
	} config;

	bool delete_on_success; /* moves to the trash when it has ended with 0 */

	/*
	 * Of a start: what PENDING is to hold if the run has to wait (engine/pending.h),
	 * and its order; whether it has waited and is next; and the runs that may go on
	 * without a supervisor (Guild's), which count too.
	 */
	char *pending;
	int64_t order_us;
	bool in_turn;
	char **others;

	char *failure; /* of JOB_FAIL: the sentence */

	unsigned int n_attempts; /* that are kept (engine/attempts.h) */
	int64_t stop_timeout_us; /* from SIGTERM to SIGKILL */
	uint64_t n_files;	 /* soft RLIMIT_NOFILE of the command; 0: as it comes */
};

#define JOB_INIT ((struct job){ 0 })

void job_done(struct job *job);

/* Is it one that has no run to hold, nor to make? */
static inline bool job_is_errand(const struct job *job)
{
	return job->kind == JOB_AMEND || job->kind == JOB_SYNC || job->kind == JOB_SWEEP;
}

/* Adds an attribute, copying both. 0 or -ENOMEM. */
int job_add_attr(struct job *job, const char *name, struct str text);

/* Removes the attribute @name, if there is one. */
void job_drop_attr(struct job *job, const char *name);

/* The value of @name in the job's environment, or NULL. */
const char *job_getenv(const struct job *job, const char *name);

/* The JSON text of @job. Bytes that are no UTF-8 (in env, say) survive. 0 or -ENOMEM. */
int job_format(const struct job *job, struct strbuf *ret);

/*
 * 0, -ENOMEM, or -EBADMSG: no job, one without a command, or one whose id or attribute
 * is no name of a file. On an error @ret is left alone.
 */
int job_parse(struct str text, struct job *ret);

/* The supervisor's answer: @r is 0 or -errno, @why a sentence (empty for 0). */
int job_format_answer(int r, struct str why, struct strbuf *ret);

/* Returns the supervisor's 0 or -errno and appends its sentence; -EIO for no answer. */
int job_parse_answer(struct str text, struct strbuf *ret_why);
