/*
 * What Python says of a project's scripts, kept until a script changes: how it takes its
 * flags, which it has, and what is installed beside it. A script that reads its flags
 * with argparse or click is run until it does so (scripts/option-flags.py).
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "engine/cleanup.h"
#include "engine/python.h"
#include "engine/value.h"

struct scripts;
struct script;

/* Called when a script that was asked about (-EINPROGRESS) is known. */
typedef void (*scripts_fn)(void *userdata);

/* @project: an absolute directory, or NULL. 0 or -ENOMEM. */
int scripts_new(struct python *python, const char *project, scripts_fn fn, void *userdata,
		struct scripts **ret);
void scripts_free(struct scripts *scripts);
DEFINE_CLEANUP(struct scripts, scripts_free);

/* How an operation runs a script, and what it wants to know. All but @path may be NULL.
 */
struct script_use {
	const char *path; /* absolute */
	const char *dest; /* where its flags go, as flags-dest has it; NULL: it decides */
	const char *package;  /* that it is run in, as `a` for the module a.b */
	const char *requires; /* which Python, as python-requires has it */
	char *const *args;    /* that come before its options, a subcommand say */
	bool no_flags; /* its options are not wanted: it need not be run for them */
};

/*
 * What is known of the script that @use is about, which is as @st says: borrowed until
 * the next call. 0; -EINPROGRESS while Python is asked: scripts_fn will be called;
 * -ENOMEM.
 */
int scripts_ask(struct scripts *scripts, const struct script_use *use,
		const struct stat *st, const struct script **ret);

const char *
script_dest(const struct script *script); /* flags-dest; "args" if not known */
const char *script_description(const struct script *script);	/* or NULL */
const char *script_python_version(const struct script *script); /* or NULL */

/* Its flags as a map such as `flags:` in guild.yml. 0 or -ENOMEM. */
int script_flags(const struct script *script, struct value *ret);

/* The attribute pip_freeze: a list, or null if not known. 0 or -ENOMEM. */
int script_packages(const struct script *script, struct value *ret);

/* Why the script, called @name, can't be run: a sentence to free; NULL when it can. */
char *script_problem(const struct script *script, const char *name);
int script_error(const struct script *script); /* the -errno that goes with it */
