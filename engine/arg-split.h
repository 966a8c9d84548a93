/*
 * A flag with `arg-split`: several values in one text, as words of a shell (`yes` or
 * `shlex`) or with another separator between them. (Section 3.8 of guild-behaviour.md.)
 */
#pragma once

#include <stdbool.h>

#include "engine/strv.h"
#include "engine/value.h"

/* Does the attribute @split (NULL: it is not there) split anything? */
bool arg_split_is_on(const struct value *split);

/* What stands between the parts; NULL for words of a shell. */
const char *arg_split_separator(const struct value *split);

/* Appends the parts of @value as they are. 0; -EINVAL for an open quote; -ENOMEM. */
int arg_split_words(const struct value *value, const struct value *split, char ***ret);

/*
 * Appends the parts, each decoded as a flag's value, to the list @ret; a @value that is a
 * list already gives its items. As above, and -EINVAL for a part that can't be decoded.
 */
int arg_split_list(const struct value *value, const struct value *split,
		   struct value *ret);

/*
 * A list as words of a shell from which arg_split_list() makes the same list. 0 or
 * -ENOMEM.
 */
int arg_split_join(const struct value *list, struct value *ret);
