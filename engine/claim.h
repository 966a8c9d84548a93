/*
 * Names in a directory of the home that processes hold: HOME/DIR/ID is there, and locked
 * with flock(2), for as long as its holder lives, or until it lets go. So what a dead
 * process has left is known for what it is. A name appears with its lock, never before.
 */
#pragma once

#include <stdbool.h>

#include "engine/strbuf.h"

/*
 * Makes @dir/@id under the home, with @text, on the disk when this returns if @durable;
 * replaces one that is there. Returns the descriptor that holds it, or -errno.
 */
int claim_make(int home_fd, const char *dir, const char *id, struct str text,
	       bool durable);

/* Does somebody hold @id in the open directory @dir_fd? -ENOENT when it is not there. */
int claim_is_held(int dir_fd, const char *id);

/* Removes the name; who holds it goes on holding the file. 0, also if it is not there. */
int claim_remove(int home_fd, const char *dir, const char *id);

/* Calls @fn for each name in the directory @dir. 0, also for none; -errno. */
int claim_each(int home_fd, const char *dir,
	       void (*fn)(void *userdata, int dir_fd, const char *id), void *userdata);
