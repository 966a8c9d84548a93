/*
 * Starts the runs of a home that wait for a job slot (engine/pending.h), the one that was
 * asked for first before all others, as soon as one is free.
 *
 * Every mount of the home that may write does so. Which of them starts a run, the run's
 * transition lock decides; whether there is a slot, engine/jobs.h. What there is to do it
 * learns from inotify on HOME/runfs: names come and go in queue/ and slots/, the limit is
 * written anew, and the kernel closes the slot of a supervisor that was killed. A slow
 * tick finds what no event tells, such as the end of a process of Guild's.
 *
 * A run that can't be started because of what it is (its command is gone, say) becomes an
 * error with the sentence for its output. When it is for lack of something that passes (a
 * full disk, no descriptor), it waits on, and is tried again a second later; so does one
 * whose disk fails or whose supervisor died, but then the others go first.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/index.h"
#include "engine/launch.h"
#include "engine/loop.h"
#include "engine/store.h"

/* What starting @id has come to: 0 and the answer of its restart, or -errno, a sentence.
 */
typedef void (*queue_fn)(void *userdata, const char *id, int r, struct str answer);

/* All borrowed for as long as the queue lives. */
struct queue_config {
	struct loop *loop;
	struct store *store;
	struct index *index;
	struct launcher *launcher;
	queue_fn fn;
	void *userdata;
};

struct queue;

/*
 * 0 or -errno. Looks at once what waits, by way of the loop. What waits and is announced
 * by nobody is, as soon as the index reads it: when runs are first listed, or it comes.
 */
int queue_new(const struct queue_config *config, struct queue **ret);
void queue_free(struct queue *queue); /* what has been started goes on without us */
DEFINE_CLEANUP(struct queue, queue_free);

/* Something has changed that may matter: looks soon. Cheap. */
void queue_look(struct queue *queue);

size_t queue_length(const struct queue *queue); /* at the last look */
