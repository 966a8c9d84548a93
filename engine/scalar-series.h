/*
 * The output scalars of one run as far as its output has been read: the series of each
 * name, and the step that comes next. Grows line by line; can be written down and read
 * again.
 *
 * Steps: section 6.12 of guild-behaviour.md. A scalar `step` sets the step for what
 * follows; without one it begins with 0 and grows by 1 whenever a name comes again.
 */
#pragma once

#include "engine/cleanup.h"
#include "engine/scalar-rules.h"
#include "engine/strbuf.h"

/* Names beyond that are left out, and scalar_series_format() says so. */
#define SCALAR_SERIES_MAX 65536

struct scalar_series;

int scalar_series_new(struct scalar_series **ret); /* 0 or -ENOMEM */
void scalar_series_free(struct scalar_series *series);
DEFINE_CLEANUP(struct scalar_series, scalar_series_free);

/* Takes in what a line says. 0 or -ENOMEM. */
int scalar_series_add(struct scalar_series *series, const struct scalar_line *line);

/* Appends name=value lines, sorted by name: the last value of each. 0 or -ENOMEM. */
int scalar_series_format(const struct scalar_series *series, struct strbuf *ret);

/* Calls @fn with each name, sorted. */
typedef void (*scalar_name_fn)(void *userdata, const char *name);
void scalar_series_each(const struct scalar_series *series, scalar_name_fn fn,
			void *userdata);

/* The step<TAB>value lines of @name, a view until the next change. 0 or -ENOENT. */
int scalar_series_find(const struct scalar_series *series, const char *name,
		       struct str *ret);

/* About how much memory they take. */
size_t scalar_series_size(const struct scalar_series *series);

/* Appends all that it knows. 0 or -ENOMEM. */
int scalar_series_save(const struct scalar_series *series, struct strbuf *ret);

/* Reads what scalar_series_save() wrote, all of @text. 0, -EBADMSG, -ENOMEM. */
int scalar_series_load(struct str text, struct scalar_series **ret);
