/* Requests that wait, and polls that are to be told. */
#include "fs/session-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/proc.h"

static void waiter_free(struct waiter *waiter)
{
	list_unlink(&waiter->link);
	if (waiter->kind == WAIT_SETATTR)
		handle_release(waiter->handle);
	if (waiter->run_id)
		watch_remove(waiter->session->watch, waiter->run_id);
	free(waiter->run_id);
	free(waiter->name);
	free(waiter);
}

/*
 * How long a signal waits for the answer of what takes a moment: a start, or Python. A
 * shell whose child ends while it closes restart (SIGCHLD) would else go on before the
 * run is started, and see what was; and hardly a program expects EINTR of stat(2).
 */
#define PATIENCE_US 2000000

/* What follows a run may wait for long; and who is killed can't go before the answer. */
static bool has_no_patience(const struct waiter *waiter)
{
	struct proc proc;

	if (waiter->kind == WAIT_READ &&
	    handle_node(waiter->handle)->type->kind != NODE_PLAIN)
		return true;
	return proc_read(fuse_req_ctx(waiter->req)->pid, &proc) == 0 && proc.is_killed;
}

/* Answers a waiter that has been interrupted, now or later. Whether it is gone. */
static bool interrupt(struct waiter *waiter)
{
	if (has_no_patience(waiter)) {
		reply_error(waiter->req, -EINTR);
		waiter_free(waiter);
		return true;
	}
	if (!waiter->session->is_patient)
		loop_timer_set(waiter->session->patience, PATIENCE_US);
	waiter->session->is_patient = true;
	return false;
}

/*
 * May be called from within fuse_req_interrupt_func(), before the waiter is armed: then
 * waiter_park() sees to it.
 */
static void on_interrupt(fuse_req_t req, void *userdata)
{
	struct waiter *waiter = userdata;

	waiter->interrupted_us = loop_now_us();
	if (waiter->armed)
		(void)interrupt(waiter);
}

void session_lose_patience(void *userdata, uint32_t events)
{
	struct session *session = userdata;
	int64_t now = loop_now_us();

	session->is_patient = false;
	list_for_each (link, &session->waiters) {
		struct waiter *waiter = list_entry(link, struct waiter, link);

		if (waiter->interrupted_us == 0)
			continue;
		if (now - waiter->interrupted_us >= PATIENCE_US)
			reply_error(waiter_take(waiter), -EINTR);
		else
			(void)interrupt(waiter);
	}
}

/*
 * Lets @req wait, taking over nothing of @template but its values. Answers it with an
 * error when it can't wait. Returns the waiter, or NULL when it has been answered.
 */
struct waiter *waiter_park(fuse_req_t req, struct waiter template, const char *run_id)
{
	struct session *session = session_of(req);
	struct waiter *waiter = malloc(sizeof(*waiter));

	if (!waiter) {
		reply_error(req, -ENOMEM);
		return NULL;
	}
	*waiter = template;
	waiter->session = session;
	waiter->req = req;
	waiter->since_us = loop_now_us();
	list_append(&session->waiters, &waiter->link);
	if (template.name)
		waiter->name = strdup(template.name);
	if (run_id)
		waiter->run_id = strdup(run_id);
	if ((run_id && !waiter->run_id) || (template.name && !waiter->name) ||
	    (run_id && watch_add(session->watch, run_id) < 0)) {
		free(take_ptr(waiter->run_id));
		reply_error(req, -ENOMEM);
		waiter_free(waiter);
		return NULL;
	}
	fuse_req_interrupt_func(req, on_interrupt, waiter);
	waiter->armed = true;
	if (waiter->interrupted_us && interrupt(waiter))
		return NULL;
	return waiter;
}

/* Takes the request from its waiter: whoever calls this answers. */
fuse_req_t waiter_take(struct waiter *waiter)
{
	fuse_req_t req = waiter->req;

	fuse_req_interrupt_func(req, NULL, NULL);
	waiter_free(waiter);
	return req;
}

void reply_read(fuse_req_t req, int r, const struct strbuf *data)
{
	if (r == 0)
		r = strbuf_error(data);
	if (r < 0)
		reply_error(req, r);
	else
		(void)fuse_reply_buf(req, data->data, data->len);
}

/* What changed between the first try and the watch is seen by a second one. */
void waiter_read(struct waiter *waiter)
{
	struct handle *handle = waiter->handle;
	size_t size = waiter->size;
	off_t offset = waiter->offset;
	_cleanup_(strbuf_done) struct strbuf data = STRBUF_INIT;
	int r = handle_read(handle, offset, size, false, &data);

	if (r == -EAGAIN || r == -EINPROGRESS)
		return;
	reply_read(waiter_take(waiter), r, &data);
}

