/* What listings and views need of all runs, in memory. */
#include "engine/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/lock.h"
#include "engine/loop.h"
#include "engine/operation.h"
#include "engine/pending.h"

#define REFRESH_US 1000000
#define SCAN_REST  50 /* times what a scan takes, to the next that nobody waits for */

/* A directory's times may stand still for this long while it changes (a timer tick). */
#define TIME_GRAIN_NS 100000000

struct entry {
	char *id;
	char *opref;	    /* as in .guild/opref, stripped; NULL: this is no run */
	char *op_name;	    /* or NULL */
	bool staged;	    /* and so never started */
	int64_t started_us; /* initialized, when it never was; 0 when neither is known */
	struct file_stamp stamp; /* of .guild */
	bool live;		 /* it was, or may soon be, at the last look */
	bool fresh;		 /* the stamp tells whether the rest still holds */
};

struct index {
	struct store *store;
	struct entry *entries; /* sorted by id */
	size_t n_entries;
	bool listed;
	struct file_stamp list_stamp; /* of runs/ when it was listed */
	bool list_settled;
	int64_t refreshed_us;
	int64_t scan_us; /* how long looking at all of them took */
	index_fn waiting_fn;
	void *waiting_userdata;
};

int index_new(struct store *store, struct index **ret)
{
	struct index *index = calloc(1, sizeof(*index));

	if (!index)
		return -ENOMEM;
	index->store = store;
	*ret = index;
	return 0;
}

void index_tell_waiting(struct index *index, index_fn fn, void *userdata)
{
	index->waiting_fn = fn;
	index->waiting_userdata = userdata;
}

static void entry_forget(struct entry *entry)
{
	free(entry->opref);
	free(entry->op_name);
	entry->opref = entry->op_name = NULL;
	entry->started_us = 0;
	entry->staged = entry->live = false;
}

static void free_entries(struct entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		entry_forget(&entries[i]);
		free(entries[i].id);
	}
	free(entries);
}

void index_free(struct index *index)
{
	if (!index)
		return;
	free_entries(index->entries, index->n_entries);
	free(index);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->id, ((const struct entry *)b)->id);
}

