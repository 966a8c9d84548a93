/*
 * Ends runs, and sends them signals. A supervisor passes on what it is sent (and kills
 * after its own timeout); a process of Guild's gets the signal itself, and SIGKILL from
 * here if it is still there after the timeout.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/loop.h"
#include "engine/run.h"

struct stopper;

int stopper_new(struct loop *loop, int64_t timeout_us, struct stopper **ret);
void stopper_free(struct stopper *stopper);
DEFINE_CLEANUP(struct stopper, stopper_free);

/*
 * The signal that a line for the file `stop` names: an empty line, 1 or TERM is SIGTERM;
 * INT, KILL, STOP and so on as kill(1) has them, in any case, with or without SIG, or by
 * number. -EINVAL with a sentence for another word; without @complete the word may still
 * go on.
 */
int stop_parse(struct str text, bool complete, int *ret_signal, struct strbuf *ret_why);

/*
 * Sends @signal to @run. 0, also for a run that is not alive; -EBUSY with a sentence for
 * one that Guild is only about to start; -EPERM for a process of another user, and with
 * a sentence for one that LOCK names but that does not run the run.
 */
int stop_run(struct stopper *stopper, const struct run *run, int signal,
	     struct strbuf *ret_why);
