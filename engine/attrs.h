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
 * Puts @text in the place of the attribute @name of the run @guild_fd, or removes it when
 * @text is empty. With @durable it is on the disk when this returns. 0 or -errno.
 */
int attrs_replace(int guild_fd, const char *name, struct str text, bool durable);

/* Brings what was replaced to the disk. 0 or -errno. */
int attrs_sync(int guild_fd, const char *name);

/*
 * Writes how a run ended into its attributes @attrs_fd, on the disk when this returns:
 * first stopped, then exit_status. 0 or -errno.
 */
int attrs_write_end(int attrs_fd, int exit_status, int64_t stopped_us);
