/*
 * Files relative to a held directory: whole reads, writes that a crash can't halve.
 *
 * Inside a home nothing follows a symbolic link in the last place of a path, nothing
 * leaves the mount of the held directory (-EXDEV), and nothing waits: a link or a mount
 * may lead to our own mount, where the daemon would wait for itself, and a FIFO that
 * somebody put where a file belongs is an error, not a hang. All descriptors are
 * close-on-exec.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "engine/strbuf.h"

/*
 * Is the errno @r of what we lack ourselves now (memory, descriptors)? It says nothing of
 * what is there, and may be gone the next time.
 */
bool file_is_lack(int r);

/* Opens the directory @path under @dir_fd (or AT_FDCWD). Returns it, or -errno. */
int file_open_dir(int dir_fd, const char *path);

/*
 * Opens @path, following no symbolic link in any place of it. The descriptor, or -errno
 * (-ELOOP for a link; with O_PATH, one in the last place is opened itself).
 */
int file_open_beneath(int dir_fd, const char *path, int flags);

/* What is at @path, found as above: a link is told of itself. 0 or -errno. */
int file_stat(int dir_fd, const char *path, struct stat *ret);

/* Is @name in @dir_fd, be it a link or a mount, which is not looked into? */
bool file_exists(int dir_fd, const char *name);

/*
 * Appends the content of the regular file @name to @ret. 0, -EFBIG when it has more
 * than @max_len bytes, -EINVAL when it is no regular file, else what open or read says.
 */
int file_read(int dir_fd, const char *name, size_t max_len, struct strbuf *ret);

/* The same for an open descriptor, from its start. */
int file_read_fd(int fd, size_t max_len, struct strbuf *ret);

/*
 * Makes @name hold @text, by a temporary file beside it (".NAME.XXXX") and rename, so
 * that a reader sees the old content or the new one. With @durable the text is on the
 * disk before the name points to it. 0 or -errno; then @name is as it was.
 */
int file_write(int dir_fd, const char *name, struct str text, mode_t mode, bool durable);

/* Whether @name is that of such a temporary file. */
bool file_is_temporary(const char *name);

/*
 * Removes the temporary files in @dir_fd that a dead writer has left: those that are
 * older than a minute, for a younger one may have a living writer. Errors are of no
 * consequence: the next one who clears up finds them.
 */
void file_clear_temporaries(int dir_fd);

/* Writes all of @text to @fd. 0 or -errno. */
int file_write_fd(int fd, struct str text);

/*
 * mkdir that takes an existing directory for an answer, be it a link to one on the same
 * mount. 0, -ENOTDIR, or -errno.
 */
int file_make_dir(int dir_fd, const char *path, mode_t mode);

/* mkdir -p, for a relative or an absolute @path. 0 or -errno. */
int file_make_dirs(int dir_fd, const char *path, mode_t mode);

/* Opens the directory @path, which is made if it is not there, and those above it. A
 * descriptor or -errno. */
int file_open_made_dir(int dir_fd, const char *path);

/* unlink that takes a missing file for an answer. 0 or -errno. */
int file_remove(int dir_fd, const char *name);

/* rm -r, following no link. A missing @name is no error. 0 or the first -errno. */
int file_remove_tree(int dir_fd, const char *name);

/* Appends the target of a symbolic link. 0 or -errno. */
int file_read_link(int dir_fd, const char *name, struct strbuf *ret);

/* What tells two contents of one name apart without reading them. */
struct file_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

void file_stamp_of(const struct stat *st, struct file_stamp *ret);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);
