/*
 * Changes that a crash finds either done or not done: files written beside what they
 * replace, brought to the disk together, then exchanged with it. An exchange keeps the
 * old one, so that it can be taken back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "engine/strbuf.h"

/* Files that have been written and are still to be waited for. */
struct durable {
	int *fds;
	size_t n_fds;
};

#define DURABLE_INIT ((struct durable){ 0 })

void durable_done(struct durable *durable);

/* Starts writing @fd out, and takes it over for durable_sync(). 0 or -ENOMEM. */
int durable_add(struct durable *durable, int fd);

/* Creates @name, which must not exist, with @text. 0 or -errno. */
int durable_create(struct durable *durable, int dir_fd, const char *name,
		   struct str text);

/* Waits until all that was added is on the disk. 0 or the first -errno. */
int durable_sync(struct durable *durable);

/*
 * Waits until the content of @fd is written out, before fsync(2), which is still needed.
 * With many files, first for all of them: then one commit of the file system's journal
 * does for all, while that of a file whose content is still under way would do for few.
 * 0 or the first -errno.
 */
int durable_write_out(int fd);
int durable_write_out_all(const struct durable *durable);

/* fsync of a directory, given by a descriptor or as @path under one. 0 or -errno. */
int durable_sync_dir(int dir_fd, const char *path);

/*
 * Puts @new_name in the place of @name, which becomes @new_name; the same call again
 * takes it back. One of the two may be missing, then the other moves there. At once
 * where the file system can, else by way of NAME.old: see durable_recover(). 0 or
 * -errno, with nothing changed.
 */
int durable_exchange(int new_dir_fd, const char *new_name, int dir_fd, const char *name);

/* Brings both to a name again after a crash in the middle of an exchange. 0 or -errno. */
int durable_recover(int new_dir_fd, const char *new_name, int dir_fd, const char *name);

/*
 * Opens the directory that holds the last part of @path under @dir_fd, making the
 * directories on the way when @make, and following no link. Returns it, or -errno;
 * @ret_name points into @path.
 */
int durable_open_parent(int dir_fd, const char *path, bool make, const char **ret_name);
