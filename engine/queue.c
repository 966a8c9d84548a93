/* Starts what waits for a job slot. */
#include "engine/queue.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "engine/claim.h"
#include "engine/file.h"
#include "engine/jobs.h"
#include "engine/lock.h"
#include "engine/pending.h"

#define TICK_US	     1000000 /* while somebody waits */
#define IDLE_TICK_US 5000000
#define LOCKED_US    20000   /* to the next try, while somebody has the run's lock */
#define PATIENCE_US  2000000 /* with such a lock, before the next run comes first */
#define PASSED_US    5000000 /* to the next try of a run that others pass */

#define OTHER_WDS_MAX 64

#define EVENTS                                                                           \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE |          \
	 IN_DELETE_SELF | IN_ONLYDIR)

struct member {
	char *id;
	int64_t order_us;  /* -1: not read yet */
	int64_t locked_us; /* since when somebody had its lock; 0: nobody */
	int64_t passed_us; /* until then others come first; 0 */
};

struct queue {
	struct queue_config config;
	struct loop_source *inotify, *timer;
	int inotify_fd;		/* -1: only the tick tells */
	struct member *members; /* sorted by ID */
	size_t n_members;
	int64_t listed_us;	/* when it was read; 0: it has changed since */
	int queue_wd, slots_wd; /* what tells that, and of the end of a slot */
	int64_t watched_us;	/* when all was watched; 0: a directory may be another */
	struct launch *launch;	/* what is being started, or made an error */
	char launched_id[NAME_MAX + 1];
	char *failure; /* the sentence of the one that is made an error, and its errno */
	int failure_error;
	int other_wds[OTHER_WDS_MAX]; /* runs of Guild's whose end makes room */
	size_t n_other_wds;
};

size_t queue_length(const struct queue *queue)
{
	return queue->n_members;
}

static void free_members(struct member *members, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(members[i].id);
	free(members);
}

static int compare_members(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->id, ((const struct member *)b)->id);
}

/* The names in the queue while they are being read. */
struct reading {
	struct member *members;
	size_t n, size;
	bool failed;
};

static void add_member(void *userdata, int dir_fd, const char *id)
{
	struct reading *reading = userdata;
	struct member *grown = reading->members;

	if (reading->n == reading->size) {
		reading->size = 2 * reading->size + 16;
		grown = reallocarray(grown, reading->size, sizeof(*grown));
		if (grown)
			reading->members = grown;
	}
	if (grown)
		grown[reading->n] = (struct member){ .id = strdup(id), .order_us = -1 };
	if (!grown || !grown[reading->n].id)
		reading->failed = true;
	else
		reading->n++;
}

/* Keeps what is known of those that are still there. */
static void take_over(struct queue *queue, struct member *members, size_t n)
{
	for (size_t i = 0, old = 0; i < n && old < queue->n_members;) {
		int order = compare_members(&members[i], &queue->members[old]);

		if (order == 0) {
			struct member swap = members[i];

			members[i++] = queue->members[old];
			queue->members[old++] = swap;
		} else if (order < 0) {
			i++;
		} else {
			old++;
		}
	}
	free_members(queue->members, queue->n_members);
	queue->members = members;
	queue->n_members = n;
}

static void read_orders(struct queue *queue)
{
	_cleanup_close_ int dir_fd =
		file_open_dir(store_fd(queue->config.store), JOBS_QUEUE_DIR);

	for (size_t i = 0; dir_fd >= 0 && i < queue->n_members; i++) {
		struct member *member = &queue->members[i];

		/* What has no order that can be read is none of ours, and last. */
		if (member->order_us < 0 &&
		    pending_order(dir_fd, member->id, &member->order_us) < 0)
			member->order_us = INT64_MAX;
	}
}

