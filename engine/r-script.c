/* The flags of an R script. */
#include "engine/r-script.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/number.h"
#include "engine/utf8.h"
#include "engine/value-text.h"
#include "engine/yaml.h"

#define NOTE "#|"

/* A place in a script. */
struct scanner {
	struct str text;
	size_t at;
	size_t depth; /* brackets that are open */
	bool at_line; /* nothing of this line was passed yet */
};

/* An assignment that makes a flag. */
struct assignment {
	struct str name;
	size_t line_start; /* where its line begins in the text */
	size_t from, to;   /* where the value stands */
};

bool r_script_is(struct str file)
{
	return file.len > 2 && (str_ends(file, ".R") || str_ends(file, ".r"));
}

static char char_at(struct str text, size_t i)
{
	return i < text.len ? text.data[i] : '\0';
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* Behind the quote that ends what @i begins; the end of the text when none does. */
static size_t skip_quoted(struct str text, size_t i)
{
	char quote = text.data[i++];

	while (i < text.len && text.data[i] != quote)
		i += text.data[i] == '\\' && quote != '`' ? 2 : 1;
	return i < text.len ? i + 1 : text.len;
}

/* r"-(...)-": with any number of dashes, and one of three kinds of brackets. */
static size_t skip_raw(struct str text, size_t i)
{
	static const char *const pairs[] = { "()", "[]", "{}" };
	_cleanup_(strbuf_done) struct strbuf end = STRBUF_INIT;
	char quote = char_at(text, i + 1);
	size_t n_dashes = 0;
	const char *found;

	while (char_at(text, i + 2 + n_dashes) == '-')
		n_dashes++;
	for (size_t k = 0; k < sizeof(pairs) / sizeof(pairs[0]); k++) {
		if (char_at(text, i + 2 + n_dashes) == pairs[k][0])
			strbuf_addc(&end, pairs[k][1]);
	}
	if (end.len == 0)
		return skip_quoted(text, i + 1);
	for (size_t k = 0; k < n_dashes; k++)
		strbuf_addc(&end, '-');
	strbuf_addc(&end, quote);
	i += 3 + n_dashes;
	if (strbuf_error(&end) < 0 || i >= text.len)
		return text.len;
	found = memmem(text.data + i, text.len - i, end.data, end.len);
	return found ? (size_t)(found - text.data) + end.len : text.len;
}

static size_t skip_line(struct str text, size_t i)
{
	const char *end = i < text.len ? memchr(text.data + i, '\n', text.len - i) : NULL;

	return end ? (size_t)(end - text.data) : text.len;
}

/* Passes one thing that is no assignment: a name, a text, a comment, a sign. */
static void step(struct scanner *scanner)
{
	struct str text = scanner->text;
	size_t i = scanner->at;
	char c = text.data[i];

	if ((c == 'r' || c == 'R') &&
	    (char_at(text, i + 1) == '"' || char_at(text, i + 1) == '\'')) {
		i = skip_raw(text, i);
	} else if (is_name_char(c)) {
		while (is_name_char(char_at(text, i)))
			i++;
	} else if (c == '"' || c == '\'' || c == '`') {
		i = skip_quoted(text, i);
	} else if (c == '#') {
		i = skip_line(text, i);
	} else {
		if (strchr("([{", c))
			scanner->depth++;
		else if (strchr(")]}", c) && scanner->depth > 0)
			scanner->depth--;
		i++;
	}
	scanner->at_line = c == '\n';
	scanner->at = i;
}

static size_t skip_blanks(struct str text, size_t i)
{
	while (char_at(text, i) == ' ' || char_at(text, i) == '\t')
		i++;
	return i;
}

/* Behind the number that begins at @i; @i when there is none. */
static size_t skip_number(struct str text, size_t i)
{
	size_t start = i, digits;

	if (char_at(text, i) == '-' || char_at(text, i) == '+')
		i = skip_blanks(text, i + 1);
	digits = i;
	if (str_starts((struct str){ text.data + i, text.len - i }, "0x")) {
		i += 2;
		while (char_at(text, i) && strchr("0123456789abcdefABCDEF", text.data[i]))
			i++;
		digits += 2;
	} else {
		while ((char_at(text, i) >= '0' && char_at(text, i) <= '9') ||
		       char_at(text, i) == '.')
			i++;
		if (i > digits && (char_at(text, i) == 'e' || char_at(text, i) == 'E')) {
			i++;
			if (char_at(text, i) == '-' || char_at(text, i) == '+')
				i++;
			while (char_at(text, i) >= '0' && char_at(text, i) <= '9')
				i++;
		}
	}
	if (i == digits)
		return start;
	return char_at(text, i) == 'L' ? i + 1 : i;
}

/* Behind the literal that begins at @i; @i when there is none. */
static size_t skip_literal(struct str text, size_t i)
{
	static const char *const words[] = { "TRUE", "FALSE" };
	struct str rest = { text.data + i, text.len - i };

	if (rest.len > 0 && (rest.data[0] == '"' || rest.data[0] == '\''))
		return skip_quoted(text, i);
	for (size_t k = 0; k < sizeof(words) / sizeof(words[0]); k++) {
		if (str_starts(rest, words[k]))
			return i + strlen(words[k]);
	}
	return skip_number(text, i);
}

/* Nothing more of the expression follows. */
static bool is_end(struct str text, size_t i)
{
	i = skip_blanks(text, i);
	return i >= text.len || strchr("\n\r;#", text.data[i]);
}

/* Is there an assignment here, at the beginning of a line? */
static bool read_assignment(const struct scanner *scanner, struct assignment *ret)
{
	struct str text = scanner->text;
	size_t i = scanner->at;
	char first = char_at(text, i);

	if (!is_name_char(first) || first == '_' || (first >= '0' && first <= '9'))
		return false;
	while (is_name_char(char_at(text, i)))
		i++;
	ret->line_start = scanner->at;
	ret->name = (struct str){ text.data + scanner->at, i - scanner->at };
	i = skip_blanks(text, i);
	if (char_at(text, i) == '<' && char_at(text, i + 1) == '-')
		i += 2;
	else if (char_at(text, i) == '=' && char_at(text, i + 1) != '=')
		i++;
	else
		return false;
	ret->from = skip_blanks(text, i);
	ret->to = skip_literal(text, ret->from);
	return ret->to > ret->from && is_end(text, ret->to);
}

/* Called for each assignment; what is not 0 ends the look. */
typedef int (*each_fn)(void *userdata, const struct assignment *assignment);

static int each_assignment(struct str text, each_fn fn, void *userdata)
{
	struct scanner scanner = { .text = text, .at_line = true };

	while (scanner.at < text.len) {
		struct assignment assignment;

		if (scanner.at_line && scanner.depth == 0 &&
		    read_assignment(&scanner, &assignment)) {
			int r = fn(userdata, &assignment);

			if (r != 0)
				return r;
		}
		step(&scanner);
	}
	return 0;
}

/* What the text of a literal without its quotes is, its escapes replaced. */
static int read_string(struct str literal, struct value *ret)
{
	static const char *const escapes = "n\nt\tr\r\\\\\"\"''";
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (literal.len < 2 || literal.data[literal.len - 1] != literal.data[0])
		return -EINVAL; /* it has no end */
	for (size_t i = 1; i + 1 < literal.len; i++) {
		const char *escape = escapes;

		if (literal.data[i] != '\\') {
			strbuf_addc(&text, literal.data[i]);
			continue;
		}
		i++;
		while (*escape && *escape != literal.data[i])
			escape += 2;
		if (!*escape)
			return -EINVAL; /* \x, \u and the like */
		strbuf_addc(&text, escape[1]);
	}
	if (strbuf_error(&text) < 0)
		return -ENOMEM;
	return value_string(ret, strbuf_str(&text));
}

static bool is_integer(struct str literal)
{
	return literal.len > 0 && literal.data[literal.len - 1] == 'L';
}

static int read_number(struct str literal, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, digits = STRBUF_INIT;
	double real;
	int r;

	if (is_integer(literal))
		literal.len--;
	for (size_t i = 0; i < literal.len; i++) {
		if (literal.data[i] != ' ' && literal.data[i] != '\t')
			strbuf_addc(&text, literal.data[i]);
	}
	if (strbuf_error(&text) < 0)
		return -ENOMEM;
	/* 010 is ten in R; only 0x10 is none. */
	r = number_parse_int(strbuf_str(&text), &digits);
	if (r == -EINVAL && memmem(text.data, text.len, "0x", 2))
		r = number_parse_yaml_int(strbuf_str(&text), &digits);
	if (r == -EINVAL) {
		r = number_parse_float(strbuf_str(&text), &real);
		if (r == 0)
			value_float(ret, real);
		return r;
	}
	if (r == 0)
		r = value_string(ret, strbuf_str(&digits));
	if (r == 0)
		ret->type = VALUE_INT;
	return r;
}

static int read_literal(struct str literal, struct value *ret)
{
	if (literal.data[0] == '"' || literal.data[0] == '\'')
		return read_string(literal, ret);
	if (literal.data[0] == 'T' || literal.data[0] == 'F') {
		value_bool(ret, literal.data[0] == 'T');
		return 0;
	}
	return read_number(literal, ret);
}

static const char *type_of(struct str literal, const struct value *value)
{
	if (value->type == VALUE_STRING)
		return "string";
	if (value->type == VALUE_BOOL)
		return "boolean";
	return is_integer(literal) ? "int" : "number";
}

/* Where the line before the one that begins at @i begins. */
static size_t line_before(struct str text, size_t i)
{
	const char *end = i > 1 ? memrchr(text.data, '\n', i - 1) : NULL;

	return end ? (size_t)(end + 1 - text.data) : 0;
}

/* The lines of notes right above: a map; null when there are none, or no map. */
static int read_notes(struct str text, size_t line_start, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf yaml = STRBUF_INIT, why = STRBUF_INIT;
	size_t start = line_start;
	int r;

	while (start > 0) {
		size_t before = line_before(text, start);
		struct str line = { text.data + before, start - before };

		if (!str_starts(line, NOTE))
			break;
		start = before;
	}
	while (start < line_start) {
		size_t end = skip_line(text, start);

		start += strlen(NOTE);
		start += char_at(text, start) == ' ' ? 1 : 0;
		if (start < end)
			strbuf_add(&yaml, text.data + start, end - start);
		strbuf_addc(&yaml, '\n');
		start = end + 1;
	}
	if (strbuf_error(&yaml) < 0)
		return -ENOMEM;
	r = yaml_parse(strbuf_str(&yaml), ret, &why);
	if (r == 0 && ret->type != VALUE_MAP)
		value_done(ret);
	return r == -ENOMEM ? r : 0;
}

static int put_text(struct value *map, const char *key, struct str text)
{
	struct value value = VALUE_INIT;
	int r = value_string(&value, text);

	return r < 0 ? r : value_put(map, str_from(key), &value);
}

/* The flags while they are found. */
struct finding {
	struct str text;
	struct value *flags;
};

static bool is_known(const struct finding *finding, struct str name)
{
	for (size_t i = 0; i < finding->flags->map.n_pairs; i++) {
		if (str_eq(value_str(&finding->flags->map.pairs[i].key), name))
			return true;
	}
	return false;
}

static int find_flag(void *userdata, const struct assignment *assignment)
{
	struct finding *finding = userdata;
	struct str literal = { finding->text.data + assignment->from,
			       assignment->to - assignment->from };
	_cleanup_(value_done) struct value attrs = VALUE_INIT, value = VALUE_INIT;
	const char *type;
	int r;

	if (is_known(finding, assignment->name))
		return 0;
	if (finding->flags->map.n_pairs >= R_SCRIPT_MAX_FLAGS)
		return -E2BIG;
	r = read_literal(literal, &value);
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	type = type_of(literal, &value);
	r = read_notes(finding->text, assignment->line_start, &attrs);
	if (r == 0 && !value_get(&attrs, "type"))
		r = put_text(&attrs, "type", str_from(type));
	if (r == 0)
		r = value_put(&attrs, STR("default"), &value);
	return r < 0 ? r : value_put(finding->flags, assignment->name, &attrs);
}

int r_script_flags(struct str text, struct value *ret, struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value flags = { .type = VALUE_MAP };
	struct finding finding = { .text = text, .flags = &flags };
	int r = str_is_utf8(text) ? each_assignment(text, find_flag, &finding) : -EINVAL;

	if (r == -EINVAL)
		strbuf_adds(ret_why, "the script is no UTF-8 text");
	if (r == -E2BIG) {
		strbuf_addf(ret_why, "the script has more than %d flags",
			    R_SCRIPT_MAX_FLAGS);
		return -EINVAL;
	}
	if (r < 0)
		return r;
	*ret = flags;
	flags = VALUE_INIT;
	return 0;
}

static int add_string(struct str text, struct strbuf *ret)
{
	strbuf_addc(ret, '"');
	while (text.len > 0) {
		uint32_t c;
		size_t len = utf8_first(text, &c);

		if (c == '"' || c == '\\')
			strbuf_addc(ret, '\\');
		if (c == '\n')
			strbuf_adds(ret, "\\n");
		else if (c < ' ' || c == 0x7f)
			strbuf_addf(ret, "\\x%02x", c);
		else
			strbuf_add(ret, text.data, len);
		text.data += len;
		text.len -= len;
	}
	return strbuf_addc(ret, '"');
}

static int add_float(double real, struct strbuf *ret)
{
	if (isnan(real))
		return strbuf_adds(ret, "NaN");
	if (isinf(real))
		return strbuf_adds(ret, real < 0 ? "-Inf" : "Inf");
	return number_format_float(real, ret);
}

/* A value in R's words; lists and maps are texts. */
static int add_literal(const struct value *value, bool integer, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	switch (value->type) {
	case VALUE_BOOL:
		return strbuf_adds(ret, value->boolean ? "TRUE" : "FALSE");
	case VALUE_INT:
		strbuf_add(ret, value->text.data, value->text.len);
		return integer ? strbuf_addc(ret, 'L') : strbuf_error(ret);
	case VALUE_FLOAT:
		return add_float(value->real, ret);
	case VALUE_STRING:
		return add_string(value_str(value), ret);
	case VALUE_NULL:
	case VALUE_DATE:
	case VALUE_LIST:
	case VALUE_MAP:
		break;
	}
	r = value_encode_flag(value, &text);
	return r < 0 ? r : add_string(strbuf_str(&text), ret);
}

/* The script while it is written anew. */
struct rewriting {
	struct str text;
	const struct flags *flags;
	bool *done;  /* by the flag's index: its first assignment was found */
	size_t from; /* what was not copied yet */
	struct strbuf *ret;
};

static int render_flag(void *userdata, const struct assignment *assignment)
{
	struct rewriting *rewriting = userdata;
	struct str literal = { rewriting->text.data + assignment->from,
			       assignment->to - assignment->from };
	_cleanup_(value_done) struct value old = VALUE_INIT;
	_cleanup_free_ char *name = str_dup(assignment->name);
	const struct flag *flag;
	int r;

	if (!name)
		return -ENOMEM;
	flag = flags_find(rewriting->flags, name);
	r = flag ? read_literal(literal, &old) : -EINVAL;
	if (r < 0 || rewriting->done[flag - rewriting->flags->items])
		return r == -ENOMEM ? r : 0;
	rewriting->done[flag - rewriting->flags->items] = true;
	if (flag->value.type == VALUE_NULL || value_equal(&old, &flag->value))
		return 0;
	strbuf_add(rewriting->ret, rewriting->text.data + rewriting->from,
		   assignment->from - rewriting->from);
	rewriting->from = assignment->to;
	return add_literal(&flag->value, is_integer(literal), rewriting->ret);
}

int r_script_render(struct str text, const struct flags *flags, struct strbuf *ret)
{
	_cleanup_free_ bool *done = calloc(flags->n_items + 1, sizeof(*done));
	struct rewriting rewriting = {
		.text = text, .flags = flags, .done = done, .ret = ret
	};
	int r = done ? each_assignment(text, render_flag, &rewriting) : -ENOMEM;

	if (r < 0)
		return r;
	return strbuf_add(ret, text.data + rewriting.from, text.len - rewriting.from);
}
