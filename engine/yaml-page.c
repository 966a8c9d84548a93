/*
 * The page of a YAML document. libyaml's emitter descends from the same code as PyYAML's,
 * but folds and escapes differently, so the styles that are needed are written here.
 */
#include "engine/yaml-page.h"

#include <stdio.h>
#include <string.h>

#include "engine/utf8.h"

#define INDENT 2
#define WIDTH  80

static void put(struct page *page, const char *data, size_t len)
{
	strbuf_add(page->out, data, len);
	page->column += len;
}

static void put_line_break(struct page *page)
{
	strbuf_addc(page->out, '\n');
	page->after_blank = true;
	page->only_indented = true;
	page->column = 0;
}

void page_put_indent(struct page *page)
{
	if (!page->only_indented || page->column > page->indent ||
	    (page->column == page->indent && !page->after_blank))
		put_line_break(page);
	while (page->column < page->indent) {
		put(page, " ", 1);
		page->after_blank = true;
	}
}

void page_put_sign(struct page *page, const char *sign, bool blank_needed)
{
	if (blank_needed && !page->after_blank)
		put(page, " ", 1);
	put(page, sign, strlen(sign));
	page->after_blank = false;
	page->only_indented = false;
}

void page_put_block_sign(struct page *page, const char *sign)
{
	bool only_indented = page->only_indented;

	page_put_sign(page, sign, true);
	page->only_indented = only_indented;
}

void page_put_open(struct page *page, const char *bracket)
{
	page_put_sign(page, bracket, true);
	page->after_blank = true;
}

bool page_is_full(const struct page *page, long n_more)
{
	return !page->one_line && (long)page->column + n_more > WIDTH;
}

void page_indent_more(struct page *page, bool flow)
{
	if (page->is_indented)
		page->indent += INDENT;
	else
		page->indent = flow ? INDENT : 0;
	page->is_indented = true;
}

/* The end of what stands at @start as one piece: blanks, breaks, or all but these. */
static size_t piece_end(struct str text, size_t start)
{
	char kind = text.data[start];
	size_t end = start;

	if (kind == ' ' || kind == '\n') {
		while (end < text.len && text.data[end] == kind)
			end++;
		return end;
	}
	while (end < text.len && text.data[end] != ' ' && text.data[end] != '\n')
		end++;
	return end;
}

void page_put_plain(struct page *page, struct str text, bool may_fold)
{
	if (!page->after_blank)
		put(page, " ", 1);
	page->after_blank = false;
	page->only_indented = false;
	for (size_t start = 0, end; start < text.len; start = end) {
		end = piece_end(text, start);
		if (text.data[start] != ' ' || end - start > 1 || !may_fold ||
		    !page_is_full(page, 0)) {
			put(page, text.data + start, end - start);
			continue;
		}
		page_put_indent(page);
		page->after_blank = false;
		page->only_indented = false;
	}
}

/* A single break would read as a blank: each run of them gets one more. */
static void put_breaks(struct page *page, size_t n)
{
	for (size_t i = 0; i < n + 1; i++)
		put_line_break(page);
	page_put_indent(page);
}

static void put_doubling_quotes(struct page *page, struct str text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\'')
			put(page, "'", 1);
		put(page, &text.data[i], 1);
	}
}

void page_put_single_quoted(struct page *page, struct str text, bool may_fold)
{
	page_put_sign(page, "'", true);
	for (size_t start = 0, end; start < text.len; start = end) {
		char kind = text.data[start];

		end = piece_end(text, start);
		if (kind == '\n')
			put_breaks(page, end - start);
		else if (kind == ' ' && end - start == 1 && may_fold && start != 0 &&
			 end != text.len && page_is_full(page, 0))
			page_put_indent(page);
		else
			put_doubling_quotes(page, (struct str){ text.data + start,
								end - start });
	}
	page_put_sign(page, "'", false);
}

static void put_escaped(struct page *page, uint32_t c)
{
	static const struct {
		uint32_t c;
		char name;
	} names[] = {
		{ '\0', '0' }, { '\a', 'a' },	{ '\b', 'b' },	 { '\t', 't' },
		{ '\n', 'n' }, { '\v', 'v' },	{ '\f', 'f' },	 { '\r', 'r' },
		{ 0x1b, 'e' }, { '"', '"' },	{ '\\', '\\' },	 { 0x85, 'N' },
		{ 0xa0, '_' }, { 0x2028, 'L' }, { 0x2029, 'P' },
	};
	char text[16];

	(void)snprintf(text, sizeof(text),
		       c <= 0xff     ? "\\x%02X"
		       : c <= 0xffff ? "\\u%04X"
				     : "\\U%08X",
		       c);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].c == c && !(page->escape_all && c > ' ' && c < 0x7f))
			(void)snprintf(text, sizeof(text), "\\%c", names[i].name);
	}
	put(page, text, strlen(text));
}

static bool needs_escape(const struct page *page, uint32_t c)
{
	if (c < ' ' || c > '~' || c == '"' || c == '\\')
		return true;
	return page->escape_all && strchr("'[]{}:,#", (int)c);
}

/*
 * Text without escapes goes out in pieces, at the latest before the next escape. A line
 * is folded where a blank or an escape takes the text beyond the width; but never twice
 * at one place, as PyYAML does where the indent alone is beyond: its two "\\" in a row
 * read as one of the text.
 */
void page_put_double_quoted(struct page *page, struct str text, bool may_fold)
{
	size_t start = 0; /* of what has not gone out */
	size_t folded_at = 0;
	size_t len;
	uint32_t c;

	page_put_sign(page, "\"", true);
	for (size_t end = 0; end < text.len; end += len) {
		long n_waiting = (long)(end - start);
		bool escape;

		len = utf8_first((struct str){ text.data + end, text.len - end }, &c);
		escape = needs_escape(page, c);
		if (escape) {
			put(page, text.data + start, end - start);
			put_escaped(page, c);
			start = end + len;
			n_waiting = -1; /* as PyYAML counts it */
		}
		if (end == folded_at || end + len >= text.len || !may_fold ||
		    !(c == ' ' || n_waiting <= 0) || !page_is_full(page, n_waiting))
			continue;
		if (n_waiting > 0) {
			put(page, text.data + start, end - start);
			start = end;
		}
		folded_at = start;
		put(page, "\\", 1);
		page_put_indent(page);
		page->after_blank = false;
		page->only_indented = false;
		if (text.data[start] == ' ')
			put(page, "\\", 1);
	}
	put(page, text.data + start, text.len - start);
	page_put_sign(page, "\"", false);
}
