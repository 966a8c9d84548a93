/*
 * The directories of the mount, each a table in a file of its own (fs/NAME-dir.c): what
 * `ls` shows there, and what each file does.
 */
#pragma once

#include "fs/node.h"

extern const struct node_type root_type; /* the mount */
extern const struct node_type op_type;	 /* ops/OP/ */
extern const struct node_type run_type;	 /* runs/ID/ */

/* The entries of ops/, runs/ and trash/, which stand in the root's table. */
int ops_dir_lookup(const struct node *dir, const char *name, struct node *ret_child);
int ops_dir_list(const struct node *dir, node_list_fn fn, void *userdata);
int runs_dir_lookup(const struct node *dir, const char *name, struct node *ret_child);
int runs_dir_list(const struct node *dir, node_list_fn fn, void *userdata);
int runs_dir_rmdir(const struct node *dir, const char *name, struct strbuf *ret_why);
int runs_dir_take(const struct node *dir, const char *name, struct strbuf *ret_why);

/* Lists a run, of runs/ or of trash/: @userdata is a run_listing. */
struct run_listing {
	node_list_fn fn;
	void *userdata;
};
void runs_dir_list_one(void *userdata, const char *id);

int trash_dir_lookup(const struct node *dir, const char *name, struct node *ret_child);
int trash_dir_list(const struct node *dir, node_list_fn fn, void *userdata);
int trash_dir_rmdir(const struct node *dir, const char *name, struct strbuf *ret_why);
int trash_dir_take(const struct node *dir, const char *name, struct strbuf *ret_why);

extern const struct node_type attempt_type; /* runs/ID/attempts/N/ */

/* The entries of runs/ID/attempts/, which stands in the table of runs/ID/. */
int attempts_dir_lookup(const struct node *dir, const char *name, struct node *ret_child);
int attempts_dir_list(const struct node *dir, node_list_fn fn, void *userdata);

/* The entries of runs/ID/series/, which stands in the table of runs/ID/. */
int series_dir_lookup(const struct node *dir, const char *name, struct node *ret_child);
int series_dir_list(const struct node *dir, node_list_fn fn, void *userdata);

/* The texts of runs/ID/ (fs/run-metadata.c), which stand in the table of runs/ID/. */
int label_read(const struct node *node, struct strbuf *ret_text);
int label_check(const struct node *node, const struct operation *operation,
		struct str text, struct strbuf *ret_why);
int label_commit(const struct node *node, struct commit *commit, struct str text,
		 struct strbuf *ret_why);
int tags_read(const struct node *node, struct strbuf *ret_text);
int tags_check(const struct node *node, const struct operation *operation,
	       struct str text, struct strbuf *ret_why);
int tags_commit(const struct node *node, struct commit *commit, struct str text,
		struct strbuf *ret_why);
int comment_read(const struct node *node, struct strbuf *ret_text);
int comment_check(const struct node *node, const struct operation *operation,
		  struct str text, struct strbuf *ret_why);
int comment_commit(const struct node *node, struct commit *commit, struct str text,
		   struct strbuf *ret_why);
