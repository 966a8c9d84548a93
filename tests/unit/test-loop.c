/* The event loop: who is called, when, how often, and what a callback may do. */
#include "engine/loop.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SOON_US	  1000
#define LATER_US  20000
#define NEVER_US  60000000
#define READABLE  0
#define WRITEABLE 1

static struct loop *loop;

static void make_loop(void)
{
	cr_assert_eq(loop_new(&loop), 0);
}

static void free_loop(void)
{
	loop_free(loop);
}

/* A hang is the way a loop fails, so every test here has a limit. */
TestSuite(loop, .init = make_loop, .fini = free_loop, .timeout = 120);

/* What a callback saw, and what it shall do. */
struct probe {
	unsigned n_calls;
	unsigned stop_after; /* calls; 0: never */
	uint32_t events;
	uint32_t signal;
	struct loop_source **frees[2];
};

static void probe_call(void *userdata, uint32_t events)
{
	struct probe *probe = userdata;

	probe->n_calls++;
	probe->events = events;
	for (size_t i = 0; i < 2; i++) {
		if (!probe->frees[i])
			continue;
		loop_source_free(*probe->frees[i]);
		*probe->frees[i] = NULL;
	}
	if (probe->n_calls == probe->stop_after)
		loop_stop(loop);
}

static void probe_signal(void *userdata, const struct signalfd_siginfo *info)
{
	struct probe *probe = userdata;

	probe->signal = info->ssi_signo;
	probe_call(probe, 0);
}

/* Runs until what is ready by now, and in @delay_us, has been called. */
static void run_for(int64_t delay_us)
{
	_cleanup_(loop_source_freep) struct loop_source *end = NULL;
	struct probe stopper = { .stop_after = 1 };

	cr_assert_eq(loop_add_timer(loop, probe_call, &stopper, &end), 0);
	loop_timer_set(end, delay_us);
	cr_assert_eq(loop_run(loop), 0);
}

