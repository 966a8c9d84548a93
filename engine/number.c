/*
 * Numbers as text. A float is handed to strtod(3) as an integer with an exponent and
 * taken from snprintf(3) digit by digit, so that a locale's decimal comma never matters.
 */
#include "engine/number.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "engine/cleanup.h"

#define LIMB	      1000000000u /* nine decimal digits */
#define MAX_LIMBS     ((NUMBER_MAX_DIGITS + 8) / 9)
#define MAX_EXPONENT  100000000L /* far outside of what a double or its text can reach */
#define REAL_TEXT_MAX 400	 /* "%.8f" of the largest double, with room */

/* An integer without sign: @limbs in base LIMB, the lowest first. */
struct bigint {
	uint32_t limbs[MAX_LIMBS];
	size_t n_limbs;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct str drop(struct str text, size_t len)
{
	return (struct str){ text.data + len, text.len - len };
}

/* @number = @number * @factor + @digit; false when it gets too long. */
static bool bigint_push(struct bigint *number, uint32_t factor, uint32_t digit)
{
	uint64_t carry = digit;

	for (size_t i = 0; i < number->n_limbs; i++) {
		carry += (uint64_t)number->limbs[i] * factor;
		number->limbs[i] = (uint32_t)(carry % LIMB);
		carry /= LIMB;
	}
	while (carry > 0) {
		if (number->n_limbs == MAX_LIMBS)
			return false;
		number->limbs[number->n_limbs++] = (uint32_t)(carry % LIMB);
		carry /= LIMB;
	}
	return true;
}

static int bigint_format(const struct bigint *number, bool negative, struct strbuf *ret)
{
	size_t start = ret->len;
	size_t i = number->n_limbs;

	if (i == 0)
		return strbuf_addc(ret, '0');
	if (negative)
		strbuf_addc(ret, '-');
	strbuf_addf(ret, "%" PRIu32, number->limbs[--i]);
	while (i > 0)
		strbuf_addf(ret, "%09" PRIu32, number->limbs[--i]);
	if (strbuf_error(ret) < 0)
		return -ENOMEM;
	if (ret->len - start - negative > NUMBER_MAX_DIGITS) {
		strbuf_truncate(ret, start);
		return -EINVAL;
	}
	return 0;
}

static int digit_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* Adds the digits of @text, many at a time: one pass over the limbs costs as much. */
static int bigint_parse(struct str text, unsigned int base, struct bigint *number)
{
	uint32_t factor = 1;
	uint32_t chunk = 0;

	if (text.len == 0)
		return -EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		unsigned int digit = (unsigned int)digit_value(text.data[i]);

		if (digit >= base)
			return -EINVAL;
		chunk = chunk * base + digit;
		factor *= base;
		if (factor <= LIMB / base && i + 1 < text.len)
			continue;
		if (!bigint_push(number, factor, chunk))
			return -EINVAL;
		factor = 1;
		chunk = 0;
	}
	return 0;
}

/* Takes a sign off @text. */
static bool take_sign(struct str *text)
{
	bool negative = text->len > 0 && text->data[0] == '-';

	if (text->len > 0 && (text->data[0] == '-' || text->data[0] == '+'))
		*text = drop(*text, 1);
	return negative;
}

/* Takes digits off @text, with single underscores between them, and adds them. */
static bool take_digits(struct str *text, struct strbuf *digits)
{
	size_t i = 0;

	while (i < text->len) {
		if (text->data[i] == '_' && i > 0 && i + 1 < text->len &&
		    is_digit(text->data[i + 1]))
			i++;
		if (!is_digit(text->data[i]))
			break;
		strbuf_addc(digits, text->data[i++]);
	}
	*text = drop(*text, i);
	return i > 0;
}

int number_parse_int(struct str text, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf digits = STRBUF_INIT;
	struct str rest = str_strip(text);
	bool negative = take_sign(&rest);
	size_t n_zeros;

	if (!take_digits(&rest, &digits) || rest.len > 0)
		return -EINVAL;
	if (strbuf_error(&digits) < 0)
		return -ENOMEM;

	n_zeros = strspn(digits.data, "0");
	if (n_zeros == digits.len)
		return strbuf_addc(ret, '0');
	if (negative)
		strbuf_addc(ret, '-');
	return strbuf_addstr(ret, drop(strbuf_str(&digits), n_zeros));
}

/* Takes "e-5" off @text; false when an 'e' has no digits behind it. */
static bool take_exponent(struct str *text, long *exponent)
{
	bool negative;
	long number = 0;
	size_t i = 0;

	if (text->len == 0 || (text->data[0] != 'e' && text->data[0] != 'E'))
		return true;
	*text = drop(*text, 1);
	negative = take_sign(text);
	while (i < text->len) {
		if (text->data[i] == '_' && i > 0 && i + 1 < text->len)
			i++;
		if (!is_digit(text->data[i]))
			break;
		if (number < MAX_EXPONENT)
			number = number * 10 + (text->data[i] - '0');
		i++;
	}
	*text = drop(*text, i);
	*exponent += negative ? -number : number;
	return i > 0;
}

