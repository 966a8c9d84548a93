/*
 * What a command prints: from two pipes into the files output and output.index.
 *
 * output gets the bytes as they come. output.index gets a record of 9 bytes for each
 * line: milliseconds since 1970 as 64 bits big-endian, and one byte, 0 for stdout and 1
 * for stderr; also for a last line without its end. (Section 1.9 of guild-behaviour.md.)
 *
 * Nothing is lost on a full disk: then the pipes are not read, so that the command waits
 * as it would if it wrote there itself, until a try each second finds room. After any
 * other error there are a few such tries; then the rest is read and dropped, so that the
 * command goes on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/cleanup.h"
#include "engine/loop.h"

struct capture;

/* Called when a pipe has come to its end, and when the disk takes it again. */
typedef void (*capture_fn)(void *userdata);

/*
 * Reads @pipe_fds (stdout, stderr; non-blocking) and appends to @output_fd and @index_fd
 * (O_APPEND). All stay the caller's and must outlive it. 0 or -errno.
 */
int capture_new(struct loop *loop, const int pipe_fds[2], int output_fd, int index_fd,
		capture_fn fn, void *userdata, struct capture **ret);
void capture_free(struct capture *capture);
DEFINE_CLEANUP(struct capture, capture_free);

bool capture_is_at_end(const struct capture *capture); /* of both pipes, all written */
bool capture_is_stuck(const struct capture *capture);  /* waits for its next try */

/* As of loop_now_us(), or 0: when something was read, and when a full disk had room. */
int64_t capture_active_us(const struct capture *capture);
int64_t capture_resumed_us(const struct capture *capture);

/*
 * Ends it, also before the pipes have: what has been read is recorded and both files
 * reach the disk. 0, or -errno: call again in a while.
 */
int capture_finish(struct capture *capture);
