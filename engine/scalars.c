/* The output scalars of all runs. */
#include "engine/scalars.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <md5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/file.h"
#include "engine/list.h"
#include "engine/scalar-cache.h"
#include "engine/trash.h"

/* For so long others wait at most, unless one line takes longer. */
#define SLICE_US 1000

/* What is kept in memory of runs that nobody has just asked about. */
#define KEPT_MAX      64
#define KEPT_MAX_SIZE (64u << 20)

/* While a run goes on, its cache is written again after so much, or a fourth, more. */
#define SAVE_EVERY (1 << 20)

enum phase {
	PHASE_NONE,
	PHASE_CACHE,  /* the cache is being read */
	PHASE_OUTPUT, /* the output is */
};

struct entry {
	struct list link; /* the one that was asked about last is the last */
	struct list busy; /* in scalars->busy while it has something to do */
	char key[SCALAR_KEY_LEN + 1];
	struct scalar_rules *rules;
	struct scalar_series *series;
	struct scalar_line line;
	struct output_lines lines;
	enum phase phase;
	int fd;	      /* the output, while there is a phase */
	off_t target; /* up to which it is to be read */
	struct scalar_cache_file load, save;
	bool has_loaded, cannot_save;
	off_t saved_to;
	int result;
	bool fresh; /* those who have waited ask again */
	char id[];
};

struct scalars {
	struct loop_source *timer;
	struct store *store;
	scalars_fn fn;
	void *userdata;
	struct list entries, busy;
	size_t n_entries;
	bool must_tell; /* what was waited for will not come as it was begun */
};

static void on_timer(void *userdata, uint32_t events);

int scalars_new(struct loop *loop, struct store *store, scalars_fn fn, void *userdata,
		struct scalars **ret)
{
	_cleanup_(scalars_freep) struct scalars *scalars = calloc(1, sizeof(*scalars));
	int r;

	if (!scalars)
		return -ENOMEM;
	list_init(&scalars->entries);
	list_init(&scalars->busy);
	scalars->store = store;
	scalars->fn = fn;
	scalars->userdata = userdata;
	r = loop_add_timer(loop, on_timer, scalars, &scalars->timer);
	if (r < 0)
		return r;
	*ret = take_ptr(scalars);
	return 0;
}

/* Forgets what the output has said, but not what to look for. */
static void entry_forget(struct entry *entry)
{
	scalar_series_free(take_ptr(entry->series));
	output_lines_done(&entry->lines);
	entry->saved_to = 0;
}

static void entry_stop(struct entry *entry)
{
	entry->phase = PHASE_NONE;
	close_fd(take_fd(&entry->fd));
	scalar_cache_file_done(&entry->load);
}

static void entry_reset(struct entry *entry)
{
	list_unlink(&entry->busy);
	entry_stop(entry);
	entry_forget(entry);
	scalar_cache_file_done(&entry->save);
	scalar_rules_free(take_ptr(entry->rules));
	entry->has_loaded = entry->cannot_save = false;
	entry->key[0] = '\0';
}

static void entry_free(struct scalars *scalars, struct entry *entry)
{
	entry_reset(entry);
	scalar_line_done(&entry->line);
	list_unlink(&entry->link);
	scalars->n_entries--;
	free(entry);
}

void scalars_free(struct scalars *scalars)
{
	if (!scalars)
		return;
	list_for_each (link, &scalars->entries) {
		entry_free(scalars, list_entry(link, struct entry, link));
	}
	loop_source_free(scalars->timer);
	free(scalars);
}

static struct entry *find_entry(struct scalars *scalars, const char *id)
{
	list_for_each (link, &scalars->entries) {
		struct entry *entry = list_entry(link, struct entry, link);

		if (strcmp(entry->id, id) == 0)
			return entry;
	}
	return NULL;
}

static struct entry *add_entry(struct scalars *scalars, const char *id)
{
	struct entry *entry = calloc(1, sizeof(*entry) + strlen(id) + 1);

	if (!entry)
		return NULL;
	memcpy(entry->id, id, strlen(id) + 1);
	entry->fd = -1;
	entry->load = entry->save = SCALAR_CACHE_FILE_INIT;
	list_init(&entry->link);
	list_init(&entry->busy);
	scalars->n_entries++;
	return entry;
}