void poller_free(struct session *session, struct poller *poller)
{
	list_unlink(&poller->link);
	watch_remove(session->watch, handle_node(poller->handle)->run_id);
	fuse_pollhandle_destroy(poller->pollhandle);
	free(poller);
}

void poller_free_of(struct session *session, const struct handle *handle)
{
	list_for_each (link, &session->pollers) {
		struct poller *poller = list_entry(link, struct poller, link);

		if (poller->handle == handle)
			poller_free(session, poller);
	}
}

/* One poll handle for each open file; a new one takes the place of the old. */
void poller_add(struct session *session, struct handle *handle,
		struct fuse_pollhandle *pollhandle)
{
	struct poller *poller = calloc(1, sizeof(*poller));

	poller_free_of(session, handle);
	if (!poller || watch_add(session->watch, handle_node(handle)->run_id) < 0) {
		free(poller);
		fuse_pollhandle_destroy(pollhandle);
		return;
	}
	poller->handle = handle;
	poller->pollhandle = pollhandle;
	list_append(&session->pollers, &poller->link);
}

static bool is_of_run(const char *run_id, const char *id)
{
	return run_id && (!id || strcmp(run_id, id) == 0);
}

void session_run_changed(struct session *session, const char *id)
{
	view_keep_looks(session->view, true);
	if (id)
		tell_run(session, id);
	list_for_each (link, &session->waiters) {
		struct waiter *waiter = list_entry(link, struct waiter, link);

		if (waiter->kind == WAIT_READ && is_of_run(waiter->run_id, id))
			waiter_read(waiter);
	}
	list_for_each (link, &session->pollers) {
		struct poller *poller = list_entry(link, struct poller, link);

		if (!is_of_run(handle_node(poller->handle)->run_id, id) ||
		    !handle_is_readable(poller->handle))
			continue;
		(void)fuse_lowlevel_notify_poll(poller->pollhandle);
		poller_free(session, poller);
	}
	view_keep_looks(session->view, false);
}

static void answer_setattr(struct waiter *waiter)
{
	struct node *node = waiter->node;
	int r = handle_result(waiter->handle);
	fuse_req_t req = waiter_take(waiter);

	if (r < 0)
		reply_error(req, r);
	else
		answer_getattr(req, node);
}

void session_handle_committed(void *userdata, struct handle *handle)
{
	struct session *session = userdata;
	const char *id = handle_node(handle)->run_id;

	if (id)
		tell_run(session, id);
	list_for_each (link, &session->waiters) {
		struct waiter *waiter = list_entry(link, struct waiter, link);

		if (waiter->handle != handle)
			continue;
		if (waiter->kind == WAIT_FLUSH)
			(void)fuse_reply_err(waiter_take(waiter), -handle_result(handle));
		else if (waiter->kind == WAIT_SETATTR)
			answer_setattr(waiter);
		else
			waiter_read(waiter);
	}
}

/* Does again what had to wait for something; it may have to wait again. */
static void retry(struct waiter *waiter)
{
	_cleanup_free_ char *name = take_ptr(waiter->name);
	enum waiter_kind kind = waiter->kind;
	struct fuse_file_info fi = waiter->fi;
	struct node *node = waiter->node;
	fuse_req_t req = waiter_take(waiter);

	switch (kind) {
	case WAIT_LOOKUP:
		answer_lookup(req, node, name);
		break;
	case WAIT_GETATTR:
		answer_getattr(req, node);
		break;
	case WAIT_READLINK:
		answer_readlink(req, node);
		break;
	case WAIT_OPEN:
		answer_open(req, node, fi);
		break;
	case WAIT_OPENDIR:
		answer_opendir(req, node, fi);
		break;
	case WAIT_READ:
	case WAIT_FLUSH:
	case WAIT_SETATTR:
		break;
	}
}

/* A snapshot is taken anew when it is read from its beginning, which may take time. */
static void read_again(struct waiter *waiter)
{
	if (waiter->kind == WAIT_READ &&
	    handle_node(waiter->handle)->type->kind == NODE_PLAIN)
		waiter_read(waiter);
}

void session_ask_again(struct session *session)
{
	struct list waiting;

	/* Those that have to wait again come to the end of the real list. */
	list_init(&waiting);
	list_for_each (link, &session->waiters) {
		struct waiter *waiter = list_entry(link, struct waiter, link);

		if (waiter->kind == WAIT_READ || waiter->kind == WAIT_FLUSH ||
		    waiter->kind == WAIT_SETATTR) {
			read_again(waiter);
			continue;
		}
		list_unlink(link);
		list_append(&waiting, link);
	}
	while (!list_is_empty(&waiting))
		retry(list_entry(waiting.next, struct waiter, link));
}
