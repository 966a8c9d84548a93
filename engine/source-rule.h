/*
 * Rules of `sourcecode` in guild.yml: each includes or excludes what its patterns match,
 * and the last that matches decides. (Section 1.12 of guild-behaviour.md.)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/strbuf.h"

enum source_rule_type {
	SOURCE_RULE_FILE,   /* any file */
	SOURCE_RULE_TEXT,   /* a file that is text */
	SOURCE_RULE_BINARY, /* a file that is not */
	SOURCE_RULE_DIR,    /* a directory: whether to look into it at all */
	SOURCE_RULE_N_TYPES,
};

struct source_rule {
	bool include;
	enum source_rule_type type;
	char **patterns; /* NULL-terminated */
};

struct source_rules {
	struct source_rule *items;
	size_t n_items;
};

#define SOURCE_RULES_INIT ((struct source_rules){ 0 })

void source_rules_done(struct source_rules *rules);

/* Adds a rule, which takes @patterns over, also on failure. 0 or -ENOMEM. */
int source_rules_add(struct source_rules *rules, bool include, enum source_rule_type type,
		     char **patterns);

/* The word for a type: dir, text, binary; NULL for any file. */
const char *source_rule_type_name(enum source_rule_type type);

/*
 * Fills @ret with @rules as they are for the directory @root_fd: there, a pattern for any
 * file that names a directory stands for all that is in it. 0 or -ENOMEM.
 */
int source_rules_resolve(const struct source_rules *rules, int root_fd,
			 struct source_rules *ret);

/*
 * Does one of the patterns match @path, from the root? One without a '/' is for the last
 * name of the path, another for all of it.
 */
bool source_rule_matches(const struct source_rule *rule, struct str path);

/* Do the rules leave nothing of what was included before them? */
bool source_rules_exclude_all(const struct source_rules *rules);

/*
 * Appends the path @text, which is to lead to a place below a run's directory, without
 * "." and with a '/' at its end; nothing for the directory itself. 0; -EINVAL when it
 * leads elsewhere, or to what .guild has for the run itself; -ENOMEM.
 */
int source_dest_normalize(struct str text, struct strbuf *ret);

/*
 * Python's fnmatch: '*' is any text, also with '/' in it, '?' one character, [abc] and
 * [!a-c] one among them, and nothing is special in hidden files.
 */
bool source_rule_fnmatch(struct str pattern, struct str text);
