/*
 * What the starts of a run before the last have left: .guild/attempts/N/ holds `attrs`,
 * `output` and `output.index` of the N-th start, as they were when the next one replaced
 * them. The first is 1. Guild does not look there.
 *
 * The highest number that is there is the last that was given: a directory that is kept
 * for its number only is empty.
 */
#pragma once

#include <stdbool.h>

#include "engine/cleanup.h"
#include "engine/strbuf.h"

#define ATTEMPTS_DIR "attempts"

/*
 * Moves @name, a directory of @guild_fd that holds what a start has replaced, to its
 * number. 0; -ENOENT when that is no attempt, for the run had been staged only, or when
 * there is no higher number any more; -errno.
 */
int attempts_add(int guild_fd, const char *name);

/* Removes what is in all attempts but the last @n_kept. 0 or the first -errno. */
int attempts_prune(int guild_fd, unsigned int n_kept);

/* Is @name the number of an attempt, written as it is? */
bool attempts_is_number(const char *name);

/* Opens the attempt @number. A descriptor, -ENOENT when there is none, or -errno. */
int attempts_open(int guild_fd, const char *number);

/* Calls @fn for each attempt that can be opened. 0 or -errno. */
int attempts_each(int guild_fd, void (*fn)(void *userdata, const char *number),
		  void *userdata);