/* Where @id is, or where it belongs. */
static size_t find_place(const struct index *index, const char *id, bool *ret_found)
{
	size_t low = 0, high = index->n_entries;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(id, index->entries[middle].id);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

void index_list_changed(struct index *index)
{
	index->listed = false;
}

static int add_entry(struct entry **entries, size_t *n, const char *id)
{
	struct entry *grown = *entries;

	/* Removing may have left room; growing to the same size again costs nothing. */
	if ((*n & (*n + 1)) == 0) {
		grown = reallocarray(grown, 2 * (*n + 1), sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*entries = grown;
	}
	grown[*n] = (struct entry){ .id = strdup(id) };
	if (!grown[*n].id)
		return -ENOMEM;
	(*n)++;
	return 0;
}

static int insert_entry(struct index *index, size_t place, const char *id)
{
	struct entry added;
	int r = add_entry(&index->entries, &index->n_entries, id);

	if (r < 0)
		return r;
	added = index->entries[index->n_entries - 1];
	memmove(&index->entries[place + 1], &index->entries[place],
		(index->n_entries - 1 - place) * sizeof(added));
	index->entries[place] = added;
	return 0;
}

static void remove_entry(struct index *index, size_t place)
{
	entry_forget(&index->entries[place]);
	free(index->entries[place].id);
	index->n_entries--;
	memmove(&index->entries[place], &index->entries[place + 1],
		(index->n_entries - place) * sizeof(index->entries[0]));
}

/* Keeps what is known of the runs that are still there. */
static void take_over(struct index *index, struct entry *entries, size_t n)
{
	for (size_t i = 0, old = 0; i < n && old < index->n_entries;) {
		int order = strcmp(entries[i].id, index->entries[old].id);

		if (order == 0) {
			struct entry swap = entries[i];

			entries[i++] = index->entries[old];
			index->entries[old++] = swap;
		} else if (order < 0) {
			i++;
		} else {
			old++;
		}
	}
	free_entries(index->entries, index->n_entries);
	index->entries = entries;
	index->n_entries = n;
}

/* The directory of all runs; NULL when there is none yet. 0 or -errno. */
static int open_list(struct index *index, DIR **ret)
{
	int fd = store_runs_fd(index->store);
	int r;

	*ret = NULL;
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret = fdopendir(fd);
	if (*ret)
		return 0;
	r = -errno;
	close_fd(fd);
	return r;
}

static int read_list(struct index *index)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct entry *entries = NULL;
	size_t n = 0;
	int r = open_list(index, &dir);

	for (struct dirent *file; r == 0 && dir && (file = readdir(dir));) {
		if (run_id_is_valid(file->d_name))
			r = add_entry(&entries, &n, file->d_name);
	}
	if (r < 0) {
		free_entries(entries, n);
		return r;
	}
	if (n > 0)
		qsort(entries, n, sizeof(*entries), compare_entries);
	take_over(index, entries, n);
	index->listed = true;
	return 0;
}

/* Is it so that a directory is no run, or was there only no memory to see that it is? */
static bool is_lasting(int r)
{
	return r == 0 || r == -ENOENT || r == -ENOTDIR || r == -EINVAL || r == -ELOOP ||
	       r == -EXDEV || r == -EFBIG;
}

/* 0, or -errno when it can't be told now what the run is. */
static int read_entry(struct entry *entry, const struct run *run)
{
	_cleanup_(strbuf_done) struct strbuf opref = STRBUF_INIT, name = STRBUF_INIT;
	int r = file_read(run_guild_fd(run), "opref", RUN_OPREF_MAX_LEN, &opref);

	/* What is there but no text makes a run all the same, of no operation. */
	if (r < 0 && (r == -ENOENT || !is_lasting(r)))
		return r;
	entry->opref = str_dup(str_strip(strbuf_str(&opref)));
	if (!entry->opref)
		return -ENOMEM;
	if (operation_name_of_opref(str_from(entry->opref), &name) == 0)
		entry->op_name = strbuf_take(&name);
	entry->staged = !run_was_started(run);
	if (run_attr_int(run, "started", &entry->started_us) < 0 &&
	    run_attr_int(run, "initialized", &entry->started_us) < 0)
		entry->started_us = 0;
	return 0;
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

/* Its end, if its supervisor was killed, changes no stamp. */
static void refresh_live(struct entry *entry, int runs_fd)
{
	_cleanup_(run_freep) struct run *run = NULL;

	entry->live = run_open(runs_fd, entry->id, &run) == 0 && is_live(run);
}

static void refresh_entry(struct index *index, struct entry *entry, int runs_fd)
{
	_cleanup_(run_freep) struct run *run = NULL;
	struct file_stamp stamp;
	struct stat st;
	int r = run_stat(runs_fd, entry->id, &st);

	if (r < 0) {
		entry_forget(entry);
		entry->fresh = false;
		return;
	}
	file_stamp_of(&st, &stamp);
	if (entry->fresh && file_stamp_equal(&stamp, &entry->stamp)) {
		if (entry->live)
			refresh_live(entry, runs_fd);
		return;
	}
	entry_forget(entry);
	entry->stamp = stamp;
	r = run_open(runs_fd, entry->id, &run);
	if (r == 0)
		r = read_entry(entry, run);
	entry->fresh = is_lasting(r) && is_settled(&st);
	entry->live = r == 0 && is_live(run);
	if (entry->live && index->waiting_fn && is_waiting(run))
		index->waiting_fn(index->waiting_userdata, entry->id);
}

/* Takes in one run; all others stay as they are known. */
void index_run_changed(struct index *index, const char *id)
{
	int runs_fd = store_runs_fd(index->store);
	bool found;
	size_t place = find_place(index, id, &found);

	if (!index->listed || !run_id_is_valid(id))
		return;
	if (runs_fd < 0 || !file_exists(runs_fd, id)) {
		if (found)
			remove_entry(index, place);
		return;
	}
	if (!found && insert_entry(index, place, id) < 0) {
		index_list_changed(index);
		return;
	}
	index->entries[place].fresh = false;
	refresh_entry(index, &index->entries[place], runs_fd);
}

/* Whether runs/ has changed since it was listed, where no watch would tell. */
static bool is_list_stale(struct index *index, int runs_fd)
{
	struct file_stamp stamp;
	struct stat st;

	if (runs_fd < 0 || fstat(runs_fd, &st) < 0)
		return index->n_entries > 0;
	file_stamp_of(&st, &stamp);
	if (file_stamp_equal(&stamp, &index->list_stamp) && index->list_settled)
		return false;
	index->list_stamp = stamp;
	index->list_settled = is_settled(&st);
	return true;
}

static int refresh(struct index *index)
{
	int64_t now = loop_now_us();
	int runs_fd, r = 0;

	if (index->listed && now - index->refreshed_us < REFRESH_US)
		return 0;
	runs_fd = store_runs_fd(index->store);
	if (is_list_stale(index, runs_fd) || !index->listed)
		r = read_list(index);
	for (size_t i = 0; r == 0 && runs_fd >= 0 && i < index->n_entries; i++)
		refresh_entry(index, &index->entries[i], runs_fd);
	if (r == 0)
		index->refreshed_us = now;
	index->scan_us = loop_now_us() - now;
	return r;
}

/* One that is copied here is no run yet when it comes, and nobody tells when it is. */
static void refresh_unborn(struct index *index, struct entry *entry)
{
	int runs_fd;

	if (entry->opref || entry->fresh)
		return;
	runs_fd = store_runs_fd(index->store);
	if (runs_fd >= 0)
		refresh_entry(index, entry, runs_fd);
}

static bool is_of(const struct entry *entry, const char *op_name)
{
	if (!entry->opref)
		return false;
	return !op_name || (entry->op_name && strcmp(entry->op_name, op_name) == 0);
}

int index_each(struct index *index, const char *op_name, index_fn fn, void *userdata)
{
	int r = refresh(index);

	if (r < 0)
		return r;
	for (size_t i = 0; i < index->n_entries; i++) {
		refresh_unborn(index, &index->entries[i]);
		if (is_of(&index->entries[i], op_name))
			fn(userdata, index->entries[i].id);
	}
	return 0;
}

bool index_has(struct index *index, const char *op_name, const char *id)
{
	bool found;
	size_t place;

	(void)refresh(index);
	place = find_place(index, id, &found);
	if (found)
		refresh_unborn(index, &index->entries[place]);
	return found && is_of(&index->entries[place], op_name);
}

int index_each_live(struct index *index, index_fn fn, void *userdata)
{
	int64_t now = loop_now_us();
	int runs_fd = store_runs_fd(index->store);
	int r = 0;

	if (!index->listed ||
	    now - index->refreshed_us > REFRESH_US + SCAN_REST * index->scan_us)
		r = refresh(index);
	for (size_t i = 0; r == 0 && i < index->n_entries; i++) {
		struct entry *entry = &index->entries[i];

		if (runs_fd >= 0 && (entry->live || !entry->fresh))
			refresh_entry(index, entry, runs_fd);
		if (entry->live)
			fn(userdata, entry->id);
	}
	return r;
}

const char *index_latest(struct index *index, const char *op_name)
{
	const struct entry *latest = NULL;

	(void)refresh(index);
	for (size_t i = 0; i < index->n_entries; i++) {
		const struct entry *entry = &index->entries[i];

		if (is_of(entry, op_name) && !entry->staged &&
		    (!latest || entry->started_us > latest->started_us))
			latest = entry;
	}
	return latest ? latest->id : NULL;
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

const char *index_match(struct index *index, const char *opref, const struct flags *flags,
			unsigned int statuses)
{
	const struct entry *match = NULL;

	(void)refresh(index);
	for (size_t i = 0; i < index->n_entries; i++) {
		const struct entry *entry = &index->entries[i];

		if (!entry->opref || strcmp(entry->opref, opref) != 0 ||
		    (match && entry->started_us <= match->started_us))
			continue;
		if (has_flags(index, entry->id, flags, statuses))
			match = entry;
	}
	return match ? match->id : NULL;
}
