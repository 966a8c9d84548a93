/* A mount's session: receives requests in the loop, and the table of who answers them. */
#include "fs/session-private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sysmacros.h>

#include "engine/file.h"
#include "engine/path.h"
#include "fs/dirs.h"

/* Requests that are taken at once before other sources of the loop get their turn. */
#define BATCH 64

static void runfs_init(void *userdata, struct fuse_conn_info *conn)
{
	/* It hides errors of write(2) and whose they were (fuse-facts 1.2). */
	conn->want &= ~(unsigned int)FUSE_CAP_WRITEBACK_CACHE;
}

static const struct fuse_lowlevel_ops operations = {
	.init = runfs_init,
	.lookup = runfs_lookup,
	.forget = runfs_forget,
	.forget_multi = runfs_forget_multi,
	.getattr = runfs_getattr,
	.setattr = runfs_setattr,
	.readlink = runfs_readlink,
	.opendir = runfs_opendir,
	.readdir = runfs_readdir,
	.releasedir = runfs_releasedir,
	.open = runfs_open,
	.create = runfs_create,
	.read = runfs_read,
	.write = runfs_write,
	.flush = runfs_flush,
	.release = runfs_release,
	.fsync = runfs_fsync,
	.poll = runfs_poll,
	.unlink = runfs_unlink,
	.mkdir = refuse_mkdir,
	.mknod = refuse_mknod,
	.rmdir = runfs_rmdir,
	.symlink = refuse_symlink,
	.rename = runfs_rename,
	.link = refuse_link,
	.statfs = runfs_statfs,
};

/* Where the kernel aborts mounts over slow requests, nobody waits for that long. */
static void on_timer(void *userdata, uint32_t events)
{
	struct session *session = userdata;
	int64_t now = loop_now_us();

	list_for_each (link, &session->waiters) {
		struct waiter *waiter = list_entry(link, struct waiter, link);

		if (now - waiter->since_us >= session->wait_limit_us)
			reply_error(waiter_take(waiter), -EINTR);
	}
	loop_timer_set(session->timer, session->wait_limit_us / 4);
}

static int64_t read_timeout(const char *path)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (file_read(AT_FDCWD, path, 64, &text) < 0)
		return 0;
	return strtoll(strbuf_cstr(&text), NULL, 10);
}

/* A third of the shortest limit that the kernel has set, in case it is checked coarsely.
 */
static int64_t find_wait_limit(void)
{
	int64_t usual = read_timeout("/proc/sys/fs/fuse/default_request_timeout");
	int64_t most = read_timeout("/proc/sys/fs/fuse/max_request_timeout");

	if (usual <= 0 || (most > 0 && most < usual))
		usual = most;
	return usual > 0 ? usual * 1000000 / 3 : 0;
}

int session_new(const struct session_config *config, struct session **ret)
{
	_cleanup_(session_freep) struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session)
		return -ENOMEM;
	list_init(&session->waiters);
	list_init(&session->pollers);
	list_init(&session->listings);
	session->loop = config->loop;
	session->view = config->view;
	r = node_table_new(config->view, &root_type, &session->nodes);
	if (r < 0)
		return r;
	session->fuse =
		fuse_session_new(config->args, &operations, sizeof(operations), session);
	if (!session->fuse)
		return -EINVAL;
	*ret = take_ptr(session);
	return 0;
}

int session_mount(struct session *session, const char *mountpoint)
{
	struct statx stx;

	if (fuse_session_mount(session->fuse, mountpoint) < 0)
		return -1;
	session->mounted = true;
	/* The kernel answers this itself: it must not ask us, who do not serve yet. */
	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE,
		  &stx) == 0)
		path_avoid_device(makedev(stx.stx_dev_major, stx.stx_dev_minor));
	return 0;
}

static void on_request(void *userdata, uint32_t events)
{
	struct session *session = userdata;

	for (int i = 0; i < BATCH && !fuse_session_exited(session->fuse); i++) {
		int n;

		n = fuse_session_receive_buf(session->fuse, &session->buffer);
		if (n <= 0)
			break;
		/* So that an answer is never older than what has happened in the home. */
		watch_process(session->watch);
		fuse_session_process_buf(session->fuse, &session->buffer);
	}
	if (fuse_session_exited(session->fuse))
		loop_stop(session->loop);
}

int session_start(struct session *session, struct watch *watch)
{
	int fd = fuse_session_fd(session->fuse);
	int r;

	session->watch = watch;
	session->wait_limit_us = find_wait_limit();
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	r = loop_add_timer(session->loop, session_lose_patience, session,
			   &session->patience);
	if (r < 0)
		return r;
	if (session->wait_limit_us > 0) {
		r = loop_add_timer(session->loop, on_timer, session, &session->timer);
		if (r < 0)
			return r;
		loop_timer_set(session->timer, session->wait_limit_us / 4);
	}
	return loop_add_fd(session->loop, fd, EPOLLIN, on_request, session,
			   &session->source);
}

void session_free(struct session *session)
{
	if (!session)
		return;
	list_for_each (link, &session->waiters) {
		reply_error(waiter_take(list_entry(link, struct waiter, link)), -ENODEV);
	}
	list_for_each (link, &session->pollers) {
		poller_free(session, list_entry(link, struct poller, link));
	}
	loop_source_free(session->source);
	loop_source_free(session->timer);
	loop_source_free(session->patience);
	path_avoid_device(0);
	if (session->mounted)
		fuse_session_unmount(session->fuse);
	if (session->fuse)
		fuse_session_destroy(session->fuse);
	list_for_each (link, &session->listings) {
		listing_free(list_entry(link, struct listing, link));
	}
	handle_free_all(session->view);
	removal_done(&session->removal);
	node_table_free(session->nodes);
	free(session->buffer.mem);
	free(session);
}
