/*
 * What listings and views need of all runs, in memory: a cache that the disk can always
 * make again.
 *
 * The names in runs/ are read once; then the watch tells which came and went. A run is
 * read again when its .guild changed, as with every start (PENDING and LOCK come and go
 * there). That costs one stat for each, at most once a second and only when somebody
 * asks: half a second for 100,000 runs. The first time takes five times that, and so does
 * the first index_match(), which needs all flags (tests/bench/many-runs.py).
 *
 * Such a scan is done in slices of the loop. Who asks meanwhile waits for its end, and
 * finds each run as it was after the scan began: what is told then is taken in at once.
 * What is no run yet, as one that is copied, is looked at whenever somebody asks.
 */
#pragma once

#include <stdbool.h>

#include "engine/cleanup.h"
#include "engine/flags.h"
#include "engine/loop.h"
#include "engine/store.h"

struct index;

/* Called when what was not known yet (-EINPROGRESS) is. */
typedef void (*index_fn)(void *userdata);

/* 0 or -errno. */
int index_new(struct loop *loop, struct store *store, index_fn fn, void *userdata,
	      struct index **ret);
void index_free(struct index *index);
DEFINE_CLEANUP(struct index, index_free);

/* The run @id came, went or changed; cheap, so tell it of each. */
void index_run_changed(struct index *index, const char *id);

/* Any run may have come or gone: they are all listed again when somebody asks. */
void index_list_changed(struct index *index);

/*
 * Each of these but index_has() may say -EINPROGRESS, after which index_fn is called: ask
 * again from there, and it is answered.
 */

/* Calls @fn with each run of the operation @op_name (NULL: each run), sorted by ID. */
typedef void (*index_run_fn)(void *userdata, const char *id);
int index_each(struct index *index, const char *op_name, index_run_fn fn, void *userdata);

/*
 * From now on @fn (NULL: nobody) is told of the runs that wait for a job slot, each time
 * that one is read again. It may not ask the index.
 */
void index_tell_waiting(struct index *index, index_run_fn fn, void *userdata);

/* Is there a run @id of the operation @op_name? Never waits: it looks at that one. */
bool index_has(struct index *index, const char *op_name, const char *id);

/*
 * Calls @fn with each run that is alive, whoever runs it. One that begins is known as
 * soon as anybody tells of it, or at the next scan of all: a second later, or in a large
 * home when fifty times as long has gone by as that takes.
 */
int index_each_live(struct index *index, index_run_fn fn, void *userdata);

/*
 * The run that was started last, of the operation @op_name or (NULL) of all, staged ones
 * left out; -ENOENT when there is none. Borrowed until the next call.
 */
int index_latest(struct index *index, const char *op_name, const char **ret);

/*
 * The newest run of the same @opref with equal @flags and a status among @statuses
 * (1 << status), or -ENOENT. Borrowed until the next call.
 */
int index_match(struct index *index, const char *opref, const struct flags *flags,
		unsigned int statuses, const char **ret);
