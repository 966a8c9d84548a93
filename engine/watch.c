/* Watches a home by inotify, and by a tick for what inotify can't tell. */
#include "engine/watch.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/list.h"

#define TICK_US	    500000
#define EVENTS_SIZE 65536

/* Of more runs that came or went at once, nobody is told one by one, which takes long. */
#define MAX_LISTED 256

#define LIST_EVENTS (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR)
#define RUN_EVENTS                                                                       \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY |               \
	 IN_CLOSE_WRITE | IN_ONLYDIR)

struct watched_run {
	struct list link;
	size_t n_users;
	bool changed;		/* and nobody has been told yet */
	int guild_wd, attrs_wd; /* -1: only the tick tells */
	char id[];
};

struct watch {
	struct store *store;
	struct loop_source *source, *tick;
	watch_fn fn;
	void *userdata;
	int fd; /* -1: only the tick tells */
	int home_wd, runs_wd;
	int problem;		/* as watch_problem() */
	unsigned int n_changes; /* of the directory that runs_wd is on */
	struct list runs;
	size_t n_runs;
	size_t n_listed; /* of the events that are being taken, those in runs/ */
};

/* May others change what is there, without the kernel of this machine being told? */
static bool is_remote(int fd)
{
	static const unsigned int kinds[] = { NFS_SUPER_MAGIC,	SMB_SUPER_MAGIC,
					      SMB2_SUPER_MAGIC, CIFS_SUPER_MAGIC,
					      CEPH_SUPER_MAGIC, AFS_SUPER_MAGIC,
					      V9FS_MAGIC,	FUSE_SUPER_MAGIC };
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if ((unsigned int)fs.f_type == kinds[i])
			return true;
	}
	return false;
}

/* Watches a directory by its descriptor; -1 when that can't be. */
static int add_fd(struct watch *watch, int dir_fd, uint32_t events)
{
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(int)];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", dir_fd);
	return inotify_add_watch(watch->fd, path, events);
}

static void remove_wd(struct watch *watch, int wd)
{
	if (wd >= 0)
		(void)inotify_rm_watch(watch->fd, wd);
}

/* Watches @fd in the place of what @wd watches. 0 or -errno; -1 in @wd is none. */
static int replace_wd(struct watch *watch, int *wd, int fd, uint32_t events)
{
	int new_wd = fd < 0 ? -1 : add_fd(watch, fd, events);
	int r = fd >= 0 && new_wd < 0 ? -errno : 0;

	if (*wd != new_wd)
		remove_wd(watch, *wd);
	*wd = new_wd;
	return r;
}

/* The list of runs, and the home, where runs/ may come into being or be replaced. */
static void watch_home(struct watch *watch)
{
	int r, runs_fd = store_runs_fd(watch->store);

	if (watch->fd < 0)
		return;
	watch->problem = is_remote(store_fd(watch->store)) ? -EREMOTE : 0;
	r = replace_wd(watch, &watch->home_wd, store_fd(watch->store), LIST_EVENTS);
	if (r == 0)
		r = replace_wd(watch, &watch->runs_wd, runs_fd, LIST_EVENTS);
	if (r < 0)
		watch->problem = r;
}

/* A start puts another directory in the place of attrs/. */
static void watch_attrs(struct watch *watch, struct watched_run *watched, int guild_fd)
{
	_cleanup_close_ int attrs_fd = file_open_dir(guild_fd, "attrs");

	(void)replace_wd(watch, &watched->attrs_wd, attrs_fd, RUN_EVENTS);
}

static void watch_new_attrs(struct watch *watch, struct watched_run *watched)
{
	_cleanup_(run_freep) struct run *run = NULL;

	if (store_find(watch->store, watched->id, &run) == 0)
		watch_attrs(watch, watched, run_guild_fd(run));
}

