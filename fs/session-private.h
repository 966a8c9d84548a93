/*
 * What the files of the session share: session.c receives, session-names.c and
 * session-files.c answer, session-wait.c keeps those who wait, and session-told.c tells
 * the kernel what is not so any more.
 */
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include "engine/list.h"
#include "fs/handle.h"
#include "fs/removal.h"
#include "fs/session.h"

/*
 * How long the kernel may believe what it was told, at most: it is never wrong for longer
 * than a second, whatever was missed. It believes that a name leads to the same node (but
 * not of names that come and go, and never that there is none), and the attributes of
 * what is still (node_is_still()). All else is asked for each time.
 */
#define ENTRY_TIMEOUT_S 1.0
#define STILL_TIMEOUT_S 1.0
#define ATTR_TIMEOUT_S	0.0

struct session {
	struct fuse_session *fuse;
	struct loop *loop;
	struct loop_source *source, *timer;
	struct loop_source *patience; /* with those who have been interrupted */
	struct view *view;
	struct watch *watch;
	struct node_table *nodes;
	struct list waiters, pollers, listings;
	struct fuse_buf buffer;
	struct removal removal;
	int64_t wait_limit_us; /* after which a waiting read is told EINTR; 0: never */
	bool mounted;
	bool is_patient; /* the timer is set */
};

/* A request that waits. */
enum waiter_kind {
	WAIT_LOOKUP, /* for what is being found out, as the next four */
	WAIT_GETATTR,
	WAIT_READLINK,
	WAIT_OPEN,
	WAIT_OPENDIR,
	WAIT_READ,    /* the same; or for the run, or for the handle's commit */
	WAIT_FLUSH,   /* for the handle's commit */
	WAIT_SETATTR, /* the same; the handle is only the request's */
};

struct waiter {
	struct list link;
	struct session *session;
	fuse_req_t req;
	enum waiter_kind kind;
	struct node *node;
	char *name; /* of a look-up */
	struct fuse_file_info fi;
	struct handle *handle;
	off_t offset;
	size_t size;
	char *run_id; /* of the run that is watched for it, or NULL */
	int64_t since_us;
	bool armed;
	int64_t interrupted_us; /* when; 0: it was not */
};

/* A poll(2) that is to be told. */
struct poller {
	struct list link;
	struct handle *handle;
	struct fuse_pollhandle *pollhandle;
};

/* A directory's entries as they were at opendir(3). */
struct listing {
	struct list link;
	struct listed {
		size_t place; /* of its name, NUL-terminated, in names */
		mode_t mode;
	} * entries;
	size_t n_entries;
	struct strbuf names;
	bool failed;
	const struct node *dir;
};

static inline struct session *session_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static inline struct node *node_of(fuse_req_t req, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? node_root(session_of(req)->nodes)
				   : (struct node *)(uintptr_t)ino;
}

/* How long the attributes of @node hold; ask before they are read. */
static inline double attr_timeout(const struct node *node)
{
	return node_is_still(node) ? STILL_TIMEOUT_S : ATTR_TIMEOUT_S;
}

/*
 * Programs are started as the daemon's user. Another user, whom allow_other lets in, must
 * not get there by a control file, whatever its mode has been made to look like.
 */
static inline bool may_write(fuse_req_t req)
{
	return fuse_req_ctx(req)->uid == geteuid();
}

static inline struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

/* The sign flips here, and only here. */
static inline void reply_error(fuse_req_t req, int r)
{
	(void)fuse_reply_err(req, -r);
}

/*
 * session-wait.c: lets @req wait, with the values of @template. Answers it with an error
 * when it can't wait. Returns the waiter, or NULL when it has been answered.
 */
struct waiter *waiter_park(fuse_req_t req, struct waiter template, const char *run_id);

/* A timer's: those who were interrupted long ago wait no longer. */
void session_lose_patience(void *userdata, uint32_t events);

/* Takes the request from its waiter, which is gone: whoever calls this answers. */
fuse_req_t waiter_take(struct waiter *waiter);

/* Answers a read with @data, or with the error @r. */
void reply_read(fuse_req_t req, int r, const struct strbuf *data);

/* Answers a read that waits, if it need not wait any longer. */
void waiter_read(struct waiter *waiter);

/* Tells @pollhandle, which it takes over, when @handle becomes readable. */
void poller_add(struct session *session, struct handle *handle,
		struct fuse_pollhandle *pollhandle);
void poller_free(struct session *session, struct poller *poller);
void poller_free_of(struct session *session, const struct handle *handle);

/* A handle_fn: those who wait for its commit are answered. */
void session_handle_committed(void *userdata, struct handle *handle);

/*
 * session-told.c: what the kernel believes of the run @id, which has changed or is gone,
 * is over. Whoever is answered afterwards finds it as it is.
 */
void tell_run(struct session *session, const char *id);

/* session-names.c: finds the entry @name of @dir, with a look-up more. 0 or -errno. */
int session_lookup(struct session *session, const struct node *dir, const char *name,
		   struct fuse_entry_param *ret);

void listing_free(struct listing *listing);

/* Each answers a request, at once or when session_ask_again() is called. */
void answer_lookup(fuse_req_t req, struct node *dir, const char *name);
void answer_getattr(fuse_req_t req, struct node *node);
void answer_readlink(fuse_req_t req, struct node *node);
void answer_open(fuse_req_t req, struct node *node, struct fuse_file_info fi);
void answer_opendir(fuse_req_t req, struct node *node, struct fuse_file_info fi);

/* The operations, by name in the table of session.c. */
void runfs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void runfs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n_lookups);
void runfs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void runfs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void runfs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		   struct fuse_file_info *fi);
void runfs_readlink(fuse_req_t req, fuse_ino_t ino);
void runfs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void runfs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		   struct fuse_file_info *fi);
void runfs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void refuse_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void refuse_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		  dev_t dev);
void refuse_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		    const char *name);
void refuse_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent,
		 const char *new_name);
void runfs_statfs(fuse_req_t req, fuse_ino_t ino);
void runfs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void runfs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		  struct fuse_file_info *fi);
void runfs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void runfs_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size,
		 off_t offset, struct fuse_file_info *fi);
void runfs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void runfs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void runfs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void runfs_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		struct fuse_pollhandle *pollhandle);
void runfs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void runfs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void runfs_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		  fuse_ino_t new_parent, const char *new_name, unsigned int flags);
