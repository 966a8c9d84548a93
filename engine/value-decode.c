/*
 * Decodes what a user types as a flag's value, trying in Guild's order: a whole number,
 * a float, a function that expands to a list, a repeated list, YAML, and at last the
 * text itself. Each try_*() returns -EBADMSG when the text is nothing of its kind, and
 * -E2BIG when it would be far too large.
 */
#include "engine/value-text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/number.h"
#include "engine/yaml.h"

#define MAX_ARGS 4 /* of a function; more are ignored, as by Guild */

static int try_int(struct str text, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf digits = STRBUF_INIT;
	int r;

	r = number_parse_int(text, &digits);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	r = value_string(ret, strbuf_str(&digits));
	if (r == 0)
		ret->type = VALUE_INT;
	return r;
}

static int try_float(struct str text, struct value *ret)
{
	double real;
	int r;

	r = number_parse_float(text, &real);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	value_float(ret, real);
	return 0;
}

/* What is wrong with YAML is of no interest here: the text is then a string. */
static int try_yaml(struct str text, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	return yaml_parse(text, ret, &why);
}

/* A function's argument. Booleans are numbers, as in Python. */
struct argument {
	enum { ARG_OTHER, ARG_NULL, ARG_INT, ARG_FLOAT } kind;
	int64_t integer;
	double real; /* of an ARG_INT too */
};

static int parse_argument(struct str text, struct argument *ret)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r;

	*ret = (struct argument){ .kind = ARG_OTHER };
	if (text.len == 0)
		return 0;
	r = try_int(text, &value);
	if (r == -EBADMSG)
		r = try_float(text, &value);
	if (r == -EBADMSG)
		r = try_yaml(text, &value);
	if (r < 0)
		return r == -ENOMEM ? r : 0;

	if (value.type == VALUE_NULL) {
		ret->kind = ARG_NULL;
	} else if (value.type == VALUE_FLOAT) {
		ret->kind = ARG_FLOAT;
		ret->real = value.real;
	} else if (value.type == VALUE_BOOL) {
		ret->kind = ARG_INT;
		ret->real = (double)(ret->integer = value.boolean);
	} else if (value_get_int(&value, &ret->integer)) {
		ret->kind = ARG_INT;
		ret->real = (double)ret->integer;
	}
	return 0;
}

static bool is_number(const struct argument *argument)
{
	return argument->kind == ARG_INT || argument->kind == ARG_FLOAT;
}

/* numpy's noise behind the eighth place is rounded off, but not near zero or below. */
static int append_real(struct value *list, double real)
{
	struct value item = VALUE_INIT;
	int r = 0;

	if (real > 1e-8)
		r = number_round8(real, &real);
	if (r < 0)
		return r;
	value_float(&item, real);
	return value_append(list, &item);
}

/* How many steps lead from @start to before @stop. -EBADMSG when that is no number. */
static int count_steps(double start, double stop, double step, size_t *ret)
{
	double count = ceil((stop - start) / step);

	if (!isfinite(count))
		return -EBADMSG;
	if (count > VALUE_TEXT_MAX_ITEMS)
		return -E2BIG;
	*ret = count > 0 ? (size_t)count : 0;
	return 0;
}

/* numpy.arange() of whole numbers. */
static int arange_ints(int64_t start, int64_t stop, int64_t step, struct value *ret)
{
	size_t n;
	int r;

	r = count_steps((double)start, (double)stop, (double)step, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct value item = VALUE_INIT;
		int64_t number;

		if (__builtin_mul_overflow((int64_t)i, step, &number) ||
		    __builtin_add_overflow(number, start, &number))
			return -EBADMSG;
		r = value_int(&item, number);
		if (r == 0)
			r = value_append(ret, &item);
	}
	return r;
}

