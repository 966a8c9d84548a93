/* Starts runs: a decision, carried out by a supervisor. */
#include "engine/launch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/decide.h"
#include "engine/file.h"
#include "engine/jobs.h"
#include "engine/list.h"
#include "engine/lock.h"
#include "engine/pending.h"
#include "engine/prepare.h"
#include "engine/spawn.h"
#include "engine/strv.h"
#include "engine/writable.h"

#define SKIPPED "Skipping run because flags have not changed (--needed specified)"

struct launcher {
	struct launcher_config config;
	struct decider decider;
	struct spawner *spawner;
	struct list launches;
	struct list waiting; /* launches, for the index */
	int64_t last_order_us;
	char ready_id[NAME_MAX + 1]; /* the run that the last check would have started */
};

/* What is to be started, or only made. */
struct wish {
	enum job_kind kind;
	const char *id; /* of the run that is started again; NULL: a new one */
	const struct operation *operation; /* of a new one */
	unsigned int needed;
	struct str text;
};

/* A start under way. */
struct launch {
	struct list link;
	struct launcher *launcher;
	struct spawn *spawn;
	launch_fn fn; /* NULL: nobody waits any more */
	void *userdata;
	char *id;
	char *answer; /* when all went well */

	/* Of one that waits, or has waited, for the index: what it is for, all its own.
	 */
	struct wish wish;
	char *text;
	struct operation *operation;
	struct launch *next; /* what it has come to */
};

int launcher_new(const struct launcher_config *config, struct launcher **ret)
{
	_cleanup_(launcher_freep) struct launcher *launcher =
		calloc(1, sizeof(*launcher));
	int r;

	if (!launcher)
		return -ENOMEM;
	launcher->config = *config;
	launcher->decider = (struct decider){
		.store = config->store,
		.python = config->python,
		.project = config->project,
		.op_main = config->op_main,
	};
	list_init(&launcher->launches);
	list_init(&launcher->waiting);
	r = spawner_new(config->loop, store_fd(config->store), config->supervisor,
			&launcher->spawner);
	if (r < 0)
		return r;
	*ret = take_ptr(launcher);
	return 0;
}

static void launch_free(struct launch *launch)
{
	if (!launch)
		return;
	list_unlink(&launch->link);
	spawn_forget(launch->spawn);
	operation_unref(launch->operation);
	free(launch->text);
	free(launch->id);
	free(launch->answer);
	free(launch);
}
DEFINE_CLEANUP(struct launch, launch_free);

void launcher_free(struct launcher *launcher)
{
	if (!launcher)
		return;
	list_append_all(&launcher->launches, &launcher->waiting);
	list_for_each (link, &launcher->launches) {
		launch_free(list_entry(link, struct launch, link));
	}
	spawner_free(launcher->spawner);
	free(launcher);
}

void launch_forget(struct launch *launch)
{
	if (launch)
		launch->fn = NULL;
}

static int explain_missing(int r, const char *id, struct strbuf *ret_why)
{
	if (r == -ENOENT)
		strbuf_addf(ret_why, "the run %s is not there any more", id);
	else
		strbuf_addf(ret_why, "the run %s can't be opened: %s", id, strerror(-r));
	return r;
}

static int find_run(const struct launcher *launcher, const char *id, struct run **ret,
		    struct strbuf *ret_why)
{
	int r = store_find(launcher->config.store, id, ret);

	return r < 0 ? explain_missing(r, id, ret_why) : 0;
}

static bool is_unfinished(struct str text)
{
	return text.len == 0 || text.data[text.len - 1] != '\n';
}

/* Does @text need nothing to be written, or may the rest of its last line make it so? */
static bool is_skipped(const struct launcher *launcher, const struct run *run,
		       struct str text)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	_cleanup_(strbuf_done) struct strbuf ignored = STRBUF_INIT;
	int r = decide_restart(&launcher->decider, run, text, true, &decision, &ignored);

	return r == 0 ? decision.skip : is_unfinished(text);
}

