/*
 * The FUSE side of a mount: receives requests in the loop, answers them from the nodes
 * and handles, and parks those that have to wait. With main, the only file that includes
 * FUSE.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/loop.h"
#include "engine/watch.h"
#include "fs/node.h"
#include "fs/view.h"

struct fuse_args;
struct session;

/* All borrowed. */
struct session_config {
	struct loop *loop;
	struct view *view;
	struct fuse_args *args; /* for libfuse: the mount's options */
};

int session_new(const struct session_config *config, struct session **ret);

/* Answers all who wait with ENODEV, and unmounts if session_mount() did and nobody else
 * has. */
void session_free(struct session *session);
DEFINE_CLEANUP(struct session, session_free);

/*
 * Mounts on @mountpoint; from then on path_open() keeps out of it. 0, or -1 with
 * libfuse's own message on stderr.
 */
int session_mount(struct session *session, const char *mountpoint);

/* Begins to serve; the loop is stopped when the file system has been unmounted. */
int session_start(struct session *session, struct watch *watch);

/* Something about the run @id (NULL: about any) changed: those who wait for it look
 * again. */
void session_run_changed(struct session *session, const char *id);

/* Something that was being found out (-EINPROGRESS) is known: who waits asks again. */
void session_ask_again(struct session *session);
