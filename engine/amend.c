/* What people say of a run, written into it. */
#include "engine/amend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/attrs.h"
#include "engine/file.h"
#include "engine/list.h"
#include "engine/lock.h"

/* A start has the lock for moments; one that never ends is somebody's mistake. */
#define RETRY_US   10000
#define PATIENT_US 30000000

struct amender {
	struct loop *loop;
	struct store *store;
	struct spawner *spawner;
	struct list amendments;
};

struct amendment {
	struct list link;
	struct amender *amender;
	enum metadata which;
	char *id;
	struct strbuf text;
	struct strbuf old, new;	   /* the attribute, before and after; empty: none */
	struct loop_source *timer; /* while the lock is another's */
	struct spawn *spawn;	   /* while it is written */
	int64_t since_us;
	spawn_fn fn;
	void *userdata;
};

int amender_new(struct loop *loop, struct store *store, struct spawner *spawner,
		struct amender **ret)
{
	struct amender *amender = calloc(1, sizeof(*amender));

	if (!amender)
		return -ENOMEM;
	amender->loop = loop;
	amender->store = store;
	amender->spawner = spawner;
	list_init(&amender->amendments);
	*ret = amender;
	return 0;
}

static void amendment_free(struct amendment *amendment)
{
	if (!amendment)
		return;
	list_unlink(&amendment->link);
	loop_source_free(amendment->timer);
	spawn_forget(amendment->spawn);
	strbuf_done(&amendment->text);
	strbuf_done(&amendment->old);
	strbuf_done(&amendment->new);
	free(amendment->id);
	free(amendment);
}
DEFINE_CLEANUP(struct amendment, amendment_free);

static void end(struct amendment *amendment, int r, struct str why)
{
	_cleanup_(amendment_freep) struct amendment *ended = amendment;

	ended->fn(ended->userdata, r, why);
}

static int find(const struct amendment *amendment, struct run **ret_run,
		int *ret_guild_fd, struct strbuf *ret_why)
{
	int r = store_find(amendment->amender->store, amendment->id, ret_run);

	if (r == -ENOENT)
		strbuf_addf(ret_why, "the run %s is not there any more", amendment->id);
	if (r < 0)
		return r;
	/* Opened for itself: the lock is of this opening. */
	*ret_guild_fd = file_open_dir(run_guild_fd(*ret_run), ".");
	return *ret_guild_fd < 0 ? *ret_guild_fd : 0;
}

/* 0, also when there is none. */
static int read_attr(const struct amendment *amendment, const struct run *run,
		     struct strbuf *ret)
{
	int r = run_attr_text(run, metadata_attr(amendment->which), ret);

	return r == -ENOENT ? 0 : r;
}

/*
 * The disk did not take it: what is told to have failed has not been. Where somebody has
 * the lock or has written since, that is what holds.
 */
static void take_back(const struct amendment *amendment)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT, now = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int guild_fd = -1;

	if (find(amendment, &run, &guild_fd, &why) < 0 || lock_try(guild_fd) < 0)
		return;
	if (read_attr(amendment, run, &now) == 0 &&
	    str_eq(strbuf_str(&now), strbuf_str(&amendment->new)))
		(void)attrs_replace(guild_fd, metadata_attr(amendment->which),
				    strbuf_str(&amendment->old), false);
	lock_leave(guild_fd);
}

static void on_written(void *userdata, int r, struct str why)
{
	struct amendment *amendment = userdata;

	amendment->spawn = NULL;
	if (r < 0)
		take_back(amendment);
	end(amendment, r, why);
}

static int make_job(const struct amendment *amendment, enum job_kind kind,
		    const struct run *run, struct job *ret, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf attr = STRBUF_INIT;
	int r = metadata_make(run, amendment->which, strbuf_str(&amendment->text), &attr,
			      ret_why);

	ret->kind = kind;
	return r <= 0 ? r
		      : job_add_attr(ret, metadata_attr(amendment->which),
				     strbuf_str(&attr));
}

static int hand_over(struct amendment *amendment, const struct job *job, int guild_fd)
{
	int r = spawn_job(amendment->amender->spawner, job, guild_fd, on_written,
			  amendment, &amendment->spawn);

	return r < 0 ? r : -EINPROGRESS;
}

