/* A run on the disk, from its start to its end. */
#include "engine/record.h"

#include <errno.h>
#include <fcntl.h>
#include <sha1.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/attempts.h"
#include "engine/attrs.h"
#include "engine/cleanup.h"
#include "engine/durable.h"
#include "engine/file.h"
#include "engine/jobs.h"
#include "engine/lock.h"
#include "engine/pending.h"
#include "engine/replace.h"
#include "engine/trash-place.h"

#define BUILD_DIR	 "cache/runfs/new"
#define BUILD_TRIES	 16
#define MANIFEST_MAX_LEN (64u << 20)
#define OPREF_MAX_LEN	 (1u << 20)

static int why(struct strbuf *ret_why, int r, const char *what)
{
	strbuf_addf(ret_why, "%s: %s", what, strerror(-r));
	return r;
}

/* What @part is written as: beside the old one, if there can be one. */
static const char *written_name(struct record *record, enum replace_part part)
{
	if (record->job->is_new)
		return replace_name(part);
	record->replace.written |= 1u << part;
	return replace_beside_name(part);
}

/*
 * Makes build_path/.guild, locked. -EAGAIN when there was garbage of that name, or when
 * who clears up there took ours for garbage before it was locked.
 */
static int make_build_dir(struct record *record)
{
	_cleanup_(strbuf_done) struct strbuf guild = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	bool is_garbage;
	struct stat st;
	int r;

	r = strbuf_addf(&guild, "%s/.guild", record->build_path);
	if (r == 0)
		r = file_make_dirs(record->home_fd, BUILD_DIR, 0755);
	if (r < 0)
		return r;
	is_garbage = mkdirat(record->home_fd, record->build_path, 0755) < 0;
	if (is_garbage && errno != EEXIST)
		return -errno;
	r = file_make_dir(record->home_fd, strbuf_cstr(&guild), 0755);
	if (r < 0)
		return r == -ENOENT ? -EAGAIN : r;
	fd = file_open_dir(record->home_fd, strbuf_cstr(&guild));
	if (fd < 0)
		return fd == -ENOENT ? -EAGAIN : fd;
	r = lock_try(fd);
	if (r < 0)
		return r;
	if (is_garbage) {
		(void)file_remove_tree(record->home_fd, record->build_path);
		return -EAGAIN;
	}
	if (fstat(fd, &st) < 0 || st.st_nlink == 0)
		return -EAGAIN;
	record->transition_fd = take_fd(&fd);
	return 0;
}

static int begin_new(struct record *record)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	int r = -EAGAIN;

	strbuf_addf(&path, BUILD_DIR "/%s", record->job->id);
	record->build_path = strbuf_take(&path);
	if (!record->build_path)
		return -ENOMEM;
	for (int i = 0; i < BUILD_TRIES && r == -EAGAIN; i++)
		r = make_build_dir(record);
	if (r == -EBUSY)
		free(take_ptr(record->build_path)); /* somebody else makes it */
	return r;
}

int record_begin(struct record *record, struct job *job, int home_fd, int guild_fd,
		 struct strbuf *ret_why)
{
	int r = 0;

	record->job = job;
	record->home_fd = home_fd;
	if (job->is_new)
		r = begin_new(record);
	else
		record->transition_fd = guild_fd;
	if (r < 0)
		return why(ret_why, r, "cannot make a directory in " BUILD_DIR);

	/* Opened anew: the lock must not live as long as this one. */
	record->guild_fd = file_open_dir(record->transition_fd, ".");
	if (record->guild_fd < 0)
		return why(ret_why, record->guild_fd, "cannot open .guild");
	if (!job->is_new)
		r = replace_recover(record->guild_fd);
	return r < 0 ? why(ret_why, r, "cannot clear up .guild") : 0;
}

static int write_file(struct record *record, enum replace_part part, struct str text,
		      struct durable *durable)
{
	return durable_create(durable, record->guild_fd, written_name(record, part),
			      text);
}

static int open_output(struct record *record, enum replace_part part)
{
	int fd = openat(record->guild_fd, written_name(record, part),
			O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0644);

	return fd < 0 ? -errno : fd;
}

/* Opens where the source is copied to: a new run itself, else a directory beside. */
static int open_source_dir(const struct record *record)
{
	int r;

	if (record->job->is_new)
		return file_open_dir(record->guild_fd, "..");
	r = file_make_dir(record->guild_fd, REPLACE_SOURCE, 0755);
	return r < 0 ? r : file_open_dir(record->guild_fd, REPLACE_SOURCE);
}