static void set_ready(struct launcher *launcher, const char *id)
{
	(void)snprintf(launcher->ready_id, sizeof(launcher->ready_id), "%s", id);
}

int launch_check_restart(struct launcher *launcher, const char *id, struct str text,
			 struct strbuf *ret_why)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	int r = find_run(launcher, id, &run, ret_why);

	if (r == 0)
		r = decide_restart(&launcher->decider, run, text, false, &decision,
				   ret_why);
	set_ready(launcher, r == 0 && !decision.skip ? id : "");
	if (r < 0)
		return r;
	r = writable_run(run, NULL, true, &why);
	if (r < 0 && is_skipped(launcher, run, text))
		return 0;
	strbuf_addstr(ret_why, strbuf_str(&why));
	return r;
}

int launch_check_flags(struct launcher *launcher, const char *id, struct str text,
		       struct strbuf *ret_why)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	int r = find_run(launcher, id, &run, ret_why);

	if (r == 0)
		r = decide_flags(&launcher->decider, run, text, false, &decision,
				 ret_why);
	return r < 0 ? r : writable_run(run, NULL, true, ret_why);
}

/* The statuses with which an equal run makes a new one needless; 0: it is needed. */
static unsigned int statuses_that_do(const struct decision *decision, unsigned int needed)
{
	return needed == 0 && decision->request.needed ? run_needed_default() : needed;
}

/*
 * Finds a run that makes another needless. 0 with its ID; -ENOENT; -EALREADY while the
 * index does not know all runs.
 */
static int find_match(const struct launcher *launcher, const struct decision *decision,
		      unsigned int needed, const char **ret)
{
	int r = needed == 0
			? -ENOENT
			: index_match(launcher->config.index, decision->operation->opref,
				      &decision->flags, needed, ret);

	return r == -EINPROGRESS ? -EALREADY : r;
}

/* The same for a new run; what is not known yet may make it so. */
static bool is_needless(const struct launcher *launcher,
			const struct operation *operation, unsigned int needed,
			struct str text)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	_cleanup_(strbuf_done) struct strbuf ignored = STRBUF_INIT;
	const char *match;
	int r = decide_run(&launcher->decider, operation, "", text, true, &decision,
			   &ignored);

	if (r < 0)
		return is_unfinished(text);
	r = find_match(launcher, &decision, statuses_that_do(&decision, needed), &match);
	return r == 0 || r == -EALREADY;
}

int launch_check_run(struct launcher *launcher, const struct operation *operation,
		     unsigned int needed, struct str text, struct strbuf *ret_why)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r = decide_run(&launcher->decider, operation, "", text, false, &decision,
			   ret_why);

	if (r < 0)
		return r;
	r = writable_runs(launcher->config.store, &why);
	if (r < 0 && is_needless(launcher, operation, needed, text))
		return 0;
	strbuf_addstr(ret_why, strbuf_str(&why));
	return r;
}

static void on_carried_out(void *userdata, int r, struct str why)
{
	_cleanup_(launch_freep) struct launch *launch = userdata;

	launch->spawn = NULL;
	index_run_changed(launch->launcher->config.index, launch->id);
	if (launch->fn)
		launch->fn(launch->userdata, r, r < 0 ? why : str_from(launch->answer));
}

static struct launch *launch_new(struct launcher *launcher, launch_fn fn, void *userdata)
{
	struct launch *launch = calloc(1, sizeof(*launch));

	if (!launch)
		return NULL;
	list_init(&launch->link);
	launch->launcher = launcher;
	launch->fn = fn;
	launch->userdata = userdata;
	return launch;
}

/* Hands @job, and with @guild_fd the lock, to a supervisor. */
static int hand_over(struct launcher *launcher, const struct job *job, int guild_fd,
		     const char *answer, launch_fn fn, void *userdata,
		     struct launch **ret)
{
	_cleanup_(launch_freep) struct launch *launch =
		launch_new(launcher, fn, userdata);
	int r;

