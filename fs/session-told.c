/*
 * The kernel is told: which of what it believes is over.
 *
 * What it knows of a run is few things, found by their paths: the directory, and the rows
 * that are told. So a change costs the same in a home of 100,000 runs, most of which the
 * kernel knows nothing of. What inotify does not report (somebody else starts a run that
 * nobody watches; an overflow) is not told, and is over within a second all the same.
 */
#include "fs/session-private.h"

#include "fs/dirs.h"

/*
 * Only attributes are ever told, and names by them: who walks through a directory whose
 * attributes are over asks for them (default_permissions), and hears that it is gone. To
 * tell of a name itself, the kernel takes the lock of its directory, which whoever looks
 * up a name there holds until we answer. That needs a thread; and if the daemon is killed
 * meanwhile, the thread waits for that lock, the look-up for an answer, and neither ever
 * dies, since the thread holds the connection open. Telling attributes takes no lock that
 * outlasts the call, touches no pages (offset -1), and takes microseconds. So the loop
 * does it, before it answers those who wait for the same change.
 */
static void tell_path(struct session *session, const char *path)
{
	const struct node *node = node_find(session->nodes, path);

	/* That it has been forgotten meanwhile, or that nothing is mounted, is no matter.
	 */
	if (node)
		(void)fuse_lowlevel_notify_inval_inode(
			session->fuse, (fuse_ino_t)(uintptr_t)node, -1, 0);
}

void tell_run(struct session *session, const char *id)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	size_t len;

	strbuf_addf(&path, "runs/%s", id);
	tell_path(session, strbuf_cstr(&path));
	strbuf_addc(&path, '/');
	len = path.len;
	for (const struct node_type *row = run_type.entries; row->name; row++) {
		if (!row->told)
			continue;
		strbuf_truncate(&path, len);
		strbuf_adds(&path, row->name);
		tell_path(session, strbuf_cstr(&path));
	}
}
