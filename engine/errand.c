/* What a supervisor does that holds no run. */
#include "engine/errand.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/durable.h"
#include "engine/file.h"
#include "engine/lock.h"
#include "engine/trash-place.h"

/*
 * Puts an attribute in the place of the old one, whatever that is. Not by file_write(): a
 * crash must not leave more than one file of a name that nobody knows.
 */
static int write_attr(int attrs_fd, const struct job_attr *attr)
{
	_cleanup_(durable_done) struct durable durable = DURABLE_INIT;
	char beside[NAME_MAX + 1];
	int r;

	if (attr->text[0] == '\0')
		return file_remove(attrs_fd, attr->name);
	if ((size_t)snprintf(beside, sizeof(beside), ".%s.new", attr->name) >=
	    sizeof(beside))
		return -ENAMETOOLONG;
	r = file_remove(attrs_fd, beside);
	if (r == 0)
		r = durable_create(&durable, attrs_fd, beside, str_from(attr->text));
	if (r == 0)
		r = durable_sync(&durable);
	if (r == 0 && renameat(attrs_fd, beside, attrs_fd, attr->name) < 0)
		r = -errno;
	if (r < 0)
		(void)file_remove(attrs_fd, beside);
	return r;
}

static int write_attrs(const struct job *job, int guild_fd)
{
	_cleanup_close_ int attrs_fd = -1;
	int r = file_make_dir(guild_fd, "attrs", 0755);

	if (r == 0)
		attrs_fd = file_open_dir(guild_fd, "attrs");
	if (r < 0 || attrs_fd < 0)
		return r < 0 ? r : attrs_fd;
	for (size_t i = 0; i < job->n_attrs && r == 0; i++)
		r = write_attr(attrs_fd, &job->attrs[i]);
	return r == 0 && fsync(attrs_fd) < 0 ? -errno : r;
}

/* The lock is ours already, unless whoever had to wait for it could not stay. */
static int amend(const struct job *job, int guild_fd, struct strbuf *ret_why)
{
	int r = flock(guild_fd, LOCK_EX) < 0 ? -errno : write_attrs(job, guild_fd);

	lock_leave(guild_fd);
	if (r < 0)
		strbuf_addf(ret_why, "cannot write .guild/attrs: %s", strerror(-r));
	return r;
}

int errand_run(const struct job *job, int home_fd, int guild_fd, struct strbuf *ret_why)
{
	return job->kind == JOB_AMEND ? amend(job, guild_fd, ret_why)
				      : trash_place_sync(home_fd);
}

void errand_finish(const struct job *job, int home_fd)
{
	if (job->kind == JOB_SWEEP)
		trash_place_sweep(home_fd);
}
