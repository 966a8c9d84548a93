/*
 * A set of named values: the flags of one run, sorted by name.
 */
#pragma once

#include "engine/strbuf.h"
#include "engine/value.h"

struct flag {
	char *name;
	struct value value;
};

struct flags {
	struct flag *items; /* sorted by name, byte for byte; no two of one name */
	size_t n_items;
};

#define FLAGS_INIT ((struct flags){ 0 })

void flags_done(struct flags *flags);
int flags_copy(const struct flags *flags, struct flags *ret); /* 0 or -ENOMEM */

const struct flag *flags_find(const struct flags *flags, const char *name); /* or NULL */

/* Sets @name, taking @value over also on failure: it is null afterwards. 0 or -ENOMEM. */
int flags_set(struct flags *flags, struct str name, struct value *value);

/*
 * For many in any order: adds without looking whether the name is there, and sorts at the
 * end, when of equal names the last stays; nothing else may be done in between. As
 * flags_set().
 */
int flags_add(struct flags *flags, struct str name, struct value *value);
int flags_sort(struct flags *flags);

/* Puts a copy of each flag of @over into @flags. 0, or -ENOMEM and @flags half merged. */
int flags_merge(struct flags *flags, const struct flags *over);

/*
 * The same names with equal values (value_equal). A flag that one side lacks differs,
 * even from null. Source: section 3.7 of guild-behaviour.md.
 */
bool flags_equal(const struct flags *a, const struct flags *b);

/* Equal flags have the same digest, and others hardly ever. */
uint64_t flags_digest(const struct flags *flags);

/*
 * From and to the map of an attribute file. Keys that are no strings become their text;
 * null gives no flags; another type is -EBADMSG.
 */
int flags_from_value(const struct value *map, struct flags *ret);
int flags_to_value(const struct flags *flags, struct value *ret);

/* Appends one name=value a line, such that it can be written back as a request. */
int flags_format(const struct flags *flags, struct strbuf *ret);

/* Guild's default label: name=value of each flag that is not null (6.4). */
int flags_format_label(const struct flags *flags, struct strbuf *ret);
