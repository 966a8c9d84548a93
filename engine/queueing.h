/* A run's way into the queue and out of it, on the disk, as a supervisor goes it. */
#pragma once

#include "engine/record.h"
#include "engine/strbuf.h"

/*
 * Lets the run of @record, which has begun, wait for a job slot; a new one is made first,
 * staged. 0, or -errno with a sentence, and everything is as before.
 */
int queueing_enter(struct record *record, struct strbuf *ret_why);

/*
 * Takes the run @id, whose .guild is @guild_fd, out of the queue: it is as it was before.
 * Waits for the transition lock. 0; -EAGAIN when it does not wait any more; else -errno
 * with a sentence.
 */
int queueing_leave(int home_fd, int guild_fd, const char *id, struct strbuf *ret_why);
