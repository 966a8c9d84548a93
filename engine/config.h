/*
 * A configuration file that takes an operation's flags (flags-dest config:FILE): the
 * project's file is a template, and each run gets its own with the flags' values in it.
 * The file is YAML, JSON or INI, by the end of its name, behind which may stand `.in`.
 * (Sections 5.4 and 6.14 of guild-behaviour.md.)
 */
#pragma once

#include "engine/flags.h"
#include "engine/strbuf.h"
#include "engine/value.h"

#define CONFIG_MAX_LEN	 (1u << 20)
#define CONFIG_MAX_FLAGS 1000

/* What config:FILE names, empty for another flags-dest. */
struct str config_file(struct str flags_dest);

/* Is it a path in the project? 0, or -EINVAL with a sentence. */
int config_check_place(struct str file, struct strbuf *ret_why);

/* May it be one: a path in the project, in a format that we know? 0, or -EINVAL with a
 * sentence. */
int config_check(struct str file, struct strbuf *ret_why);

/* Appends the path at which a run has it: the same without `.in`. 0 or -ENOMEM. */
int config_add_target(struct str file, struct strbuf *ret);

/*
 * What stands in the file: a map. 0; -EINVAL with a sentence for what is no such file;
 * -ENOMEM.
 */
int config_parse(struct str file, struct str text, struct value *ret,
		 struct strbuf *ret_why);

/*
 * The flags that @document, such a map, has: a map such as `flags:` in guild.yml, with
 * dots in the names of what is nested. Maps that are empty, and dates, are no flags. 0;
 * -EINVAL with a sentence when there are too many; -ENOMEM.
 */
int config_flags(const struct value *document, struct value *ret, struct strbuf *ret_why);

/*
 * Appends the file @file with the content @text, and over it the @flags that are not
 * null, passed as @cmd_flags (op-cmd's, or NULL) says. 0; -EINVAL with a sentence, as
 * above or when a flag has no place in it; -ENOMEM.
 */
int config_render(struct str file, struct str text, const struct value *cmd_flags,
		  const struct flags *flags, struct strbuf *ret, struct strbuf *ret_why);