static bool is_word(struct str text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

int number_parse_float(struct str text, double *ret)
{
	_cleanup_(strbuf_done) struct strbuf digits = STRBUF_INIT;
	struct str rest = str_strip(text);
	bool negative = take_sign(&rest);
	bool any;
	long exponent = 0;
	size_t n_whole;
	double real;

	if (is_word(rest, "inf") || is_word(rest, "infinity")) {
		*ret = negative ? -(double)INFINITY : (double)INFINITY;
		return 0;
	}
	if (is_word(rest, "nan")) {
		*ret = (double)NAN;
		return 0;
	}

	any = take_digits(&rest, &digits);
	n_whole = digits.len;
	if (rest.len > 0 && rest.data[0] == '.') {
		rest = drop(rest, 1);
		any = take_digits(&rest, &digits) || any;
	}
	if (strbuf_error(&digits) < 0)
		return -ENOMEM;
	exponent = -(long)(digits.len - n_whole);
	if (!any || !take_exponent(&rest, &exponent) || rest.len > 0)
		return -EINVAL;

	if (strbuf_addf(&digits, "e%ld", exponent) < 0)
		return -ENOMEM;
	real = strtod(digits.data, NULL);
	*ret = negative ? -real : real;
	return 0;
}

static int without_underscores(struct str text, struct strbuf *ret)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '_')
			strbuf_addc(ret, text.data[i]);
	}
	return strbuf_error(ret);
}

/* "190:20:30": base 60, the first place of any size. */
static int parse_base60(struct str text, struct bigint *number)
{
	struct str part = { 0 };
	int r;

	(void)str_split(&text, ':', &part);
	r = bigint_parse(part, 10, number);
	while (r == 0 && str_split(&text, ':', &part)) {
		struct bigint place = { .n_limbs = 0 };

		r = bigint_parse(part, 10, &place);
		if (r < 0)
			return r;
		if (place.n_limbs > 1 ||
		    !bigint_push(number, 60, place.n_limbs > 0 ? place.limbs[0] : 0))
			return -EINVAL;
	}
	return r;
}

int number_parse_yaml_int(struct str text, struct strbuf *ret)
{
	_cleanup_(strbuf_done) struct strbuf plain = STRBUF_INIT;
	struct bigint number = { .n_limbs = 0 };
	struct str rest;
	bool negative;
	int r;

	r = without_underscores(text, &plain);
	if (r < 0)
		return r;
	rest = strbuf_str(&plain);
	negative = take_sign(&rest);

	if (str_starts(rest, "0b"))
		r = bigint_parse(drop(rest, 2), 2, &number);
	else if (str_starts(rest, "0x"))
		r = bigint_parse(drop(rest, 2), 16, &number);
	else if (str_starts(rest, "0"))
		r = bigint_parse(rest, 8, &number);
	else if (rest.len > 0 && memchr(rest.data, ':', rest.len))
		r = parse_base60(rest, &number);
	else
		return number_parse_int(strbuf_str(&plain), ret);
	return r < 0 ? r : bigint_format(&number, negative, ret);
}

static int parse_base60_float(struct str text, double *ret)
{
	double number = 0;
	double place;
	struct str part;
	int r;

	while (str_split(&text, ':', &part)) {
		r = number_parse_float(part, &place);
		if (r < 0)
			return r;
		number = number * 60 + place;
	}
	*ret = number;
	return isfinite(number) ? 0 : -EINVAL;
}

int number_parse_yaml_float(struct str text, double *ret)
{
	_cleanup_(strbuf_done) struct strbuf plain = STRBUF_INIT;
	struct str rest;
	bool negative;
	double real;
	int r;

	r = without_underscores(text, &plain);
	if (r < 0)
		return r;
	rest = strbuf_str(&plain);
	negative = take_sign(&rest);

	if (is_word(rest, ".inf"))
		real = (double)INFINITY;
	else if (is_word(rest, ".nan"))
		real = (double)NAN;
	else if (rest.len > 0 && memchr(rest.data, ':', rest.len))
		r = parse_base60_float(rest, &real);
	else
		r = number_parse_float(rest, &real);
	if (r < 0)
		return r;
	*ret = negative ? -real : real;
	return 0;
}

/* Decimal digits d.ddd times ten to the exponent. */
struct decimal {
	char digits[20];
	int n_digits;
	int exponent;
};

