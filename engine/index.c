/*
 * What listings and views need of all runs, in memory. A scan takes one entry after the
 * other from the list of those to do, and leaves it in the list of those that are known.
 */
#include "engine/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/list.h"
#include "engine/lock.h"
#include "engine/operation.h"
#include "engine/pending.h"

#define REFRESH_US 1000000
#define SCAN_REST  50 /* times what a scan takes, to the next that nobody waits for */

/* Others wait for so long at most, or, so that a small home never takes two slices on a
 * busy machine, until so many names have been looked at. */
#define SLICE_US    1000
#define SLICE_STEPS 64

/* A directory's times may stand still for this long while it changes (a timer tick). */
#define TIME_GRAIN_NS 100000000

struct indexed {	    /* an entry of the index: a run, or what may become one */
	struct list link;   /* in a list of the index */
	char *opref;	    /* as in .guild/opref, stripped; NULL: this is no run */
	char *op_name;	    /* or NULL */
	bool staged;	    /* and so never started */
	int64_t started_us; /* initialized, when it never was; 0 when neither is known */
	struct file_stamp stamp; /* of .guild */
	bool live;		 /* it was, or may soon be, at the last look */
	bool fresh;		 /* the stamp tells whether the rest still holds */
	bool whole;		 /* it has been read with what follows */
	uint64_t flags;		 /* flags_digest(); what can't be read has any */
	int status; /* negative: to be looked up, as that of one that is live */
	char id[];
};

struct index {
	struct loop_source *timer; /* the next slice */
	struct store *store;
	index_fn fn;
	void *userdata;
	void *by_id;		 /* all entries, of tsearch(3) */
	struct list known, todo; /* todo: those that a scan has still to look at */
	struct list unborn;	 /* what is no run yet, and nobody tells when it is */
	DIR *dir;		 /* runs/, while a scan reads the names in it */
	bool scanning;
	bool again;	/* this scan is there because all changed during the one before */
	bool answering; /* those who have waited ask now */
	int result;	/* of the scan, for them */
	int lack;    /* for want of what a run could not be looked at (file_is_lack()) */
	bool listed; /* the names are known, or being read */
	struct file_stamp list_stamp; /* of runs/ when it was listed */
	bool list_settled;
	int64_t refreshed_us;
	int64_t scan_us;	      /* how long looking at all of them took */
	bool reads_whole;	      /* somebody has asked what needs the flags of all */
	const struct indexed *latest; /* of the operation latest_of; NULL: to be found */
	char *latest_of;	      /* or of all */
	index_run_fn waiting_fn;
	void *waiting_userdata;
};

static void on_timer(void *userdata, uint32_t events);

int index_new(struct loop *loop, struct store *store, index_fn fn, void *userdata,
	      struct index **ret)
{
	_cleanup_(index_freep) struct index *index = calloc(1, sizeof(*index));
	int r;

	if (!index)
		return -ENOMEM;
	list_init(&index->known);
	list_init(&index->todo);
	list_init(&index->unborn);
	index->store = store;
	index->fn = fn;
	index->userdata = userdata;
	r = loop_add_timer(loop, on_timer, index, &index->timer);
	if (r < 0)
		return r;
	*ret = take_ptr(index);
	return 0;
}

void index_tell_waiting(struct index *index, index_run_fn fn, void *userdata)
{
	index->waiting_fn = fn;
	index->waiting_userdata = userdata;
}

static void entry_forget(struct indexed *entry)
{
	free(entry->opref);
	free(entry->op_name);
	entry->opref = entry->op_name = NULL;
	entry->started_us = 0;
	entry->staged = entry->live = false;
}

static void entry_free(struct indexed *entry)
{
	entry_forget(entry);
	list_unlink(&entry->link);
	free(entry);
}

static void keep_node(void *entry)
{
}

void index_free(struct index *index)
{
	if (!index)
		return;
	tdestroy(index->by_id, keep_node);
	list_append_all(&index->known, &index->todo);
	list_append_all(&index->known, &index->unborn);
	list_for_each (link, &index->known) {
		entry_free(list_entry(link, struct indexed, link));
	}
	if (index->dir)
		(void)closedir(index->dir);
	loop_source_free(index->timer);
	free(index->latest_of);
	free(index);
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(((const struct indexed *)a)->id, ((const struct indexed *)b)->id);
}

