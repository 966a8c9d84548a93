/* An open file: a snapshot, a request, a text that is edited, or output. */
#include "fs/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/list.h"
#include "engine/writable.h"
#include "fs/draft.h"
#include "fs/writing.h"

struct handle {
	struct list link; /* in the view */
	const struct node *node;
	handle_fn fn;
	void *userdata;

	struct strbuf text; /* the snapshot or the answer */
	size_t cursor;	    /* in the answer of a control file, which can't seek */
	bool was_read;	    /* a snapshot has been read: from 0 again takes a new one */

	bool is_control; /* a request can be made here; else reading is all there is */
	struct writing writing;
	bool is_text; /* it is edited */
	struct draft draft;
	struct node own; /* for what is saved after the release */
	struct operation *operation;
	struct commit commit;
	int result;   /* of the last request */
	bool created; /* by this open, and nothing has been written since */
	bool committing;
	bool released;
	struct view *view;
	char *path;

	int output_fd;	   /* -1 while there is none */
	off_t read_to;	   /* where the last read of output ended */
	bool awaits_start; /* its output is that of the start that is to come */
};

static void handle_free(struct handle *handle)
{
	list_unlink(&handle->link);
	strbuf_done(&handle->text);
	writing_done(&handle->writing);
	draft_done(&handle->draft);
	free(handle->own.run_id);
	operation_unref(handle->operation);
	close_fd(handle->output_fd);
	free(handle->path);
	free(handle);
}

const struct node *handle_node(const struct handle *handle)
{
	return handle->node;
}

int handle_result(const struct handle *handle)
{
	return handle->result;
}

bool handle_is_committing(const struct handle *handle)
{
	return handle->committing;
}

static int render(struct handle *handle)
{
	int r;

	strbuf_reset(&handle->text);
	handle->was_read = false;
	r = handle->node->type->read
		    ? handle->node->type->read(handle->node, &handle->text)
		    : 0;
	return r < 0 ? r : strbuf_error(&handle->text);
}

/* Opens the output of the run; there may be none yet. */
static int open_output(struct handle *handle)
{
	_cleanup_(run_freep) struct run *run = NULL;
	struct stat st;
	int r;

	if (handle->output_fd >= 0)
		return 0;
	r = node_run(handle->node, &run);
	if (r < 0)
		return r;
	r = file_open_beneath(run_guild_fd(run), "output", O_RDONLY | O_NONBLOCK);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	handle->output_fd = r;
	if (fstat(handle->output_fd, &st) == 0 && S_ISREG(st.st_mode))
		return 0;
	close_fd(take_fd(&handle->output_fd));
	return -EIO;
}

static int read_draft(struct handle *handle)
{
	strbuf_reset(&handle->draft.text);
	handle->node->type->read(handle->node, &handle->draft.text);
	return strbuf_error(&handle->draft.text);
}

/* A run that is not there any more is told of when it is saved. */
static int check_text_place(const struct node *node, bool needs_room)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = NULL;

	if (node_run(node, &run) < 0)
		return 0;
	return writable_run(run, "attrs", needs_room, &why);
}

/*
 * What can't be read now is edited as nothing: it is replaced. As with any file, it is
 * this that fails where nothing can be written, but not where there is no room.
 */
static int open_text(struct handle *handle, int flags)
{
	const struct node *node = handle->node;
	int r = check_text_place(node, false);

	if (r < 0)
		return r;
	handle->is_text = true;
	handle->own = (struct node){ .view = node->view,
				     .type = node->type,
				     .run_id = strdup(node->run_id) };
	if (!handle->own.run_id)
		return -ENOMEM;
	handle->draft.appends = flags & O_APPEND;
	handle->draft.changed = flags & O_TRUNC;
	return flags & O_TRUNC ? 0 : read_draft(handle);
}

/* Or -errno, as is_live(). */
static int is_pending(const struct handle *handle)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(handle->node, &run);

	if (r == 0)
		r = run_status(run);
	return r < 0 && r != -ENOENT ? r : r == RUN_PENDING;
}

static int open_content(struct handle *handle, int flags)
{
	const struct node_type *type = handle->node->type;
	bool reads = (flags & O_ACCMODE) != O_WRONLY;
	bool writes = (flags & O_ACCMODE) != O_RDONLY;
	int r = 0;

	if (type->kind == NODE_TEXT)
		return writes ? open_text(handle, flags) : render(handle);
	if (writes && type->operation)
		r = type->operation(handle->node, &handle->operation);
	if (r == 0 && type->kind == NODE_OUTPUT)
		r = open_output(handle);
	if (r == 0 && type->kind == NODE_OUTPUT)
		r = is_pending(handle);
	else if (r == 0 && type->kind == NODE_PLAIN && reads)
		r = render(handle);
	handle->awaits_start = type->kind == NODE_OUTPUT && r > 0;
	return r < 0 ? r : 0;
}

