/* One name in the mount: look-up, listing, attributes. */
#include "fs/node.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/file.h"
#include "engine/pending.h"

/* `wait` can't know its size; with none, some readers would not read (fuse-facts 1.4). */
#define WAIT_SIZE 4096

/* `tail -c` of less than a block reads on to the end, which on a live output waits. */
#define OUTPUT_BLOCK 512

struct node_table {
	void *nodes; /* of tsearch(3), by path */
	struct node *root;
	struct list detached; /* nodes whose path is another's by now */
	size_t n_nodes;
};

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->path, ((const struct node *)b)->path);
}

/* FNV-1a, 64 bits: the same number for a path in every mount. */
static uint64_t hash_path(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3;
	return hash < 2 ? hash + 2 : hash; /* 1 is the root's */
}

static void node_done(struct node *node)
{
	free(node->path);
	free(node->run_id);
	free(node->op_name);
	free(node->attempt);
}

static void node_free(void *node)
{
	node_done(node);
	free(node);
}

int node_table_new(struct view *view, const struct node_type *root,
		   struct node_table **ret)
{
	_cleanup_(node_table_freep) struct node_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	list_init(&table->detached);
	table->root = calloc(1, sizeof(*table->root));
	if (!table->root)
		return -ENOMEM;
	table->root->view = view;
	table->root->type = root;
	table->root->ino = 1;
	table->root->path = strdup("");
	if (!table->root->path)
		return -ENOMEM;
	*ret = take_ptr(table);
	return 0;
}

void node_table_free(struct node_table *table)
{
	if (!table)
		return;
	tdestroy(table->nodes, node_free);
	list_for_each (link, &table->detached) {
		node_free(list_entry(link, struct node, link));
	}
	if (table->root)
		node_free(table->root);
	free(table);
}

struct node *node_root(struct node_table *table)
{
	return table->root;
}

uint64_t node_entry_ino(const struct node *dir, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	strbuf_addf(&path, "%s%s%s", dir->path, dir->path[0] ? "/" : "", name);
	return hash_path(strbuf_cstr(&path));
}

static int copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

int node_child(struct node *ret_child, const struct node_type *type, const char *run_id,
	       const char *op_name)
{
	ret_child->type = type;
	if (copy_text(run_id, &ret_child->run_id) < 0 ||
	    copy_text(op_name, &ret_child->op_name) < 0)
		return -ENOMEM;
	return 0;
}

static const struct node_type *find_entry(const struct node_type *entries,
					  const char *name)
{
	for (; entries && entries->name; entries++) {
		if (strcmp(entries->name, name) == 0)
			return entries;
	}
	return NULL;
}

/* Does it say nothing of whether an entry is there? */
static bool is_unknown(int r)
{
	return r == -EINPROGRESS || file_is_lack(r);
}

/* Makes the child that is called @name, without looking whether it is there. */
static int make_child(const struct node *dir, const struct node_type *type,
		      const char *name, struct node *ret_child)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	int r;

	ret_child->view = dir->view;
	ret_child->trashed = dir->trashed;
	strbuf_addf(&path, "%s%s%s", dir->path, dir->path[0] ? "/" : "", name);
	ret_child->path = strbuf_take(&path);
	if (!ret_child->path)
		return -ENOMEM;
	ret_child->ino = hash_path(ret_child->path);
	if (!type)
		return dir->type->lookup ? dir->type->lookup(dir, name, ret_child)
					 : -ENOENT;
	r = node_child(ret_child, type, dir->run_id, dir->op_name);
	if (r == 0)
		r = copy_text(dir->attempt, &ret_child->attempt);
	if (r < 0 || !type->exists)
		return r;
	r = type->exists(ret_child);
	return r < 0 && !is_unknown(r) ? -ENOENT : r;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same(const struct node *a, const struct node *b)
{
	return a->type == b->type && a->trashed == b->trashed &&
	       is_same_text(a->run_id, b->run_id) && is_same_text(a->op_name, b->op_name);
}

/*
 * Puts @node where another has the path that is its own now. Who has the old one open
 * keeps it: it is out of the table, and goes when the kernel forgets it.
 */
static void take_place(struct node_table *table, struct node **place, struct node *node)
{
	list_append(&table->detached, &(*place)->link);
	*place = node;
}

/* Gives @node its path in the table; -ENOMEM. @ret: the node that has it. */
static int enter(struct node_table *table, struct node *node, struct node **ret)
{
	struct node **place = tsearch(node, &table->nodes, compare_paths);

	if (!place)
		return -ENOMEM;
	*ret = *place;
	if (*place == node || is_same(*place, node))
		return 0;
	/* The name is another kind of thing by now. */
	take_place(table, place, node);
	*ret = node;
	return 0;
}

