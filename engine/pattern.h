/*
 * A regular expression as Python's re understands it, carried out by PCRE2: the same
 * escapes and groups, and what re would refuse is refused. \s knows no \x1c to \x1f, and
 * the flags (?a) and (?L) are refused.
 *
 * Looking for a match is bounded, whatever the pattern: see pattern_next().
 */
#pragma once

#include <stdbool.h>

#include "engine/cleanup.h"
#include "engine/strbuf.h"

#define PATTERN_MAX_LEN 65536 /* bytes */

struct pattern;

/* 0; -EINVAL with a sentence for what is no pattern; -ENOMEM. */
int pattern_new(struct str text, struct pattern **ret, struct strbuf *ret_why);
void pattern_free(struct pattern *pattern);
DEFINE_CLEANUP(struct pattern, pattern_free);

unsigned int pattern_n_groups(const struct pattern *pattern);

/* The name of the group @number, from 1; NULL when it has none. */
const char *pattern_group_name(const struct pattern *pattern, unsigned int number);

/* Where the next look begins, and how much time the ones before have taken. */
struct pattern_search {
	struct str text; /* well-formed UTF-8 */
	size_t at;
	bool was_empty;	 /* the last match was */
	int64_t used_us; /* by what takes more than one try */
};

/*
 * Finds the next match, as finditer() goes through @search->text. 1; 0 when there is no
 * more; -E2BIG when that takes too long, by steps at one place or by processor time
 * (about 0.1 s) in all; -ENOMEM.
 */
int pattern_next(struct pattern *pattern, struct pattern_search *search);

/*
 * What the group @number matched last; false when it took no part. A view of the text
 * that was searched.
 */
bool pattern_group(const struct pattern *pattern, const struct pattern_search *search,
		   unsigned int number, struct str *ret);