/* A control file tells why it can't be written to; others tell what they have. */
static void explain_trash(const struct node *node)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	strbuf_addf(
		&why,
		"error: the run %s is deleted: restore it first (mv trash/%s runs/)\n",
		node->run_id, node->run_id);
	view_set_answer(node->view, node->path, strbuf_str(&why));
}

int handle_open(const struct node *node, int flags, pid_t pid, handle_fn fn,
		void *userdata, struct handle **ret)
{
	struct handle *handle;
	int r;

	if ((flags & O_ACCMODE) != O_RDONLY && !node_is_writable(node)) {
		if (node->trashed && node->type->commit && node->type->kind == NODE_PLAIN)
			explain_trash(node);
		return -EACCES;
	}
	handle = calloc(1, sizeof(*handle));
	if (!handle)
		return -ENOMEM;
	list_append(&node->view->handles, &handle->link);
	handle->node = node;
	handle->view = node->view;
	handle->fn = fn;
	handle->userdata = userdata;
	handle->output_fd = -1;
	handle->is_control =
		(flags & O_ACCMODE) != O_RDONLY && node->type->kind != NODE_TEXT;
	writing_init(&handle->writing, pid);
	draft_init(&handle->draft, pid);
	handle->path = strdup(node->path);
	r = handle->path ? open_content(handle, flags) : -ENOMEM;
	if (r < 0) {
		handle_free(handle);
		return r;
	}
	*ret = handle;
	return 0;
}

/* Takes in how the request went: the answer is what reading gives from now on. */
static void set_result(struct handle *handle, int r, struct str answer)
{
	strbuf_reset(&handle->text);
	handle->cursor = 0;
	handle->result = r;
	if (r < 0) {
		strbuf_adds(&handle->text, "error: ");
		strbuf_addstr(&handle->text,
			      answer.len > 0 ? answer : str_from(strerror(-r)));
	} else {
		strbuf_addstr(&handle->text, answer);
	}
	if (handle->text.len > 0)
		strbuf_addc(&handle->text, '\n');
	view_set_answer(handle->view, handle->path, strbuf_str(&handle->text));
	/* One that has nothing to tell but what it holds. */
	if (handle->text.len == 0 && handle->node)
		(void)render(handle);
}

static void on_committed(void *userdata, int r, struct str answer)
{
	struct handle *handle = userdata;

	handle->committing = false;
	handle->commit.launch = NULL;
	set_result(handle, r, answer);
	if (handle->released)
		handle_free(handle);
	else
		handle->fn(handle->userdata, handle);
}

static int carry_out(struct handle *handle)
{
	_cleanup_(strbuf_done) struct strbuf text = writing_take(&handle->writing);
	_cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT;
	int r;

	handle->commit = (struct commit){ .done = on_committed,
					  .userdata = handle,
					  .operation = handle->operation };
	r = handle->node->type->commit(handle->node, &handle->commit, strbuf_str(&text),
				       &answer);
	if (r == -EINPROGRESS)
		handle->committing = true;
	else
		set_result(handle, r, strbuf_str(&answer));
	return r;
}

static int check(struct handle *handle, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf scratch = STRBUF_INIT;
	struct str text = writing_to_judge(&handle->writing, &scratch);
	int r = 0;

	if (handle->writing.text.len > REQUEST_MAX_LEN) {
		strbuf_addf(ret_why, "a request has at most %u bytes", REQUEST_MAX_LEN);
		return -E2BIG;
	}
	if (handle->writing.text.len > 0 && text.len == 0)
		return 0;
	r = handle->node->type->check(handle->node, handle->operation, text, ret_why);
	return r < 0 ? r : writing_judged(&handle->writing);
}

int handle_write(struct handle *handle, uint64_t lock_owner, struct str data)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	const struct node_type *type = handle->node->type;
	int r;

	if (!type->commit)
		return -EACCES;
	if (handle->committing)
		return -EBUSY;
	r = writing_add(&handle->writing, lock_owner, data);
	if (r < 0)
		return r;
	r = check(handle, &why);
	if (r < 0) {
		writing_fail(&handle->writing, r);
		set_result(handle, r, strbuf_str(&why));
		if (handle->created)
			(void)type->remove(handle->node);
	}
	handle->created = false;
	return r;
}