static int arange_floats(double start, double stop, double step, struct value *ret)
{
	double delta = (start + step) - start; /* as numpy: the first two make the rest */
	size_t n;
	int r;

	r = count_steps(start, stop, step, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = append_real(ret, i == 1 ? start + step : start + (double)i * delta);
	return r;
}

/* range[start:end:step=1], which includes its end; range[n] is 0 to n - 1. */
static int expand_range(const struct argument *args, size_t n_args, struct value *ret)
{
	struct argument start = args[0];
	struct argument stop = { .kind = ARG_NULL };
	struct argument step = { .kind = ARG_INT, .integer = 1, .real = 1 };

	if (n_args > 2)
		step = args[2];
	if (n_args > 1)
		stop = args[1];
	if (!is_number(&start) || !is_number(&step) ||
	    (stop.kind != ARG_NULL && !is_number(&stop)))
		return -EBADMSG;

	if (stop.kind == ARG_NULL) {
		stop = start;
		start = (struct argument){ .kind = ARG_INT };
	} else {
		if (step.real < 1 && step.kind == ARG_FLOAT)
			stop.kind = ARG_FLOAT;
		if (__builtin_add_overflow(stop.integer, step.real < 1 ? step.integer : 1,
					   &stop.integer))
			return -EBADMSG;
		stop.real += step.real < 1 ? step.real : 1;
	}
	if (start.kind == ARG_INT && stop.kind == ARG_INT && step.kind == ARG_INT)
		return arange_ints(start.integer, stop.integer, step.integer, ret);
	return arange_floats(start.real, stop.real, step.real, ret);
}

/* linspace[start:end:count=5], and with @base its powers: logspace[...:base=10]. */
static int expand_space(const struct argument *args, size_t n_args, bool powers,
			struct value *ret)
{
	int64_t n = n_args > 2 ? args[2].integer : 5;
	double base = n_args > 3 ? args[3].real : 10;
	double start = args[0].real;
	double width = n_args > 1 ? args[1].real - start : 0;
	int r = 0;

	if (n_args < 2 || !is_number(&args[0]) || !is_number(&args[1]) ||
	    (n_args > 2 && args[2].kind != ARG_INT) || n < 0 ||
	    (powers && n_args > 3 && !is_number(&args[3])))
		return -EBADMSG;
	if (n > VALUE_TEXT_MAX_ITEMS)
		return -E2BIG;

	for (int64_t i = 0; r == 0 && i < n; i++) {
		double step = width / (double)(n - 1);
		double real = start + (double)i * step;

		if (i == 0)
			real = start;
		else if (i == n - 1)
			real = args[1].real;
		r = append_real(ret, powers ? pow(base, real) : real);
	}
	return r;
}

/* Splits "range[1:3]" in two. */
static bool split_function(struct str text, struct str *ret_name, struct str *ret_args)
{
	size_t n = 0;

	while (n < text.len && text.data[n] != '\0' &&
	       strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
		      text.data[n]))
		n++;
	text = str_strip(text);
	if (n == 0 || n + 1 >= text.len || text.data[n] != '[' || !str_ends(text, "]") ||
	    memchr(text.data, '\n', text.len))
		return false;
	*ret_name = (struct str){ text.data, n };
	*ret_args = str_strip((struct str){ text.data + n + 1, text.len - n - 2 });
	return true;
}

static int try_sequence(struct str text, struct value *ret)
{
	struct argument args[MAX_ARGS];
	size_t n_args = 0;
	struct str name, rest, piece;
	int r = 0;

	if (!split_function(text, &name, &rest))
		return -EBADMSG;
	if (!str_is(name, "range") && !str_is(name, "linspace") &&
	    !str_is(name, "logspace"))
		return -EBADMSG;
	/* str_split() gives no empty last piece, but "1:" has an empty argument. */
	if (str_ends(rest, ":"))
		return -EBADMSG;
	while (r == 0 && n_args < MAX_ARGS && str_split(&rest, ':', &piece))
		r = parse_argument(str_strip(piece), &args[n_args++]);
	if (r < 0 || n_args == 0)
		return r < 0 ? r : -EBADMSG;

	ret->type = VALUE_LIST;
	if (str_is(name, "range"))
		return expand_range(args, n_args, ret);
	return expand_space(args, n_args, str_is(name, "logspace"), ret);
}

/*
 * Whether "[1:2]" is a function without a name, a random number between two others, and
 * no list: it has a colon, and YAML sees one string or whole number in it, or nothing.
 */
static int is_anonymous_function(struct str text, bool *ret)
{
	_cleanup_(value_done) struct value list = VALUE_INIT;
	const struct value *item;
	int r;

	*ret = false;
	if (!str_starts(text, "[") || !str_ends(text, "]") ||
	    !memchr(text.data, ':', text.len))
		return 0;
	r = try_yaml(text, &list);
	if (r == -EBADMSG) {
		*ret = true;
		return 0;
	}
	if (r < 0 || list.type != VALUE_LIST || list.list.n_items != 1)
		return r;
	item = list.list.items;
	*ret = item->type == VALUE_STRING || item->type == VALUE_INT ||
	       item->type == VALUE_BOOL;
	return 0;
}

