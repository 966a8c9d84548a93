/*
 * What a request comes to: which flags, which command, from which source, or why it can't
 * be carried out.
 *
 * A decision reads the disk and changes nothing, so a request can be judged as often as
 * its writer writes, and once more by who carries it out.
 */
#pragma once

#include <stdbool.h>

#include "engine/cleanup.h"
#include "engine/command.h"
#include "engine/flags.h"
#include "engine/operation.h"
#include "engine/python.h"
#include "engine/rendering.h"
#include "engine/request.h"
#include "engine/run.h"
#include "engine/store.h"
#include "engine/strbuf.h"

/* What every decision depends on; all borrowed. */
struct decider {
	struct store *store;
	const struct python *python;
	const char *project; /* absolute path, or NULL */
	const char *op_main; /* path of op-main.py */
};

struct decision {
	struct request request;
	struct operation *operation;
	struct flags written; /* those of the request, typed */
	struct flags flags;
	struct command command;
	struct rendering rendering;
	const char *source; /* borrowed: project to copy from, or NULL */
	bool skip; /* needed: the run does as it is, and the rest is not filled in */
};

#define DECISION_INIT ((struct decision){ 0 })

void decision_done(struct decision *decision);

/*
 * Decides on @text for @run; without @complete its last line may still go on. 0, or
 * -errno with a sentence. Errors are those of section 3 of the interface: EINVAL, EBUSY
 * (the run is alive), ENOENT (command or project gone), EACCES, E2BIG.
 */
int decide_restart(const struct decider *decider, const struct run *run, struct str text,
		   bool complete, struct decision *decision, struct strbuf *ret_why);

/* The same when the turn of @run has come, which waits with the request @text. */
int decide_turn(const struct decider *decider, const struct run *run, struct str text,
		struct decision *decision, struct strbuf *ret_why);

/*
 * Decides on @text as flags for @run, which stays staged: -EBUSY when it is not, -EINVAL
 * for an option that says how to start. Nothing is looked for that only a start needs.
 */
int decide_flags(const struct decider *decider, const struct run *run, struct str text,
		 bool complete, struct decision *decision, struct strbuf *ret_why);

/* As decide_restart() for a new run @id of @operation; needed is not looked at. */
int decide_run(const struct decider *decider, const struct operation *operation,
	       const char *id, struct str text, bool complete, struct decision *decision,
	       struct strbuf *ret_why);
