/* From pipes to output and output.index. */
#include "engine/capture.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/strbuf.h"

#define READ_MAX     65536 /* as much as a pipe holds */
#define RECORD_LEN   9
#define RETRY_US     1000000
#define MOST_TRIES   3			      /* after an error other than a full disk */
#define STREAM_EVENT (EPOLLIN | EPOLLONESHOT) /* armed again after each read */

/* What has been read, or made of it, and is still to be written to @fd. */
struct backlog {
	int fd;
	struct strbuf text;
	size_t n_written;
	bool is_dirty; /* something has been written, which may not be on the disk */
};

struct capture_stream {
	struct capture *capture;
	struct loop_source *source;
	int fd;
	char number;
	bool is_in_line; /* the last byte was no LF */
	bool is_at_end;
};

struct capture {
	struct capture_stream streams[2];
	struct backlog output, index;
	struct loop_source *retry_timer;
	bool is_stuck;
	int n_tries; /* that failed otherwise than by a full disk, one after the other */
	bool is_dropping;
	int64_t active_us, resumed_us;
	capture_fn fn;
	void *userdata;
};

static void add_records(struct capture *capture, char stream, size_t n_records)
{
	unsigned char record[RECORD_LEN];
	struct timespec now;
	uint64_t ms;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	ms = htobe64((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	memcpy(record, &ms, sizeof(ms));
	record[sizeof(ms)] = (unsigned char)stream;
	while (n_records-- > 0)
		strbuf_add(&capture->index.text, record, sizeof(record));
}

static size_t count_lines(const char *text, size_t len)
{
	const char *end = text + len;
	size_t n_lines = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text)))) {
		n_lines++;
		text++;
	}
	return n_lines;
}

