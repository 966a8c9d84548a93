/*
 * What git ignores in a directory: by its own rules (.gitignore and others), and by
 * Guild's file .guildignore, which has the same form.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/job.h"
#include "engine/strbuf.h"

struct source_ignored {
	struct strbuf text; /* what git has listed */
	struct str *paths;  /* sorted; a directory that is ignored whole ends with '/' */
	size_t n_paths;
};

#define SOURCE_IGNORED_INIT ((struct source_ignored){ 0 })

void source_ignored_done(struct source_ignored *ignored);

/*
 * Asks git about job.source.root, which is open as @root_fd. 0; -ENOENT when that is in
 * no work tree, or there is no git; else -errno.
 */
int source_ignored_read(const struct job *job, int root_fd, struct source_ignored *ret);

/* Is the file, or the directory, @path among them itself? */
bool source_ignored_has(const struct source_ignored *ignored, struct str path);
