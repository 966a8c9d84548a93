/*
 * Starts and stages runs, new ones and old ones again: a decision (engine/decide.h), made
 * a job, and handed to a supervisor (engine/spawn.h).
 *
 * To carry a request out, the run's transition lock is taken first (so that of two
 * mounts, or two writers, one decides), it is decided again, and the lock is handed on to
 * the supervisor with the job. The supervisor records the start; the answer comes through
 * the loop.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/index.h"
#include "engine/loop.h"
#include "engine/operation.h"
#include "engine/python.h"
#include "engine/store.h"
#include "engine/strbuf.h"

/* All borrowed for as long as the launcher lives. */
struct launcher_config {
	struct loop *loop;
	struct store *store;
	struct index *index;
	const struct python *python;
	const char *project;	 /* absolute path, or NULL */
	const char *supervisor;	 /* path of the program */
	const char *op_main;	 /* path of op-main.py */
	unsigned int n_attempts; /* of each run that are kept */
	int64_t stop_timeout_us;
	uint64_t n_files; /* soft RLIMIT_NOFILE of commands; 0: as it comes */
};

struct launcher;
struct launch;

int launcher_new(const struct launcher_config *config, struct launcher **ret);
void launcher_free(struct launcher *launcher); /* starts under way go on without us */
DEFINE_CLEANUP(struct launcher, launcher_free);

/*
 * Judges @text, all that was written so far: 0, or -errno with a sentence when it can't
 * be carried out, as decide_restart() and its kin; -ENOENT also when the run is gone; as
 * engine/writable.h when something would have to be written and can't.
 */
int launch_check_restart(struct launcher *launcher, const char *id, struct str text,
			 struct strbuf *ret_why);
int launch_check_flags(struct launcher *launcher, const char *id, struct str text,
		       struct strbuf *ret_why);
/* @needed as for launch_run(). */
int launch_check_run(struct launcher *launcher, const struct operation *operation,
		     unsigned int needed, struct str text, struct strbuf *ret_why);

/*
 * The index has told: what has waited until it knew all runs (whether one of them makes a
 * new one needless, or takes a job slot) is carried out now.
 */
void launcher_ask_again(struct launcher *launcher);

/* Called once when a start or a stage is on disk (0 and the answer) or failed (-errno, a
 * sentence).
 */
typedef void (*launch_fn)(void *userdata, int r, struct str answer);

/*
 * Carries out @text: starts the run, or lets it wait for a job slot (engine/jobs.h) if
 * none is free. 0 with the answer when nothing had to be started; -EINPROGRESS:
 * @fn is called, unless launch_forget() came first; else -errno with a sentence, and
 * nothing has changed.
 */
int launch_restart(struct launcher *launcher, const char *id, struct str text,
		   launch_fn fn, void *userdata, struct launch **ret,
		   struct strbuf *ret_answer);

/* @needed: the statuses that make an equal run do instead; 0: only if the request asks.
 */
int launch_run(struct launcher *launcher, const struct operation *operation,
	       unsigned int needed, struct str text, launch_fn fn, void *userdata,
	       struct launch **ret, struct strbuf *ret_answer);

/* The same, but the run is only made, and stays staged. */
int launch_stage(struct launcher *launcher, const struct operation *operation,
		 unsigned int needed, struct str text, launch_fn fn, void *userdata,
		 struct launch **ret, struct strbuf *ret_answer);

/* Writes the flags of @text over those of a staged run; there is no answer but ''. */
int launch_flags(struct launcher *launcher, const char *id, struct str text, launch_fn fn,
		 void *userdata, struct launch **ret, struct strbuf *ret_why);

/*
 * Starts the run @id, whose turn has come (engine/queue.h). As launch_restart(), but
 * -EAGAIN when no slot is free after all; -EALREADY while the index does not know all
 * runs, which it will tell; -EBUSY when somebody has its transition lock now; -ESTALE
 * when there is no such run, or it does not wait. A run that is not needed any more is
 * taken out of the queue, and that is the answer.
 */
int launch_turn(struct launcher *launcher, const char *id, launch_fn fn, void *userdata,
		struct launch **ret, struct strbuf *ret_answer);

/* Makes the waiting run @id an error, with @why for its output. As launch_turn(). */
int launch_fail(struct launcher *launcher, const char *id, struct str why, launch_fn fn,
		void *userdata, struct launch **ret);

/*
 * Takes @id out of the queue. As launch_restart(); -EAGAIN when it does not wait any
 * more.
 */
int launch_leave(struct launcher *launcher, const char *id, launch_fn fn, void *userdata,
		 struct launch **ret, struct strbuf *ret_why);

void launch_forget(struct launch *launch); /* takes NULL */
