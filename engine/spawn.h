/*
 * Hands a job (engine/job.h) to a supervisor of its own, and brings its answer through
 * the loop.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/job.h"
#include "engine/loop.h"
#include "engine/strbuf.h"

struct spawner;
struct spawn;

/*
 * Holds the program @supervisor as it is now, so that all it spawns are of our version.
 * @loop and @home_fd are borrowed. 0 or -errno.
 */
int spawner_new(struct loop *loop, int home_fd, const char *supervisor,
		struct spawner **ret);
void spawner_free(struct spawner *spawner); /* jobs under way go on without us */
DEFINE_CLEANUP(struct spawner, spawner_free);

/* What the job came to: 0, or -errno with a sentence. */
typedef void (*spawn_fn)(void *userdata, int r, struct str why);

/*
 * Hands over @job, and with @guild_fd (-1: none) the transition lock that it holds. 0:
 * @fn is called once, out of the loop, unless spawn_forget() came first; else -errno, and
 * nothing has happened. @ret may be NULL.
 */
int spawn_job(struct spawner *spawner, const struct job *job, int guild_fd, spawn_fn fn,
	      void *userdata, struct spawn **ret);

void spawn_forget(struct spawn *spawn); /* takes NULL; the job goes on */
