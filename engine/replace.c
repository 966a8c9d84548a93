/* The parts of a run that a restart exchanges. */
#include "engine/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/durable.h"
#include "engine/file.h"

/* attrs first: once it has changed, the run's flags are those of this start. */
static const struct {
	const char *name, *beside;
} parts[REPLACE_N_PARTS] = {
	[REPLACE_ATTRS] = { "attrs", "attrs.new" },
	[REPLACE_OPREF] = { "opref", "opref.new" },
	[REPLACE_MANIFEST] = { "manifest", "manifest.new" },
	[REPLACE_OUTPUT] = { "output", "output.new" },
	[REPLACE_INDEX] = { "output.index", "output.index.new" },
	[REPLACE_ENV] = { "ENV", "ENV.new" },
};

const char *replace_name(enum replace_part part)
{
	return parts[part].name;
}

const char *replace_beside_name(enum replace_part part)
{
	return parts[part].beside;
}

int replace_clear(int guild_fd)
{
	int ret = file_remove_tree(guild_fd, REPLACE_SOURCE);

	for (size_t i = 0; i < REPLACE_N_PARTS; i++) {
		int r = file_remove_tree(guild_fd, parts[i].beside);

		if (ret == 0)
			ret = r;
	}
	return ret;
}

int replace_recover(int guild_fd)
{
	int r;

	file_clear_temporaries(guild_fd);
	for (size_t i = 0; i < REPLACE_N_PARTS; i++) {
		r = durable_recover(guild_fd, parts[i].name);
		if (r < 0)
			return r;
	}
	return replace_clear(guild_fd);
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

int replace_commit(struct replace *replace, int guild_fd, struct strbuf *ret_why)
{
	int r;

	/* First what the user's own files may be in the way of. */
	r = move_source(replace, guild_fd, ret_why);
	if (r < 0)
		return r;
	for (size_t i = 0; i < REPLACE_N_PARTS; i++) {
		if (!(replace->written & 1u << i))
			continue;
		r = exchange(replace, guild_fd, (enum replace_part)i);
		if (r < 0)
			return why(ret_why, r, parts[i].name);
	}
	if (replace->keeps_markers)
		return 0;
	r = file_remove(guild_fd, "STAGED");
	if (r == 0)
		r = file_remove(guild_fd, "PENDING");
	return r < 0 ? why(ret_why, r, "STAGED and PENDING") : 0;
}

void replace_undo(struct replace *replace, int guild_fd)
{
	for (size_t i = REPLACE_N_PARTS; i-- > 0;)
		if (replace->exchanged & 1u << i)
			(void)exchange(replace, guild_fd, (enum replace_part)i);
	if (replace->n_moved > 0)
		move_source_back(replace, guild_fd);
}