int node_lookup(struct node_table *table, const struct node *dir, const char *name,
		struct node **ret)
{
	struct node *node = calloc(1, sizeof(*node));
	int r;

	if (!node)
		return -ENOMEM;
	list_init(&node->link);
	r = make_child(dir, find_entry(dir->type->entries, name), name, node);
	if (r < 0) {
		node_free(node);
		return r;
	}
	r = enter(table, node, ret);
	if (r == 0 && *ret == node)
		table->n_nodes++;
	else
		node_free(node);
	if (r == 0)
		(*ret)->n_lookups++;
	return r;
}

void node_forget(struct node_table *table, struct node *node, uint64_t n_lookups)
{
	struct node **place;

	if (node == table->root)
		return;
	node->n_lookups -= n_lookups < node->n_lookups ? n_lookups : node->n_lookups;
	if (node->n_lookups > 0)
		return;
	place = tfind(node, &table->nodes, compare_paths);
	if (place && *place == node)
		(void)tdelete(node, &table->nodes, compare_paths);
	list_unlink(&node->link);
	table->n_nodes--;
	node_free(node);
}

struct node *node_find(const struct node_table *table, const char *path)
{
	const struct node key = { .path = (char *)(uintptr_t)path };
	struct node **place = tfind(&key, &table->nodes, compare_paths);

	return place ? *place : NULL;
}

/* Compares as compare_paths(), but what lies below @a is equal to it. */
static int compare_below(const void *a, const void *b)
{
	const struct node *above = a, *node = b;
	size_t len = strlen(above->path);
	int order = strncmp(above->path, node->path, len);

	return order != 0 ? order : '/' - (unsigned char)node->path[len];
}

/* Takes the node of @path out of the table, or one below it; NULL when there is none. */
static struct node *take_out(struct node_table *table, const char *path)
{
	const struct node key = { .path = (char *)(uintptr_t)path };
	struct node **place = tfind(&key, &table->nodes, compare_paths);
	struct node *node;

	if (!place)
		place = tfind(&key, &table->nodes, compare_below);
	if (!place)
		return NULL;
	node = *place;
	(void)tdelete(node, &table->nodes, compare_paths);
	return node;
}

/*
 * Puts @node back under its new path, in any case: the kernel has it by this name now,
 * and one that had it before is left to who has it open.
 */
static int put_back(struct node_table *table, struct node *node, const char *path,
		    const struct node *new_dir)
{
	_cleanup_(strbuf_done) struct strbuf new_path = STRBUF_INIT;
	struct node **place;

	strbuf_addf(&new_path, "%s/%s", new_dir->path, path);
	if (strbuf_error(&new_path) < 0)
		return -ENOMEM;
	free(node->path);
	node->path = strbuf_take(&new_path);
	node->ino = hash_path(node->path);
	node->trashed = new_dir->type->is_trash;
	place = tsearch(node, &table->nodes, compare_paths);
	if (!place)
		return -ENOMEM;
	if (*place != node)
		take_place(table, place, node);
	return 0;
}

int node_move(struct node_table *table, const struct node *dir, const char *name,
	      const struct node *new_dir)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	struct node *node;
	int r;

	r = strbuf_addf(&path, "%s/%s", dir->path, name);
	while (r == 0 && (node = take_out(table, strbuf_cstr(&path)))) {
		r = put_back(table, node, node->path + strlen(dir->path) + 1, new_dir);
		/* It can be found by nobody, but is there for who has it. */
		if (r < 0)
			list_append(&table->detached, &node->link);
	}
	return r;
}

void node_remove(struct node_table *table, const struct node *dir, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	struct node *node;

	if (strbuf_addf(&path, "%s/%s", dir->path, name) < 0)
		return;
	while ((node = take_out(table, strbuf_cstr(&path))))
		list_append(&table->detached, &node->link);
}

int node_list(const struct node *dir, node_list_fn fn, void *userdata)
{
	for (const struct node_type *type = dir->type->entries; type && type->name;
	     type++) {
		struct node child = { .type = type, .trashed = dir->trashed };
		int r = type->exists ? make_child(dir, type, type->name, &child) : 0;

		if (r == 0)
			fn(userdata, type->name, node_mode(&child));
		node_done(&child);
		if (is_unknown(r))
			return r;
	}
	return dir->type->list ? dir->type->list(dir, fn, userdata) : 0;
}

