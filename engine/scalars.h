/*
 * The output scalars of all runs: worked out from their outputs when somebody asks, in
 * slices of the loop, and kept, in memory and in the home's cache/. An output is read
 * once: the next time only what it has grown by. Without a cache, or in a home that can't
 * be written, only time is lost.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/loop.h"
#include "engine/scalar-series.h"
#include "engine/store.h"
#include "engine/strbuf.h"

struct scalars;

/* Called when something that was not known yet (-EINPROGRESS) is. */
typedef void (*scalars_fn)(void *userdata);

int scalars_new(struct loop *loop, struct store *store, scalars_fn fn, void *userdata,
		struct scalars **ret);
void scalars_free(struct scalars *scalars);
DEFINE_CLEANUP(struct scalars, scalars_free);

/*
 * Each tells what whole lines of the output of the run @id say now. 0; -ENOENT when there
 * is no such run, or name; -EINPROGRESS while that is worked out: scalars_fn will be
 * called, ask again from there, and it is answered as of then; -EBADMSG when attribute op
 * or flags can't be read; else what reading the output says.
 */

/* Appends what is wrong with the patterns, "# " and a sentence a line, and name=value. */
int scalars_format(struct scalars *scalars, const char *id, struct strbuf *ret);
int scalars_each(struct scalars *scalars, const char *id, scalar_name_fn fn,
		 void *userdata);
/* The step<TAB>value lines of @name: a view until the next call. */
int scalars_find(struct scalars *scalars, const char *id, const char *name,
		 struct str *ret);

/* The run @id has come or gone: in the latter case nothing of it is kept. */
void scalars_run_listed(struct scalars *scalars, const char *id);
