/*
 * Deleted runs: where Guild has them (HOME/trash/runs/ID), read, restored, and deleted
 * for good.
 *
 * Each change is one rename, made under the run's transition lock, so a run that is alive
 * or about to be is never moved. What takes time, the disk and the removal of what may be
 * large, is left to a supervisor; nobody waits for it.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/run.h"
#include "engine/spawn.h"
#include "engine/store.h"
#include "engine/strbuf.h"

struct trash;

/* Both are borrowed. 0 or -ENOMEM. */
int trash_new(struct store *store, struct spawner *spawner, struct trash **ret);
void trash_free(struct trash *trash); /* a sweep under way goes on */
DEFINE_CLEANUP(struct trash, trash_free);

/* The deleted run @id, as run_open() does it. */
int trash_find(const struct store *store, const char *id, struct run **ret);

/* Calls @fn with the ID of each deleted run. 0 or -errno. */
typedef void (*trash_fn)(void *userdata, const char *id);
int trash_each(const struct store *store, trash_fn fn, void *userdata);

/* Appends the absolute path of the deleted run @id. 0 or -ENOMEM. */
int trash_path(const struct store *store, const char *id, struct strbuf *ret);

/*
 * Each moves the run @id, or changes nothing: 0; -EBUSY while it is alive, or somebody is
 * changing it; -EEXIST; -ENOENT; -EOPNOTSUPP where the two places are on different file
 * systems; else -errno; all with a sentence.
 *
 * trash_delete() makes room as Guild does when a run of that ID has been deleted before
 * (see trash_place_put()); trash_move_in() says -EEXIST then, and so does trash_restore()
 * when there is another run of that ID.
 */
int trash_delete(struct trash *trash, const char *id, struct strbuf *ret_why);
int trash_move_in(struct trash *trash, const char *id, struct strbuf *ret_why);
int trash_restore(struct trash *trash, const char *id, struct strbuf *ret_why);

/* Deletes for good: it is gone at once, and its space when a sweep has been. */
int trash_purge(struct trash *trash, const char *id, struct strbuf *ret_why);

/* Goes on with a sweep that somebody died at. */
void trash_recover(struct trash *trash);
