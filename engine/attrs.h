/*
 * The attributes of a run as its start leaves them: a whole new directory attrs, made
 * beside the old one from which it takes over what stays.
 */
#pragma once

#include "engine/durable.h"
#include "engine/job.h"
#include "engine/strbuf.h"

/*
 * Fills the empty directory @new_fd: with the attributes of @job, and with those in
 * @old_fd (-1: there are none) that a start keeps. These stay the same files, and so do
 * those whose text is the same. 0, or -errno with a sentence; what was written is in
 * @durable.
 */
int attrs_build(const struct job *job, int old_fd, int new_fd, struct durable *durable,
		struct strbuf *ret_why);

/*
 * Writes how a run ended into its attributes @attrs_fd, on the disk when this returns:
 * first stopped, then exit_status. 0 or -errno.
 */
int attrs_write_end(int attrs_fd, int exit_status, int64_t stopped_us);