	if (!launch)
		return -ENOMEM;
	launch->id = strdup(job->id);
	launch->answer = strdup(answer);
	if (!launch->id || !launch->answer)
		return -ENOMEM;
	r = spawn_job(launcher->spawner, job, guild_fd, on_carried_out, launch,
		      &launch->spawn);
	if (r < 0)
		return r;
	list_append(&launcher->launches, &launch->link);
	*ret = take_ptr(launch);
	return -EINPROGRESS;
}

static int explain(int r, const char *what, struct strbuf *ret_why)
{
	if (r < 0 && r != -EINPROGRESS && r != -EALREADY && ret_why->len == 0)
		strbuf_addf(ret_why, "cannot %s: %s", what, strerror(-r));
	return r;
}

static struct preparation preparation_of(const struct launcher *launcher,
					 enum job_kind kind,
					 const struct decision *decision, const char *id)
{
	return (struct preparation){
		.kind = kind,
		.operation = decision->operation,
		.request = &decision->request,
		.flags = &decision->flags,
		.written = &decision->written,
		.command = &decision->command,
		.rendering = &decision->rendering,
		.id = id,
		.project = decision->source,
		.n_attempts = launcher->config.n_attempts,
		.stop_timeout_us = launcher->config.stop_timeout_us,
		.n_files = launcher->config.n_files,
	};
}

/* When a request was made: later than all that were made here before. */
static int64_t next_order(struct launcher *launcher)
{
	struct timespec now;
	int64_t us;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	if (us <= launcher->last_order_us)
		us = launcher->last_order_us + 1;
	return launcher->last_order_us = us;
}

static void add_other(void *userdata, const char *id)
{
	(void)strv_append(userdata, str_from(id));
}

/* Who counts beside those that have a slot; without a limit nobody needs to know. */
static int add_others(const struct launcher *launcher, struct job *job,
		      struct strbuf *ret_why)
{
	struct jobs jobs;
	int r = jobs_read(store_fd(launcher->config.store), &jobs, ret_why);

	if (r < 0 || jobs.kind != JOBS_NUMBER || jobs.number == 0)
		return r;
	r = index_each_live(launcher->config.index, add_other, &job->others);
	return r == -EINPROGRESS ? -EALREADY : r;
}

/* What the run waits with if there is no slot for it. */
static int add_pending(struct launcher *launcher, struct str text, unsigned int needed,
		       struct job *job)
{
	_cleanup_(strbuf_done) struct strbuf marker = STRBUF_INIT;
	_cleanup_free_ char *request = str_dup(text);
	struct pending pending = {
		.order_us = next_order(launcher),
		.needed = needed,
		.project = (char *)(uintptr_t)launcher->config.project,
		.request = request,
	};
	int r = pending_format(&pending, &marker);

	if (!request || r < 0)
		return -ENOMEM;
	job->order_us = pending.order_us;
	job->pending = strbuf_take(&marker);
	return job->pending ? 0 : -ENOMEM;
}

/*
 * Takes the transition lock of @run: a descriptor that holds it, or -errno. Another mount
 * may have deleted the run since it was found, and it must not start in the trash.
 */
static int lock_run(const struct launcher *launcher, const struct run *run,
		    struct strbuf *ret_why)
{
	_cleanup_close_ int guild_fd = file_open_dir(run_guild_fd(run), ".");
	int r;

	if (guild_fd < 0)
		return explain(guild_fd, "open the run", ret_why);
	r = lock_try(guild_fd);
	if (r < 0) {
		strbuf_addf(ret_why, "the run %s is being started by somebody else",
			    run_id(run));
		return r;
	}
	r = store_has(launcher->config.store, run);
	if (r < 0)
		return explain_missing(r, run_id(run), ret_why);
	return take_fd(&guild_fd);
}

