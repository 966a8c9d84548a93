/*
 * Writes what people say of a run (engine/metadata.h) into it.
 *
 * Under the run's transition lock, so that a start, which makes the attributes anew, and
 * another writer can't lose it. While somebody else has the lock it is tried again and
 * again, out of the loop; a supervisor then brings it to the disk.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/loop.h"
#include "engine/metadata.h"
#include "engine/spawn.h"
#include "engine/store.h"

struct amender;

/* All are borrowed. 0 or -ENOMEM. */
int amender_new(struct loop *loop, struct store *store, struct spawner *spawner,
		struct amender **ret);
/* What waits for a lock is left to supervisors, which wait on; the rest goes on, too. */
void amender_free(struct amender *amender);
DEFINE_CLEANUP(struct amender, amender_free);

/*
 * Makes @text the run's. 0 when nothing changes; -EINPROGRESS: @fn is called once, out of
 * the loop, with 0, -EBUSY (the lock was never free), -ENOENT (there is no such run any
 * more), or what writing says; else as metadata_make(), and nothing has changed.
 */
int amend_run(struct amender *amender, const char *id, enum metadata which,
	      struct str text, spawn_fn fn, void *userdata, struct strbuf *ret_why);