static int add_source_attrs(struct record *record)
{
	_cleanup_(strbuf_done) struct strbuf digest = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf commit = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf warnings = STRBUF_INIT;
	int r = 0;

	if (!record->job->source.no_digest) {
		r = sourcecode_add_digest(&record->source, &digest);
		if (r == 0)
			r = job_add_attr(record->job, "sourcecode_digest",
					 strbuf_str(&digest));
	}
	if (r == 0)
		r = sourcecode_add_warnings(&record->source, &warnings);
	if (r == 0 && warnings.len > 0)
		r = job_add_attr(record->job, "sourcecode_warnings",
				 strbuf_str(&warnings));
	if (r < 0)
		return r;
	r = sourcecode_add_commit(record->job, &commit);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return job_add_attr(record->job, "vcs_commit", strbuf_str(&commit));
}

/* What the run's configuration file was made from is no source, and what is in its way.
 */
static int drop_config(struct record *record)
{
	const struct job *job = record->job;
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	if (!job->config.source)
		return 0;
	strbuf_adds(&path, job->source.dest ? job->source.dest : "");
	strbuf_adds(&path, job->config.source);
	if (strbuf_error(&path) < 0)
		return -ENOMEM;
	sourcecode_drop(&record->source, strbuf_cstr(&path));
	sourcecode_drop(&record->source, job->config.path);
	return 0;
}

static int copy_source(struct record *record, struct strbuf *ret_why)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (!record->job->source.root)
		return 0;
	record->replace.source = &record->source;
	r = sourcecode_select(record->job, record->home_fd, &record->source, ret_why);
	if (r < 0)
		return r;
	r = drop_config(record);
	if (r < 0)
		return r;
	fd = open_source_dir(record);
	if (fd < 0)
		return why(ret_why, fd, "cannot copy the source code");
	r = sourcecode_copy(record->job, &record->source, fd, ret_why);
	if (r < 0)
		return r;
	r = add_source_attrs(record);
	return r < 0 ? why(ret_why, r, "cannot record the source code") : 0;
}

/* Writes the file that was made for this run. */
static int write_config(struct record *record, struct durable *durable,
			struct strbuf *ret_why)
{
	const struct job *job = record->job;
	_cleanup_close_ int dir_fd = -1, parent_fd = -1;
	const char *name;
	int r;

	if (!job->config.path)
		return 0;
	if (!sourcecode_has(&record->source, job->config.path))
		record->replace.config = job->config.path;
	dir_fd = open_source_dir(record);
	if (dir_fd < 0)
		return why(ret_why, dir_fd, job->config.path);
	parent_fd = durable_open_parent(dir_fd, job->config.path, true, &name);
	if (parent_fd < 0)
		return why(ret_why, parent_fd, job->config.path);
	r = file_remove(parent_fd, name); /* of a script, the copy */
	if (r == 0)
		r = durable_create(durable, parent_fd, name, str_from(job->config.text));
	if (r == 0)
		r = durable_sync_dir(parent_fd, ".");
	return r < 0 ? why(ret_why, r, job->config.path) : 0;
}

static int add_config_line(const struct job *job, struct strbuf *ret)
{
	char digest[SHA1_DIGEST_STRING_LENGTH];

	(void)SHA1Data((const uint8_t *)job->config.text, strlen(job->config.text),
		       digest);
	strbuf_adds(ret, "d ");
	strbuf_add_shell(ret, str_from(job->config.path));
	strbuf_addf(ret, " %s", digest);
	strbuf_addc(ret, ' ');
	strbuf_add_shell(ret, str_from(job->config.uri));
	return strbuf_addc(ret, '\n');
}

/* Does the start write it anew? */
static bool is_written(const struct job *job, struct str line, struct str config)
{
	if (job->source.root && str_starts(line, "s "))
		return true;
	return config.len > 0 && line.len > config.len &&
	       memcmp(line.data, config.data, config.len) == 0;
}

/* The lines of the old manifest that stay. */
static int add_other_lines(const struct record *record, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf config = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct str rest, line;
	int r;

	r = file_read(record->guild_fd, "manifest", MANIFEST_MAX_LEN, &text);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (record->job->config.uri) {
		strbuf_adds(&config, "d ");
		strbuf_add_shell(&config, str_from(record->job->config.path));
		strbuf_addc(&config, ' ');
	}
	if (strbuf_error(&config) < 0)
		return -ENOMEM;
	rest = strbuf_str(&text);
	while (str_split(&rest, '\n', &line)) {
		if (is_written(record->job, line, strbuf_str(&config)))
			continue;
		strbuf_addstr(ret, line);
		strbuf_addc(ret, '\n');
	}
	return strbuf_error(ret);
}