static int backlog_write(struct backlog *backlog)
{
	struct str rest = strbuf_str(&backlog->text);

	while (backlog->n_written < rest.len) {
		ssize_t n = write(backlog->fd, rest.data + backlog->n_written,
				  rest.len - backlog->n_written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		backlog->n_written += (size_t)n;
		backlog->is_dirty = true;
	}
	strbuf_reset(&backlog->text);
	backlog->n_written = 0;
	return 0;
}

static bool is_full(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

/* Nobody will ever read a file that has no name any more. */
static bool is_deleted(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || st.st_nlink == 0;
}

/* Whether a later try may do better. */
static bool is_worth_a_try(struct capture *capture, int r)
{
	if (r == 0 || is_deleted(capture->output.fd))
		return false;
	return is_full(r) || ++capture->n_tries < MOST_TRIES;
}

/* Writes what there is. 0, or -errno of an error after which to try again. */
static int write_backlogs(struct capture *capture)
{
	int r = 0;

	if (!capture->is_dropping) {
		r = backlog_write(&capture->output);
		if (r == 0)
			r = backlog_write(&capture->index);
		if (is_worth_a_try(capture, r))
			return r;
		capture->n_tries = 0;
	}
	if (r < 0)
		capture->is_dropping = true;
	if (capture->is_dropping) {
		strbuf_reset(&capture->output.text);
		strbuf_reset(&capture->index.text);
	}
	return 0;
}

static void stream_arm(struct capture_stream *stream)
{
	if (!stream->is_at_end)
		(void)loop_source_set_events(stream->source, STREAM_EVENT);
}

static void capture_write(struct capture *capture)
{
	bool was_stuck = capture->is_stuck;

	capture->is_stuck = write_backlogs(capture) < 0;
	if (capture->is_stuck) {
		loop_timer_set(capture->retry_timer, RETRY_US);
	} else if (was_stuck) {
		capture->active_us = capture->resumed_us = loop_now_us();
		stream_arm(&capture->streams[0]);
		stream_arm(&capture->streams[1]);
		capture->fn(capture->userdata);
	}
}

static void retry(void *userdata, uint32_t events)
{
	capture_write(userdata);
}

static void stream_end(struct capture_stream *stream)
{
	if (stream->is_in_line)
		add_records(stream->capture, stream->number, 1);
	stream->is_in_line = false;
	stream->is_at_end = true;
	loop_source_free(take_ptr(stream->source));
}

static void stream_take(struct capture_stream *stream, size_t len)
{
	struct capture *capture = stream->capture;
	const char *text = strbuf_cstr(&capture->output.text) + capture->output.text.len;

	add_records(capture, stream->number, count_lines(text, len));
	stream->is_in_line = text[len - 1] != '\n';
	strbuf_grew(&capture->output.text, len);
	capture->active_us = loop_now_us();
}

static void stream_read(void *userdata, uint32_t events)
{
	struct capture_stream *stream = userdata;
	struct capture *capture = stream->capture;
	ssize_t n = 0;

	/* It came in one batch of events with the read that found the disk full. */
	if (capture->is_stuck)
		return;
	n = read(stream->fd, strbuf_reserve(&capture->output.text, READ_MAX), READ_MAX);
	if (n > 0)
		stream_take(stream, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		stream_end(stream);
	capture_write(capture);
	if (!capture->is_stuck)
		stream_arm(stream);
	if (stream->is_at_end)
		capture->fn(capture->userdata);
}

static int stream_init(struct capture_stream *stream, struct capture *capture,
		       struct loop *loop, int fd, char number)
{
	stream->capture = capture;
	stream->fd = fd;
	stream->number = number;
	return loop_add_fd(loop, fd, STREAM_EVENT, stream_read, stream, &stream->source);
}

int capture_new(struct loop *loop, const int pipe_fds[2], int output_fd, int index_fd,
		capture_fn fn, void *userdata, struct capture **ret)
{
	_cleanup_(capture_freep) struct capture *capture = calloc(1, sizeof(*capture));
	int r;

	if (!capture)
		return -ENOMEM;
	capture->fn = fn;
	capture->userdata = userdata;
	capture->output.fd = output_fd;
	capture->index.fd = index_fd;
	/* Room for the most that one read can give, so that memory never fails later. */
	if (!strbuf_reserve(&capture->output.text, READ_MAX) ||
	    !strbuf_reserve(&capture->index.text, (READ_MAX + 2) * RECORD_LEN))
		return -ENOMEM;

	r = loop_add_timer(loop, retry, capture, &capture->retry_timer);
	for (int i = 0; i < 2 && r == 0; i++)
		r = stream_init(&capture->streams[i], capture, loop, pipe_fds[i],
				(char)i);
	if (r < 0)
		return r;
	*ret = take_ptr(capture);
	return 0;
}

void capture_free(struct capture *capture)
{
	if (!capture)
		return;
	loop_source_free(capture->streams[0].source);
	loop_source_free(capture->streams[1].source);
	loop_source_free(capture->retry_timer);
	strbuf_done(&capture->output.text);
	strbuf_done(&capture->index.text);
	free(capture);
}

bool capture_is_at_end(const struct capture *capture)
{
	return capture->streams[0].is_at_end && capture->streams[1].is_at_end &&
	       !capture->is_stuck;
}

bool capture_is_stuck(const struct capture *capture)
{
	return capture->is_stuck;
}

int64_t capture_active_us(const struct capture *capture)
{
	return capture->active_us;
}

int64_t capture_resumed_us(const struct capture *capture)
{
	return capture->resumed_us;
}

int capture_finish(struct capture *capture)
{
	int r;

	for (int i = 0; i < 2; i++)
		if (!capture->streams[i].is_at_end)
			stream_end(&capture->streams[i]);
	r = write_backlogs(capture);
	if (r < 0)
		return r;

	if (capture->output.is_dirty) {
		(void)sync_file_range(capture->index.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
		(void)fsync(capture->output.fd);
		(void)fsync(capture->index.fd);
	}
	return 0;
}
