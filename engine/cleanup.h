/*
 * Ownership of locals: a variable marked _cleanup_(x_done) is given up when its
 * scope ends, unless take_ptr() or take_fd() has given it away.
 */
#pragma once

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn)	   __attribute__((__cleanup__(fn)))
#define _cleanup_free_	   _cleanup_(freep)
#define _cleanup_close_	   _cleanup_(closep)
#define _cleanup_closedir_ _cleanup_(closedirp)

/* A pointer's own destructor as a cleanup: DEFINE_CLEANUP(struct run, run_free). */
#define DEFINE_CLEANUP(type, fn)                                                         \
	static inline void fn##p(type **object)                                          \
	{                                                                                \
		fn(*object);                                                             \
	}                                                                                \
	struct cleanup_needs_a_semicolon

#define take_ptr(pointer)                                                                \
	({                                                                               \
		__typeof__(pointer) *take_from_ = &(pointer);                            \
		__typeof__(pointer) take_it_ = *take_from_;                              \
		*take_from_ = NULL;                                                      \
		take_it_;                                                                \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

/* Closes @fd if there is one; never fails and never touches errno's meaning. */
static inline void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static inline void closep(int *fd)
{
	close_fd(*fd);
}

static inline void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}
