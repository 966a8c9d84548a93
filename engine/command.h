/*
 * An operation and its flags as a process: argv and environment, as Guild makes them
 * (sections 3.6, 3.8, 5.3, 5.4 and 5.7 of guild-behaviour.md).
 *
 * What a run records keeps Guild's form, so that Guild can start it again; what is run
 * has runfs' own helper in the place of guild.op_main.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/operation.h"
#include "engine/store.h"
#include "engine/strv.h"

/* What a command needs besides its operation and flags. */
struct command_context {
	const struct store *store;
	const char *id;		/* of the run */
	const char *python_exe; /* what ${python_exe} stands for; NULL: there is none */
	const char *op_main;	/* path of our op-main.py */
	const char *cmd_dir;  /* Guild's CMD_DIR: where the user is, for us the project */
	char *const *environ; /* the environment that everything inherits */
	bool force_flags;     /* pass flags that the operation does not declare, too */
};

struct command {
	struct value cmd; /* the attribute `cmd`: a list */
	struct value env; /* the attribute `env`: a map without secrets */
	char **argv;	  /* what is run */
	char **envp;
};

#define COMMAND_INIT ((struct command){ 0 })

void command_done(struct command *command);

/* Does the command of @operation have ${python_exe} in it, or in its environment? */
bool command_uses_python(const struct operation *operation);

/* 0; -EINVAL (a reference to no flag), -ENOENT (no Python), with a sentence; -ENOMEM. */
int command_build(const struct operation *operation, const struct flags *flags,
		  const struct command_context *context, struct command *ret,
		  struct strbuf *ret_why);

/*
 * The stored command of @run as it would be run by hand: argv with our helper, from the
 * attribute `cmd`. 0, -ENOENT when it has none, -EBADMSG.
 */
int command_of_run(const struct run *run, const char *op_main, char ***ret);

/* Is @name one whose value is never stored? (1.6: password, token, secret) */
bool command_is_secret(const char *name);