void index_list_changed(struct index *index)
{
	index->listed = false;
}

static bool is_of(const struct indexed *entry, const char *op_name)
{
	if (!entry->opref)
		return false;
	return !op_name || (entry->op_name && strcmp(entry->op_name, op_name) == 0);
}

/* Of two that started at once, always the same is the later. */
static bool is_later(const struct indexed *entry, const struct indexed *other)
{
	if (!other || entry->started_us != other->started_us)
		return !other || entry->started_us > other->started_us;
	return strcmp(entry->id, other->id) < 0;
}

static bool may_be_latest(const struct indexed *entry, const char *op_name)
{
	return is_of(entry, op_name) && !entry->staged;
}

/* What @entry was is over. */
static void forget(struct index *index, struct indexed *entry)
{
	if (index->latest == entry)
		index->latest = NULL;
	entry_forget(entry);
}

/* Is it so that a directory is no run, or was there only no memory to see that it is? */
static bool is_lasting(int r)
{
	return r == 0 || r == -ENOENT || r == -ENOTDIR || r == -EINVAL || r == -ELOOP ||
	       r == -EXDEV || r == -EFBIG;
}

static int read_flags(struct indexed *entry, const struct run *run)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r = run_flags(run, &flags);

	entry->flags = flags_digest(&flags);
	return file_is_lack(r) ? r : 0;
}

/* 0, or -errno when it can't be told now what the run is. */
static int read_entry(const struct index *index, struct indexed *entry,
		      const struct run *run)
{
	_cleanup_(strbuf_done) struct strbuf opref = STRBUF_INIT, name = STRBUF_INIT;
	int started = run_was_started(run);
	int r = started < 0 ? started
			    : file_read(run_guild_fd(run), "opref", RUN_OPREF_MAX_LEN,
					&opref);

	/* What is there but no text makes a run all the same, of no operation. */
	if (r < 0 && (r == -ENOENT || !is_lasting(r)))
		return r;
	entry->opref = str_dup(str_strip(strbuf_str(&opref)));
	if (!entry->opref)
		return -ENOMEM;
	if (operation_name_of_opref(str_from(entry->opref), &name) == 0)
		entry->op_name = strbuf_take(&name);
	entry->staged = !started;
	if (run_attr_int(run, "started", &entry->started_us) < 0 &&
	    run_attr_int(run, "initialized", &entry->started_us) < 0)
		entry->started_us = 0;
	return index->reads_whole ? read_flags(entry, run) : 0;
}

static bool is_settled(const struct stat *st)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - st->st_mtim.tv_sec) * 1000000000 + now.tv_nsec -
		       st->st_mtim.tv_nsec >
	       TIME_GRAIN_NS;
}

static bool is_waiting(const struct run *run)
{
	return pending_exists(run_guild_fd(run)) > 0;
}

static bool is_live(const struct run *run)
{
	pid_t pid;

	return lock_holder(run_guild_fd(run), &pid) > 0 || is_waiting(run);
}

static void look_whether_live(const struct index *index, struct indexed *entry,
			      const struct run *run)
{
	entry->live = is_live(run);
	entry->status = entry->live || !index->reads_whole ? -1 : run_status(run);
}

/* Its end, if its supervisor was killed, changes no stamp. */
static void refresh_live(const struct index *index, struct indexed *entry, int runs_fd)
{
	_cleanup_(run_freep) struct run *run = NULL;

	entry->live = false;
	entry->status = -1;
	if (run_open(runs_fd, entry->id, &run) == 0)
		look_whether_live(index, entry, run);
}

/* Is there anything of this name, be it a run or not? */
static bool is_there(const struct indexed *entry, int runs_fd)
{
	return runs_fd != -ENOENT && file_exists(runs_fd, entry->id);
}

