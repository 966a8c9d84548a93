/*
 * Looks at files that somebody else chose, without ever entering our own mount.
 *
 * A daemon that opens or stats a path on the file system that it serves waits for
 * itself for ever (fuse-facts 9), and a symbolic link anywhere may lead there. So
 * paths from a project, a run or PATH are walked here, place by place.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/strbuf.h"

/* Where programs are looked for in an environment without PATH. */
#define PATH_DEFAULT "/usr/local/bin:/usr/bin:/bin"

/* The mount (statx stx_mnt_id) that path_open() does not enter; 0: there is none. */
void path_avoid_mount(uint64_t mount_id);

/*
 * Opens @path with O_PATH, following symbolic links, relative to @dir_fd (or AT_FDCWD).
 * The descriptor, -EXDEV where the path leads into our own mount, or what open says.
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