/* With the lock: what was decided before may not hold any more. */
static int restart_locked(struct launcher *launcher, const struct run *run, int guild_fd,
			  struct str text, launch_fn fn, void *userdata,
			  struct launch **ret, struct strbuf *ret_answer)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	_cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;
	struct preparation preparation;
	int r;

	r = decide_restart(&launcher->decider, run, text, true, &decision, ret_answer);
	if (r < 0)
		return r;
	if (decision.skip)
		return strbuf_adds(ret_answer, SKIPPED);
	preparation = preparation_of(launcher, JOB_START, &decision, run_id(run));
	r = prepare_restart(&preparation, run, &job);
	if (r == 0)
		r = add_pending(launcher, text, 0, &job);
	if (r == 0)
		r = add_others(launcher, &job, ret_answer);
	if (r == 0)
		r = strbuf_addf(&answer, "Restarting %s", run_id(run));
	if (r == 0)
		r = hand_over(launcher, &job, guild_fd, strbuf_cstr(&answer), fn,
			      userdata, ret);
	return explain(r, "start the run", ret_answer);
}

/*
 * Who is skipped or refused takes no lock, and so is in nobody's way. What has just been
 * found ready will hardly be. 1: to be started, as far as can be told.
 */
static int decide_unlocked(struct launcher *launcher, const struct run *run,
			   struct str text, struct strbuf *ret_answer)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	bool is_ready = strcmp(launcher->ready_id, run_id(run)) == 0;
	int r;

	set_ready(launcher, "");
	if (is_ready)
		return 1;
	r = decide_restart(&launcher->decider, run, text, true, &decision, ret_answer);
	if (r < 0)
		return r;
	return decision.skip ? strbuf_adds(ret_answer, SKIPPED) : 1;
}

static int restart(struct launcher *launcher, const char *id, struct str text,
		   launch_fn fn, void *userdata, struct launch **ret,
		   struct strbuf *ret_answer)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int guild_fd = -1;
	int r;

	r = find_run(launcher, id, &run, ret_answer);
	if (r == 0)
		r = decide_unlocked(launcher, run, text, ret_answer);
	if (r <= 0)
		return r;
	guild_fd = lock_run(launcher, run, ret_answer);
	if (guild_fd < 0)
		return guild_fd;
	return restart_locked(launcher, run, guild_fd, text, fn, userdata, ret,
			      ret_answer);
}

int launch_flags(struct launcher *launcher, const char *id, struct str text, launch_fn fn,
		 void *userdata, struct launch **ret, struct strbuf *ret_why)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int guild_fd = -1;
	struct preparation preparation;
	int r;

	r = find_run(launcher, id, &run, ret_why);
	if (r < 0)
		return r;
	guild_fd = lock_run(launcher, run, ret_why);
	if (guild_fd < 0)
		return guild_fd;
	r = decide_flags(&launcher->decider, run, text, true, &decision, ret_why);
	if (r < 0)
		return r;
	preparation = preparation_of(launcher, JOB_STAGE, &decision, id);
	r = prepare_restart(&preparation, run, &job);
	if (r == 0)
		r = hand_over(launcher, &job, guild_fd, "", fn, userdata, ret);
	return explain(r, "write the flags", ret_why);
}

static int make_run(struct launcher *launcher, const struct wish *wish, launch_fn fn,
		    void *userdata, struct launch **ret, struct strbuf *ret_answer)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;
	unsigned int needed = wish->needed;
	struct preparation preparation;
	char id[STORE_ID_LEN + 1];
	const char *match;
	int r;

	r = store_new_id(id);
	if (r == 0)
		r = decide_run(&launcher->decider, wish->operation, id, wish->text, true,
			       &decision, ret_answer);
	if (r < 0)
		return r;
	needed = statuses_that_do(&decision, needed);
	r = find_match(launcher, &decision, needed, &match);
	if (r == 0)
		return strbuf_adds(ret_answer, match);

	preparation = preparation_of(launcher, wish->kind, &decision, id);
	if (r == -ENOENT)
		r = prepare_new(&preparation, &job);
	if (r == 0)
		r = add_pending(launcher, wish->text, needed, &job);
	if (r == 0)
		r = add_others(launcher, &job, ret_answer);
	if (r == 0)
		r = hand_over(launcher, &job, -1, id, fn, userdata, ret);
	return explain(r, wish->kind == JOB_START ? "start a run" : "stage a run",
		       ret_answer);
}

