/*
 * What a restart replaces in a run: each part is written beside the old one first, into
 * the directory .guild/start, then all are exchanged with it, one right after the other.
 * Up to the end it can be undone. Then .guild/start holds what has been replaced, and
 * becomes an attempt (engine/attempts.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/sourcecode.h"
#include "engine/strbuf.h"

enum replace_part {
	REPLACE_ATTRS,
	REPLACE_OPREF,
	REPLACE_MANIFEST,
	REPLACE_OUTPUT,
	REPLACE_INDEX,
	REPLACE_ENV,
	REPLACE_N_PARTS,
};

const char *replace_name(enum replace_part part); /* in .guild */
const char *
replace_beside_name(enum replace_part part); /* in .guild: where to write it */
#define REPLACE_DIR    "start"
#define REPLACE_SOURCE REPLACE_DIR "/source" /* in .guild: copied source code */

struct replace {
	unsigned int written;		 /* 1 << part: it has been written beside */
	unsigned int exchanged;		 /* 1 << part */
	bool keeps_markers;		 /* STAGED and PENDING stay */
	const struct sourcecode *source; /* borrowed; what is in REPLACE_SOURCE */
	const char *config; /* borrowed; a file in REPLACE_SOURCE that is none of these;
			       or NULL */
	size_t n_moved;	    /* of the source's files, and of config */
};

#define REPLACE_INIT ((struct replace){ 0 })

/*
 * Clears up in @guild_fd after a start that died in the middle: one that had changed the
 * attributes has happened, and is completed. 0 or -errno.
 */
int replace_recover(int guild_fd);

int replace_begin(int guild_fd); /* makes the directory to write to; 0 or -errno */

/*
 * Puts in place what has been written, and removes the markers STAGED and PENDING unless
 * they are to stay. 0, or -errno with a sentence; then replace_undo() is to be called.
 */
int replace_commit(struct replace *replace, int guild_fd, struct strbuf *ret_why);

/* Takes back what replace_commit() has done so far. */
void replace_undo(struct replace *replace, int guild_fd);

/* Makes an attempt of what has been replaced, if there was one. 0 or -errno. */
int replace_keep(int guild_fd);

/* Removes what lies beside: the new that is not wanted, or the old. 0 or -errno. */
int replace_clear(int guild_fd);
