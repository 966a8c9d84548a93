/* The FUSE operations on names: look-up, attributes, directories, and what is refused. */
#include "fs/session-private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

static int fill_entry(struct node *node, const struct node *root,
		      struct fuse_entry_param *ret)
{
	bool may_go = node->type->exists != NULL;

	*ret = (struct fuse_entry_param){
		.ino = node == root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)node,
		.generation = 1,
		.attr_timeout = attr_timeout(node),
		.entry_timeout = may_go ? 0 : ENTRY_TIMEOUT_S,
	};
	return node_stat(node, &ret->attr);
}

int session_lookup(struct session *session, const struct node *dir, const char *name,
		   struct fuse_entry_param *ret)
{
	struct node *node;
	int r = node_lookup(session->nodes, dir, name, &node);

	if (r < 0)
		return r;
	r = fill_entry(node, node_root(session->nodes), ret);
	if (r < 0)
		node_forget(session->nodes, node, 1);
	return r;
}

/* Tells of the entry, and takes the look-up back when nobody heard it. */
static void reply_entry(fuse_req_t req, const struct fuse_entry_param *entry)
{
	struct session *session = session_of(req);

	if (fuse_reply_entry(req, entry) == -ENOENT)
		node_forget(session->nodes, (struct node *)(uintptr_t)entry->ino, 1);
}

void answer_lookup(fuse_req_t req, struct node *dir, const char *name)
{
	struct fuse_entry_param entry;
	int r = session_lookup(session_of(req), dir, name, &entry);

	if (r == -EINPROGRESS)
		(void)waiter_park(req,
				  (struct waiter){ .kind = WAIT_LOOKUP,
						   .node = dir,
						   .name = (char *)(uintptr_t)name },
				  NULL);
	else if (r < 0)
		reply_error(req, r);
	else
		reply_entry(req, &entry);
}

void runfs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	answer_lookup(req, node_of(req, parent), name);
}

void runfs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n_lookups)
{
	node_forget(session_of(req)->nodes, node_of(req, ino), n_lookups);
	fuse_reply_none(req);
}

void runfs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		node_forget(session_of(req)->nodes, node_of(req, forgets[i].ino),
			    forgets[i].nlookup);
	fuse_reply_none(req);
}

void answer_getattr(fuse_req_t req, struct node *node)
{
	double timeout = attr_timeout(node);
	struct stat st;
	int r = node_stat(node, &st);

	if (r == -EINPROGRESS)
		(void)waiter_park(
			req, (struct waiter){ .kind = WAIT_GETATTR, .node = node }, NULL);
	else if (r < 0)
		reply_error(req, r);
	else
		(void)fuse_reply_attr(req, &st, timeout);
}

void runfs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	answer_getattr(req, node_of(req, ino));
}

/*
 * Editors and touch set sizes, times and modes of what they save into: a control file
 * takes all that without effect.
 */
static int judge_setattr(const struct node *node, const struct stat *attr, int to_set)
{
	if (to_set & FUSE_SET_ATTR_MODE &&
	    (attr->st_mode & 07777) != (node_mode(node) & 07777))
		return -EPERM;
	if ((to_set & FUSE_SET_ATTR_UID && attr->st_uid != node->view->uid) ||
	    (to_set & FUSE_SET_ATTR_GID && attr->st_gid != node->view->gid))
		return -EPERM;
	if (to_set & FUSE_SET_ATTR_SIZE && !node_is_writable(node))
		return -EACCES;
	if (to_set & FUSE_SET_ATTR_SIZE && attr->st_size != 0 &&
	    node->type->kind != NODE_TEXT)
		return -EINVAL;
	if (to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME) &&
	    !node_is_writable(node))
		return -EPERM;
	return 0;
}

/* truncate(2): cut, and saved at once. -EINPROGRESS: @req is answered when it is. */
static int truncate_text(fuse_req_t req, struct node *node, off_t len)
{
	struct session *session = session_of(req);
	struct handle *handle;
	int r;

	if (!may_write(req))
		return -EACCES;
	r = handle_open(node, O_WRONLY, fuse_req_ctx(req)->pid, session_handle_committed,
			session, &handle);
	if (r < 0)
		return r;
	r = handle_resize(handle, len);
	if (r == 0)
		r = handle_sync(handle);
	if (r == -EINPROGRESS)
		(void)waiter_park(req,
				  (struct waiter){ .kind = WAIT_SETATTR,
						   .node = node,
						   .handle = handle },
				  NULL);
	else
		handle_release(handle);
	return r;
}