static void make_pipe(int fds[2])
{
	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void make_ready(int fds[2])
{
	make_pipe(fds);
	cr_assert_eq(write(fds[WRITEABLE], "x", 1), 1);
}

static void close_pipe(int fds[2])
{
	close_fd(fds[READABLE]);
	close_fd(fds[WRITEABLE]);
}

static struct loop_source *add_fd(int fd, uint32_t events, struct probe *probe)
{
	struct loop_source *source = NULL;

	cr_assert_eq(loop_add_fd(loop, fd, events, probe_call, probe, &source), 0);
	return source;
}

static struct loop_source *add_timer(int64_t delay_us, struct probe *probe)
{
	struct loop_source *source = NULL;

	cr_assert_eq(loop_add_timer(loop, probe_call, probe, &source), 0);
	loop_timer_set(source, delay_us);
	return source;
}

Test(loop, a_ready_descriptor_calls_with_its_events)
{
	struct probe probe = { .stop_after = 1 };
	_cleanup_(loop_source_freep) struct loop_source *source = NULL;
	int fds[2];

	make_ready(fds);
	source = add_fd(fds[READABLE], EPOLLIN, &probe);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(probe.n_calls, 1);
	cr_expect_eq(probe.events, EPOLLIN);
	close_pipe(fds);
}

Test(loop, a_descriptor_calls_for_as_long_as_it_is_ready)
{
	struct probe probe = { .stop_after = 3 };
	_cleanup_(loop_source_freep) struct loop_source *source = NULL;
	int fds[2];

	make_ready(fds);
	source = add_fd(fds[READABLE], EPOLLIN, &probe);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(probe.n_calls, 3);
	close_pipe(fds);
}

Test(loop, a_hangup_is_told)
{
	struct probe probe = { .stop_after = 1 };
	_cleanup_(loop_source_freep) struct loop_source *source = NULL;
	int fds[2];

	make_pipe(fds);
	source = add_fd(fds[READABLE], EPOLLIN, &probe);
	close_fd(take_fd(&fds[WRITEABLE]));
	cr_expect_eq(loop_run(loop), 0);
	cr_expect(probe.events & EPOLLHUP);
	close_pipe(fds);
}

Test(loop, a_descriptor_that_epoll_refuses_is_an_error)
{
	struct loop_source *source = NULL;
	struct probe probe = { 0 };

	cr_expect_eq(loop_add_fd(loop, -1, EPOLLIN, probe_call, &probe, &source), -EBADF);
	cr_expect_null(source);
}

Test(loop, the_kinds_of_events_can_be_changed)
{
	struct probe probe = { 0 };
	_cleanup_(loop_source_freep) struct loop_source *source = NULL;
	int fds[2];

	make_pipe(fds);
	source = add_fd(fds[WRITEABLE], 0, &probe);
	run_for(SOON_US);
	cr_expect_eq(probe.n_calls, 0);
	cr_expect_eq(loop_source_set_events(source, EPOLLOUT), 0);
	probe.stop_after = 1;
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(probe.events, EPOLLOUT);
	close_pipe(fds);
}

Test(loop, a_freed_source_leaves_its_descriptor_open)
{
	struct probe probe = { 0 };
	struct loop_source *source;
	int fds[2];

	make_ready(fds);
	source = add_fd(fds[READABLE], EPOLLIN, &probe);
	loop_source_free(source);
	run_for(SOON_US);
	cr_expect_eq(probe.n_calls, 0);
	cr_expect_geq(fcntl(fds[READABLE], F_GETFD), 0);
	close_pipe(fds);
}

Test(loop, a_source_may_free_itself_in_its_call)
{
	struct loop_source *source;
	struct probe probe = { .frees = { &source } };
	int fds[2];

	make_ready(fds);
	source = add_fd(fds[READABLE], EPOLLIN, &probe);
	run_for(SOON_US);
	cr_expect_eq(probe.n_calls, 1);
	close_pipe(fds);
}

Test(loop, a_source_freed_by_another_of_the_same_batch_is_not_called)
{
	struct loop_source *first = NULL, *second = NULL;
	struct probe one = { .frees = { &first, &second } };
	struct probe two = one;
	int fds[2], more_fds[2];

	make_ready(fds);
	make_ready(more_fds);
	first = add_fd(fds[READABLE], EPOLLIN, &one);
	second = add_fd(more_fds[READABLE], EPOLLIN, &two);
	run_for(SOON_US);
	cr_expect_eq(one.n_calls + two.n_calls, 1);
	close_pipe(fds);
	close_pipe(more_fds);
}

Test(loop, a_timer_calls_once_and_not_before_its_time)
{
	struct probe probe = { 0 };
	int64_t start_us = loop_now_us();
	_cleanup_(loop_source_freep) struct loop_source *timer =
		add_timer(LATER_US, &probe);

	probe.stop_after = 1;
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_geq(loop_now_us() - start_us, LATER_US);
	run_for(LATER_US);
	cr_expect_eq(probe.n_calls, 1);
	cr_expect_eq(probe.events, 0);
}

Test(loop, a_timer_without_delay_calls_at_once)
{
	struct probe probe = { .stop_after = 1 };
	_cleanup_(loop_source_freep) struct loop_source *timer = add_timer(0, &probe);

	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(probe.n_calls, 1);
}

Test(loop, a_timer_that_nobody_has_set_does_not_call)
{
	struct probe probe = { 0 };
	_cleanup_(loop_source_freep) struct loop_source *timer = NULL;

	cr_assert_eq(loop_add_timer(loop, probe_call, &probe, &timer), 0);
	run_for(LATER_US);
	cr_expect_eq(probe.n_calls, 0);
}

Test(loop, a_negative_delay_takes_a_timer_back)
{
	struct probe probe = { 0 };
	_cleanup_(loop_source_freep) struct loop_source *timer =
		add_timer(SOON_US, &probe);

	loop_timer_set(timer, -1);
	run_for(LATER_US);
	cr_expect_eq(probe.n_calls, 0);
}

Test(loop, the_last_delay_of_a_timer_counts)
{
	struct probe probe = { .stop_after = 1 };
	_cleanup_(loop_source_freep) struct loop_source *timer =
		add_timer(NEVER_US, &probe);

	loop_timer_set(timer, SOON_US);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(probe.n_calls, 1);
}

Test(loop, a_timer_may_be_set_again)
{
	struct probe probe = { .stop_after = 1 };
	_cleanup_(loop_source_freep) struct loop_source *timer =
		add_timer(SOON_US, &probe);

	cr_expect_eq(loop_run(loop), 0);
	loop_timer_set(timer, SOON_US);
	probe.stop_after = 2;
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(probe.n_calls, 2);
}

Test(loop, a_signal_is_delivered_and_does_not_kill)
{
	struct probe probe = { .stop_after = 1 };
	_cleanup_(loop_source_freep) struct loop_source *source = NULL;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	cr_assert_eq(loop_add_signals(loop, &set, probe_signal, &probe, &source), 0);
	cr_assert_eq(kill(getpid(), SIGTERM), 0);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(probe.signal, SIGTERM);
	probe.stop_after = 2;
	cr_assert_eq(kill(getpid(), SIGUSR1), 0);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(probe.signal, SIGUSR1);
}

Test(loop, it_stops_in_the_middle_of_a_batch)
{
	struct probe one = { .stop_after = 1 }, two = { .stop_after = 1 };
	_cleanup_(loop_source_freep) struct loop_source *first = NULL, *second = NULL;
	int fds[2];

	make_ready(fds);
	first = add_fd(fds[READABLE], EPOLLIN, &one);
	second = add_fd(fds[WRITEABLE], EPOLLOUT, &two);
	cr_expect_eq(loop_run(loop), 0);
	cr_expect_eq(one.n_calls + two.n_calls, 1);
	close_pipe(fds);
}

Test(loop, it_runs_again_after_a_stop)
{
	run_for(0);
	run_for(0);
}

Test(loop, freeing_nothing_is_allowed)
{
	loop_source_free(NULL);
	loop_free(NULL);
}

Test(loop, the_clock_does_not_go_back)
{
	int64_t before_us = loop_now_us();

	cr_expect_geq(loop_now_us(), before_us);
	cr_expect_gt(before_us, 0);
}