static void watch_files(struct watch *watch, struct watched_run *watched)
{
	_cleanup_(run_freep) struct run *run = NULL;

	if (store_find(watch->store, watched->id, &run) < 0)
		return;
	(void)replace_wd(watch, &watched->guild_wd, run_guild_fd(run), RUN_EVENTS);
	watch_attrs(watch, watched, run_guild_fd(run));
}

static struct watched_run *find_id(struct watch *watch, const char *id)
{
	list_for_each (link, &watch->runs) {
		struct watched_run *watched = list_entry(link, struct watched_run, link);

		if (strcmp(watched->id, id) == 0)
			return watched;
	}
	return NULL;
}

static struct watched_run *find_wd(struct watch *watch, int wd)
{
	list_for_each (link, &watch->runs) {
		struct watched_run *watched = list_entry(link, struct watched_run, link);

		if (watched->guild_wd == wd || watched->attrs_wd == wd)
			return watched;
	}
	return NULL;
}

static void note_run_event(struct watch *watch, struct watched_run *watched,
			   const struct inotify_event *event)
{
	if (event->mask & IN_IGNORED) {
		if (watched->guild_wd == event->wd)
			watched->guild_wd = -1;
		else
			watched->attrs_wd = -1;
	} else if (event->len == 0) {
		return;
	} else if (event->wd == watched->guild_wd && strcmp(event->name, "attrs") == 0) {
		watch_new_attrs(watch, watched);
	}
	watched->changed = true;
}

/* What is watched may not be what it was: a directory may have been replaced. */
static void look_again(struct watch *watch)
{
	watch_home(watch);
	list_for_each (link, &watch->runs) {
		struct watched_run *watched = list_entry(link, struct watched_run, link);

		watch_files(watch, watched);
		watched->changed = true;
	}
	watch->fn(watch->userdata, NULL, true);
}

/* No watch tells of what a link on the way to runs/ leads to, so that is looked at. */
static void check_list(struct watch *watch)
{
	unsigned int n_changes = store_n_changes(watch->store);

	if (n_changes == watch->n_changes)
		return;
	watch->n_changes = n_changes;
	look_again(watch);
}

/* A run that came may have the name of one that is watched, and has gone. */
static void note_listed(struct watch *watch, const char *id)
{
	struct watched_run *watched = find_id(watch, id);

	if (watched) {
		watch_files(watch, watched);
		watched->changed = true;
	}
	watch->fn(watch->userdata, id, true);
}

static void handle_event(struct watch *watch, const struct inotify_event *event)
{
	struct watched_run *watched;

	if (event->mask & IN_Q_OVERFLOW) {
		look_again(watch);
	} else if (event->wd == watch->home_wd) {
		if (event->len > 0 && strcmp(event->name, "runs") == 0)
			check_list(watch);
	} else if (event->wd == watch->runs_wd) {
		if (event->mask & IN_IGNORED)
			watch->runs_wd = -1;
		else if (event->len > 0 && ++watch->n_listed <= MAX_LISTED)
			note_listed(watch, event->name);
	} else {
		watched = find_wd(watch, event->wd);
		if (watched)
			note_run_event(watch, watched, event);
	}
}

static struct watched_run *find_changed(struct watch *watch)
{
	list_for_each (link, &watch->runs) {
		struct watched_run *watched = list_entry(link, struct watched_run, link);

		if (watched->changed)
			return watched;
	}
	return NULL;
}

/* Tells once of each run, however much has happened to it. */
static void tell(struct watch *watch)
{
	struct watched_run *watched;
	char id[NAME_MAX + 1];

	while ((watched = find_changed(watch))) {
		watched->changed = false;
		/* The callback may end the watch of this run. */
		(void)snprintf(id, sizeof(id), "%s", watched->id);
		watch->fn(watch->userdata, id, false);
	}
}

/*
 * A run may print faster than anybody can look at it, so only what has happened until
 * now is taken, and each run looked at once.
 */
