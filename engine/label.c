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

/* A reference while it goes through its filters, which see what Python's str() gives. */
struct field {
	const struct value *value; /* as long as it is the flag's own; else NULL */
	bool is_none;		   /* no flag, or null: not even an empty text */
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

/* Takes one conversion off, after its '%': Python's, as far as it is C's: -08.3f. */
static bool read_conversion(struct str *text, struct format *ret)
{
	size_t n = 0;

	*ret = (struct format){ .precision = -1 };
	while (text->len > 0 && strchr("-+ 0#", text->data[0]) && text->data[0] &&
	       n + 1 < sizeof(ret->flags)) {
		ret->flags[n++] = text->data[0];
		text->data++;
		text->len--;
	}
	if (!read_number(text, &ret->width))
		return false;
	if (text->len > 0 && text->data[0] == '.') {
		text->data++;
		text->len--;
		if (!read_number(text, &ret->precision))
			return false;
	}
	if (text->len == 0 || !text->data[0] || !strchr("diuoxXeEfFgGsr", text->data[0]))
		return false;
	ret->conversion = text->data[0];
	text->data++;
	text->len--;
	return true;
}

static bool is_integral(const struct format *format)
{
	return strchr("diuoxX", format->conversion) != NULL;
}

/* Is the value a number that the conversion takes? */
static bool real_of(const struct field *field, const struct format *format, double *ret)
{
	const struct value *value = field->value;

	if (!value)
		return false;
	if (value->type == VALUE_FLOAT && !strchr("oxX", format->conversion))
		*ret = value->real;
	else if (value->type == VALUE_BOOL)
		*ret = value->boolean;
	else if (value->type != VALUE_INT ||
		 number_parse_float((struct str){ value->text.data, value->text.len },
				    ret) < 0)
		return false;
	return !is_integral(format) || fabs(*ret) < 1e18;
}

/* One conversion that read_conversion() has checked; the compiler can't see that. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static int add_converted(const struct format *format, double real, const char *text,
			 struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf spec = STRBUF_INIT;
	long long whole = is_integral(format) ? (long long)real : 0;
	bool is_hex = strchr("oxX", format->conversion) != NULL;

	strbuf_addf(&spec, "%%%s", format->flags);
	if (format->width > 0)
		strbuf_addf(&spec, "%d", format->width);
	if (format->precision >= 0)
		strbuf_addf(&spec, ".%d", format->precision);
	if (is_integral(format))
		strbuf_addf(&spec, "ll%c", is_hex ? format->conversion : 'd');
	else
		strbuf_addc(&spec,
			    strchr("sr", format->conversion) ? 's' : format->conversion);
	if (strbuf_error(&spec) < 0)
		return -ENOMEM;
	if (strchr("sr", format->conversion))
		return strbuf_addf(ret, strbuf_cstr(&spec), text);
	/* Python has no two's complement: the sign stands before the digits. */
	if (is_hex && whole < 0) {
		strbuf_addc(ret, '-');
		whole = -whole;
	}
	if (is_integral(format))
		return strbuf_addf(ret, strbuf_cstr(&spec), whole);
	return strbuf_addf(ret, strbuf_cstr(&spec), real);
}
#pragma GCC diagnostic pop

/* The text of a conversion of texts: what str() or repr() give. */
static int add_text(const struct field *field, const struct format *format,
		    struct strbuf *ret)
{
	_cleanup_(value_done) struct value text = VALUE_INIT;
	int r;

	if (format->conversion == 's')
		return strbuf_addstr(ret, strbuf_str(&field->text));
	if (field->value)
		return value_encode_python(field->value, ret);
	r = value_string(&text, strbuf_str(&field->text));
	return r < 0 ? r : value_encode_python(&text, ret);
}

static int convert(const struct field *field, const struct format *format,
		   struct strbuf *ret, bool *ret_fits)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	double real = 0;
	int r = 0;

	*ret_fits = strchr("sr", format->conversion) || real_of(field, format, &real);
	if (strchr("sr", format->conversion))
		r = add_text(field, format, &text);
	if (r < 0 || !*ret_fits)
		return r;
	return add_converted(format, real, strbuf_cstr(&text), ret);
}

/*
 * One conversion in any text, with %% for a '%'. What does not fit the value, or is no
 * format, leaves it as it is.
 */
static int filter_format(struct field *field, struct str text)
{
	_cleanup_(strbuf_done) struct strbuf made = STRBUF_INIT;
	struct format format;
	size_t n = 0;

	if (field->is_none)
		return 0;
	while (text.len > 0) {
		char c = *text.data++;
		bool fits = true;
		int r = 0;

		text.len--;
		if (c != '%') {
			r = strbuf_addc(&made, c);
		} else if (str_starts(text, "%")) {
			text.data++;
			text.len--;
			r = strbuf_addc(&made, '%');
		} else {
			fits = ++n == 1 && read_conversion(&text, &format);
			if (fits)
				r = convert(field, &format, &made, &fits);
		}
		if (r < 0 || !fits)
			return r;
	}
	if (n != 1)
		return 0;
	field->value = NULL;
	strbuf_reset(&field->text);
	return strbuf_addstr(&field->text, strbuf_str(&made));
}

/* The part after the last '/', but for those at the end. */
static int filter_basename(struct field *field)
{
	_cleanup_free_ char *copy = NULL;
	struct str text = strbuf_str(&field->text);
	const char *slash;

	while (str_ends(text, "/") && text.len > 1)
		text.len--;
	copy = str_dup(text);
	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	field->value = NULL;
	field->is_none = false;
	strbuf_reset(&field->text);
	return strbuf_adds(&field->text, slash ? slash + 1 : copy);
}

static int filter_unquote(struct field *field)
{
	struct str text = strbuf_str(&field->text);
	_cleanup_free_ char *copy = NULL;

	if (text.len < 2 || text.data[0] != '\'' || text.data[text.len - 1] != '\'')
		return 0;
	copy = str_dup((struct str){ text.data + 1, text.len - 2 });
	if (!copy)
		return -ENOMEM;
	field->value = NULL;
	strbuf_reset(&field->text);
	return strbuf_adds(&field->text, copy);
}

static int filter_default(struct field *field, struct str otherwise)
{
	if (!field->is_none)
		return 0;
	field->is_none = false;
	return strbuf_addstr(&field->text, otherwise);
}

/* A filter sees the value itself, where a label alone would shorten and quote it. */
static int unwrap(struct field *field)
{
	if (!field->value)
		return 0;
	strbuf_reset(&field->text);
	if (field->value->type == VALUE_STRING || field->value->type == VALUE_DATE)
		return strbuf_addstr(&field->text,
				     (struct str){ field->value->text.data,
						   field->value->text.len });
	return value_encode_python(field->value, &field->text);
}

static int filter(struct field *field, struct str text)
{
	struct str argument = text, name;
	int r = unwrap(field);

	if (r < 0)
		return r;
	if (str_starts(text, "%"))
		return filter_format(field, text);
	if (!str_split(&argument, ':', &name))
		name = str_from(NULL);
	if (str_is(name, "default"))
		return filter_default(field, argument);
	if (str_is(name, "basename"))
		return filter_basename(field);
	if (str_is(name, "unquote"))
		return filter_unquote(field);
	field->value = NULL;
	field->is_none = false;
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
	ret->is_none = !flag || flag->value.type == VALUE_NULL;
	if (ret->is_none)
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
