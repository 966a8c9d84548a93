/*
 * The jobs of a supervisor that start nothing: what may take long, or has to wait for the
 * disk, and so is not for the daemon's loop.
 */
#pragma once

#include "engine/job.h"
#include "engine/strbuf.h"

/*
 * Carries out what the daemon waits for; @home_fd and @guild_fd as in engine/job.h. 0, or
 * -errno with a sentence.
 */
int errand_run(const struct job *job, int home_fd, int guild_fd, struct strbuf *ret_why);

/* And, after the answer, the rest. */
void errand_finish(const struct job *job, int home_fd);