void runfs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		   struct fuse_file_info *fi)
{
	struct node *node = node_of(req, ino);
	int r = judge_setattr(node, attr, to_set);

	if (r == 0 && to_set & FUSE_SET_ATTR_SIZE && node->type->kind == NODE_TEXT)
		r = fi ? handle_resize(handle_of(fi), attr->st_size)
		       : truncate_text(req, node, attr->st_size);
	if (r < 0 && r != -EINPROGRESS)
		reply_error(req, r);
	else if (r == 0)
		answer_getattr(req, node);
}

void answer_readlink(fuse_req_t req, struct node *node)
{
	_cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT;
	int r = node->type->link ? node->type->link(node, &target) : -EINVAL;

	if (r == -EINPROGRESS)
		(void)waiter_park(req,
				  (struct waiter){ .kind = WAIT_READLINK, .node = node },
				  NULL);
	else if (r < 0)
		reply_error(req, r);
	else
		(void)fuse_reply_readlink(req, strbuf_cstr(&target));
}

void runfs_readlink(fuse_req_t req, fuse_ino_t ino)
{
	answer_readlink(req, node_of(req, ino));
}

static void add_listed(void *userdata, const char *name, mode_t mode)
{
	struct listing *listing = userdata;
	size_t n = listing->n_entries;

	if ((n & (n + 1)) == 0) {
		struct listed *grown =
			reallocarray(listing->entries, 2 * (n + 1), sizeof(*grown));

		if (!grown) {
			listing->failed = true;
			return;
		}
		listing->entries = grown;
	}
	listing->entries[n] =
		(struct listed){ .place = listing->names.len, .mode = mode };
	if (strbuf_add(&listing->names, name, strlen(name) + 1) == 0)
		listing->n_entries++;
	else
		listing->failed = true;
}

void listing_free(struct listing *listing)
{
	list_unlink(&listing->link);
	strbuf_done(&listing->names);
	free(listing->entries);
	free(listing);
}

void answer_opendir(fuse_req_t req, struct node *node, struct fuse_file_info fi)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	int r;

	if (!listing) {
		reply_error(req, -ENOMEM);
		return;
	}
	list_append(&session_of(req)->listings, &listing->link);
	listing->dir = node;
	add_listed(listing, ".", S_IFDIR);
	add_listed(listing, "..", S_IFDIR);
	r = node_list(listing->dir, add_listed, listing);
	if (r == 0 && listing->failed)
		r = -ENOMEM;
	fi.fh = (uintptr_t)listing;
	if (r == -EINPROGRESS) {
		listing_free(listing);
		(void)waiter_park(
			req,
			(struct waiter){ .kind = WAIT_OPENDIR, .node = node, .fi = fi },
			NULL);
	} else if (r < 0) {
		listing_free(listing);
		reply_error(req, r);
	} else if (fuse_reply_open(req, &fi) == -ENOENT) {
		listing_free(listing);
	}
}

void runfs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	answer_opendir(req, node_of(req, ino), *fi);
}

void runfs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	const struct listing *listing = (const struct listing *)(uintptr_t)fi->fh;
	_cleanup_free_ char *buffer = malloc(size);
	size_t used = 0;

	if (!buffer) {
		reply_error(req, -ENOMEM);
		return;
	}
	for (size_t i = (size_t)offset; i < listing->n_entries; i++) {
		const char *name = listing->names.data + listing->entries[i].place;
		struct stat st = { .st_mode = listing->entries[i].mode,
				   .st_ino = node_entry_ino(listing->dir, name) };
		size_t len = fuse_add_direntry(req, buffer + used, size - used, name, &st,
					       (off_t)i + 1);

		if (len > size - used)
			break;
		used += len;
	}
	(void)fuse_reply_buf(req, buffer, used);
}

void runfs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	listing_free((struct listing *)(uintptr_t)fi->fh);
	(void)fuse_reply_err(req, 0);
}

/* What the interface does not let users do answers so, not "not implemented". */
void refuse_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	reply_error(req, -EPERM);
}

void refuse_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		  dev_t dev)
{
	reply_error(req, -EPERM);
}

void refuse_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		    const char *name)
{
	reply_error(req, -EPERM);
}

void refuse_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent,
		 const char *new_name)
{
	reply_error(req, -EPERM);
}

void runfs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	if (fstatvfs(store_fd(session_of(req)->view->store), &st) < 0)
		reply_error(req, -errno);
	else
		(void)fuse_reply_statfs(req, &st);
}
