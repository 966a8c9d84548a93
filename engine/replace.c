/* The parts of a run that a restart exchanges. */
#include "engine/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/attempts.h"
#include "engine/cleanup.h"
#include "engine/durable.h"
#include "engine/file.h"

#define TIME_MAX_LEN 64

/*
 * attrs first: once it has changed, the run's flags are those of this start. It is
 * written by a name of its own, so that one half of which is written is never taken for
 * the old one.
 */
#define ATTRS_WRITTEN REPLACE_DIR "/attrs.new"
#define STAGED_BESIDE REPLACE_DIR "/STAGED"

static const struct {
	const char *name, *beside;
} parts[REPLACE_N_PARTS] = {
	[REPLACE_ATTRS] = { "attrs", REPLACE_DIR "/attrs" },
	[REPLACE_OPREF] = { "opref", REPLACE_DIR "/opref" },
	[REPLACE_MANIFEST] = { "manifest", REPLACE_DIR "/manifest" },
	[REPLACE_OUTPUT] = { "output", REPLACE_DIR "/output" },
	[REPLACE_INDEX] = { "output.index", REPLACE_DIR "/output.index" },
	[REPLACE_ENV] = { "ENV", REPLACE_DIR "/ENV" },
};

const char *replace_name(enum replace_part part)
{
	return parts[part].name;
}

const char *replace_beside_name(enum replace_part part)
{
	return part == REPLACE_ATTRS ? ATTRS_WRITTEN : parts[part].beside;
}

int replace_clear(int guild_fd)
{
	return file_remove_tree(guild_fd, REPLACE_DIR);
}

static bool exists(int guild_fd, const char *path)
{
	return faccessat(guild_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* 0 for attributes of a run that has never been started. */
static long long started_us(int guild_fd, const char *path)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (file_read(guild_fd, path, TIME_MAX_LEN, &text) < 0)
		return 0;
	return strtoll(strbuf_cstr(&text), NULL, 10);
}

/* Have the attributes been exchanged? Then those beside are the ones of an earlier start.
 */
static bool has_happened(int guild_fd)
{
	if (!exists(guild_fd, REPLACE_DIR "/attrs"))
		return false;
	return exists(guild_fd, REPLACE_DIR "/attrs/exit_status") ||
	       started_us(guild_fd, REPLACE_DIR "/attrs/started") <
		       started_us(guild_fd, "attrs/started");
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec > b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec > b->tv_nsec);
}

/*
 * Has the start that died written @part and not yet put it in place? What it has written
 * of the output is empty, for the command had not begun; other files are the later ones.
 */
