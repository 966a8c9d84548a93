/*
 * An open file: the snapshot that its reader gets, the request that its writer makes, or
 * the output that it follows. Knows nothing of FUSE; what has to wait says so, and
 * the caller asks again when something has changed.
 */
#pragma once

#include "engine/cleanup.h"
#include "fs/node.h"

struct handle;

/* Called when the commit that a flush or read of @handle waits for is through. */
typedef void (*handle_fn)(void *userdata, struct handle *handle);

/*
 * Opens @node, which must live as long as the handle, for process @pid with open(2)'s
 * @flags. 0; -EACCES for a way that the mode does not allow; for a text to be edited, as
 * writable_run() when it could not be saved; -EINPROGRESS when something has to be found
 * out first; else what reading says.
 */
int handle_open(const struct node *node, int flags, pid_t pid, handle_fn fn,
		void *userdata, struct handle **ret);

/*
 * Ends a handle: carries out what is still pending, with nobody to tell. The handle is
 * gone afterwards; a start under way goes on.
 */
void handle_release(struct handle *handle);
DEFINE_CLEANUP(struct handle, handle_release);

/*
 * Says that opening @handle has created its file: if the first thing that is written to
 * it is refused, the file goes again, so that a bad write changes nothing.
 */
void handle_set_created(struct handle *handle);

const struct node *handle_node(const struct handle *handle);

/*
 * Appends up to @size bytes from @offset. 0 (nothing appended: the end); -EAGAIN when
 * there will be more but isn't yet (never with @nonblock, but for `wait`);
 * -EINPROGRESS while the request is carried out; or the errno of the failed request.
 */
int handle_read(struct handle *handle, off_t offset, size_t size, bool nonblock,
		struct strbuf *ret);

/* Judges the request so far. 0, or -errno: then nothing of it will be carried out. */
int handle_write(struct handle *handle, uint64_t lock_owner, struct str data);

/*
 * For a text that is edited, which is written as any file: changes what will be saved
 * when its writer closes it, or at handle_sync(). 0; -EFBIG, or what the row's check
 * says: then nothing of what has not been saved will be.
 */
bool handle_is_text(const struct handle *handle);
int handle_edit(struct handle *handle, uint64_t lock_owner, off_t offset,
		struct str data);
int handle_resize(struct handle *handle, off_t len);
int handle_sync(struct handle *handle); /* as handle_flush() by the writer */

/*
 * close(2) by process @pid of one descriptor of the file. 0; -EINPROGRESS while the
 * request is carried out, ask handle_result() after the callback; or its errno.
 */
int handle_flush(struct handle *handle, uint64_t lock_owner, pid_t pid);
int handle_result(const struct handle *handle);
bool handle_is_committing(const struct handle *handle);

/* Would a read where the last one ended give something, or the end, at once? */
bool handle_is_readable(struct handle *handle);

/* Ends what is still open when the mount ends, without carrying anything out. */
void handle_free_all(struct view *view);