static int replace(struct amendment *amendment, const struct run *run, int guild_fd,
		   const struct job *job)
{
	struct str text = str_from(job->attrs[0].text);
	int r;

	strbuf_reset(&amendment->old);
	strbuf_reset(&amendment->new);
	r = read_attr(amendment, run, &amendment->old);
	if (r == 0)
		r = strbuf_addstr(&amendment->new, text);
	return r < 0 ? r : attrs_replace(guild_fd, job->attrs[0].name, text, false);
}

/*
 * -EAGAIN: somebody else has the lock. We have it for no longer than this, so that nobody
 * who wants to start the run meets it: the disk is waited for without.
 */
static int try(struct amendment *amendment, struct strbuf *ret_why)
{
	_cleanup_(job_done) struct job job = JOB_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int guild_fd = -1;
	int r = find(amendment, &run, &guild_fd, ret_why);

	if (r == 0)
		r = lock_try(guild_fd);
	if (r < 0)
		return r == -EBUSY ? -EAGAIN : r;
	r = make_job(amendment, JOB_SYNC, run, &job, ret_why);
	if (r == 0 && job.n_attrs > 0)
		r = replace(amendment, run, guild_fd, &job);
	lock_leave(guild_fd);
	if (r < 0 || job.n_attrs == 0)
		return r;
	/* It is written; without a supervisor the disk has it a little later. */
	return hand_over(amendment, &job, guild_fd) < 0 && amendment->spawn ? -EINPROGRESS
									    : 0;
}

static void on_timer(void *userdata, uint32_t events)
{
	struct amendment *amendment = userdata;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r = try(amendment, &why);

	if (r == -EINPROGRESS)
		return;
	if (r == -EAGAIN && loop_now_us() - amendment->since_us < PATIENT_US) {
		loop_timer_set(amendment->timer, RETRY_US);
		return;
	}
	if (r == -EAGAIN)
		strbuf_addf(&why, "somebody else keeps changing the run %s",
			    amendment->id);
	end(amendment, r == -EAGAIN ? -EBUSY : r, strbuf_str(&why));
}

static int wait_for_lock(struct amendment *amendment)
{
	int r = loop_add_timer(amendment->amender->loop, on_timer, amendment,
			       &amendment->timer);

	if (r < 0)
		return r;
	loop_timer_set(amendment->timer, RETRY_US);
	return -EINPROGRESS;
}

int amend_run(struct amender *amender, const char *id, enum metadata which,
	      struct str text, spawn_fn fn, void *userdata, struct strbuf *ret_why)
{
	_cleanup_(amendment_freep) struct amendment *amendment =
		calloc(1, sizeof(*amendment));
	int r;

	if (!amendment)
		return -ENOMEM;
	list_init(&amendment->link);
	amendment->amender = amender;
	amendment->which = which;
	amendment->since_us = loop_now_us();
	amendment->fn = fn;
	amendment->userdata = userdata;
	amendment->id = strdup(id);
	if (!amendment->id || strbuf_addstr(&amendment->text, text) < 0)
		return -ENOMEM;
	r = try(amendment, ret_why);
	if (r == -EAGAIN)
		r = wait_for_lock(amendment);
	if (r != -EINPROGRESS)
		return r;
	list_append(&amender->amendments, &amendment->link);
	amendment = NULL;
	return r;
}

/* Made of what there is now; its supervisor waits for the lock that we can't wait for. */
static void leave(struct amendment *amendment)
{
	_cleanup_(job_done) struct job job = JOB_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_close_ int guild_fd = -1;

	if (find(amendment, &run, &guild_fd, &why) == 0 &&
	    make_job(amendment, JOB_AMEND, run, &job, &why) == 0 && job.n_attrs > 0)
		(void)hand_over(amendment, &job, guild_fd);
}

void amender_free(struct amender *amender)
{
	if (!amender)
		return;
	list_for_each (link, &amender->amendments) {
		struct amendment *amendment = list_entry(link, struct amendment, link);

		if (!amendment->spawn)
			leave(amendment);
		amendment_free(amendment);
	}
	free(amender);
}