/* -EALREADY: the index does not know all runs yet, and nothing has been done. */
static int carry_out(struct launcher *launcher, const struct wish *wish, launch_fn fn,
		     void *userdata, struct launch **ret, struct strbuf *ret_answer)
{
	return wish->id ? restart(launcher, wish->id, wish->text, fn, userdata, ret,
				  ret_answer)
			: make_run(launcher, wish, fn, userdata, ret, ret_answer);
}

/* Keeps @wish until the index knows all runs. */
static int wait_for_index(struct launcher *launcher, const struct wish *wish,
			  launch_fn fn, void *userdata, struct launch **ret)
{
	_cleanup_(launch_freep) struct launch *launch =
		launch_new(launcher, fn, userdata);

	if (!launch)
		return -ENOMEM;
	launch->wish = *wish;
	launch->text = str_dup(wish->text);
	launch->id = wish->id ? strdup(wish->id) : NULL;
	if (!launch->text || (wish->id && !launch->id))
		return -ENOMEM;
	launch->operation = operation_ref((struct operation *)(uintptr_t)wish->operation);
	launch->wish.text = str_from(launch->text);
	launch->wish.id = launch->id;
	list_append(&launcher->waiting, &launch->link);
	*ret = take_ptr(launch);
	return -EINPROGRESS;
}

static int begin(struct launcher *launcher, const struct wish *wish, launch_fn fn,
		 void *userdata, struct launch **ret, struct strbuf *ret_answer)
{
	int r = carry_out(launcher, wish, fn, userdata, ret, ret_answer);

	if (r == -EALREADY)
		r = wait_for_index(launcher, wish, fn, userdata, ret);
	return r;
}

static void on_waited(void *userdata, int r, struct str answer)
{
	_cleanup_(launch_freep) struct launch *launch = userdata;

	if (launch->fn)
		launch->fn(launch->userdata, r, answer);
}

void launcher_ask_again(struct launcher *launcher)
{
	struct list waiting;

	list_init(&waiting);
	list_append_all(&waiting, &launcher->waiting);
	while (!list_is_empty(&waiting)) {
		struct launch *launch = list_entry(waiting.next, struct launch, link);
		_cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT;
		int r;

		list_unlink(&launch->link);
		r = carry_out(launcher, &launch->wish, on_waited, launch, &launch->next,
			      &answer);
		if (r == -EALREADY)
			list_append(&launcher->waiting, &launch->link);
		else if (r == -EINPROGRESS)
			list_append(&launcher->launches, &launch->link);
		else
			on_waited(launch, r, strbuf_str(&answer));
	}
}

int launch_restart(struct launcher *launcher, const char *id, struct str text,
		   launch_fn fn, void *userdata, struct launch **ret,
		   struct strbuf *ret_answer)
{
	struct wish wish = { .kind = JOB_START, .id = id, .text = text };

	return begin(launcher, &wish, fn, userdata, ret, ret_answer);
}

int launch_run(struct launcher *launcher, const struct operation *operation,
	       unsigned int needed, struct str text, launch_fn fn, void *userdata,
	       struct launch **ret, struct strbuf *ret_answer)
{
	struct wish wish = {
		.kind = JOB_START, .operation = operation, .needed = needed, .text = text
	};

	return begin(launcher, &wish, fn, userdata, ret, ret_answer);
}

int launch_stage(struct launcher *launcher, const struct operation *operation,
		 unsigned int needed, struct str text, launch_fn fn, void *userdata,
		 struct launch **ret, struct strbuf *ret_answer)
{
	struct wish wish = {
		.kind = JOB_STAGE, .operation = operation, .needed = needed, .text = text
	};

	return begin(launcher, &wish, fn, userdata, ret, ret_answer);
}

/* A job that needs nothing but the run. */
static int hand_over_plain(struct launcher *launcher, enum job_kind kind,
			   const struct run *run, int guild_fd, const char *answer,
			   launch_fn fn, void *userdata, struct launch **ret)
{
	struct job job = { .kind = kind, .id = (char *)(uintptr_t)run_id(run) };

	return hand_over(launcher, &job, guild_fd, answer, fn, userdata, ret);
}

