/* From pipes to files: bytes and records, and when it is over. */
#include "engine/capture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/file.h"

static struct loop *loop;
static struct capture *capture;
static int pipe_fds[2], write_fds[2];
static int output_fd, index_fd;
static unsigned int n_calls;

static void called(void *userdata)
{
	n_calls++;
	if (capture_is_at_end(capture))
		loop_stop(loop);
}

static void open_all(void)
{
	for (int i = 0; i < 2; i++) {
		int fds[2];

		cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
		cr_assert_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
		pipe_fds[i] = fds[0];
		write_fds[i] = fds[1];
	}
	output_fd = memfd_create("output", MFD_CLOEXEC);
	index_fd = memfd_create("output.index", MFD_CLOEXEC);
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(capture_new(loop, pipe_fds, output_fd, index_fd, called, NULL,
				 &capture),
		     0);
}

static void close_all(void)
{
	capture_free(capture);
	loop_free(loop);
	for (int i = 0; i < 2; i++) {
		close_fd(pipe_fds[i]);
		close_fd(write_fds[i]);
	}
	close_fd(output_fd);
	close_fd(index_fd);
}

TestSuite(capture, .init = open_all, .fini = close_all);

static void print(int stream, const char *text)
{
	cr_assert_eq(file_write_fd(write_fds[stream], str_from(text)), 0);
}

static void end_all(void)
{
	close_fd(take_fd(&write_fds[0]));
	close_fd(take_fd(&write_fds[1]));
}

static void expect_output(const char *text)
{
	_cleanup_(strbuf_done) struct strbuf output = STRBUF_INIT;

	cr_assert_eq(file_read_fd(output_fd, 1u << 20, &output), 0);
	cr_expect_str_eq(strbuf_cstr(&output), text);
}

/* The streams of all records, as digits. */
static void expect_streams(const char *streams)
{
	_cleanup_(strbuf_done) struct strbuf index = STRBUF_INIT;

	cr_assert_eq(file_read_fd(index_fd, 1u << 20, &index), 0);
	cr_assert_eq(index.len, 9 * strlen(streams));
	for (size_t i = 0; i < strlen(streams); i++)
		cr_expect_eq(index.data[i * 9 + 8], streams[i] - '0', "record %zu", i);
}

Test(capture, lines_of_both_streams_are_written_and_recorded)
{
	print(0, "a\n\nb");
	end_all();
	cr_assert_eq(loop_run(loop), 0);
	expect_output("a\n\nb");
	expect_streams("000");
	cr_expect_eq(capture_finish(capture), 0);
	expect_streams("000");
	cr_expect_eq(n_calls, 2, "once for each end");
}

Test(capture, stderr_is_stream_1)
{
	print(1, "a\nb\n");
	end_all();
	cr_assert_eq(loop_run(loop), 0);
	expect_output("a\nb\n");
	expect_streams("11");
}

Test(capture, nothing_gives_nothing)
{
	end_all();
	cr_assert_eq(loop_run(loop), 0);
	expect_output("");
	expect_streams("");
	cr_expect_eq(capture_active_us(capture), 0);
}

static void stop(void *userdata, uint32_t events)
{
	loop_stop(loop);
}

/* Runs the loop until everything that is there has been taken. */
static void run_a_little(void)
{
	_cleanup_(loop_source_freep) struct loop_source *timer = NULL;

	cr_assert_eq(loop_add_timer(loop, stop, NULL, &timer), 0);
	loop_timer_set(timer, 20000);
	cr_assert_eq(loop_run(loop), 0);
}

Test(capture, it_can_be_finished_before_the_end)
{
	print(0, "begun");
	run_a_little();
	cr_expect_not(capture_is_at_end(capture));
	cr_expect_gt(capture_active_us(capture), 0);
	expect_streams("");
	cr_expect_eq(capture_finish(capture), 0);
	expect_output("begun");
	expect_streams("0");
	cr_expect(capture_is_at_end(capture));
}

Test(capture, a_file_that_can_t_be_written_does_not_hold_the_command)
{
	/* Sealed, each write fails with EPERM. */
	cr_assert_eq(close(output_fd), 0);
	cr_assert_eq(memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING), output_fd);
	cr_assert_eq(fcntl(output_fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	for (int i = 0; i < 100; i++) {
		print(0, "lost\n");
		run_a_little();
	}
	end_all();
	cr_assert_eq(loop_run(loop), 0);
	expect_output("");
	cr_expect_eq(capture_finish(capture), 0);
}