void watch_process(struct watch *watch)
{
	static char buffer[EVENTS_SIZE] __attribute__((aligned(8)));
	int n_left = 0;
	ssize_t n;

	check_list(watch);
	watch->n_listed = 0;
	if (ioctl(watch->fd, FIONREAD, &n_left) < 0)
		return;
	while (n_left > 0 && (n = read(watch->fd, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < n;) {
			const struct inotify_event *event = (const void *)(buffer + i);

			handle_event(watch, event);
			i += (ssize_t)(sizeof(*event) + event->len);
		}
		n_left -= (int)n;
	}
	if (watch->n_listed > MAX_LISTED)
		look_again(watch);
	tell(watch);
}

static void on_inotify(void *userdata, uint32_t events)
{
	watch_process(userdata);
}

static bool needs_tick(const struct watch *watch)
{
	return watch->n_runs > 0 || watch->problem < 0;
}

static void on_tick(void *userdata, uint32_t events)
{
	struct watch *watch = userdata;
	char id[NAME_MAX + 1];

	check_list(watch);
	if (watch->problem < 0) {
		watch_home(watch);
		watch->fn(watch->userdata, NULL, true);
	}
	list_for_each (link, &watch->runs) {
		struct watched_run *watched = list_entry(link, struct watched_run, link);

		if (watched->guild_wd < 0 || watched->attrs_wd < 0)
			watch_files(watch, watched);
		(void)snprintf(id, sizeof(id), "%s", watched->id);
		watch->fn(watch->userdata, id, false);
	}
	if (needs_tick(watch))
		loop_timer_set(watch->tick, TICK_US);
}

/* Without an instance the tick does. */
static int open_inotify(struct watch *watch, struct loop *loop)
{
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0) {
		watch->problem = -errno;
		return 0;
	}
	return loop_add_fd(loop, watch->fd, EPOLLIN, on_inotify, watch, &watch->source);
}

int watch_new(struct loop *loop, struct store *store, watch_fn fn, void *userdata,
	      struct watch **ret)
{
	_cleanup_(watch_freep) struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return -ENOMEM;
	watch->store = store;
	watch->fn = fn;
	watch->userdata = userdata;
	list_init(&watch->runs);
	watch->home_wd = watch->runs_wd = -1;
	r = open_inotify(watch, loop);
	if (r == 0)
		r = loop_add_timer(loop, on_tick, watch, &watch->tick);
	if (r < 0)
		return r;
	watch->n_changes = store_n_changes(store);
	watch_home(watch);
	if (needs_tick(watch))
		loop_timer_set(watch->tick, TICK_US);
	*ret = take_ptr(watch);
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	list_for_each (link, &watch->runs) {
		free(list_entry(link, struct watched_run, link));
	}
	loop_source_free(watch->source);
	loop_source_free(watch->tick);
	close_fd(watch->fd);
	free(watch);
}

int watch_add(struct watch *watch, const char *id)
{
	struct watched_run *watched = find_id(watch, id);

	if (!watched) {
		watched = calloc(1, sizeof(*watched) + strlen(id) + 1);
		if (!watched)
			return -ENOMEM;
		memcpy(watched->id, id, strlen(id) + 1);
		watched->guild_wd = watched->attrs_wd = -1;
		watch_files(watch, watched);
		list_append(&watch->runs, &watched->link);
		if (watch->n_runs++ == 0)
			loop_timer_set(watch->tick, TICK_US);
	}
	watched->n_users++;
	return 0;
}

void watch_remove(struct watch *watch, const char *id)
{
	struct watched_run *watched = find_id(watch, id);

	if (!watched || --watched->n_users > 0)
		return;
	remove_wd(watch, watched->guild_wd);
	remove_wd(watch, watched->attrs_wd);
	list_unlink(&watched->link);
	watch->n_runs--;
	free(watched);
}

int watch_problem(const struct watch *watch)
{
	return watch->problem;
}

size_t watch_count(const struct watch *watch)
{
	return watch->n_runs;
}