static int write_manifest(struct record *record, struct durable *durable)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	if (!record->job->is_new && !record->job->source.root && !record->job->config.uri)
		return 0;
	r = sourcecode_add_manifest(record->job, &record->source, &text);
	if (r == 0 && !record->job->is_new)
		r = add_other_lines(record, &text);
	if (r == 0 && record->job->config.uri)
		r = add_config_line(record->job, &text);
	if (r < 0)
		return r;
	return write_file(record, REPLACE_MANIFEST, strbuf_str(&text), durable);
}

static int write_opref(struct record *record, struct durable *durable)
{
	_cleanup_(strbuf_done) struct strbuf old = STRBUF_INIT;
	struct str opref = str_from(record->job->opref);

	if (!record->job->opref)
		return 0;
	if (!record->job->is_new &&
	    file_read(record->guild_fd, "opref", OPREF_MAX_LEN, &old) == 0 &&
	    str_eq(strbuf_str(&old), opref))
		return 0;
	return write_file(record, REPLACE_OPREF, opref, durable);
}

static int write_markers(struct record *record, struct durable *durable)
{
	int r = durable_create(durable, record->guild_fd, "STAGED", STR(""));

	if (r == 0 && record->job->kind == JOB_QUEUE)
		r = durable_create(durable, record->guild_fd, "PENDING",
				   str_from(record->job->pending));
	return r;
}

/* What a run has as long as it is not started: Guild's markers, and ENV (1.4). */
static int write_staged(struct record *record, struct durable *durable,
			struct strbuf *ret_why)
{
	int r = 0;

	/* The environment of the start is an attribute, and is not known yet. */
	job_drop_attr(record->job, "env");
	record->replace.keeps_markers = true;
	if (record->job->env_file)
		r = write_file(record, REPLACE_ENV, str_from(record->job->env_file),
			       durable);
	if (r < 0)
		return why(ret_why, r, "cannot write .guild/ENV");
	if (record->job->is_new)
		r = write_markers(record, durable);
	return r < 0 ? why(ret_why, r, "cannot write .guild/STAGED") : 0;
}

static int open_outputs(struct record *record, struct strbuf *ret_why)
{
	record->output_fd = open_output(record, REPLACE_OUTPUT);
	if (record->output_fd < 0)
		return why(ret_why, record->output_fd, "cannot write .guild/output");
	record->index_fd = open_output(record, REPLACE_INDEX);
	if (record->index_fd < 0)
		return why(ret_why, record->index_fd, "cannot write .guild/output.index");
	return 0;
}

/* All that there will be of its output is why it could not be started. */
static int write_failure(struct record *record, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf line = STRBUF_INIT;
	int r = strbuf_addf(&line, "%s\n", record->job->failure);

	if (r == 0)
		r = file_write_fd(record->output_fd, strbuf_str(&line));
	if (r == 0 && fsync(record->output_fd) < 0)
		r = -errno;
	return r < 0 ? why(ret_why, r, "cannot write .guild/output") : 0;
}

/* Waits until all is on the disk, the source code too: see durable_write_out(). */
static int sync_files(struct record *record, struct durable *durable)
{
	_cleanup_close_ int fd = -1;
	int r = durable_write_out_all(durable);

	if (r == 0 && record->source.n_files > 0) {
		fd = open_source_dir(record);
		r = fd < 0 ? fd : sourcecode_sync(&record->source, fd);
	}
	if (r < 0)
		return r;
	return durable_sync(durable);
}

static int build_attrs(struct record *record, struct durable *durable,
		       struct strbuf *ret_why)
{
	const char *name = written_name(record, REPLACE_ATTRS);
	_cleanup_close_ int old_fd = -1;
	_cleanup_close_ int new_fd = -1;
	int r;

	if (!record->job->is_new)
		old_fd = file_open_dir(record->guild_fd, "attrs");
	/* One that can't be opened now is none that has nothing in it. */
	if (!record->job->is_new && old_fd < 0 && old_fd != -ENOENT)
		return why(ret_why, old_fd, "cannot read .guild/attrs");
	r = file_make_dir(record->guild_fd, name, 0755);
	if (r == 0) {
		new_fd = file_open_dir(record->guild_fd, name);
		r = new_fd < 0 ? new_fd : 0;
	}
	if (r < 0)
		return why(ret_why, r, "cannot write .guild/attrs");

