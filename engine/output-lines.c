/* The lines of a growing output. */
#include "engine/output-lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE_LEN (64u << 10)

void output_lines_done(struct output_lines *lines)
{
	strbuf_done(&lines->ahead);
	*lines = OUTPUT_LINES_INIT;
}

off_t output_lines_place(const struct output_lines *lines)
{
	return lines->offset - (off_t)(lines->ahead.len - lines->at);
}

bool output_lines_continue(const struct output_lines *lines, int fd,
			   const struct stat *st)
{
	char tail[OUTPUT_TAIL_LEN];
	off_t place = output_lines_place(lines);

	if (lines->ino != st->st_ino || lines->offset > st->st_size)
		return false;
	if (place < (off_t)lines->tail_len)
		return false;
	return pread(fd, tail, lines->tail_len, place - (off_t)lines->tail_len) ==
		       (ssize_t)lines->tail_len &&
	       memcmp(tail, lines->tail, lines->tail_len) == 0;
}

int output_lines_mark(struct output_lines *lines, int fd)
{
	off_t place = output_lines_place(lines);
	size_t len = place < OUTPUT_TAIL_LEN ? (size_t)place : OUTPUT_TAIL_LEN;
	ssize_t n = pread(fd, lines->tail, len, place - (off_t)len);

	if (n < 0)
		return -errno;
	lines->tail_len = (size_t)n;
	return (size_t)n == len ? 0 : -EIO;
}

/* A line that is ahead as a whole, and is wanted. */
static bool take_line(struct output_lines *lines, struct str *ret)
{
	while (lines->seen < lines->ahead.len) {
		const char *start = lines->ahead.data + lines->at;
		const char *end = memchr(lines->ahead.data + lines->seen, '\n',
					 lines->ahead.len - lines->seen);
		bool skipped = lines->skipping;

		if (!end) {
			lines->seen = lines->ahead.len;
			break;
		}
		*ret = (struct str){ start, (size_t)(end - start) };
		lines->at = lines->seen = (size_t)(end + 1 - lines->ahead.data);
		lines->skipping = false;
		if (!skipped && ret->len <= OUTPUT_LINE_MAX)
			return true;
	}
	return false;
}

/* Drops what has been taken, and the beginning of a line that has become too long. */
static void make_room(struct output_lines *lines)
{
	size_t rest = lines->ahead.len - lines->at;

	if (lines->skipping || rest > OUTPUT_LINE_MAX) {
		lines->skipping = true;
		rest = 0;
	}
	if (rest > 0 && lines->at > 0)
		memmove(lines->ahead.data, lines->ahead.data + lines->at, rest);
	strbuf_truncate(&lines->ahead, rest);
	lines->at = 0;
	lines->seen = rest;
}

int output_lines_next(struct output_lines *lines, int fd, off_t end, struct str *ret)
{
	size_t len = PIECE_LEN;
	char *place;
	ssize_t n;

	if (take_line(lines, ret))
		return 1;
	make_room(lines);
	if (lines->offset >= end)
		return 0;
	if ((off_t)len > end - lines->offset)
		len = (size_t)(end - lines->offset);
	place = strbuf_reserve(&lines->ahead, len);
	if (!place)
		return -ENOMEM;
	n = pread(fd, place, len, lines->offset);
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	strbuf_grew(&lines->ahead, (size_t)n);
	lines->offset += n;
	return -EAGAIN;
}
