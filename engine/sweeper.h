/*
 * Ends what dead supervisors have left (engine/live.h), now and again: at once for those
 * that are found first, and soon for those that die while the daemon is there.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/loop.h"

struct sweeper;

/* @home_fd stays the caller's and must outlive it. 0 or -errno. */
int sweeper_new(struct loop *loop, int home_fd, struct sweeper **ret);
void sweeper_free(struct sweeper *sweeper);
DEFINE_CLEANUP(struct sweeper, sweeper_free);
