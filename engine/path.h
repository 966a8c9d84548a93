/*
 * Looks at files that somebody else chose, without ever entering a mount of runfs.
 *
 * A daemon that opens or stats a path on the file system that it serves waits for
 * itself for ever (fuse-facts 9); two that look into each other's do the same. A symbolic
 * link or a bind mount anywhere may lead there. So paths from a project, a run or PATH
 * are walked here, place by place, and each is known by its device: that is one for
 * all mounts of one file system.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "engine/strbuf.h"

/* Where programs are looked for in an environment without PATH. */
#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

/*
 * The device that path_open() does not enter beside those that are mounted as fuse.runfs
 * in our mount namespace; 0: there is none.
 */
void path_avoid_device(dev_t device);

/*
 * Opens @path with O_PATH, following symbolic links, relative to @dir_fd (or AT_FDCWD).
 * The descriptor, -EXDEV where the path leads into a mount of runfs, or what open says.
 */
int path_open(int dir_fd, const char *path);

/* Appends the content of the regular file that @path leads to, as file_read() does. */
int path_read(int dir_fd, const char *path, size_t max_len, struct strbuf *ret);

/*
 * Finds the program @name as exec would: with a '/' relative to @dir_fd, else in the
 * directories of @search_path (as PATH; NULL for none). Checks that it is an executable
 * file, and so is the interpreter that a "#!" line of it names.
 *
 * 0 with where it was found in @ret_path (may be NULL); -ENOENT, -EACCES (or another
 * -errno) with a sentence.
 */
int path_find_program(int dir_fd, const char *name, const char *search_path,
		      struct strbuf *ret_path, struct strbuf *ret_why);
