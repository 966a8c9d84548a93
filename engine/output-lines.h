/*
 * The lines of an output that may still grow: read once, a piece at a time, and taken up
 * again where the last look ended.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "engine/strbuf.h"

/* A longer line is passed over. */
#define OUTPUT_LINE_MAX (1u << 20)

/* So much of what was read last tells whether it is still the same output. */
#define OUTPUT_TAIL_LEN 64

struct output_lines {
	uint64_t ino;
	off_t offset;	     /* up to which it has been read */
	struct strbuf ahead; /* what has been read and not been taken yet */
	size_t at, seen;     /* in it: the next line; no newline before this */
	bool skipping;	     /* within a line that is too long */
	char tail[OUTPUT_TAIL_LEN];
	size_t tail_len; /* bytes before output_lines_place(), as of output_lines_mark()
			  */
};

#define OUTPUT_LINES_INIT ((struct output_lines){ 0 })

void output_lines_done(struct output_lines *lines);

/* Is the output @fd, of @st, the one that was read, with at least as much in it? */
bool output_lines_continue(const struct output_lines *lines, int fd,
			   const struct stat *st);

/*
 * The next whole line before @end, without its newline: 1, and a view until the next
 * call; 0 when there is none; -EAGAIN when one call has done enough; else -errno.
 */
int output_lines_next(struct output_lines *lines, int fd, off_t end, struct str *ret);

/* Before this the lines have been taken. */
off_t output_lines_place(const struct output_lines *lines);

/* Notes what output_lines_continue() will compare. 0 or -errno. */
int output_lines_mark(struct output_lines *lines, int fd);