/* Nobody is told then that there is no such run, but what is lacking. */
static void note_lack(struct index *index, int r)
{
	if (file_is_lack(r))
		index->lack = r;
}

/* Whether the name is still there. */
static bool refresh_entry(struct index *index, struct indexed *entry, int runs_fd)
{
	_cleanup_(run_freep) struct run *run = NULL;
	struct file_stamp stamp;
	struct stat st;
	int r = run_stat(runs_fd, entry->id, &st);

	if (r < 0) {
		note_lack(index, r);
		forget(index, entry);
		entry->fresh = false;
		return is_there(entry, runs_fd);
	}
	file_stamp_of(&st, &stamp);
	if (entry->fresh && file_stamp_equal(&stamp, &entry->stamp) &&
	    (entry->whole || !index->reads_whole)) {
		if (entry->live)
			refresh_live(index, entry, runs_fd);
		return true;
	}
	forget(index, entry);
	entry->stamp = stamp;
	r = run_open(runs_fd, entry->id, &run);
	if (r == 0)
		r = read_entry(index, entry, run);
	note_lack(index, r);
	entry->fresh = is_lasting(r) && is_settled(&st);
	entry->whole = index->reads_whole;
	if (r == 0)
		look_whether_live(index, entry, run);
	if (index->latest && may_be_latest(entry, index->latest_of) &&
	    is_later(entry, index->latest))
		index->latest = entry;
	if (entry->live && index->waiting_fn && is_waiting(run))
		index->waiting_fn(index->waiting_userdata, entry->id);
	return true;
}

static void remove_entry(struct index *index, struct indexed *entry)
{
	(void)tdelete(entry, &index->by_id, compare_ids);
	forget(index, entry);
	entry_free(entry);
}

/* The entry of @id, a new one if there was none, to be looked at; NULL without memory. */
static struct indexed *get_entry(struct index *index, const char *id)
{
	struct indexed *entry = calloc(1, sizeof(*entry) + strlen(id) + 1);
	struct indexed **place;

	if (!entry)
		return NULL;
	list_init(&entry->link);
	memcpy(entry->id, id, strlen(id) + 1);
	place = tsearch(entry, &index->by_id, compare_ids);
	if (!place || *place != entry)
		entry_free(entry);
	return place ? *place : NULL;
}

/* Looks at @entry, and leaves it in the list where it belongs; NULL when it has gone. */
static struct indexed *look_at(struct index *index, struct indexed *entry, int runs_fd)
{
	if (!refresh_entry(index, entry, runs_fd)) {
		remove_entry(index, entry);
		return NULL;
	}
	list_unlink(&entry->link);
	list_append(entry->opref || entry->fresh ? &index->known : &index->unborn,
		    &entry->link);
	return entry;
}

/* Takes in one run; all others stay as they are known. */
void index_run_changed(struct index *index, const char *id)
{
	struct indexed *entry;

	if (!(index->listed || index->scanning) || !run_id_is_valid(id))
		return;
	entry = get_entry(index, id);
	if (!entry) {
		index_list_changed(index);
		return;
	}
	entry->fresh = false;
	(void)look_at(index, entry, store_runs_fd(index->store));
}

/* Whether runs/ has changed since it was listed, where no watch would tell. */
static bool is_list_stale(struct index *index, int runs_fd)
{
	struct file_stamp stamp;
	struct stat st;

	if (runs_fd < 0 || fstat(runs_fd, &st) < 0)
		return true;
	file_stamp_of(&st, &stamp);
	if (file_stamp_equal(&stamp, &index->list_stamp) && index->list_settled)
		return false;
	index->list_stamp = stamp;
	index->list_settled = is_settled(&st);
	return true;
}

