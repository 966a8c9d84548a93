/* What a program does through FUSE, without it. */
#include "client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/file.h"
#include "fs/dirs.h"
#include "patience.h"

#define OWNER	4711 /* the lock owner of all that we write */
#define TICK_US 2000

struct view view;
struct loop *loop;
struct node_table *nodes;

static struct python *python;
static struct spawner *spawner;
static char *paths[5]; /* what the parts borrow */

static void on_answer(void *userdata)
{
	loop_stop(loop);
}

static void on_index(void *userdata)
{
	launcher_ask_again(view.launcher);
	loop_stop(loop);
}

static void on_committed(void *userdata, struct handle *handle)
{
	loop_stop(loop);
}

static const char *keep(size_t place, char *path)
{
	cr_assert_not_null(path);
	paths[place] = path;
	return path;
}

static char *helper(const char *name)
{
	const char *dir = getenv("RUNFS_SCRIPTS");
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	cr_assert_not_null(dir, "RUNFS_SCRIPTS must name the directory");
	strbuf_addf(&path, "%s/%s", dir, name);
	return strbuf_take(&path);
}

static void make_launcher(const char *project)
{
	struct launcher_config config = {
		.loop = loop,
		.store = view.store,
		.index = view.index,
		.python = python,
		.project = project,
		.supervisor = keep(0, strdup(getenv("RUNFS_SUPERVISOR"))),
		.op_main = keep(1, helper("op-main.py")),
		.stop_timeout_us = 1000000,
	};

	view.op_main = config.op_main;
	cr_assert_eq(launcher_new(&config, &view.launcher), 0);
}

void client_make(void)
{
	const char *project;

	scratch_make();
	scratch_make_dir("project");
	project = keep(2, scratch_path("project"));
	view = (struct view){ 0 };
	view_init(&view);
	view.store = scratch_store();
	cr_assert_eq(loop_new(&loop), 0);
	cr_assert_eq(index_new(loop, view.store, on_index, NULL, &view.index), 0);
	cr_assert_eq(python_new(loop, keep(3, helper("python-flags.py")), &python), 0);
	cr_assert_eq(project_new(python, project, on_answer, NULL, &view.project), 0);
	cr_assert_eq(stopper_new(loop, 1000000, &view.stopper), 0);
	cr_assert_eq(scalars_new(loop, view.store, on_answer, NULL, &view.scalars), 0);
	make_launcher(project);
	cr_assert_eq(spawner_new(loop, store_fd(view.store), getenv("RUNFS_SUPERVISOR"),
				 &spawner),
		     0);
	cr_assert_eq(trash_new(view.store, spawner, &view.trash), 0);
	cr_assert_eq(amender_new(loop, view.store, spawner, &view.amender), 0);
	cr_assert_eq(node_table_new(&view, &root_type, &nodes), 0);
}

