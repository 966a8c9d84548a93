/*
 * Which files of a directory are source code: Guild's default rules, outside git and in
 * a git work tree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "engine/job.h"
#include "engine/strbuf.h"

/* The rules outside git, but with is_git those for a directory that git lists whole. */
struct source_rules {
	bool is_git;
	bool python;
	off_t max_size;
	size_t max_files;
	dev_t home_dev; /* the home, which is never source */
	ino_t home_ino;
};

/* Called for each file found, with its path from the root; what is not 0 ends the search.
 */
typedef int (*source_select_fn)(void *userdata, struct str path);

/*
 * Finds the files of the directory @root_fd and below. 0, or what @fn returned, or
 * -errno; a directory that can't be read is passed over.
 */
int source_select_walk(const struct source_rules *rules, int root_fd, source_select_fn fn,
		       void *userdata);

/*
 * Finds what git does not ignore in job.source.root, which is open as @root_fd. 0, or
 * what @fn returned, or -ENOENT when git can't tell, or -errno.
 */
int source_select_git(const struct job *job, const struct source_rules *rules,
		      int root_fd, source_select_fn fn, void *userdata);