	r = attrs_build(record->job, old_fd, new_fd, durable, ret_why);
	if (r < 0)
		return r;
	r = sync_files(record, durable);
	if (r == 0 && fsync(new_fd) < 0)
		r = -errno;
	return r < 0 ? why(ret_why, r, "cannot bring the start to the disk") : 0;
}

static int take_lock(struct record *record, struct strbuf *ret_why)
{
	if (record->job->kind != JOB_START)
		return 0;
	record->lock_fd = lock_take(record->guild_fd);
	if (record->lock_fd == -EBUSY)
		strbuf_adds(ret_why, "the run is running");
	else if (record->lock_fd < 0)
		(void)why(ret_why, record->lock_fd, "cannot write .guild/LOCK");
	return record->lock_fd < 0 ? record->lock_fd : 0;
}

int record_prepare(struct record *record, struct strbuf *ret_why)
{
	_cleanup_(durable_done) struct durable durable = DURABLE_INIT;
	bool is_staged;
	int r;

	r = record->job->is_new ? 0 : replace_begin(record->guild_fd);
	if (r < 0)
		return why(ret_why, r, "cannot write .guild/" REPLACE_DIR);
	r = copy_source(record, ret_why);
	if (r == 0)
		r = write_config(record, &durable, ret_why);
	if (r < 0)
		return r;
	r = write_opref(record, &durable);
	if (r < 0)
		return why(ret_why, r, "cannot write .guild/opref");
	r = write_manifest(record, &durable);
	if (r < 0)
		return why(ret_why, r, "cannot write .guild/manifest");
	is_staged = record->job->kind == JOB_STAGE || record->job->kind == JOB_QUEUE;
	r = is_staged ? write_staged(record, &durable, ret_why)
		      : open_outputs(record, ret_why);
	if (r == 0 && record->job->kind == JOB_FAIL)
		r = write_failure(record, ret_why);
	/* Nobody sees the one of a new run yet: it is brought to the disk with the rest.
	 */
	if (r == 0 && record->job->is_new)
		r = take_lock(record, ret_why);
	if (r == 0)
		r = build_attrs(record, &durable, ret_why);
	if (r == 0 && !record->job->is_new)
		r = take_lock(record, ret_why);
	return r;
}

/* Makes the whole new run appear at once. */
static int commit_new(struct record *record)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	int r;

	r = durable_sync_dir(record->guild_fd, ".");
	if (r == 0)
		r = durable_sync_dir(record->guild_fd, "..");
	if (r == 0)
		r = file_make_dir(record->home_fd, "runs", 0755);
	if (r == 0)
		r = strbuf_addf(&path, "runs/%s", record->job->id);
	if (r < 0)
		return r;

	r = renameat2(record->home_fd, record->build_path, record->home_fd,
		      strbuf_cstr(&path), RENAME_NOREPLACE);
	/* Without flags a directory that has something in it isn't replaced either. */
	if (r < 0 && (errno == EINVAL || errno == ENOSYS))
		r = renameat(record->home_fd, record->build_path, record->home_fd,
			     strbuf_cstr(&path));
	return r < 0 ? -errno : 0;
}

/* Guild may have put its hand on the run since it was decided on. */
static int check_untouched(struct record *record, struct strbuf *ret_why)
{
	int is_pending = pending_exists(record->guild_fd);

	int is_ours = is_pending > 0 ? pending_is_ours(record->guild_fd) : is_pending;

	if (is_ours < 0)
		return why(ret_why, is_ours, "cannot see whether the run waits");
	if (is_pending == record->job->in_turn && is_ours == is_pending)
		return 0;
	strbuf_adds(ret_why, is_pending ? "the run is being started by somebody else"
					: "the run does not wait any more");
	return -EBUSY;
}

static int commit_old(struct record *record, struct strbuf *ret_why)
{
	_cleanup_close_ int status_fd = jobs_lock(record->home_fd);
	int r;

	if (status_fd < 0)
		return why(ret_why, status_fd, "cannot lock locks/run-status");
	r = check_untouched(record, ret_why);
	return r < 0 ? r : replace_commit(&record->replace, record->guild_fd, ret_why);
}

