/*
 * What git knows of a directory. git runs in it with the environment of a job, and is
 * looked up in its PATH.
 */
#pragma once

#include <stdbool.h>

#include "engine/job.h"
#include "engine/strbuf.h"

/* Whether there is .git in @root, an absolute path, or above: if not, don't ask git. */
bool git_has_repository(const char *root);

/*
 * Runs git in @dir with the words @args, NULL-terminated, and appends what it prints.
 * Returns its exit status, or -errno; -ENOENT when there is no git, -ETIMEDOUT when it
 * hangs.
 */
int git_run(const struct job *job, const char *dir, const char *const args[],
	    struct strbuf *ret);

/*
 * Appends the last commit that touched the directory @dir, with "*" when its work tree
 * has changes. 0, or -ENOENT when there is none, or -errno.
 */
int git_commit(const struct job *job, const char *dir, struct strbuf *ret);
