/*
 * The Python of a home's operations: which interpreter, and what it says of a script.
 * The helper scripts/python-flags.py is asked in a process of its own, since nothing in
 * the loop waits; it executes nothing of the script.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "engine/cleanup.h"
#include "engine/loop.h"
#include "engine/strbuf.h"

struct python;
struct python_question;

/*
 * Called once: with the helper's answer, borrowed (its format stands at the top of
 * scripts/python-flags.py), or with NULL and a sentence that says why there is none.
 */
typedef void (*python_fn)(void *userdata, const json_t *answer, const char *why);

/* @flags_helper is the path of python-flags.py. 0 or -ENOMEM. */
int python_new(struct loop *loop, const char *flags_helper, struct python **ret);
void python_free(struct python *python); /* its questions must have been cancelled */
DEFINE_CLEANUP(struct python, python_free);

/* Whose own environment counts: an absolute path. None without. 0 or -ENOMEM. */
int python_set_project(struct python *python, const char *project);

/*
 * Lets answers be kept in the home @home_fd, which must outlive it, and found there by
 * the next (engine/python-cache.h).
 */
void python_set_home(struct python *python, int home_fd);

/* As interpreter_find(), for an operation that @requires a version, or "" for any. */
int python_find(const struct python *python, struct str requires, struct strbuf *ret_path,
		struct strbuf *ret_why);

/* What is asked about a script. All but @script may be NULL. */
struct python_call {
	const char *script; /* an absolute path */
	const char *dest; /* where its flags go, as flags-dest has it; NULL: it decides */
	const char *requires; /* which version of Python is asked, as python-requires */
	/*
	 * Run it until it reads its command line, and say which options it takes; @dest
	 * is args or args:click then. Otherwise nothing of it is executed.
	 */
	bool run;
	const char *root;    /* a directory where it finds modules, too */
	const char *package; /* that it is run in, as `a` for the module a.b */
	char *const *args;   /* that come before its options, a subcommand say */
};

/*
 * Asks for the flags of a script. The answer comes through the loop, or never after
 * python_cancel(). 0, or -errno with a sentence.
 */
int python_ask(struct python *python, const struct python_call *call, python_fn fn,
	       void *userdata, struct python_question **ret, struct strbuf *ret_why);
void python_cancel(struct python_question *question);