int record_commit(struct record *record, struct strbuf *ret_why)
{
	int r;

	if (record->job->is_new) {
		r = commit_new(record);
		if (r == -EEXIST || r == -ENOTEMPTY)
			strbuf_addf(ret_why, "there is a run %s already",
				    record->job->id);
		else if (r < 0)
			(void)why(ret_why, r, "cannot make the run");
	} else {
		r = commit_old(record, ret_why);
	}
	record->is_committed = r == 0;
	return r;
}

/* What a stage replaces are flags that nothing was started with. */
static void keep_replaced(const struct record *record)
{
	if (!record->job->is_new && record->job->kind != JOB_STAGE)
		(void)replace_keep(record->guild_fd);
}

void record_clear(struct record *record)
{
	keep_replaced(record);
	if (!record->job->is_new)
		(void)replace_clear(record->guild_fd);
	sourcecode_done(&record->source);
}

void record_settle(struct record *record)
{
	/* The command has begun: an error of the disk can't be helped any more. */
	keep_replaced(record);
	(void)fsync(record->guild_fd);
	if (record->job->is_new) {
		(void)durable_sync_dir(record->home_fd, "runs");
		(void)fsync(record->home_fd);
	}
	if (record->job->kind == JOB_START || record->job->kind == JOB_FAIL)
		(void)pending_withdraw(record->home_fd, record->job->id);
	/* Where no LOCK keeps a start away that would write beside too. */
	if (record->job->kind != JOB_START)
		record_clear(record);
	lock_leave(record->transition_fd);
	close_fd(take_fd(&record->transition_fd));
}

void record_prune(struct record *record)
{
	if (!record->job->is_new)
		(void)attempts_prune(record->guild_fd, record->job->n_attempts);
}

/* When the job says that the run started, or 0. */
static int64_t started_us(const struct job *job)
{
	for (size_t i = 0; i < job->n_attrs; i++)
		if (strcmp(job->attrs[i].name, "started") == 0)
			return strtoll(job->attrs[i].text, NULL, 10);
	return 0;
}

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int record_end(struct record *record, int exit_status)
{
	_cleanup_close_ int attrs_fd = -1;
	int64_t stopped_us = now_us();

	/* By name: whatever happened to the directories meanwhile, this is the run now.
	 */
	attrs_fd = file_open_dir(record->guild_fd, "attrs");
	if (attrs_fd < 0)
		return attrs_fd == -ENOENT ? 0 : attrs_fd;
	if (stopped_us < started_us(record->job))
		stopped_us = started_us(record->job);
	return attrs_write_end(attrs_fd, exit_status, stopped_us);
}

/* Is the run still where it was started? */
static bool is_in(int runs_fd, const struct record *record)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	struct stat named, ours;

	return strbuf_addf(&path, "%s/.guild", record->job->id) == 0 &&
	       fstatat(runs_fd, strbuf_cstr(&path), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(record->guild_fd, &ours) == 0 && named.st_dev == ours.st_dev &&
	       named.st_ino == ours.st_ino;
}

void record_delete(struct record *record)
{
	_cleanup_close_ int guild_fd = file_open_dir(record->guild_fd, ".");
	_cleanup_close_ int runs_fd =
		openat(record->home_fd, "runs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (guild_fd < 0 || runs_fd < 0 || flock(guild_fd, LOCK_EX) < 0)
		return;
	if (is_in(runs_fd, record) &&
	    trash_place_put(record->home_fd, runs_fd, record->job->id) == 0)
		(void)trash_place_sync(record->home_fd);
}

void record_close(struct record *record)
{
	lock_remove(record->guild_fd, record->lock_fd);
	close_fd(take_fd(&record->lock_fd));
}

/* Leaves everything as it was before record_begin(). */
static void undo(struct record *record)
{
	if (record->build_path) {
		(void)file_remove_tree(record->home_fd, record->build_path);
	} else if (record->guild_fd >= 0) {
		replace_undo(&record->replace, record->guild_fd);
		(void)replace_clear(record->guild_fd);
		if (record->lock_fd >= 0)
			lock_remove(record->guild_fd, record->lock_fd);
	}
}

void record_done(struct record *record)
{
	if (!record->is_committed)
		undo(record);
	free(record->build_path);
	sourcecode_done(&record->source);
	close_fd(record->output_fd);
	close_fd(record->index_fd);
	close_fd(record->guild_fd);
	close_fd(record->transition_fd);
	close_fd(record->lock_fd);
	*record = RECORD_INIT;
}
