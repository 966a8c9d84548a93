/*
 * What can be run: an operation of a project, or the one that a run records. Guild's
 * attribute `op` is its heart (section 1.6.1 of guild-behaviour.md): the command with
 * its references, the environment and how each flag is passed.
 */
#pragma once

#include <stdbool.h>

#include "engine/cleanup.h"
#include "engine/flag-def.h"
#include "engine/request.h"
#include "engine/run.h"
#include "engine/value.h"

/*
 * The attribute in which runfs records the definitions of a run's flags, as guild.yml has
 * them, so that a restart is judged like the first start, without the project.
 */
#define OPERATION_FLAG_DEFS "flag_defs"

/* And the one for the names of its `env-secrets`. */
#define OPERATION_ENV_SECRETS "env_secrets"

/* And the one for the rules of its `sourcecode`, for --force-sourcecode. */
#define OPERATION_SOURCE "sourcecode_rules"

struct operation {
	size_t n_refs;
	char *name;	   /* as the mount shows it: OP or MODEL:OP, or a script's path */
	char *opref;	   /* what .guild/opref holds (1.5) */
	char *opspec;	   /* how Guild would be asked for it; its GUILD_OP */
	char *description; /* or NULL */
	char *problem;	   /* a sentence: why it can't be run; NULL when it can */
	int problem_error; /* and the -errno that goes with it */
	struct value attr; /* the map of the attribute `op` */

	struct flag_def *flag_defs; /* sorted by name */
	size_t n_flag_defs;
	bool has_aliases;    /* some flag has one */
	bool takes_any_flag; /* a program without a declaration of its flags */

	char *project; /* absolute path of the project; NULL for what a run records */
	char *program; /* the project's file that it runs, which each run gets; or NULL */
	bool is_python;
	char *python_version; /* sys.version of its interpreter, as far as known; or NULL
			       */
	struct value pip_freeze; /* the list of that attribute; null when not known */
	bool no_pip_freeze;

	char *remarks;	   /* lines of help: what of it has no effect; or NULL */
	struct value tags; /* a list of texts: what new runs are tagged with; or null */
	struct value run_attrs;	  /* a map that a new run records; or null */
	struct value env_secrets; /* a list of names that are never stored; or null */
	/*
	 * The rules of `sourcecode` of guild.yml: null, or a map of `select`, a list with
	 * a map for each rule (include or exclude, and a list of patterns, or a map of
	 * dir, text or binary and that list), and `digest`, which is there when it is no.
	 */
	struct value source;
};

/* A new operation of nothing; NULL for no memory. */
struct operation *operation_new(void);
struct operation *operation_ref(struct operation *operation); /* takes and returns NULL */
void operation_unref(struct operation *operation);
DEFINE_CLEANUP(struct operation, operation_unref);

/* Adds a flag, taking @default_value over also on failure. 0 or -ENOMEM. */
int operation_add_flag(struct operation *operation, struct str name,
		       struct str description, struct value *default_value);

/* Adds a flag by its whole definition, taking it over also on failure. 0 or -ENOMEM. */
int operation_add_flag_def(struct operation *operation, struct flag_def *flag_def);

/* The definition of the flag that is called @name, or has it as alias; NULL for none. */
const struct flag_def *operation_find_flag(const struct operation *operation,
					   const char *name);

/*
 * Where its source code comes from, seen from the project, and where a run has it, seen
 * from the run's directory; empty for these directories themselves.
 */
struct str operation_source_root(const struct operation *operation);
struct str operation_source_dest(const struct operation *operation);

/* The flags that have a default, with it. 0 or -ENOMEM. */
int operation_defaults(const struct operation *operation, struct flags *ret);

/*
 * The operation as @run records it: its flags are those of `op` and those that the run
 * has. 0; -EINVAL with a sentence when the run records none, or none that can be read.
 */
int operation_of_run(const struct run *run, struct operation **ret,
		     struct strbuf *ret_why);

/*
 * Is every flag of @request one of the operation's, also the unfinished one? 0, -EINVAL
 * with a sentence. Anything goes with --force-flags.
 */
int operation_check_flags(const struct operation *operation,
			  const struct request *request, struct strbuf *ret_why);

/*
 * Appends an operation's name as Guild shows it, from the text of an opref: OP, MODEL:OP,
 * PKG/OP, OP(). 0; -EBADMSG when it is no opref.
 */
int operation_name_of_opref(struct str opref, struct strbuf *ret);
