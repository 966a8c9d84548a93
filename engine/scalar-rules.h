/*
 * What an operation's output says of scalars: the patterns of output-scalars, or Guild's
 * own, and the values that they find in a line.
 *
 * Source: section 6.12 of guild-behaviour.md. A pattern has either one group, and a key
 * that it is given, or two, the key and the value; or named groups: _key and _val, or
 * each named as its key. Groups that are not named don't count beside these.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/cleanup.h"
#include "engine/flags.h"
#include "engine/strbuf.h"
#include "engine/value.h"

struct scalar_rules;

/*
 * Takes output-scalars as attribute `op` has it: null for Guild's own patterns, which
 * pass over the names in @flags; false or nothing for none; patterns. What is none is
 * kept as a problem, and the others work. 0 or -ENOMEM.
 */
int scalar_rules_new(const struct value *spec, const struct flags *flags,
		     struct scalar_rules **ret);
void scalar_rules_free(struct scalar_rules *rules);
DEFINE_CLEANUP(struct scalar_rules, scalar_rules_free);

size_t scalar_rules_count(const struct scalar_rules *rules);

/* What one line says. */
struct scalar_line {
	/* No two of one name; each value as Python's repr() of the float. */
	struct scalar {
		struct strbuf name, value;
		bool ignored; /* it counts for the step only */
	} * items;
	size_t n_items, n_allocated;
	bool has_step;
	int64_t step;
};

#define SCALAR_LINE_INIT ((struct scalar_line){ 0 })

void scalar_line_done(struct scalar_line *line);

/*
 * Finds what @text, a line without its newline as the output has it, says. A pattern that
 * takes too long finds nothing in the line, and after 10 such lines in none that follow.
 * 0 or -ENOMEM; @ret is good for the next line too.
 */
int scalar_rules_match(struct scalar_rules *rules, struct str text,
		       struct scalar_line *ret);

/* One line for each problem: "# " and a sentence. 0 or -ENOMEM. */
int scalar_rules_problems(const struct scalar_rules *rules, struct strbuf *ret);

/*
 * In how many lines each pattern has taken too long: numbers, each with a blank before
 * it; what scalar_rules_set_slow() takes. -EINVAL when @text is not for these rules.
 */
int scalar_rules_slow(const struct scalar_rules *rules, struct strbuf *ret);
int scalar_rules_set_slow(struct scalar_rules *rules, struct str text);
