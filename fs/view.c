/* What the handlers work on, and the last answers of control files. */
#include "fs/view.h"

#include <errno.h>
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS_MAX 65536

struct answer {
	struct list link;
	char *path;
	char *text;
};

void view_init(struct view *view)
{
	list_init(&view->answers);
	list_init(&view->handles);
}

void view_keep_looks(struct view *view, bool keep)
{
	view->keeps_looks = keep;
	free(take_ptr(view->looked_id));
}

int view_look(struct view *view, const char *run_id, struct run_moment *ret)
{
	_cleanup_(run_freep) struct run *run = NULL;

	if (view->looked_id && strcmp(view->looked_id, run_id) == 0) {
		*ret = view->moment;
		return view->look_result;
	}
	*ret = (struct run_moment){ 0 };
	view->look_result = store_find(view->store, run_id, &run);
	if (view->look_result == -ENOENT)
		view->look_result = trash_find(view->store, run_id, &run);
	if (view->look_result == 0)
		view->look_result = run_look(run, ret);
	if (view->keeps_looks) {
		free(view->looked_id);
		view->looked_id = strdup(run_id);
		view->moment = *ret;
	}
	return view->look_result;
}

int view_latest_time(struct view *view, const char *op_name, struct timespec *ret)
{
	_cleanup_(run_freep) struct run *run = NULL;
	const char *id;
	int r = index_latest(view->index, op_name, &id);

	if (r == 0)
		r = store_find(view->store, id, &run);
	return r < 0 ? r : run_time(run, ret);
}

static int compare_answers(const void *a, const void *b)
{
	return strcmp(((const struct answer *)a)->path, ((const struct answer *)b)->path);
}

static void answer_free(struct view *view, struct answer *answer)
{
	(void)tdelete(answer, &view->answers_by_path, compare_answers);
	list_unlink(&answer->link);
	view->n_answers--;
	free(answer->path);
	free(answer->text);
	free(answer);
}

void view_done(struct view *view)
{
	view_keep_looks(view, false);
	list_for_each (link, &view->answers) {
		answer_free(view, list_entry(link, struct answer, link));
	}
}

static struct answer *find_answer(const struct view *view, const char *path)
{
	struct answer key = { .path = (char *)(uintptr_t)path };
	struct answer **found = tfind(&key, &view->answers_by_path, compare_answers);

	return found ? *found : NULL;
}

struct str view_answer(const struct view *view, const char *path)
{
	const struct answer *answer = find_answer(view, path);

	return str_from(answer ? answer->text : NULL);
}

static struct answer *add_answer(struct view *view, const char *path)
{
	struct answer *answer = calloc(1, sizeof(*answer));

	if (!answer)
		return NULL;
	answer->path = strdup(path);
	if (!answer->path || !tsearch(answer, &view->answers_by_path, compare_answers)) {
		free(answer->path);
		free(answer);
		return NULL;
	}
	list_append(&view->answers, &answer->link);
	if (++view->n_answers > ANSWERS_MAX)
		answer_free(view, list_entry(view->answers.next, struct answer, link));
	return answer;
}

void view_set_answer(struct view *view, const char *path, struct str text)
{
	struct answer *answer = find_answer(view, path);

	if (!answer)
		answer = add_answer(view, path);
	if (!answer)
		return;
	list_unlink(&answer->link);
	list_append(&view->answers, &answer->link);
	free(answer->text);
	answer->text = str_dup(text);
}
