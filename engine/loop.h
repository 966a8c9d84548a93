/*
 * The event loop of a program: descriptors, timers and signals, one thread, no locks.
 * Nothing that it calls may wait.
 */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/signalfd.h>

#include "engine/cleanup.h"

struct loop;
struct loop_source;

/* Called when something has come; @events as of epoll(7), 0 for timers and signals. */
typedef void (*loop_fn)(void *userdata, uint32_t events);

int loop_new(struct loop **ret);   /* 0 or -errno */
void loop_free(struct loop *loop); /* its sources must have been freed */

/* Runs until loop_stop(); returns 0, or -errno when waiting itself failed. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/*
 * Each makes a source that calls @fn until it is freed; freeing one, also from inside a
 * callback, is allowed at any time. The descriptor stays the caller's and must outlive
 * it. 0 or -errno.
 */
int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *userdata,
		struct loop_source **ret);
int loop_add_timer(struct loop *loop, loop_fn fn, void *userdata,
		   struct loop_source **ret);

/* Blocks the signals of @set for the process and delivers them here; @events is the
 * number. */
int loop_add_signals(struct loop *loop, const sigset_t *set,
		     void (*fn)(void *userdata, const struct signalfd_siginfo *info),
		     void *userdata, struct loop_source **ret);

/* Lets a timer call once, @delay_us from now; a negative delay: not at all. */
void loop_timer_set(struct loop_source *timer, int64_t delay_us);

/* Calls for fewer or more kinds of events. 0 or -errno. */
int loop_source_set_events(struct loop_source *source, uint32_t events);

void loop_source_free(struct loop_source *source);
DEFINE_CLEANUP(struct loop, loop_free);
DEFINE_CLEANUP(struct loop_source, loop_source_free);

int64_t loop_now_us(void); /* monotonic */
