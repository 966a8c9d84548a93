/* The event loop: epoll, timerfd and signalfd. */
#include "engine/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/list.h"

#define N_EVENTS 64

typedef void (*signal_fn)(void *userdata, const struct signalfd_siginfo *info);

struct loop {
	int epoll_fd;
	bool stopped;
	/*
	 * A batch of events may name a source that an earlier event of it has freed, so
	 * freed sources stay until the batch is through.
	 */
	struct list freed;
};

struct loop_source {
	struct loop *loop;
	struct list link; /* in loop->freed */
	int fd;
	bool owns_fd;
	bool freed;
	loop_fn fn;
	signal_fn signal;
	void *userdata;
};

int loop_new(struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	list_init(&loop->freed);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int r = -errno;

		free(loop);
		return r;
	}
	*ret = loop;
	return 0;
}

static void free_freed(struct loop *loop)
{
	list_for_each (link, &loop->freed) {
		list_unlink(link);
		free(list_entry(link, struct loop_source, link));
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	free_freed(loop);
	close_fd(loop->epoll_fd);
	free(loop);
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

static void call_source(struct loop_source *source, uint32_t events)
{
	struct signalfd_siginfo info;
	uint64_t n_expired;

	if (source->signal) {
		if (read(source->fd, &info, sizeof(info)) == sizeof(info))
			source->signal(source->userdata, &info);
	} else if (source->owns_fd) {
		if (read(source->fd, &n_expired, sizeof(n_expired)) == sizeof(n_expired))
			source->fn(source->userdata, 0);
	} else {
		source->fn(source->userdata, events);
	}
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[N_EVENTS];

	loop->stopped = false;
	while (!loop->stopped) {
		int n = epoll_wait(loop->epoll_fd, events, N_EVENTS, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			struct loop_source *source = events[i].data.ptr;

			if (!source->freed && !loop->stopped)
				call_source(source, events[i].events);
		}
		free_freed(loop);
	}
	return 0;
}

/* Takes @fd over when @source is to own it. */
static int add_source(struct loop *loop, int fd, uint32_t events,
		      struct loop_source source, struct loop_source **ret)
{
	struct epoll_event event = { .events = events };
	struct loop_source *copy = malloc(sizeof(*copy));

	if (!copy) {
		if (source.owns_fd)
			close_fd(fd);
		return -ENOMEM;
	}
	source.loop = loop;
	source.fd = fd;
	*copy = source;
	list_init(&copy->link);
	event.data.ptr = copy;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
		int r = -errno;

		if (source.owns_fd)
			close_fd(fd);
		free(copy);
		return r;
	}
	*ret = copy;
	return 0;
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *userdata,
		struct loop_source **ret)
{
	struct loop_source source = { .fn = fn, .userdata = userdata };

	return add_source(loop, fd, events, source, ret);
}

int loop_add_timer(struct loop *loop, loop_fn fn, void *userdata,
		   struct loop_source **ret)
{
	struct loop_source source = { .fn = fn, .userdata = userdata, .owns_fd = true };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	return add_source(loop, fd, EPOLLIN, source, ret);
}

int loop_add_signals(struct loop *loop, const sigset_t *set, signal_fn fn, void *userdata,
		     struct loop_source **ret)
{
	struct loop_source source = { .signal = fn,
				      .userdata = userdata,
				      .owns_fd = true };
	int fd;

	if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	return add_source(loop, fd, EPOLLIN, source, ret);
}

void loop_timer_set(struct loop_source *timer, int64_t delay_us)
{
	struct itimerspec spec = { 0 };

	if (delay_us >= 0) {
		spec.it_value.tv_sec = delay_us / 1000000;
		spec.it_value.tv_nsec = delay_us % 1000000 * 1000;
		if (delay_us == 0)
			spec.it_value.tv_nsec = 1; /* all zero would mean: never */
	}
	(void)timerfd_settime(timer->fd, 0, &spec, NULL);
}

int loop_source_set_events(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) < 0)
		return -errno;
	return 0;
}

void loop_source_free(struct loop_source *source)
{
	if (!source || source->freed)
		return;
	(void)epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	if (source->owns_fd)
		close_fd(source->fd);
	source->freed = true;
	list_append(&source->loop->freed, &source->link);
}

int64_t loop_now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