static void evict(struct scalars *scalars, const struct entry *but)
{
	size_t size = 0;

	list_for_each (link, &scalars->entries) {
		const struct entry *entry = list_entry(link, struct entry, link);

		size += entry->series ? scalar_series_size(entry->series) : 0;
	}
	list_for_each (link, &scalars->entries) {
		struct entry *entry = list_entry(link, struct entry, link);

		if (scalars->n_entries <= KEPT_MAX && size <= KEPT_MAX_SIZE)
			break;
		if (entry == but || entry->fresh || !list_is_empty(&entry->busy))
			continue;
		size -= entry->series ? scalar_series_size(entry->series) : 0;
		entry_free(scalars, entry);
	}
}

static struct entry *touch_entry(struct scalars *scalars, const char *id)
{
	struct entry *entry = find_entry(scalars, id);

	if (!entry)
		entry = add_entry(scalars, id);
	if (!entry)
		return NULL;
	list_unlink(&entry->link);
	list_append(&scalars->entries, &entry->link);
	evict(scalars, entry);
	return entry;
}

static void make_busy(struct scalars *scalars, struct entry *entry)
{
	list_unlink(&entry->busy);
	list_append(&scalars->busy, &entry->busy);
	loop_timer_set(scalars->timer, 0);
}

/* Those who wait for what has been given up ask again. */
static void tell_soon(struct scalars *scalars)
{
	scalars->must_tell = true;
	loop_timer_set(scalars->timer, 0);
}

/* What tells one start from another, and all that decides what is looked for. */
static int compute_key(const struct run *run, char ret[SCALAR_KEY_LEN + 1])
{
	static const char *const names[] = { "started", "op", "flags" };
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int r = run_attr_text(run, names[i], &text);

		if (r < 0 && r != -ENOENT)
			return r;
		strbuf_addf(&text, "\n%d %zu\n", r, text.len);
	}
	if (strbuf_error(&text) < 0)
		return -ENOMEM;
	(void)MD5Data((const uint8_t *)text.data, text.len, ret);
	return 0;
}

static int make_rules(struct entry *entry, const struct run *run)
{
	_cleanup_(value_done) struct value op = VALUE_INIT;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r = run_attr(run, "op", &op);

	if (r == 0 || r == -ENOENT)
		r = run_flags(run, &flags);
	return r < 0 ? r
		     : scalar_rules_new(value_get(&op, "output-scalars"), &flags,
					&entry->rules);
}