static int list(struct queue *queue)
{
	struct reading reading = { 0 };
	int r = claim_each(store_fd(queue->config.store), JOBS_QUEUE_DIR, add_member,
			   &reading);

	if (r < 0 || reading.failed) {
		free_members(reading.members, reading.n);
		return r < 0 ? r : -ENOMEM;
	}
	if (reading.n > 0)
		qsort(reading.members, reading.n, sizeof(struct member), compare_members);
	take_over(queue, reading.members, reading.n);
	read_orders(queue);
	queue->listed_us = loop_now_us();
	return 0;
}

static struct member *find_member(struct queue *queue, const char *id)
{
	struct member key = { .id = (char *)(uintptr_t)id };

	return queue->n_members == 0 ? NULL
				     : bsearch(&key, queue->members, queue->n_members,
					       sizeof(struct member), compare_members);
}

static struct member *first_member(struct queue *queue)
{
	int64_t now = loop_now_us();
	struct member *first = NULL;

	for (size_t i = 0; i < queue->n_members; i++) {
		struct member *member = &queue->members[i];

		if (member->passed_us > now)
			continue;
		if (!first || member->order_us < first->order_us)
			first = member;
	}
	return first;
}

/* What the look at Guild's live runs finds. */
struct others {
	struct queue *queue;
	size_t n;
};

/* The end of a run that has no slot shows in its own directory. */
static void watch_other(struct queue *queue, const char *id)
{
	_cleanup_(run_freep) struct run *run = NULL;
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	int wd;

	if (queue->inotify_fd < 0 || queue->n_other_wds == OTHER_WDS_MAX ||
	    store_find(queue->config.store, id, &run) < 0)
		return;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", run_guild_fd(run));
	wd = inotify_add_watch(queue->inotify_fd, path, IN_DELETE | IN_ONLYDIR);
	if (wd >= 0)
		queue->other_wds[queue->n_other_wds++] = wd;
}

static void unwatch_others(struct queue *queue)
{
	while (queue->n_other_wds > 0)
		(void)inotify_rm_watch(queue->inotify_fd,
				       queue->other_wds[--queue->n_other_wds]);
}

static void count_other(void *userdata, const char *id)
{
	struct others *others = userdata;

	if (!jobs_is_other(store_fd(others->queue->config.store), id))
		return;
	others->n++;
	watch_other(others->queue, id);
}

/* Is there room for one more? Who takes the slot looks again, with the lock. */
static bool has_room(struct queue *queue)
{
	_cleanup_(strbuf_done) struct strbuf ignored = STRBUF_INIT;
	struct others others = { .queue = queue };
	int home_fd = store_fd(queue->config.store);
	struct jobs jobs;

	unwatch_others(queue);
	if (jobs_read(home_fd, &jobs, &ignored) < 0 || !jobs_admit(&jobs, 0))
		return false;
	if (jobs.kind != JOBS_NUMBER || jobs.number == 0)
		return true;
	if (index_each_live(queue->config.index, count_other, &others) < 0 ||
	    !jobs_admit(&jobs, others.n + jobs_count(home_fd)))
		return false;
	unwatch_others(queue);
	return true;
}

/* Where no event tells, or one was lost, the tick does. */
static bool is_fresh(int64_t us)
{
	return us > 0 && loop_now_us() - us < TICK_US;
}

static bool is_listed(const struct queue *queue)
{
	return queue->queue_wd >= 0 && is_fresh(queue->listed_us);
}