void handle_set_created(struct handle *handle)
{
	handle->created = true;
}

static int save(struct handle *handle);

static void on_saved(void *userdata, int r, struct str why)
{
	struct handle *handle = userdata;

	handle->committing = false;
	handle->result = r;
	if (!handle->released)
		handle->fn(handle->userdata, handle);
	else if (!handle->draft.changed || save(handle) != -EINPROGRESS)
		handle_free(handle);
}

/* Saves the draft as it is now; what is written meanwhile is saved after that. */
static int save(struct handle *handle)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r;

	if (handle->committing)
		return -EINPROGRESS;
	handle->draft.changed = false;
	handle->commit = (struct commit){ .done = on_saved, .userdata = handle };
	r = handle->own.type->commit(&handle->own, &handle->commit,
				     strbuf_str(&handle->draft.text), &why);
	handle->committing = r == -EINPROGRESS;
	handle->result = r;
	return r;
}

bool handle_is_text(const struct handle *handle)
{
	return handle->is_text;
}

/*
 * Makes @text the draft, if what it has up to @end can be saved: what stands behind that
 * is of an older text that is longer, and may be about to be cut off.
 */
static int accept_text(struct handle *handle, int r, size_t end, struct strbuf *text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct str judged = { strbuf_cstr(text), end < text->len ? end : text->len };

	if (r == 0)
		r = handle->own.type->check(&handle->own, NULL, judged, &why);
	/* What is emptied is removed. */
	if (r == 0)
		r = check_text_place(&handle->own, str_strip(judged).len > 0);
	if (r == 0) {
		draft_accept(&handle->draft, text);
		return 0;
	}
	draft_fail(&handle->draft, r);
	(void)read_draft(handle);
	return r;
}

int handle_edit(struct handle *handle, uint64_t lock_owner, off_t offset, struct str data)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	draft_owned(&handle->draft, lock_owner);
	r = draft_write(&handle->draft, offset, data, &text);
	return accept_text(handle, r,
			   handle->draft.appends ? text.len : (size_t)offset + data.len,
			   &text);
}

int handle_resize(struct handle *handle, off_t len)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = draft_resize(&handle->draft, len, &text);

	return accept_text(handle, r, text.len, &text);
}

int handle_sync(struct handle *handle)
{
	return handle->is_text && handle->draft.changed ? save(handle) : 0;
}

int handle_flush(struct handle *handle, uint64_t lock_owner, pid_t pid)
{
	if (handle->is_text)
		return draft_flush(&handle->draft, lock_owner, pid) ? save(handle) : 0;
	if (!handle->is_control || handle->committing ||
	    !writing_flush(&handle->writing, lock_owner, pid))
		return 0;
	return carry_out(handle);
}

void handle_release(struct handle *handle)
{
	if (!handle)
		return;
	if (handle->writing.pending && !handle->committing)
		(void)carry_out(handle);
	(void)handle_sync(handle);
	handle->node = NULL;
	handle->released = true;
	if (!handle->committing)
		handle_free(handle);
}

static int read_part(const struct strbuf *text, size_t start, size_t size,
		     struct strbuf *ret)
{
	size_t rest = start < text->len ? text->len - start : 0;

	return strbuf_add(ret, strbuf_cstr(text) + (rest > 0 ? start : 0),
			  rest < size ? rest : size);
}

static int read_text(const struct handle *handle, size_t start, size_t size,
		     struct strbuf *ret)
{
	return read_part(&handle->text, start, size, ret);
}

static int read_control(struct handle *handle, size_t size, struct strbuf *ret)
{
	size_t before = ret->len;
	int r = 0;

	if (handle->committing)
		return -EINPROGRESS;
	writing_end_failed(&handle->writing);
	if (handle->writing.pending)
		r = carry_out(handle);
	if (r < 0)
		return r;
	if (handle->result < 0)
		return handle->result;
	r = read_text(handle, handle->cursor, size, ret);
	handle->cursor += ret->len - before;
	return r;
}

static int read_snapshot(struct handle *handle, off_t offset, size_t size,
			 struct strbuf *ret)
{
	int r = offset == 0 && handle->was_read ? render(handle) : 0;

	handle->was_read = true;
	return r < 0 ? r : read_text(handle, (size_t)offset, size, ret);
}

