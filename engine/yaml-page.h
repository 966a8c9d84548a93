/*
 * The page that a YAML document is written on, as PyYAML's emitter sees it: signs, and
 * scalars in each of the three styles, folded at the right margin.
 *
 * A place is known by column, indent and two facts about what stands before it: whether
 * that is white space (no blank needed), and whether the line has nothing but indentation
 * and the signs "-", "?" and ":" (a block may begin on it). strbuf_error(out) tells
 * whether anything was lost.
 */
#pragma once

#include <stdbool.h>

#include "engine/strbuf.h"

struct page {
	struct strbuf *out;
	bool one_line;	 /* no margin: nothing is folded */
	bool escape_all; /* in double quotes, all that means something elsewhere */

	bool is_indented; /* there is an indent at all */
	size_t indent;
	size_t column;
	bool after_blank;
	bool only_indented;
};

/* An empty page. */
#define PAGE_INIT(out_)                                                                  \
	((struct page){ .out = (out_), .after_blank = true, .only_indented = true })

/* An indent deeper than the current one; the caller restores what it was. */
void page_indent_more(struct page *page, bool flow);

/* Whether @n_more characters would end behind the right margin. */
bool page_is_full(const struct page *page, long n_more);

/* Goes on at the current indent, on a new line if need be. */
void page_put_indent(struct page *page);

/* A sign, behind a blank if @blank_needed tells that one must stand there. */
void page_put_sign(struct page *page, const char *sign, bool blank_needed);

/* "-", "?" or ":" of a block, behind which on the same line another may begin. */
void page_put_block_sign(struct page *page, const char *sign);

/* An opening bracket, behind which no blank is needed. */
void page_put_open(struct page *page, const char *bracket);

/* A text in each style, whose limits the caller minds; on one line unless @may_fold. */
void page_put_plain(struct page *page, struct str text, bool may_fold);
void page_put_single_quoted(struct page *page, struct str text, bool may_fold);
void page_put_double_quoted(struct page *page, struct str text, bool may_fold);
