/*
 * How an operation is put together before anything has been recorded of it: a draft of
 * Guild's attribute `op`, with all the keys that Guild always writes (1.6.1).
 */
#pragma once

#include <stdbool.h>

#include "engine/operation.h"
#include "engine/value.h"

struct definition {
	struct value cmd_args;	/* words of argv, references unresolved */
	struct value env;	/* the user's `env:` */
	struct value more_env;	/* what other keys than `env:` put there */
	char *python_path;	/* of `python-path:`, or NULL */
	char *source_root;	/* of `sourcecode:`, or NULL */
	char *source_dest;	/* the same */
	char *plugins;		/* of `plugins:`, with commas; NULL: Guild's own */
	struct value cmd_flags; /* flag -> how it is passed */
	struct str flags_dest;	/* borrowed; empty: none was said */
	struct value op; /* further keys of the attribute, over what Guild's default is */
};

#define DEFINITION_INIT                                                                  \
	((struct definition){ .cmd_args = { .type = VALUE_LIST },                        \
			      .env = { .type = VALUE_MAP },                              \
			      .more_env = { .type = VALUE_MAP },                         \
			      .cmd_flags = { .type = VALUE_MAP },                        \
			      .op = { .type = VALUE_MAP } })

void definition_done(struct definition *definition);

/* Each adds copies; 0 or -ENOMEM. */
int definition_add_word(struct definition *definition, struct str word);
int definition_add_python(
	struct definition *definition); /* ${python_exe} -um guild.op_main */
int definition_add_flag_args(struct definition *definition); /* where the flags go */

/*
 * Reads the flag @name from @body, the attributes of guild.yml or a default, into both.
 * 0; -EINVAL with a sentence for a mistake; -ENOMEM.
 */
int definition_read_flag(struct definition *definition, struct operation *operation,
			 struct str name, const struct value *body,
			 struct strbuf *ret_why);

/*
 * Makes @operation's attribute `op` of it; the operation's project and is_python are set.
 * 0 or -ENOMEM.
 */
int definition_apply(const struct definition *definition, struct operation *operation);