static int is_live(const struct handle *handle)
{
	struct run_moment moment;
	int r = node_look(handle->node, &moment);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	return run_status_is_live(moment.status) || moment.may_be_starting;
}

static int read_wait(struct handle *handle, size_t size, struct strbuf *ret)
{
	size_t before = ret->len;
	int r;

	if (handle->text.len == 0) {
		r = is_live(handle);
		if (r == 0)
			r = render(handle);
		if (r != 0)
			return r < 0 ? r : -EAGAIN;
	}
	r = read_text(handle, handle->cursor, size, ret);
	handle->cursor += ret->len - before;
	return r;
}

static int read_file(struct handle *handle, off_t offset, size_t size, struct strbuf *ret)
{
	char *end;
	ssize_t n;
	int r = open_output(handle);

	if (r < 0 || handle->output_fd < 0)
		return r == -ENOENT ? 0 : r;
	end = strbuf_reserve(ret, size);
	if (!end)
		return -ENOMEM;
	n = pread(handle->output_fd, end, size, offset);
	if (n < 0)
		return -errno;
	strbuf_grew(ret, (size_t)n);
	handle->read_to = offset + n;
	return 0;
}

/* A restart puts another file in the place of the one that we read: that run has ended.
 */
static bool is_replaced(const struct handle *handle)
{
	_cleanup_(run_freep) struct run *run = NULL;
	struct stat own, now;

	return handle->output_fd >= 0 && node_run(handle->node, &run) == 0 &&
	       fstat(handle->output_fd, &own) == 0 &&
	       file_stat(run_guild_fd(run), "output", &now) == 0 &&
	       own.st_ino != now.st_ino;
}

/*
 * Whether the output that is there is of a start before the one that is to come: who
 * begins to read waits for that. Who has begun with the old one comes to its end.
 */
static int is_before_start(struct handle *handle, off_t offset)
{
	int r = offset > 0 ? 0 : is_pending(handle);

	if (offset > 0 || r < 0)
		return r;
	if (r > 0) {
		handle->awaits_start = true;
		return 1;
	}
	if (handle->awaits_start && is_replaced(handle))
		close_fd(take_fd(&handle->output_fd));
	handle->awaits_start = false;
	return 0;
}

static int read_output(struct handle *handle, off_t offset, size_t size, bool nonblock,
		       struct strbuf *ret)
{
	size_t before = ret->len;
	int r = is_before_start(handle, offset);

	if (r > 0)
		return nonblock || handle->view->nofollow ? 0 : -EAGAIN;
	if (r == 0)
		r = read_file(handle, offset, size, ret);
	if (r < 0 || ret->len > before || nonblock || handle->view->nofollow)
		return r;
	/* What there is of an earlier start grows no more. */
	r = handle->output_fd >= 0 ? is_pending(handle) : 0;
	if (r != 0)
		return r < 0 ? r : 0;
	r = is_live(handle);
	if (r < 0)
		return r;
	if (r > 0 && !is_replaced(handle))
		return -EAGAIN;
	/* What the run wrote between our read and its end. */
	return read_file(handle, offset, size, ret);
}

int handle_read(struct handle *handle, off_t offset, size_t size, bool nonblock,
		struct strbuf *ret)
{
	switch (handle->node->type->kind) {
	case NODE_OUTPUT:
		return read_output(handle, offset, size, nonblock, ret);
	case NODE_WAIT:
		return read_wait(handle, size, ret);
	case NODE_TEXT:
		if (handle->is_text)
			return read_part(&handle->draft.text, (size_t)offset, size, ret);
		break;
	case NODE_PLAIN:
		break;
	}
	return handle->is_control ? read_control(handle, size, ret)
				  : read_snapshot(handle, offset, size, ret);
}

bool handle_is_readable(struct handle *handle)
{
	struct stat st;

	switch (handle->node->type->kind) {
	case NODE_OUTPUT:
		if (handle->view->nofollow)
			return true;
		if (is_before_start(handle, handle->read_to) > 0)
			return false;
		if (open_output(handle) == 0 && handle->output_fd >= 0 &&
		    fstat(handle->output_fd, &st) == 0 && st.st_size > handle->read_to)
			return true;
		return is_live(handle) <= 0 || is_replaced(handle);
	case NODE_WAIT:
		return handle->text.len > 0 || is_live(handle) <= 0;
	case NODE_TEXT:
	case NODE_PLAIN:
		break;
	}
	return true;
}

void handle_free_all(struct view *view)
{
	list_for_each (link, &view->handles) {
		handle_free(list_entry(link, struct handle, link));
	}
}