const struct node_type *node_creatable(const struct node *dir, const char *name)
{
	const struct node_type *type = find_entry(dir->type->entries, name);

	return type && type->create && !dir->trashed ? type : NULL;
}

bool node_is_writable(const struct node *node)
{
	return node->type->commit && !node->trashed;
}

bool node_is_shadowed(const struct node *node)
{
	_cleanup_(run_freep) struct run *run = NULL;

	return node->trashed && store_find(node->view->store, node->run_id, &run) == 0;
}

mode_t node_mode(const struct node *node)
{
	return node->trashed && S_ISREG(node->type->mode) ? node->type->mode & ~0222u
							  : node->type->mode;
}

static int find_run(const struct node *node, bool in_trash, struct run **ret)
{
	struct store *store = node->view->store;

	return in_trash ? trash_find(store, node->run_id, ret)
			: store_find(store, node->run_id, ret);
}

int node_run(const struct node *node, struct run **ret)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r;

	if (!node->run_id)
		return -ENOENT;
	r = find_run(node, node->trashed, &run);
	if (r == -ENOENT && !S_ISDIR(node->type->mode))
		r = find_run(node, !node->trashed, &run);
	if (r < 0)
		return r;
	if (node->attempt)
		return run_open_attempt(run, node->attempt, ret);
	*ret = take_ptr(run);
	return 0;
}

int node_look(const struct node *node, struct run_moment *ret)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r;

	if (node->run_id && !node->attempt && !node->trashed)
		return view_look(node->view, node->run_id, ret);
	r = node_run(node, &run);
	return r < 0 ? r : run_look(run, ret);
}

/* Fills in what the file or directory has that stands behind @node. */
static int stat_backing(const struct node *node, struct stat *ret)
{
	_cleanup_(run_freep) struct run *run = NULL;
	struct stat st;
	int r;

	if (!node->run_id) {
		r = fstat(store_fd(node->view->store), &st) < 0 ? -errno : 0;
	} else {
		r = node_run(node, &run);
		if (r < 0)
			return r;
		if (!node->type->backing ||
		    file_stat(run_guild_fd(run), node->type->backing, &st) < 0)
			r = fstat(run_guild_fd(run), &st) < 0 ? -errno : 0;
		else if (node->type->kind == NODE_OUTPUT && S_ISREG(st.st_mode) &&
			 pending_exists(run_guild_fd(run)) == 0)
			ret->st_size = st.st_size; /* of the start that is to come: 0 */
	}
	if (r < 0)
		return r;
	ret->st_atim = st.st_atim;
	ret->st_mtim = st.st_mtim;
	ret->st_ctim = st.st_ctim;
	return 0;
}

static int measure(const struct node *node, struct stat *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = 0;

	if (node->type->link)
		r = node->type->link(node, &text);
	else if (node->type->kind == NODE_WAIT)
		ret->st_size = WAIT_SIZE;
	else if (node->type->size)
		r = node->type->size(node, &ret->st_size);
	else if (node->type->read)
		r = node->type->read(node, &text);
	if (r == 0)
		r = strbuf_error(&text);
	/* A file whose content can't be read now is there all the same, and has none. */
	if (r < 0 && r != -EINPROGRESS && r != -ENOENT && !node->type->link)
		r = 0;
	if ((node->type->kind == NODE_PLAIN || node->type->kind == NODE_TEXT) &&
	    !node->type->size)
		ret->st_size = (off_t)text.len;
	return r;
}

bool node_is_still(const struct node *node)
{
	_cleanup_(run_freep) struct run *run = NULL;

	if (!node->run_id)
		return S_ISDIR(node->type->mode) && !node->op_name;
	if (!node->type->told || node->trashed || node_is_writable(node))
		return false;
	return S_ISDIR(node->type->mode) ||
	       (node_run(node, &run) == 0 && !run_has_marker(run));
}

int node_stat(const struct node *node, struct stat *ret)
{
	int r;

	*ret = (struct stat){
		.st_ino = node->ino,
		.st_mode = node_mode(node),
		.st_nlink = S_ISDIR(node->type->mode) ? 2 : 1,
		.st_uid = node->view->uid,
		.st_gid = node->view->gid,
		.st_blksize = node->type->kind == NODE_OUTPUT ? OUTPUT_BLOCK : 4096,
	};
	r = stat_backing(node, ret);
	if (r == 0 && node->type->mtime && node->type->mtime(node, &ret->st_mtim) == 0)
		ret->st_ctim = ret->st_mtim;
	if (r == 0 && !S_ISDIR(node->type->mode))
		r = measure(node, ret);
	ret->st_blocks = (ret->st_size + 511) / 512;
	return r;
}
