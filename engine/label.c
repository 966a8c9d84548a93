/* A run's label, by its operation's template. */
#include "engine/label.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/number.h"
#include "engine/value-text.h"

/* Wider than this nobody wants a number, and printf would make it. */
#define MAX_WIDTH 100

/* A reference while it goes through its filters. */
struct field {
	const struct value *value; /* as long as it is the flag's own; else NULL */
	struct strbuf text;
};

/* The pieces of a printf format of one number or text, checked. */
struct format {
	char flags[8];
	int width, precision;
	char conversion;
};

static bool read_number(struct str *text, int *ret)
{
	int number = 0;

	while (text->len > 0 && text->data[0] >= '0' && text->data[0] <= '9') {
		number = number * 10 + (text->data[0] - '0');
		if (number > MAX_WIDTH)
			return false;
		text->data++;
		text->len--;
	}
	*ret = number;
	return true;
}

/* Python's, as far as it is C's: %-08.3f. */
static bool read_format(struct str text, struct format *ret)
{
	size_t n = 0;

	*ret = (struct format){ .precision = -1 };
	text.data++;
	text.len--;
	while (text.len > 0 && strchr("-+ 0#", text.data[0]) && text.data[0] &&
	       n + 1 < sizeof(ret->flags)) {
		ret->flags[n++] = text.data[0];
		text.data++;
		text.len--;
	}
	if (!read_number(&text, &ret->width))
		return false;
	if (text.len > 0 && text.data[0] == '.') {
		text.data++;
		text.len--;
		if (!read_number(&text, &ret->precision))
			return false;
	}
	if (text.len != 1 || !strchr("dieEfFgGs", text.data[0]))
		return false;
	ret->conversion = text.data[0];
	return true;
}

static bool real_of(const struct field *field, double *ret)
{
	const struct value *value = field->value;

	if (!value)
		return false;
	if (value->type == VALUE_FLOAT)
		*ret = value->real;
	else if (value->type == VALUE_BOOL)
		*ret = value->boolean;
	else if (value->type != VALUE_INT ||
		 number_parse_float((struct str){ value->text.data, value->text.len },
				    ret) < 0)
		return false;
	return true;
}

/* One conversion that read_format() has checked; the compiler can't see that. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int add_formatted(const struct format *format, double real, const char *text,
			 struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf spec = STRBUF_INIT;
	bool is_int = format->conversion == 'd' || format->conversion == 'i';

	strbuf_addf(&spec, "%%%s", format->flags);
	if (format->width > 0)
		strbuf_addf(&spec, "%d", format->width);
	if (format->precision >= 0)
		strbuf_addf(&spec, ".%d", format->precision);
	if (is_int)
		strbuf_adds(&spec, "lld");
	else
		strbuf_addc(&spec, format->conversion);
	if (strbuf_error(&spec) < 0)
		return -ENOMEM;
	if (format->conversion == 's')
		return strbuf_addf(ret, strbuf_cstr(&spec), text);
	if (is_int)
		return strbuf_addf(ret, strbuf_cstr(&spec), (long long)real);
	return strbuf_addf(ret, strbuf_cstr(&spec), real);
}
#pragma GCC diagnostic pop

/* What does not fit the format stays as it is. */
static int filter_format(struct field *field, struct str text)
{
	_cleanup_(strbuf_done) struct strbuf made = STRBUF_INIT;
	struct format format;
	double real = 0;
	int r;

	if (!read_format(text, &format))
		return 0;
	if (format.conversion != 's' && !real_of(field, &real))
		return 0;
	if (strchr("di", format.conversion) && !(fabs(real) < 1e18))
		return 0;
	r = add_formatted(&format, real, strbuf_cstr(&field->text), &made);
	if (r < 0)
		return r;
	field->value = NULL;
	strbuf_reset(&field->text);
	return strbuf_addstr(&field->text, strbuf_str(&made));
}

/* The part after the last '/' that has something after it. */
static int filter_basename(struct field *field)
{
	_cleanup_free_ char *copy = str_dup(strbuf_str(&field->text));
	const char *slash;

	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	strbuf_reset(&field->text);
	return strbuf_adds(&field->text, slash ? slash + 1 : copy);
}

static int filter_unquote(struct field *field)
{
	struct str text = strbuf_str(&field->text);
	_cleanup_free_ char *copy = NULL;

	if (text.len < 2 || (text.data[0] != '\'' && text.data[0] != '"') ||
	    text.data[text.len - 1] != text.data[0])
		return 0;
	copy = str_dup((struct str){ text.data + 1, text.len - 2 });
	if (!copy)
		return -ENOMEM;
	strbuf_reset(&field->text);
	return strbuf_adds(&field->text, copy);
}

static int filter(struct field *field, struct str name)
{
	const char *otherwise = "default:";

	if (str_starts(name, "%"))
		return filter_format(field, name);
	if (str_starts(name, otherwise)) {
		name.data += strlen(otherwise);
		name.len -= strlen(otherwise);
		return field->text.len == 0 ? strbuf_addstr(&field->text, name) : 0;
	}
	if (str_is(name, "basename"))
		return filter_basename(field);
	if (str_is(name, "unquote"))
		return filter_unquote(field);
	strbuf_reset(&field->text);
	return strbuf_adds(&field->text, "#error#");
}

static int look_up(const struct flags *flags, struct str name, struct field *ret)
{
	_cleanup_free_ char *copy = str_dup(name);
	const struct flag *flag;

	if (!copy)
		return -ENOMEM;
	if (str_is(name, "default_label"))
		return flags_format_label(flags, &ret->text);
	flag = flags_find(flags, copy);
	if (!flag || flag->value.type == VALUE_NULL)
		return 0;
	ret->value = &flag->value;
	return value_encode_label(&flag->value, &ret->text);
}

/* What stands between the brackets of ${...}. */
static int add_reference(const struct flags *flags, struct str text, struct strbuf *ret)
{
	struct field field = { 0 };
	struct str piece;
	int r;

	if (!str_split(&text, '|', &piece))
		return 0;
	r = look_up(flags, str_strip(piece), &field);
	while (r == 0 && str_split(&text, '|', &piece))
		r = filter(&field, str_strip(piece));
	if (r == 0)
		r = strbuf_addstr(ret, strbuf_str(&field.text));
	strbuf_done(&field.text);
	return r;
}

int label_format(const char *template, const struct flags *flags, struct strbuf *ret)
{
	const char *start;

	if (!template || !*template)
		return flags_format_label(flags, ret);
	while ((start = strstr(template, "${"))) {
		const char *end = strchr(start, '}');
		int r;

		if (!end)
			break;
		strbuf_add(ret, template, (size_t)(start - template));
		r = add_reference(
			flags, (struct str){ start + 2, (size_t)(end - start) - 2 }, ret);
		if (r < 0)
			return r;
		template = end + 1;
	}
	return strbuf_adds(ret, template);
}