/* Splits "[1, 2] * 3" in two. */
static bool split_repeat(struct str text, struct str *ret_list, size_t *ret_n)
{
	size_t end;
	size_t scale = 1;

	text = str_strip(text);
	end = text.len;
	*ret_n = 0;
	for (; end > 0 && text.data[end - 1] >= '0' && text.data[end - 1] <= '9'; end--) {
		size_t digit = (size_t)(text.data[end - 1] - '0');

		if (digit > 0 && scale > VALUE_TEXT_MAX_COST)
			*ret_n = VALUE_TEXT_MAX_COST;
		else if (digit > 0)
			*ret_n += digit * scale;
		if (scale <= VALUE_TEXT_MAX_COST)
			scale *= 10;
	}
	if (end == text.len)
		return false;
	text = str_strip((struct str){ text.data, end });
	if (!str_ends(text, "*"))
		return false;
	*ret_list = str_strip((struct str){ text.data, text.len - 1 });
	return str_starts(*ret_list, "[") && str_ends(*ret_list, "]") &&
	       !memchr(ret_list->data, '\n', ret_list->len);
}

static int repeat(const struct value *list, size_t n, struct value *ret)
{
	size_t depth;
	size_t cost = value_cost(list, &depth);
	int r = 0;

	if (n > VALUE_TEXT_MAX_COST / cost)
		return -E2BIG;
	ret->type = VALUE_LIST;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; r == 0 && k < list->list.n_items; k++) {
			_cleanup_(value_done) struct value item = VALUE_INIT;

			r = value_copy(&list->list.items[k], &item);
			if (r == 0)
				r = value_append(ret, &item);
		}
	}
	return r;
}

static int try_repeat(struct str text, struct value *ret)
{
	_cleanup_(value_done) struct value list = VALUE_INIT;
	struct str inner;
	bool is_function;
	size_t n;
	int r;

	if (!split_repeat(text, &inner, &n))
		return -EBADMSG;
	r = is_anonymous_function(inner, &is_function);
	if (r == 0 && !is_function)
		r = try_yaml(inner, &list);
	if (r < 0 && r != -EBADMSG)
		return r;
	if (list.type != VALUE_LIST)
		return value_string(ret, text);
	return repeat(&list, n, ret);
}

static int decode(struct str text, struct value *ret)
{
	bool is_function = false;
	int r;

	if (text.len == 0)
		return value_string(ret, text);
	r = try_int(text, ret);
	if (r == -EBADMSG)
		r = try_float(text, ret);
	if (r == -EBADMSG)
		r = try_sequence(text, ret);
	if (r == -EBADMSG) {
		value_done(ret);
		r = is_anonymous_function(text, &is_function);
		if (r == 0)
			r = is_function ? value_string(ret, text) : -EBADMSG;
	}
	if (r == -EBADMSG)
		r = try_repeat(text, ret);
	if (r == -EBADMSG)
		r = try_yaml(text, ret);
	return r == -EBADMSG ? value_string(ret, text) : r;
}

/* YAML takes 10:30 and 1_000 for numbers, which is hardly ever what was meant. */
static bool is_surprising(const struct value *value, struct str text)
{
	bool odd = false;

	if (value->type != VALUE_INT && value->type != VALUE_FLOAT &&
	    value->type != VALUE_BOOL)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '!' && i > 0 && text.data[i - 1] == '!')
			return false;
		odd = odd || text.data[i] == '_' || text.data[i] == ':';
	}
	return odd;
}

static int refuse(struct str text, const char *what, struct strbuf *ret_why)
{
	strbuf_addf(ret_why, "the value ");
	strbuf_add_quoted(ret_why, text);
	strbuf_addf(ret_why, " %s", what);
	return strbuf_error(ret_why) < 0 ? -ENOMEM : -EINVAL;
}

int value_decode(struct str text, struct value *ret, struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r;

	if (text.len > VALUE_TEXT_MAX_LEN)
		return refuse(text, "is too long; it must have less than 1 MiB", ret_why);
	if (!str_is_utf8(text))
		return refuse(text, "is no UTF-8 text", ret_why);

	r = decode(text, &value);
	if (r == -E2BIG)
		return refuse(text,
			      "is too deep or expands to too much; at most 1000 brackets "
			      "inside brackets and 1000000 items are possible",
			      ret_why);
	if (r == 0 && is_surprising(&value, text)) {
		value_done(&value);
		r = value_string(&value, text);
	}
	if (r < 0)
		return r;
	*ret = value;
	value = VALUE_INIT;
	return 0;
}