static int watch_dir(struct queue *queue, const char *name)
{
	_cleanup_close_ int fd = -1;
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

	fd = file_open_dir(store_fd(queue->config.store), name);
	if (fd < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return inotify_add_watch(queue->inotify_fd, path, EVENTS);
}

/* Each may come into being later, or be made anew; one that is watched stays so. */
static void watch_dirs(struct queue *queue)
{
	int queue_wd;

	if (queue->inotify_fd < 0 || is_fresh(queue->watched_us))
		return;
	(void)watch_dir(queue, ".");
	(void)watch_dir(queue, "runfs");
	queue->slots_wd = watch_dir(queue, JOBS_SLOTS_DIR);
	queue_wd = watch_dir(queue, JOBS_QUEUE_DIR);
	/* Nobody has told of what is in another. */
	if (queue_wd != queue->queue_wd)
		queue->listed_us = 0;
	queue->queue_wd = queue_wd;
	queue->watched_us = loop_now_us();
}

static void on_turn(void *userdata, int r, struct str answer);
static void on_failed(void *userdata, int r, struct str answer);

/*
 * An announcement is of no use when nobody holds it, and its run does not wait. In this
 * order: who held it may have put the run in place meanwhile.
 */
static int drop_stale(struct queue *queue, const char *id)
{
	int home_fd = store_fd(queue->config.store);
	_cleanup_close_ int dir_fd = file_open_dir(home_fd, JOBS_QUEUE_DIR);
	_cleanup_close_ int guild_fd = -1;
	_cleanup_(run_freep) struct run *run = NULL;
	int r = dir_fd < 0 ? dir_fd : claim_is_held(dir_fd, id);

	if (r != 0)
		return r == 1 ? -EBUSY : 0;
	r = store_find(queue->config.store, id, &run);
	if (r < 0 && r != -ENOENT && r != -EINVAL)
		return r;
	if (run) {
		/* Its own open directory: closing it lets go of the lock. */
		guild_fd = file_open_dir(run_guild_fd(run), ".");
		r = guild_fd < 0 ? guild_fd : lock_try(guild_fd);
		if (r == 0)
			r = pending_is_ours(guild_fd);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return file_remove(dir_fd, id);
}

/* What passes, and would keep any other run from starting too. */
static bool is_passing(int r)
{
	return file_is_lack(r) || r == -EAGAIN || r == -ENOSPC || r == -EDQUOT ||
	       r == -ENOLCK || r == -EROFS || r == -EINTR;
}

static void pass_over(struct queue *queue, const char *id, int64_t us)
{
	struct member *member = find_member(queue, id);

	if (!member)
		return;
	member->passed_us = loop_now_us() + us;
	member->locked_us = 0;
	queue_look(queue);
}

/* Somebody has the lock of the first run: for a moment, or is there more to it? */
static void wait_for_lock(struct queue *queue, const char *id)
{
	struct member *member = find_member(queue, id);
	int64_t now = loop_now_us();

	if (member && member->locked_us == 0)
		member->locked_us = now;
	if (member && now - member->locked_us > PATIENCE_US)
		pass_over(queue, id, PASSED_US);
	else
		loop_timer_set(queue->timer, LOCKED_US);
}

static void make_error(struct queue *queue, const char *id, int r, struct str why)
{
	free(queue->failure);
	queue->failure = str_dup(why.len > 0 ? why : str_from(strerror(-r)));
	queue->failure_error = r;
	r = !queue->failure
		    ? -ENOMEM
		    : launch_fail(queue->config.launcher, id, str_from(queue->failure),
				  on_failed, queue, &queue->launch);
	if (r == -EINPROGRESS)
		return;
	queue->launch = NULL;
	pass_over(queue, id, PASSED_US);
}

/* @id has not been started, for @r. */
static void refused(struct queue *queue, const char *id, int r, struct str why)
{
	if (r == -ESTALE)
		r = drop_stale(queue, id);
	if (r == 0) {
		queue->listed_us = 0;
		queue_look(queue);
	} else if (r == -EBUSY) {
		wait_for_lock(queue, id);
	} else if (is_passing(r) || r == -EALREADY) {
		loop_timer_set(queue->timer, TICK_US);
	} else if (r == -EIO) {
		/* Its disk, or its supervisor was killed: it waits on, the others don't.
		 */
		pass_over(queue, id, PASSED_US);
	} else {
		make_error(queue, id, r, why);
	}
}

static void on_turn(void *userdata, int r, struct str answer)
{
	struct queue *queue = userdata;

	queue->launch = NULL;
	if (r == 0)
		queue->config.fn(queue->config.userdata, queue->launched_id, r, answer);
	refused(queue, queue->launched_id, r, answer);
}

static void on_failed(void *userdata, int r, struct str answer)
{
	struct queue *queue = userdata;

	queue->launch = NULL;
	if (r < 0) {
		pass_over(queue, queue->launched_id, PASSED_US);
		return;
	}
	queue->config.fn(queue->config.userdata, queue->launched_id, queue->failure_error,
			 str_from(queue->failure));
	queue->listed_us = 0;
	queue_look(queue);
}

static void start(struct queue *queue, const struct member *member)
{
	_cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT;
	int r;

	(void)snprintf(queue->launched_id, sizeof(queue->launched_id), "%s", member->id);
	r = launch_turn(queue->config.launcher, queue->launched_id, on_turn, queue,
			&queue->launch, &answer);
	if (r != -EINPROGRESS) {
		queue->launch = NULL;
		refused(queue, queue->launched_id, r, strbuf_str(&answer));
	}
}

static void on_timer(void *userdata, uint32_t events)
{
	struct queue *queue = userdata;
	const struct member *first;

	/* A start under way ends with a look. */
	if (queue->launch)
		return;
	watch_dirs(queue);
	if (!is_listed(queue))
		(void)list(queue);
	loop_timer_set(queue->timer, queue->n_members > 0 ? TICK_US : IDLE_TICK_US);
	first = queue->n_members > 0 && has_room(queue) ? first_member(queue) : NULL;
	if (first)
		start(queue, first);
}

static void note_events(struct queue *queue, const char *events, size_t len)
{
	for (size_t i = 0; i < len;) {
		const struct inotify_event *event = (const void *)(events + i);

		if (event->wd == queue->queue_wd || event->mask & IN_Q_OVERFLOW)
			queue->listed_us = 0;
		/* What comes and goes in these two is no directory that is watched. */
		if ((event->wd != queue->queue_wd && event->wd != queue->slots_wd) ||
		    event->len == 0)
			queue->watched_us = 0;
		i += sizeof(*event) + event->len;
	}
}

static void on_inotify(void *userdata, uint32_t events)
{
	static char buffer[65536] __attribute__((aligned(8)));
	struct queue *queue = userdata;
	ssize_t n;

	while ((n = read(queue->inotify_fd, buffer, sizeof(buffer))) > 0)
		note_events(queue, buffer, (size_t)n);
	queue_look(queue);
}

/* One that nobody announces would wait for ever. */
static void on_waiting(void *userdata, const char *id)
{
	struct queue *queue = userdata;
	_cleanup_(run_freep) struct run *run = NULL;

	if (store_find(queue->config.store, id, &run) < 0 ||
	    pending_announce_again(store_fd(queue->config.store), run_guild_fd(run),
				   id) <= 0)
		return;
	queue->listed_us = 0;
	queue_look(queue);
}

int queue_new(const struct queue_config *config, struct queue **ret)
{
	_cleanup_(queue_freep) struct queue *queue = calloc(1, sizeof(*queue));
	int r;

	if (!queue)
		return -ENOMEM;
	queue->config = *config;
	queue->queue_wd = queue->slots_wd = -1;
	queue->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	r = loop_add_timer(config->loop, on_timer, queue, &queue->timer);
	if (r == 0 && queue->inotify_fd >= 0)
		r = loop_add_fd(config->loop, queue->inotify_fd, EPOLLIN, on_inotify,
				queue, &queue->inotify);
	if (r < 0)
		return r;
	queue_look(queue);
	index_tell_waiting(config->index, on_waiting, queue);
	*ret = take_ptr(queue);
	return 0;
}

void queue_free(struct queue *queue)
{
	if (!queue)
		return;
	launch_forget(queue->launch);
	index_tell_waiting(queue->config.index, NULL, NULL);
	loop_source_free(queue->inotify);
	loop_source_free(queue->timer);
	close_fd(queue->inotify_fd);
	free_members(queue->members, queue->n_members);
	free(queue->failure);
	free(queue);
}

void queue_look(struct queue *queue)
{
	loop_timer_set(queue->timer, 0);
}
