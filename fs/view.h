/*
 * What the handlers of the namespace work on: the home, the project and how to start
 * runs. There is one view for each mount; it holds no state that the disk does not have,
 * but for the last answers of control files, which are nobody's truth.
 */
#pragma once

#include <stdbool.h>

#include "engine/amend.h"
#include "engine/cleanup.h"
#include "engine/index.h"
#include "engine/launch.h"
#include "engine/list.h"
#include "engine/project.h"
#include "engine/scalars.h"
#include "engine/stop.h"
#include "engine/store.h"
#include "engine/trash.h"

struct view {
	struct store *store;
	struct index *index;
	struct project *project;
	struct launcher *launcher;
	struct stopper *stopper;
	struct scalars *scalars;
	struct trash *trash;
	struct amender *amender;
	const char *op_main; /* path of op-main.py */
	bool nofollow;	     /* reading `output` never waits */
	uid_t uid;	     /* whose the files are shown to be */
	gid_t gid;
	struct list handles;   /* open files, which end with the mount at the latest */
	struct list answers;   /* the oldest first */
	void *answers_by_path; /* of tsearch(3) */
	size_t n_answers;

	/* What view_look() has seen since view_keep_looks(). */
	bool keeps_looks;
	char *looked_id;
	int look_result;
	struct run_moment moment;
};

/* What it has of its own is emptied; the rest is borrowed. */
void view_init(struct view *view);
void view_done(struct view *view);

/*
 * What the run @run_id, deleted or not, is at this moment. 0 or what trash_find() says.
 * Between view_keep_looks(true) and view_keep_looks(false), which belong around one
 * event, a run that many wait for is looked at once.
 */
int view_look(struct view *view, const char *run_id, struct run_moment *ret);
void view_keep_looks(struct view *view, bool keep);

/* When the latest run of the operation @op_name (NULL: of all) was started. */
int view_latest_time(struct view *view, const char *op_name, struct timespec *ret);

/*
 * What the control file at @path (below the mount) answered last; an empty view when
 * nobody has asked. The last 65,536 are kept.
 */
struct str view_answer(const struct view *view, const char *path);
void view_set_answer(struct view *view, const char *path, struct str text);
