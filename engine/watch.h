/*
 * Watches a home: tells what changed in it, whoever did it.
 *
 * The list of runs is watched always; a run itself only while somebody asks for it
 * (watch_add), with two inotify watches, so that 100,000 runs cost no more than the few
 * that are looked at: two watches for the home, and two for each of those. (A watch on
 * each run would be 200,000, more than the kernel gives to a user of a small machine.)
 *
 * What inotify can't tell (a process that dies without a word) comes with a tick: every
 * half second each run that is watched counts as changed. Where inotify fails whole, for
 * want of instances or watches or on a file system that others write to (NFS), the tick
 * says that anything may have changed, and tries for a watch again. After an overflow, or
 * when hundreds of runs came or went at once, all that is watched is looked up anew and
 * counts as changed.
 */
#pragma once

#include <stdbool.h>

#include "engine/cleanup.h"
#include "engine/loop.h"
#include "engine/store.h"

struct watch;

/*
 * Something about the run @id changed; @listed when it came or went. A NULL @id: anything
 * may have changed.
 */
typedef void (*watch_fn)(void *userdata, const char *id, bool listed);

/* The store must outlive the watch. 0 or -errno. */
int watch_new(struct loop *loop, struct store *store, watch_fn fn, void *userdata,
	      struct watch **ret);
void watch_free(struct watch *watch);
DEFINE_CLEANUP(struct watch, watch_free);

/*
 * Does only the tick tell? 0; or why: -EMFILE where no inotify instance is left
 * (fs.inotify.max_user_instances), -ENOSPC for watches (max_user_watches), -EREMOTE.
 */
int watch_problem(const struct watch *watch);

/* Tells of what has changed until now; the loop does so too, a moment later. */
void watch_process(struct watch *watch);

/*
 * Watches a run closely until as many calls of watch_remove(). Returns 0, also when only
 * the tick will tell; -ENOMEM.
 */
int watch_add(struct watch *watch, const char *id);
void watch_remove(struct watch *watch, const char *id);

size_t watch_count(const struct watch *watch); /* runs that are watched now */