/* 0 and a descriptor; -ENOENT while there is no output. */
static int open_output(const struct run *run, struct stat *ret_st, int *ret_fd)
{
	_cleanup_close_ int fd =
		file_open_beneath(run_guild_fd(run), "output", O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return fd;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return -EIO;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Begins anew, with an output of which nothing is known. */
static int begin_output(struct entry *entry, uint64_t ino)
{
	_cleanup_(strbuf_done) struct strbuf none = STRBUF_INIT;
	int r = 0;

	entry_forget(entry);
	entry->lines.ino = ino;
	for (size_t i = 0; i < scalar_rules_count(entry->rules); i++)
		strbuf_adds(&none, " 0");
	r = strbuf_error(&none);
	if (r == 0)
		r = scalar_rules_set_slow(entry->rules, strbuf_str(&none));
	return r < 0 ? r : scalar_series_new(&entry->series);
}

/* Puts the content of the cache in the place of what is known, if it is good. */
static int take_cache(struct entry *entry)
{
	_cleanup_(scalar_series_freep) struct scalar_series *series = NULL;
	struct scalar_cache cache;
	struct stat st;
	int r = scalar_cache_parse(strbuf_str(&entry->load.text), &cache, &series);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (strcmp(cache.key, entry->key) != 0 || fstat(entry->fd, &st) < 0 ||
	    !output_lines_continue(&cache.lines, entry->fd, &st) ||
	    scalar_rules_set_slow(entry->rules, cache.slow) < 0)
		return 0;
	entry_forget(entry);
	entry->lines = cache.lines;
	entry->saved_to = cache.lines.offset;
	entry->series = take_ptr(series);
	return 0;
}

static int read_cache(struct entry *entry)
{
	int r = scalar_cache_file_read_on(&entry->load);

	if (r > 0)
		return 0;
	if (r == 0)
		r = take_cache(entry);
	scalar_cache_file_done(&entry->load);
	entry->phase = PHASE_OUTPUT;
	return r == -ENOMEM ? r : 0;
}

static int read_output(struct entry *entry)
{
	struct str line;
	int r = output_lines_next(&entry->lines, entry->fd, entry->target, &line);

	if (r == 1)
		r = scalar_rules_match(entry->rules, line, &entry->line);
	else if (r == -EAGAIN)
		return 0;
	else if (r == 0)
		return output_lines_mark(&entry->lines, entry->fd) < 0 ? -EIO : 1;
	return r < 0 ? r : scalar_series_add(entry->series, &entry->line);
}

/* Works for a slice. 0 when all is read, -EINPROGRESS, or -errno. */
static int work(struct entry *entry)
{
	int64_t end = loop_now_us() + SLICE_US;
	int r = 0;

	while (r == 0 && entry->phase != PHASE_NONE) {
		r = entry->phase == PHASE_CACHE ? read_cache(entry) : read_output(entry);
		if (r == 0 && loop_now_us() >= end)
			return -EINPROGRESS;
	}
	entry_stop(entry);
	if (r < 0)
		entry_forget(entry);
	return r < 0 ? r : 0;
}

/* Also one that has been deleted, unless there is another of its ID. */
static int find_run(const struct scalars *scalars, const char *id, struct run **ret)
{
	int r = store_find(scalars->store, id, ret);

	return r == -ENOENT ? trash_find(scalars->store, id, ret) : r;
}

static bool is_save_due(struct scalars *scalars, const struct entry *entry)
{
	_cleanup_(run_freep) struct run *run = NULL;
	off_t behind = output_lines_place(&entry->lines) - entry->saved_to;
	int status;

	if (!entry->series || entry->cannot_save || behind <= 0 ||
	    scalar_cache_file_is_open(&entry->save))
		return false;
	if (behind > SAVE_EVERY && behind > entry->saved_to / 4)
		return true;
	if (find_run(scalars, entry->id, &run) < 0)
		return false;
	status = run_status(run);
	return status >= 0 && !run_status_is_live(status);
}

static int begin_save(struct scalars *scalars, struct entry *entry)
{
	_cleanup_(strbuf_done) struct strbuf slow = STRBUF_INIT;
	struct scalar_cache cache = { .lines = entry->lines };
	int r;

	memcpy(cache.key, entry->key, sizeof(cache.key));
	r = scalar_rules_slow(entry->rules, &slow);
	cache.slow = strbuf_str(&slow);
	if (r == 0)
		r = scalar_cache_format(&cache, entry->series, &entry->save.text);
	return r < 0 ? r
		     : scalar_cache_file_write(&entry->save, store_fd(scalars->store),
					       entry->id);
}

/* What could not be written once is not tried again for the same start. */
static void save_if_due(struct scalars *scalars, struct entry *entry)
{
	if (!is_save_due(scalars, entry))
		return;
	entry->saved_to = output_lines_place(&entry->lines);
	if (begin_save(scalars, entry) < 0) {
		entry->cannot_save = true;
		scalar_cache_file_done(&entry->save);
	} else {
		make_busy(scalars, entry);
	}
}

static void save_on(struct scalars *scalars, struct entry *entry)
{
	int r = scalar_cache_file_write_on(&entry->save, entry->id);

	if (r > 0) {
		make_busy(scalars, entry);
		return;
	}
	entry->cannot_save = r < 0;
	scalar_cache_file_done(&entry->save);
}

/* Those who wait ask again, and are given what there is. */
static void tell(struct scalars *scalars, struct entry *entry, int result)
{
	entry->result = result;
	entry->fresh = true;
	scalars->fn(scalars->userdata);
	entry->fresh = false;
}

/* The next slice of @entry, which is not busy for the time being. */
static void go_on(struct scalars *scalars, struct entry *entry)
{
	int r;

	if (entry->phase == PHASE_NONE) {
		save_on(scalars, entry);
		return;
	}
	r = work(entry);
	if (r == -EINPROGRESS) {
		make_busy(scalars, entry);
		return;
	}
	if (scalar_cache_file_is_open(&entry->save))
		make_busy(scalars, entry);
	else if (r == 0)
		save_if_due(scalars, entry);
	tell(scalars, entry, r);
}

/* One slice of one run, then others have their turn. */
static void on_timer(void *userdata, uint32_t events)
{
	struct scalars *scalars = userdata;
	struct list *next = scalars->busy.next;

	if (scalars->must_tell) {
		scalars->must_tell = false;
		scalars->fn(scalars->userdata);
		next = scalars->busy.next;
	}
	if (list_is_empty(&scalars->busy))
		return;
	list_unlink(next);
	if (!list_is_empty(&scalars->busy))
		loop_timer_set(scalars->timer, 0);
	go_on(scalars, list_entry(next, struct entry, busy));
}

/* Opens what is to be read now, if there is anything. */
static int begin(struct scalars *scalars, struct entry *entry, const struct run *run)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = open_output(run, &st, &fd);

	if (r == -ENOENT)
		return begin_output(entry, 0);
	if (r == 0 && (!entry->series || !output_lines_continue(&entry->lines, fd, &st)))
		r = begin_output(entry, st.st_ino);
	if (r < 0 || scalar_rules_count(entry->rules) == 0)
		return r;
	if (!entry->has_loaded && st.st_size > 0 &&
	    scalar_cache_file_read(&entry->load, store_fd(scalars->store), entry->id) ==
		    0)
		entry->phase = PHASE_CACHE;
	else if (entry->lines.offset < st.st_size)
		entry->phase = PHASE_OUTPUT;
	entry->has_loaded = true;
	entry->target = st.st_size;
	if (entry->phase != PHASE_NONE)
		entry->fd = take_fd(&fd);
	return 0;
}

/* Sees what there is to do, and does the first slice of it. */
static int look(struct scalars *scalars, struct entry *entry)
{
	_cleanup_(run_freep) struct run *run = NULL;
	char key[SCALAR_KEY_LEN + 1];
	int r = find_run(scalars, entry->id, &run);

	if (r == 0)
		r = compute_key(run, key);
	if (r < 0)
		return r;
	if (strcmp(key, entry->key) != 0)
		entry_reset(entry);
	if (entry->phase != PHASE_NONE)
		return -EINPROGRESS;
	if (!entry->rules)
		r = make_rules(entry, run);
	if (r < 0)
		return r;
	memcpy(entry->key, key, sizeof(key));
	r = begin(scalars, entry, run);
	if (r == 0)
		r = work(entry);
	if (r == -EINPROGRESS)
		make_busy(scalars, entry);
	else if (r == 0)
		save_if_due(scalars, entry);
	return r;
}

static int get(struct scalars *scalars, const char *id, struct entry **ret)
{
	struct entry *entry = touch_entry(scalars, id);
	bool waited;
	int r;

	if (!entry)
		return -ENOMEM;
	waited = entry->phase != PHASE_NONE;
	r = entry->fresh ? entry->result : look(scalars, entry);
	if (waited && r != -EINPROGRESS)
		tell_soon(scalars);
	if (r < 0 && r != -EINPROGRESS && !entry->fresh)
		entry_free(scalars, entry);
	else
		*ret = entry;
	return r;
}

int scalars_format(struct scalars *scalars, const char *id, struct strbuf *ret)
{
	struct entry *entry;
	int r = get(scalars, id, &entry);

	if (r == 0)
		r = scalar_rules_problems(entry->rules, ret);
	return r < 0 ? r : scalar_series_format(entry->series, ret);
}

int scalars_each(struct scalars *scalars, const char *id, scalar_name_fn fn,
		 void *userdata)
{
	struct entry *entry;
	int r = get(scalars, id, &entry);

	if (r == 0)
		scalar_series_each(entry->series, fn, userdata);
	return r;
}

int scalars_find(struct scalars *scalars, const char *id, const char *name,
		 struct str *ret)
{
	struct entry *entry;
	int r = get(scalars, id, &entry);

	return r < 0 ? r : scalar_series_find(entry->series, name, ret);
}

void scalars_run_listed(struct scalars *scalars, const char *id)
{
	_cleanup_(run_freep) struct run *run = NULL;
	struct entry *entry = find_entry(scalars, id);

	if (find_run(scalars, id, &run) != -ENOENT)
		return;
	scalar_cache_remove(store_fd(scalars->store), id);
	if (!entry || entry->fresh)
		return;
	if (entry->phase != PHASE_NONE)
		tell_soon(scalars);
	entry_free(scalars, entry);
}