static bool is_still_beside(int guild_fd, enum replace_part part)
{
	struct stat beside, st;

	if (fstatat(guild_fd, parts[part].beside, &beside, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (fstatat(guild_fd, parts[part].name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	if (part == REPLACE_OUTPUT || part == REPLACE_INDEX)
		return beside.st_size == 0 && st.st_size > 0;
	return is_later(&beside.st_mtim, &st.st_mtim);
}

static int complete(int guild_fd)
{
	for (size_t i = REPLACE_ATTRS + 1; i < REPLACE_N_PARTS; i++) {
		int r = 0;

		if (is_still_beside(guild_fd, (enum replace_part)i))
			r = durable_exchange(guild_fd, parts[i].beside, guild_fd,
					     parts[i].name);
		if (r < 0)
			return r;
	}
	return replace_keep(guild_fd);
}

int replace_recover(int guild_fd)
{
	int r = 0;

	file_clear_temporaries(guild_fd);
	for (size_t i = 0; i < REPLACE_N_PARTS && r == 0; i++)
		r = durable_recover(guild_fd, parts[i].beside, guild_fd, parts[i].name);
	if (r == 0 && has_happened(guild_fd))
		r = complete(guild_fd);
	return r < 0 ? r : replace_clear(guild_fd);
}

int replace_begin(int guild_fd)
{
	return file_make_dir(guild_fd, REPLACE_DIR, 0755);
}

int replace_keep(int guild_fd)
{
	int r = attempts_add(guild_fd, REPLACE_DIR);

	return r == -ENOENT ? 0 : r;
}

static int why(struct strbuf *ret_why, int r, const char *what)
{
	strbuf_addf(ret_why, "cannot replace %s: %s", what, strerror(-r));
	return r;
}

/* Exchanges one file of the source with what the run has there, or takes it back. */
static int move_file(int run_fd, int source_fd, const char *path)
{
	_cleanup_close_ int from_fd = -1;
	_cleanup_close_ int to_fd = -1;
	const char *name;
	struct stat st;

	from_fd = durable_open_parent(source_fd, path, true, &name);
	if (from_fd < 0)
		return from_fd;
	to_fd = durable_open_parent(run_fd, path, true, &name);
	if (to_fd < 0)
		return to_fd;
	/* An exchange would do it, and throw away what the run has made there. */
	if (fstatat(to_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	return durable_exchange(from_fd, name, to_fd, name);
}

/* The files in REPLACE_SOURCE: the source's, then the one that is none of them. */
static size_t n_files(const struct replace *replace)
{
	return (replace->source ? replace->source->n_files : 0) +
	       (replace->config ? 1 : 0);
}

static const char *path_of(const struct replace *replace, size_t i)
{
	return replace->source && i < replace->source->n_files
		       ? replace->source->files[i].path
		       : replace->config;
}

static int move_source(struct replace *replace, int guild_fd, struct strbuf *ret_why)
{
	_cleanup_close_ int source_fd = -1;
	_cleanup_close_ int run_fd = -1;
	int r;

	if (n_files(replace) == 0)
		return 0;
	run_fd = file_open_dir(guild_fd, "..");
	source_fd = file_open_dir(guild_fd, REPLACE_SOURCE);
	if (run_fd < 0 || source_fd < 0)
		return why(ret_why, run_fd < 0 ? run_fd : source_fd, "the source code");
	while (replace->n_moved < n_files(replace)) {
		const char *path = path_of(replace, replace->n_moved);

		r = move_file(run_fd, source_fd, path);
		if (r < 0)
			return why(ret_why, r, path);
		replace->n_moved++;
	}
	return 0;
}

static void move_source_back(struct replace *replace, int guild_fd)
{
	_cleanup_close_ int source_fd = file_open_dir(guild_fd, REPLACE_SOURCE);
	_cleanup_close_ int run_fd = file_open_dir(guild_fd, "..");

	while (replace->n_moved > 0)
		(void)move_file(run_fd, source_fd, path_of(replace, --replace->n_moved));
}

static int exchange(struct replace *replace, int guild_fd, enum replace_part part)
{
	int r = durable_exchange(guild_fd, parts[part].beside, guild_fd,
				 parts[part].name);

	if (r == 0)
		replace->exchanged ^= 1u << part;
	return r;
}

/* A run that waits for its first start has both; the last step needs no undoing. */
static int remove_markers(int guild_fd)
{
	int r;

	if (renameat(guild_fd, "STAGED", guild_fd, STAGED_BESIDE) < 0 && errno != ENOENT)
		return -errno;
	r = file_remove(guild_fd, "PENDING");
	if (r == 0)
		(void)file_remove(guild_fd, STAGED_BESIDE);
	return r;
}

int replace_commit(struct replace *replace, int guild_fd, struct strbuf *ret_why)
{
	int r;

	/* First what the user's own files may be in the way of. */
	r = move_source(replace, guild_fd, ret_why);
	if (r < 0)
		return r;
	if (renameat(guild_fd, ATTRS_WRITTEN, guild_fd, parts[REPLACE_ATTRS].beside) < 0)
		return why(ret_why, -errno, parts[REPLACE_ATTRS].name);
	for (size_t i = 0; i < REPLACE_N_PARTS; i++) {
		if (!(replace->written & 1u << i))
			continue;
		r = exchange(replace, guild_fd, (enum replace_part)i);
		if (r < 0)
			return why(ret_why, r, parts[i].name);
	}
	if (replace->keeps_markers)
		return 0;
	r = remove_markers(guild_fd);
	return r < 0 ? why(ret_why, r, "STAGED and PENDING") : 0;
}

void replace_undo(struct replace *replace, int guild_fd)
{
	(void)renameat(guild_fd, STAGED_BESIDE, guild_fd, "STAGED");
	for (size_t i = REPLACE_N_PARTS; i-- > 0;)
		if (replace->exchanged & 1u << i)
			(void)exchange(replace, guild_fd, (enum replace_part)i);
	if (replace->n_moved > 0)
		move_source_back(replace, guild_fd);
}