/* Opens the directory of all runs, if there is one yet. 0 or -errno. */
static int open_list(struct index *index, int runs_fd)
{
	int fd, r;

	if (runs_fd < 0)
		return runs_fd == -ENOENT ? 0 : runs_fd;
	fd = openat(runs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	index->dir = fdopendir(fd);
	if (index->dir)
		return 0;
	r = -errno;
	close_fd(fd);
	return r;
}

static int begin_scan(struct index *index)
{
	int runs_fd = store_runs_fd(index->store);
	int r = 0;

	if (is_list_stale(index, runs_fd) || !index->listed)
		r = open_list(index, runs_fd);
	if (r < 0)
		return r;
	list_append_all(&index->todo, &index->known);
	list_append_all(&index->todo, &index->unborn);
	index->listed = index->scanning = true;
	index->lack = 0;
	index->scan_us = 0;
	return 0;
}

/* Takes in the next name in runs/. */
static int read_name(struct index *index, int runs_fd)
{
	struct dirent *file = readdir(index->dir);
	struct indexed *entry;

	if (!file) {
		(void)closedir(take_ptr(index->dir));
		return 0;
	}
	if (!run_id_is_valid(file->d_name))
		return 0;
	entry = get_entry(index, file->d_name);
	if (!entry)
		return -ENOMEM;
	(void)look_at(index, entry, runs_fd);
	return 0;
}

/* The next step of a scan. 1 when all is known; 0; or -errno. */
static int step(struct index *index, int runs_fd)
{
	/* What is left when all names have been read is gone, or came while they were. */
	if (index->dir)
		return read_name(index, runs_fd);
	if (list_is_empty(&index->todo))
		return 1;
	(void)look_at(index, list_entry(index->todo.next, struct indexed, link), runs_fd);
	return 0;
}

static int end_scan(struct index *index, int r)
{
	if (index->dir)
		(void)closedir(take_ptr(index->dir));
	list_append_all(&index->known, &index->todo);
	index->scanning = index->again = false;
	index->refreshed_us = loop_now_us();
	if (r == 0)
		r = index->lack;
	if (r < 0)
		index_list_changed(index);
	return r;
}

/*
 * Scans for a slice. 0 when all is known, -EINPROGRESS, or -errno. If anything may have
 * changed meanwhile, all is looked at once more; not more often, since on some file
 * systems that is said twice a second.
 */
static int work(struct index *index)
{
	int64_t now, begun = loop_now_us();
	int runs_fd = store_runs_fd(index->store);
	int n_steps = 0;
	int r;

	do {
		/* What can't be looked into for the moment has not gone. */
		r = runs_fd < 0 && runs_fd != -ENOENT ? runs_fd : step(index, runs_fd);
		now = loop_now_us();
	} while (r == 0 && (++n_steps < SLICE_STEPS || now - begun < SLICE_US));
	index->scan_us += now - begun;
	if (r == 1 && !index->listed && !index->again) {
		index->again = true;
		r = begin_scan(index);
	}
	if (r != 0)
		return end_scan(index, r == 1 ? 0 : r);
	loop_timer_set(index->timer, 0);
	return -EINPROGRESS;
}

/* Those who wait ask again, and are given what there is. */
static void on_timer(void *userdata, uint32_t events)
{
	struct index *index = userdata;

	if (!index->scanning)
		return;
	index->result = work(index);
	if (index->result == -EINPROGRESS)
		return;
	index->answering = true;
	index->fn(index->userdata);
	index->answering = false;
}

/* Are all runs known as they were @age_us ago, or later? Else they soon will be. */
static int refresh(struct index *index, int64_t age_us)
{
	int r;

	if (index->answering)
		return index->result;
	if (index->scanning)
		return -EINPROGRESS;
	if (index->listed && loop_now_us() - index->refreshed_us < age_us)
		return 0;
	r = begin_scan(index);
	return r < 0 ? r : work(index);
}

/* One that is copied here is no run yet when it comes. 0, or what is lacking to look. */
static int look_at_unborn(struct index *index)
{
	int runs_fd = store_runs_fd(index->store);
	struct list unborn;

	index->lack = 0;
	list_init(&unborn);
	list_append_all(&unborn, &index->unborn);
	while (!list_is_empty(&unborn))
		(void)look_at(index, list_entry(unborn.next, struct indexed, link),
			      runs_fd);
	return index->lack;
}

struct listing {
	const char *op_name;
	index_run_fn fn;
	void *userdata;
};

static void list_one(const void *place, VISIT visit, void *userdata)
{
	const struct indexed *entry = *(struct indexed *const *)place;
	const struct listing *listing = userdata;

	if ((visit == postorder || visit == leaf) && is_of(entry, listing->op_name))
		listing->fn(listing->userdata, entry->id);
}

int index_each(struct index *index, const char *op_name, index_run_fn fn, void *userdata)
{
	struct listing listing = { .op_name = op_name, .fn = fn, .userdata = userdata };
	int r = refresh(index, REFRESH_US);

	if (r == 0)
		r = look_at_unborn(index);
	if (r < 0)
		return r;
	twalk_r(index->by_id, list_one, &listing);
	return 0;
}

/* For one run the disk is asked, which takes no longer than to look at it anyway. */
bool index_has(struct index *index, const char *op_name, const char *id)
{
	struct indexed *entry = run_id_is_valid(id) ? get_entry(index, id) : NULL;

	if (entry)
		entry = look_at(index, entry, store_runs_fd(index->store));
	return entry && is_of(entry, op_name);
}

int index_each_live(struct index *index, index_run_fn fn, void *userdata)
{
	int runs_fd = store_runs_fd(index->store);
	int r = refresh(index, REFRESH_US + SCAN_REST * index->scan_us);

	if (r == 0)
		r = look_at_unborn(index);
	if (r < 0)
		return r;
	list_for_each (link, &index->known) {
		struct indexed *entry = list_entry(link, struct indexed, link);

		if ((entry->live || !entry->fresh) &&
		    !refresh_entry(index, entry, runs_fd))
			remove_entry(index, entry);
		else if (entry->live)
			fn(userdata, entry->id);
	}
	return 0;
}

static bool is_same_op(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static int find_latest(struct index *index, const char *op_name)
{
	free(index->latest_of);
	index->latest_of = op_name ? strdup(op_name) : NULL;
	index->latest = NULL;
	if (op_name && !index->latest_of)
		return -ENOMEM;
	list_for_each (link, &index->known) {
		const struct indexed *entry = list_entry(link, struct indexed, link);

		if (may_be_latest(entry, op_name) && is_later(entry, index->latest))
			index->latest = entry;
	}
	return index->latest ? 0 : -ENOENT;
}

int index_latest(struct index *index, const char *op_name, const char **ret)
{
	int r = refresh(index, REFRESH_US);

	if (r == 0 && (!index->latest || !is_same_op(op_name, index->latest_of)))
		r = find_latest(index, op_name);
	if (r == 0)
		*ret = index->latest->id;
	return r;
}

static bool has_flags(struct index *index, const char *id, const struct flags *flags,
		      unsigned int statuses)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_(flags_done) struct flags own = FLAGS_INIT;
	int status;

	if (store_find(index->store, id, &run) < 0 || run_flags(run, &own) < 0 ||
	    !flags_equal(&own, flags))
		return false;
	status = run_status(run);
	return status >= 0 && statuses & 1u << status;
}

/* May the run do, as far as is known without asking the disk? */
static bool may_match(const struct indexed *entry, const char *opref, uint64_t flags,
		      unsigned int statuses)
{
	return entry->flags == flags && entry->opref &&
	       strcmp(entry->opref, opref) == 0 &&
	       (entry->status < 0 || statuses & 1u << entry->status);
}

int index_match(struct index *index, const char *opref, const struct flags *flags,
		unsigned int statuses, const char **ret)
{
	const struct indexed *match = NULL;
	uint64_t digest = flags_digest(flags);
	int r;

	if (!index->reads_whole) {
		index->reads_whole = true;
		index_list_changed(index);
	}
	r = refresh(index, REFRESH_US);
	if (r < 0)
		return r;
	list_for_each (link, &index->known) {
		struct indexed *entry = list_entry(link, struct indexed, link);

		if (may_match(entry, opref, digest, statuses) && is_later(entry, match) &&
		    has_flags(index, entry->id, flags, statuses))
			match = entry;
	}
	if (!match)
		return -ENOENT;
	*ret = match->id;
	return 0;
}
