/* The attributes of a start, and of an end. */
#include "engine/attrs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

static int why(struct strbuf *ret_why, int r, const char *verb, const char *name)
{
	strbuf_addf(ret_why, "cannot %s .guild/attrs/%s: %s", verb, name, strerror(-r));
	return r;
}

/* What says how a run ended is no longer true; what says where its source is from goes
 * with the source. */
static bool is_dropped(const struct job *job, const char *name)
{
	if (strcmp(name, "exit_status") == 0 || strcmp(name, "stopped") == 0)
		return true;
	return job->source.root && (strcmp(name, "sourcecode_digest") == 0 ||
				    strcmp(name, "sourcecode_warnings") == 0 ||
				    strcmp(name, "vcs_commit") == 0);
}

static bool is_replaced(const struct job *job, const char *name)
{
	for (size_t i = 0; i < job->n_attrs; i++)
		if (strcmp(job->attrs[i].name, name) == 0)
			return true;
	return false;
}

static bool has_text(int dir_fd, const char *name, struct str text)
{
	_cleanup_(strbuf_done) struct strbuf old = STRBUF_INIT;

	return file_read(dir_fd, name, text.len, &old) == 0 &&
	       str_eq(strbuf_str(&old), text);
}

/* For file systems without hard links, and files that have too many. */
static int copy(int old_fd, int new_fd, const char *name, struct durable *durable)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct stat st;
	int r;

	if (file_stat(old_fd, name, &st) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	r = file_read(old_fd, name, SIZE_MAX / 8, &text);
	if (r < 0)
		return r;
	return durable_create(durable, new_fd, name, strbuf_str(&text));
}

static int keep(int old_fd, int new_fd, const char *name, struct durable *durable)
{
	if (linkat(old_fd, name, new_fd, name, 0) == 0)
		return 0;
	if (errno == ENOENT)
		return 0; /* somebody else's temporary file, gone meanwhile */
	if (errno != EPERM && errno != EMLINK && errno != EXDEV && errno != EOPNOTSUPP)
		return -errno;
	return copy(old_fd, new_fd, name, durable);
}

static int write_new(const struct job_attr *attr, int old_fd, int new_fd,
		     struct durable *durable)
{
	struct str text = str_from(attr->text);

	if (old_fd >= 0 && has_text(old_fd, attr->name, text))
		return keep(old_fd, new_fd, attr->name, durable);
	return durable_create(durable, new_fd, attr->name, text);
}

static int keep_old(const struct job *job, int old_fd, int new_fd,
		    struct durable *durable, struct strbuf *ret_why)
{
	_cleanup_closedir_ DIR *dir = NULL;
	int fd = file_open_dir(old_fd, ".");
	int r;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		r = -errno;
		close_fd(fd);
		return why(ret_why, r, "read", "");
	}
	for (struct dirent *entry; (entry = readdir(dir));) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (file_is_temporary(name))
			continue; /* of a dead writer: a live one would hold the run */
		if (is_dropped(job, name) || is_replaced(job, name))
			continue;
		r = keep(old_fd, new_fd, name, durable);
		if (r < 0)
			return why(ret_why, r, "keep", name);
	}
	return 0;
}

int attrs_build(const struct job *job, int old_fd, int new_fd, struct durable *durable,
		struct strbuf *ret_why)
{
	int r;

	for (size_t i = 0; i < job->n_attrs; i++) {
		r = write_new(&job->attrs[i], old_fd, new_fd, durable);
		if (r < 0)
			return why(ret_why, r, "write", job->attrs[i].name);
	}
	return old_fd < 0 ? 0 : keep_old(job, old_fd, new_fd, durable, ret_why);
}

static int write_beside(int attrs_fd, const char *name, int64_t number,
			struct durable *durable)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	r = strbuf_addf(&text, "%lld\n", (long long)number);
	if (r == 0)
		r = file_remove(attrs_fd, name);
	if (r == 0)
		r = durable_create(durable, attrs_fd, name, strbuf_str(&text));
	return r;
}

/*
 * The names come before the fsync, so that one commit of the journal has all. Content is
 * on its way by then; and whatever a crash of the machine leaves of the two, an empty one
 * too, reads as an error, as it does without them.
 */
int attrs_write_end(int attrs_fd, int exit_status, int64_t stopped_us)
{
	_cleanup_(durable_done) struct durable durable = DURABLE_INIT;
	int r;

	r = write_beside(attrs_fd, ".stopped.new", stopped_us, &durable);
	if (r == 0)
		r = write_beside(attrs_fd, ".exit_status.new", exit_status, &durable);
	if (r == 0)
		r = durable_write_out_all(&durable);
	if (r == 0 && renameat(attrs_fd, ".stopped.new", attrs_fd, "stopped") < 0)
		r = -errno;
	if (r == 0 && renameat(attrs_fd, ".exit_status.new", attrs_fd, "exit_status") < 0)
		r = -errno;
	if (r < 0) {
		(void)file_remove(attrs_fd, ".stopped.new");
		(void)file_remove(attrs_fd, ".exit_status.new");
		return r;
	}
	r = durable_sync(&durable);
	return r == 0 && fsync(attrs_fd) < 0 ? -errno : r;
}

/*
 * Not by file_write(): what a crash leaves has one name, which the next one takes, and
 * which is no attribute's.
 */
static int replace_in(int attrs_fd, const char *name, struct str text, bool durable)
{
	_cleanup_(durable_done) struct durable beside_it = DURABLE_INIT;
	char beside[NAME_MAX + 1];
	int r;

	if (text.len == 0)
		return file_remove(attrs_fd, name);
	if ((size_t)snprintf(beside, sizeof(beside), ".%s.new", name) >= sizeof(beside))
		return -ENAMETOOLONG;
	r = file_remove(attrs_fd, beside);
	if (r == 0)
		r = durable_create(&beside_it, attrs_fd, beside, text);
	if (r == 0 && durable)
		r = durable_sync(&beside_it);
	if (r == 0 && renameat(attrs_fd, beside, attrs_fd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)file_remove(attrs_fd, beside);
	return r;
}

int attrs_replace(int guild_fd, const char *name, struct str text, bool durable)
{
	_cleanup_close_ int attrs_fd = file_open_made_dir(guild_fd, "attrs");
	int r;

	if (attrs_fd < 0)
		return attrs_fd;
	r = replace_in(attrs_fd, name, text, durable);
	return r == 0 && durable && fsync(attrs_fd) < 0 ? -errno : r;
}

int attrs_sync(int guild_fd, const char *name)
{
	_cleanup_close_ int attrs_fd = file_open_dir(guild_fd, "attrs");
	_cleanup_close_ int fd = -1;

	if (attrs_fd < 0)
		return attrs_fd;
	fd = file_open_beneath(attrs_fd, name, O_RDONLY | O_NONBLOCK);
	if (fd < 0 && fd != -ENOENT)
		return fd;
	return (fd >= 0 && fsync(fd) < 0) || fsync(attrs_fd) < 0 ? -errno : 0;
}
