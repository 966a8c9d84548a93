/* The FUSE operations on open files. */
#include "fs/session-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static int try_open(fuse_req_t req, struct node *node, struct fuse_file_info *fi)
{
	bool writes = (fi->flags & O_ACCMODE) != O_RDONLY;
	bool is_stream = (writes && node->type->kind != NODE_TEXT) ||
			 node->type->kind == NODE_WAIT;
	struct handle *handle;
	int r;

	if (writes && !may_write(req))
		return -EACCES;
	r = handle_open(node, fi->flags, fuse_req_ctx(req)->pid, session_handle_committed,
			session_of(req), &handle);
	if (r < 0)
		return r;
	fi->fh = (uintptr_t)handle;
	fi->direct_io = 1;
	fi->nonseekable = is_stream;
	return 0;
}

void answer_open(fuse_req_t req, struct node *node, struct fuse_file_info fi)
{
	int r = try_open(req, node, &fi);

	if (r == -EINPROGRESS)
		(void)waiter_park(
			req, (struct waiter){ .kind = WAIT_OPEN, .node = node, .fi = fi },
			NULL);
	else if (r < 0)
		reply_error(req, r);
	else if (fuse_reply_open(req, &fi) == -ENOENT)
		handle_release(handle_of(&fi)); /* the opener was killed meanwhile */
}

void runfs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	answer_open(req, node_of(req, ino), *fi);
}

/*
 * How long the kernel may keep the attributes of what was just made: until the opener has
 * it. It would ask for them once more before, and if that failed, the request would have
 * failed and done something all the same.
 */
#define CREATED_TIMEOUT_S 0.05

static int open_created(fuse_req_t req, struct node *dir, const char *name,
			struct fuse_file_info *fi, struct fuse_entry_param *ret)
{
	struct session *session = session_of(req);
	int r = session_lookup(session, dir, name, ret);

	if (r < 0)
		return r;
	r = try_open(req, (struct node *)(uintptr_t)ret->ino, fi);
	if (r == 0)
		handle_set_created(handle_of(fi));
	else
		node_forget(session->nodes, (struct node *)(uintptr_t)ret->ino, 1);
	return r;
}

static int try_create(fuse_req_t req, struct node *dir, const char *name,
		      struct fuse_file_info *fi, struct fuse_entry_param *ret)
{
	const struct node_type *type = node_creatable(dir, name);
	struct node child = { .view = dir->view,
			      .type = type,
			      .run_id = dir->run_id,
			      .op_name = dir->op_name };
	int r;

	if (!type)
		return -EPERM;
	r = may_write(req) ? type->create(&child) : -EACCES;
	if (r < 0)
		return r;
	r = open_created(req, dir, name, fi, ret);
	if (r < 0)
		(void)type->remove(&child);
	ret->attr_timeout = CREATED_TIMEOUT_S;
	return r;
}

void runfs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		  struct fuse_file_info *fi)
{
	struct session *session = session_of(req);
	struct fuse_entry_param entry;
	int r = try_create(req, node_of(req, parent), name, fi, &entry);

	if (r < 0) {
		reply_error(req, r);
	} else if (fuse_reply_create(req, &entry, fi) == -ENOENT) {
		handle_release(handle_of(fi));
		node_forget(session->nodes, (struct node *)(uintptr_t)entry.ino, 1);
	}
}

/*
 * Answers a read, or says with -EAGAIN or -EINPROGRESS that it has to wait. A reply may
 * not be longer than what was asked for (fuse-facts 1.4).
 */
static int try_read(fuse_req_t req, struct handle *handle, size_t size, off_t offset,
		    bool nonblock)
{
	_cleanup_(strbuf_done) struct strbuf data = STRBUF_INIT;
	int r = handle_read(handle, offset, size, nonblock, &data);

	if (r == -EINPROGRESS || (r == -EAGAIN && !nonblock))
		return r;
	reply_read(req, r, &data);
	return 0;
}

void runfs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);
	int r = try_read(req, handle, size, offset, fi->flags & O_NONBLOCK);
	struct waiter *waiter;

	if (r == 0)
		return;
	waiter = waiter_park(req,
			     (struct waiter){ .kind = WAIT_READ,
					      .handle = handle,
					      .offset = offset,
					      .size = size },
			     r == -EAGAIN ? handle_node(handle)->run_id : NULL);
	if (waiter)
		waiter_read(waiter);
}

void runfs_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
		 off_t offset, struct fuse_file_info *fi)
{
	const struct str text = { data, size };
	struct handle *handle = handle_of(fi);
	int r = handle_is_text(handle) ? handle_edit(handle, fi->lock_owner, offset, text)
				       : handle_write(handle, fi->lock_owner, text);

	if (r < 0)
		reply_error(req, r);
	else
		(void)fuse_reply_write(req, size);
}

/* Answers with how it went, when it is through. */
static void reply_committed(fuse_req_t req, struct handle *handle, int r)
{
	if (r == -EINPROGRESS)
		(void)waiter_park(req,
				  (struct waiter){ .kind = WAIT_FLUSH, .handle = handle },
				  NULL);
	else
		(void)fuse_reply_err(req, -r);
}

void runfs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);

	reply_committed(req, handle,
			handle_flush(handle, fi->lock_owner, fuse_req_ctx(req)->pid));
}

void runfs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);

	poller_free_of(session_of(req), handle);
	handle_release(handle);
	(void)fuse_reply_err(req, 0);
}

void runfs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct handle *handle = handle_of(fi);

	reply_committed(req, handle, handle_sync(handle));
}

void runfs_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		struct fuse_pollhandle *pollhandle)
{
	struct handle *handle = handle_of(fi);
	unsigned int events = POLLOUT | POLLWRNORM;
	enum node_kind kind = handle_node(handle)->type->kind;
	bool plain = kind == NODE_PLAIN || kind == NODE_TEXT;

	if (pollhandle && !plain)
		poller_add(session_of(req), handle, pollhandle);
	else if (pollhandle)
		fuse_pollhandle_destroy(pollhandle);
	if (handle_is_readable(handle))
		events |= POLLIN | POLLRDNORM;
	(void)fuse_reply_poll(req, events);
}
