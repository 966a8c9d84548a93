/*
 * A client of a mount that there is not: looks names up, reads and writes as a program
 * does through FUSE, on the home and the project of a scratch directory ("home" and
 * "project" in it). Programs: $RUNFS_SUPERVISOR, and the helpers in $RUNFS_SCRIPTS.
 */
#pragma once

#include "engine/loop.h"
#include "fs/handle.h"
#include "fs/node.h"
#include "fs/view.h"
#include "scratch.h"

extern struct view view;
extern struct loop *loop;
extern struct node_table *nodes; /* of the root of dirs.h */

/* .init and .fini of a suite; the latter waits for what was started. */
void client_make(void);
void client_remove(void);

/* The node at @path of the mount, to be forgotten by the caller. 0 or -errno. */
int client_look(const char *path, struct node **ret);

/* The same for one that must be there, and that is kept until client_remove(). */
struct node *client_node(const char *path);

/* open(2) by this process, which must succeed. */
struct handle *client_open(const char *path, int flags);

/* close(2): what its flush says; the handle is gone. */
int client_close(struct handle *handle);

/* The attributes of a node, which must be there; waits for what is worked out. */
void client_stat(const struct node *node, struct stat *ret);

/* Reads to the end in pieces of @size, waiting where it has to. 0 or -errno. */
int client_read_all(struct handle *handle, size_t size, struct strbuf *ret);

/* `cat PATH`; the caller frees. A failure fails the test. */
char *client_cat(const char *path);

/* `printf TEXT > PATH`: 0, or the first -errno that its open, write or close gives. */
int client_print(const char *path, const char *text);

/* `printf TEXT >&3; cat <&3` of one open file: 0 or -errno, and the answer. */
int client_ask(const char *path, const char *text, struct strbuf *ret);

/* Are these the content of @path, and its size? */
void expect_content(const char *path, const char *text);

/* The names in the directory @path, each with a newline; the caller frees. */
char *client_list(const char *path);