/* @real to @n_digits places, correctly rounded. */
static void decimal_from(double real, int n_digits, struct decimal *ret)
{
	char text[64];
	const char *c;

	(void)snprintf(text, sizeof(text), "%.*e", n_digits - 1, real);
	ret->n_digits = 0;
	for (c = text; *c != 'e'; c++) {
		if (is_digit(*c))
			ret->digits[ret->n_digits++] = *c;
	}
	ret->digits[ret->n_digits] = '\0';
	ret->exponent = (int)strtol(c + 1, NULL, 10);
}

/* The next larger decimal of as many digits. */
static void decimal_increment(struct decimal *decimal)
{
	int i = decimal->n_digits - 1;

	while (i >= 0 && decimal->digits[i] == '9')
		decimal->digits[i--] = '0';
	if (i >= 0) {
		decimal->digits[i]++;
		return;
	}
	decimal->digits[0] = '1';
	decimal->exponent++;
}

static bool decimal_reads_as(const struct decimal *decimal, double real)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%se%d", decimal->digits,
		       decimal->exponent - decimal->n_digits + 1);
	return strtod(text, NULL) == real;
}

/* Whether @real to @n_digits places, or the next larger decimal, reads as @real. */
static bool decimal_fits(double real, int n_digits, struct decimal *ret)
{
	decimal_from(real, n_digits, ret);
	if (decimal_reads_as(ret, real))
		return true;
	decimal_increment(ret);
	return decimal_reads_as(ret, real);
}

/*
 * The shortest decimal that reads back as @real. One of up to DBL_DIG places is found at
 * once, with zeros behind it, but for subnormal numbers, which have fewer places. Below a
 * power of two doubles lie closer, so that there the nearest decimal may miss where the
 * next larger one hits.
 */
static void decimal_shortest(double real, struct decimal *ret)
{
	int n = real < DBL_MIN ? 1 : DBL_DIG;

	while (n < DBL_DECIMAL_DIG && !decimal_fits(real, n, ret))
		n++;
	if (n == DBL_DECIMAL_DIG)
		decimal_from(real, n, ret);
	while (ret->n_digits > 1 && ret->digits[ret->n_digits - 1] == '0')
		ret->digits[--ret->n_digits] = '\0';
}

int number_format_float(double real, struct strbuf *ret)
{
	struct decimal decimal;
	int n_whole;

	if (isnan(real))
		return strbuf_adds(ret, "nan");
	if (signbit(real))
		strbuf_addc(ret, '-');
	if (isinf(real))
		return strbuf_adds(ret, "inf");
	if (real == 0)
		return strbuf_adds(ret, "0.0");

	decimal_shortest(fabs(real), &decimal);
	n_whole = decimal.exponent + 1;
	if (n_whole < -3 || n_whole > 16) {
		strbuf_addc(ret, decimal.digits[0]);
		if (decimal.n_digits > 1)
			strbuf_addf(ret, ".%s", decimal.digits + 1);
		return strbuf_addf(ret, "e%+03d", decimal.exponent);
	}
	if (n_whole <= 0)
		return strbuf_addf(ret, "0.%.*s%s", -n_whole, "000", decimal.digits);
	for (int i = 0; i < n_whole; i++)
		strbuf_addc(ret, i < decimal.n_digits ? decimal.digits[i] : '0');
	strbuf_addc(ret, '.');
	return strbuf_adds(ret,
			   n_whole < decimal.n_digits ? decimal.digits + n_whole : "0");
}

int number_round8(double real, double *ret)
{
	_cleanup_(strbuf_done) struct strbuf digits = STRBUF_INIT;
	char text[REAL_TEXT_MAX];
	double rounded;

	*ret = real;
	if (!isfinite(real))
		return 0;
	(void)snprintf(text, sizeof(text), "%.8f", fabs(real));
	for (const char *c = text; *c; c++) {
		if (is_digit(*c))
			strbuf_addc(&digits, *c);
	}
	if (strbuf_adds(&digits, "e-8") < 0)
		return -ENOMEM;
	rounded = strtod(digits.data, NULL);
	*ret = real < 0 ? -rounded : rounded;
	return 0;
}

static int compare_digits(struct str a, struct str b)
{
	int order;

	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	order = memcmp(a.data, b.data, a.len);
	return (order > 0) - (order < 0);
}

int number_compare_ints(struct str a, struct str b)
{
	bool negative = a.data[0] == '-';

	if (negative != (b.data[0] == '-'))
		return negative ? -1 : 1;
	if (negative)
		return compare_digits(drop(b, 1), drop(a, 1));
	return compare_digits(a, b);
}

int number_compare_int_float(struct str integer, double real)
{
	char text[REAL_TEXT_MAX];
	double whole = trunc(real);
	int order;

	if (isinf(real))
		return real > 0 ? -1 : 1;
	/* "-0" would not be an integer's text. */
	(void)snprintf(text, sizeof(text), "%.0f", whole == 0 ? 0.0 : whole);
	order = number_compare_ints(integer, str_from(text));
	if (order != 0)
		return order;
	return (real < whole) - (real > whole);
}
