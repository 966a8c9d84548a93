/*
 * A run that waits for a job slot: what is to be started when its turn comes.
 *
 *   runs/ID/.guild/PENDING   Guild's marker; ours has the order and the request in it
 *   HOME/runfs/queue/ID      says that there is one, so that nobody has to look for it
 *
 * The run is otherwise as it was: without the marker it is what it has been before, and
 * staged if it never ran. The announcement is made first and removed last, and held
 * (engine/claim.h) until the marker is there: one that nobody holds, of a run without a
 * marker of ours, is of no use.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/strbuf.h"

struct pending {
	int64_t order_us;    /* when it was asked for: who is first */
	unsigned int needed; /* a new run: statuses that make an equal one do; 0: none */
	char *project;	     /* of the mount that was asked; NULL: it had none */
	char *request;	     /* what was written */
};

#define PENDING_INIT ((struct pending){ 0 })

void pending_done(struct pending *pending);

/* The content of a marker. 0 or -ENOMEM. */
int pending_format(const struct pending *pending, struct strbuf *ret);

/* 0; -EBADMSG for a marker of Guild's, which is empty; -ENOMEM. */
int pending_parse(struct str text, struct pending *ret);

/* The marker in @guild_fd: 0; -ENOENT when there is none; else as pending_parse(). */
int pending_read(int guild_fd, struct pending *ret);
/* Is there one, and not of Guild's? 1, 0, or -errno for lack of what it takes to see it.
 */
int pending_is_ours(int guild_fd);

/*
 * Is there a marker that counts? One of Guild's from before the system was started does
 * not: whoever was to start the run is gone. 1, 0, or -errno, when we lack what it takes
 * to see it.
 */
int pending_exists(int guild_fd);

/* Announces @id; the descriptor that holds that, or -errno. */
int pending_announce(int home_fd, const char *id, int64_t order_us);
int pending_withdraw(int home_fd, const char *id); /* 0 or -errno */

/*
 * Announces @id, whose .guild is @guild_fd, if it waits and nobody announces it any more:
 * somebody has cleared that away, or has put the run there. 1; 0 when there is nothing to
 * do; -errno. The disk has it a little later, but the marker tells as well.
 */
int pending_announce_again(int home_fd, int guild_fd, const char *id);

/* The order in an announcement in the open queue @dir_fd; -EBADMSG, -ENOENT. */
int pending_order(int dir_fd, const char *id, int64_t *ret_us);
