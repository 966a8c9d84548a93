/*
 * Whether the home takes what a request would write. A shell looks at what write(2) says,
 * and not at what close(2) says, when the request is carried out: so that the home is
 * read-only, or full, has to be known while it is judged.
 *
 * 0; -EROFS; -EACCES; -ENOSPC or -EDQUOT when @needs_room and there is none at all; or
 * what else looking says; with a sentence. It is cheap, and 0 is no promise.
 */
#pragma once

#include <stdbool.h>

#include "engine/run.h"
#include "engine/store.h"
#include "engine/strbuf.h"

/* For what is made in .guild of @run, or in the directory @path there, if not NULL. */
int writable_run(const struct run *run, const char *path, bool needs_room,
		 struct strbuf *ret_why);

/* For runs that are made. */
int writable_runs(struct store *store, struct strbuf *ret_why);

/* For what is made in @path of the home; while that is not there, in the home. */
int writable_home(const struct store *store, const char *path, struct strbuf *ret_why);
