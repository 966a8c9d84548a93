/*
 * A cgroup (version 2) for the processes of one run, beneath the one that this process is
 * in. What is made in it stays in it, whatever it does, so that it can all be killed at
 * once, also when nobody is there any more whose child it was. There is none where the
 * system has only version 1, where it may not be written to (most of systemd's sessions,
 * containers), or before Linux 5.14; then engine/tree.h has to do alone.
 */
#pragma once

#include "engine/strbuf.h"

struct cgroup {
	char *path; /* absolute; NULL: there is none */
	int fd;	    /* of the directory, for clone3(2) */
};

#define CGROUP_INIT ((struct cgroup){ .path = NULL, .fd = -1 })

void cgroup_done(struct cgroup *cgroup);

/* Appends the path that the cgroup @name would have; nothing where there can be none. */
int cgroup_add_path(const char *name, struct strbuf *ret);

/* Makes the cgroup @path. 0 or -errno. */
int cgroup_make(const char *path, struct cgroup *ret);

/* Opens one that was made before. 0; -ENOENT when there is no cgroup @path; -errno. */
int cgroup_open(const char *path, struct cgroup *ret);

/* Kills all that is in it and below; it is gone a moment later. 0 or -errno. */
int cgroup_kill(const struct cgroup *cgroup);

/* Removes it, with what was made below. 0; -EBUSY while there is a process; -errno. */
int cgroup_remove(const struct cgroup *cgroup);
