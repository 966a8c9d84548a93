/* The FUSE operations that remove and rename, and so delete and restore runs. */
#include "fs/session-private.h"

#include <errno.h>

#include "engine/log.h"

/* There is no file to read why from: the log has it. */
static void reply_removal(fuse_req_t req, int r, const struct strbuf *why)
{
	if (r < 0 && why->len > 0)
		log_error("%s", strbuf_cstr(why));
	(void)fuse_reply_err(req, -r);
}

void runfs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r = -EACCES;

	if (may_write(req))
		r = removal_unlink(&session_of(req)->removal, fuse_req_ctx(req)->pid,
				   node_of(req, parent), name, &why);
	reply_removal(req, r, &why);
}

void runfs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct node *dir = node_of(req, parent);
	int r = -EACCES;

	if (may_write(req))
		r = removal_rmdir(&session_of(req)->removal, fuse_req_ctx(req)->pid, dir,
				  name, &why);
	if (r == 0)
		node_remove(session_of(req)->nodes, dir, name);
	reply_removal(req, r, &why);
}

void runfs_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		  fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct node *dir = node_of(req, parent), *new_dir = node_of(req, new_parent);
	int r = -EACCES;

	if (may_write(req))
		r = removal_rename(dir, name, new_dir, new_name, flags, &why);
	/* What can't be moved in the table for want of memory is looked up again. */
	if (r == 0)
		(void)node_move(session_of(req)->nodes, dir, name, new_dir);
	reply_removal(req, r, &why);
}
