/*
 * The flags of an R script: its variables, as Guild's plugin for R has them. A flag is
 * what `name <- value` or `name = value` at the beginning of a line, outside of all
 * brackets, sets to a number, a text, TRUE or FALSE; the first for each name counts.
 * Lines
 * `#| key: value` right above it say more of it, as guild.yml would.
 *
 * A run gets a copy of the script in which these values are the flags'. Nothing of the
 * script is executed to find them.
 */
#pragma once

#include <stdbool.h>

#include "engine/flags.h"
#include "engine/strbuf.h"
#include "engine/value.h"

#define R_SCRIPT_MAX_LEN   (1u << 20)
#define R_SCRIPT_MAX_FLAGS 1000

/* Is it one by its name: x.R or x.r? */
bool r_script_is(struct str file);

/*
 * The flags of the script @text: a map such as `flags:` in guild.yml. 0; -EINVAL with a
 * sentence for what is no text, or has too many flags; -ENOMEM.
 */
int r_script_flags(struct str text, struct value *ret, struct strbuf *ret_why);

/* Appends the script with the values of @flags that are not null. 0 or -ENOMEM. */
int r_script_render(struct str text, const struct flags *flags, struct strbuf *ret);