void client_remove(void)
{
	node_table_free(nodes);
	launcher_free(view.launcher);
	stopper_free(view.stopper);
	scalars_free(view.scalars);
	trash_free(view.trash);
	amender_free(view.amender);
	spawner_free(spawner);
	project_free(view.project);
	python_free(python);
	index_free(view.index);
	store_free(view.store);
	view_done(&view);
	loop_free(loop);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		free(take_ptr(paths[i]));
	/* Supervisors, whose runs are short. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	scratch_remove();
}

int client_look(const char *path, struct node **ret)
{
	struct node *node = node_root(nodes);
	struct str rest = str_from(path), name;

	while (str_split(&rest, '/', &name)) {
		_cleanup_free_ char *copy = str_dup(name);
		struct node *child;
		int r;

		while ((r = node_lookup(nodes, node, copy, &child)) == -EINPROGRESS)
			run_patiently(loop);
		node_forget(nodes, node, 1);
		if (r < 0)
			return r;
		node = child;
	}
	*ret = node;
	return 0;
}

struct node *client_node(const char *path)
{
	struct node *node = NULL;
	int r = client_look(path, &node);

	cr_assert_eq(r, 0, "%s: %s", path, strerror(-r));
	return node;
}

/* Opens, and asks again when what has to be found out first is known. */
static int try_open(const char *path, int flags, struct handle **ret)
{
	struct node *node = client_node(path);
	int r;

	while ((r = handle_open(node, flags, getpid(), on_committed, NULL, ret)) ==
	       -EINPROGRESS)
		run_patiently(loop);
	return r;
}

struct handle *client_open(const char *path, int flags)
{
	struct handle *handle = NULL;
	int r = try_open(path, flags, &handle);

	cr_assert_eq(r, 0, "%s: %s", path, strerror(-r));
	return handle;
}

static int flush(struct handle *handle)
{
	int r = handle_flush(handle, OWNER, getpid());

	if (r != -EINPROGRESS)
		return r;
	while (handle_is_committing(handle))
		run_patiently(loop);
	return handle_result(handle);
}

int client_close(struct handle *handle)
{
	int r = flush(handle);

	handle_release(handle);
	return r;
}

int client_read_all(struct handle *handle, size_t size, struct strbuf *ret)
{
	size_t start = ret->len;

	for (;;) {
		size_t before = ret->len;
		int r = handle_read(handle, (off_t)(before - start), size, false, ret);

		if (r == -EINPROGRESS)
			run_patiently(loop);
		else if (r == -EAGAIN)
			run_for(loop, TICK_US);
		else if (r < 0 || ret->len == before)
			return r;
	}
}

char *client_cat(const char *path)
{
	_cleanup_(handle_releasep) struct handle *handle = client_open(path, O_RDONLY);
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = client_read_all(handle, 4096, &text);

	cr_assert_eq(r, 0, "%s: %s", path, strerror(-r));
	strbuf_adds(&text, "");
	return strbuf_take(&text);
}

static int print(struct handle *handle, const char *text)
{
	return text[0] ? handle_write(handle, OWNER, str_from(text)) : 0;
}

int client_print(const char *path, const char *text)
{
	struct handle *handle;
	int r = try_open(path, O_WRONLY, &handle), flushed;

	if (r < 0)
		return r;
	r = print(handle, text);
	flushed = client_close(handle);
	return r < 0 ? r : flushed;
}

int client_ask(const char *path, const char *text, struct strbuf *ret)
{
	_cleanup_(handle_releasep) struct handle *handle = client_open(path, O_RDWR);
	int r = print(handle, text);

	return r < 0 ? r : client_read_all(handle, 4096, ret);
}

void client_stat(const struct node *node, struct stat *ret)
{
	int r;

	while ((r = node_stat(node, ret)) == -EINPROGRESS)
		run_patiently(loop);
	cr_assert_eq(r, 0, "%s: %s", node->path, strerror(-r));
}

void expect_content(const char *path, const char *text)
{
	_cleanup_free_ char *content = client_cat(path);
	struct node *node = client_node(path);
	struct stat st;

	cr_expect_str_eq(content, text, "%s: '%s' instead of '%s'", path, content, text);
	client_stat(node, &st);
	cr_expect_eq((size_t)st.st_size, strlen(content), "%s: size %jd", path,
		     (intmax_t)st.st_size);
}

static void add_name(void *userdata, const char *name, mode_t mode)
{
	strbuf_addf(userdata, "%s\n", name);
}

char *client_list(const char *path)
{
	_cleanup_(strbuf_done) struct strbuf names = STRBUF_INIT;
	struct node *node = client_node(path);
	int r;

	while ((r = node_list(node, add_name, &names)) == -EINPROGRESS) {
		strbuf_reset(&names);
		run_patiently(loop);
	}

	cr_assert_eq(r, 0, "%s: %s", path, strerror(-r));
	strbuf_adds(&names, "");
	return strbuf_take(&names);
}