/*
 * Another run with the same flags may have come to its end meanwhile. 0: so it is; else
 * as find_match().
 */
static int find_match_in_turn(const struct launcher *launcher, const struct run *run,
			      const struct pending *pending,
			      const struct decision *decision)
{
	const char *match;

	return run_was_started(run)
		       ? -ENOENT
		       : find_match(launcher, decision, pending->needed, &match);
}

static int turn_locked(struct launcher *launcher, const struct run *run, int guild_fd,
		       launch_fn fn, void *userdata, struct launch **ret,
		       struct strbuf *ret_answer)
{
	_cleanup_(decision_done) struct decision decision = DECISION_INIT;
	_cleanup_(pending_done) struct pending pending = PENDING_INIT;
	_cleanup_(strbuf_done) struct strbuf answer = STRBUF_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;
	struct decider decider = launcher->decider;
	struct preparation preparation;
	int r = pending_read(guild_fd, &pending);

	if (r < 0)
		return r == -ENOENT || r == -EBADMSG ? -ESTALE : r;
	decider.project = pending.project;
	r = decide_turn(&decider, run, str_from(pending.request), &decision, ret_answer);
	if (r < 0)
		return r;
	if (!decision.skip)
		r = find_match_in_turn(launcher, run, &pending, &decision);
	if (r == 0)
		return hand_over_plain(launcher, JOB_LEAVE, run, guild_fd, SKIPPED, fn,
				       userdata, ret);
	preparation = preparation_of(launcher, JOB_START, &decision, run_id(run));
	if (r == -ENOENT)
		r = prepare_restart(&preparation, run, &job);
	job.in_turn = true;
	if (r == 0)
		r = add_others(launcher, &job, ret_answer);
	if (r == 0)
		r = strbuf_addf(&answer, "Restarting %s", run_id(run));
	if (r == 0)
		r = hand_over(launcher, &job, guild_fd, strbuf_cstr(&answer), fn,
			      userdata, ret);
	return explain(r, "start the run", ret_answer);
}

int launch_turn(struct launcher *launcher, const char *id, launch_fn fn, void *userdata,
		struct launch **ret, struct strbuf *ret_answer)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int guild_fd = -1;
	int r = find_run(launcher, id, &run, ret_answer);

	if (r < 0)
		return r == -ENOENT || r == -EINVAL ? -ESTALE : r;
	guild_fd = lock_run(launcher, run, ret_answer);
	return guild_fd < 0 ? guild_fd
			    : turn_locked(launcher, run, guild_fd, fn, userdata, ret,
					  ret_answer);
}

int launch_fail(struct launcher *launcher, const char *id, struct str why, launch_fn fn,
		void *userdata, struct launch **ret)
{
	_cleanup_(strbuf_done) struct strbuf ignored = STRBUF_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int guild_fd = -1;
	int r = find_run(launcher, id, &run, &ignored);

	if (r < 0)
		return r;
	guild_fd = lock_run(launcher, run, &ignored);
	if (guild_fd < 0)
		return guild_fd;
	r = pending_is_ours(guild_fd);
	if (r <= 0)
		return r < 0 ? r : -ESTALE;
	r = prepare_failure(run, why, &job);
	return r < 0 ? r : hand_over(launcher, &job, guild_fd, "", fn, userdata, ret);
}

int launch_leave(struct launcher *launcher, const char *id, launch_fn fn, void *userdata,
		 struct launch **ret, struct strbuf *ret_why)
{
	_cleanup_(run_freep) struct run *run = NULL;
	_cleanup_close_ int guild_fd = -1;
	int r = find_run(launcher, id, &run, ret_why);

	if (r < 0)
		return r;
	guild_fd = file_open_dir(run_guild_fd(run), ".");
	if (guild_fd < 0)
		return explain(guild_fd, "open the run", ret_why);
	r = hand_over_plain(launcher, JOB_LEAVE, run, guild_fd, "", fn, userdata, ret);
	return explain(r, "take the run out of the queue", ret_why);
}
