/*
 * Which files of a directory are source code: by Guild's default rules, outside git and
 * in a git work tree, and by the operation's own after them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "engine/source-ignore.h"
#include "engine/source-rule.h"
#include "engine/strbuf.h"

struct source_selection {
	const struct source_ignored *ignored; /* in a git work tree; NULL outside */
	const struct source_rules *rules;     /* the operation's own, resolved */
	bool python;
	/* What the default rules take outside git; there is no limit to others. */
	off_t max_size;
	size_t max_files;
	dev_t home_dev; /* the home, which is never source */
	ino_t home_ino;
};

enum source_verdict {
	SOURCE_TAKEN,
	/* Not taken for a limit alone; told only where the operation has no own rules. */
	SOURCE_TOO_BIG,
	SOURCE_TOO_MANY,
};

/* Called for each file with its path from the root; what is not 0 ends the search. */
typedef int (*source_select_fn)(void *userdata, enum source_verdict verdict,
				struct str path);

/*
 * Looks through the directory @root_fd and below. 0, or what @fn returned, or -errno; a
 * directory that can't be read is passed over.
 */
int source_select(const struct source_selection *selection, int root_fd,
		  source_select_fn fn, void *userdata);
