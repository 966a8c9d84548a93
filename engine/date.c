/* Dates: the forms of YAML 1.1's timestamp, checked and printed as Python does it. */
#include "engine/date.h"

#include <errno.h>
#include <stdlib.h>

#define DAY_S (24 * 60 * 60)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct str drop(struct str text, size_t len)
{
	return (struct str){ text.data + len, text.len - len };
}

/* Takes a number of @min to @max digits off @text. */
static bool take_number(struct str *text, size_t min, size_t max, int *ret)
{
	size_t n = 0;

	*ret = 0;
	while (n < max && n < text->len && is_digit(text->data[n]))
		*ret = *ret * 10 + (text->data[n++] - '0');
	*text = drop(*text, n);
	return n >= min;
}

static bool take_char(struct str *text, char c)
{
	if (text->len == 0 || text->data[0] != c)
		return false;
	*text = drop(*text, 1);
	return true;
}

static size_t take_blanks(struct str *text)
{
	size_t n = 0;

	while (n < text->len && (text->data[n] == ' ' || text->data[n] == '\t'))
		n++;
	*text = drop(*text, n);
	return n;
}

/* Takes ".123456789" off @text: microseconds, the rest cut off. */
static void take_fraction(struct str *text, int *ret)
{
	int n_digits = 0;

	*ret = 0;
	if (!take_char(text, '.'))
		return;
	for (; text->len > 0 && is_digit(text->data[0]); *text = drop(*text, 1)) {
		if (n_digits++ < 6)
			*ret = *ret * 10 + (text->data[0] - '0');
	}
	for (; n_digits < 6; n_digits++)
		*ret *= 10;
}

/* Takes "Z", "+1" or " -05:30" off @text, or nothing. */
static bool take_zone(struct str *text, struct date *ret)
{
	int hours;
	int minutes = 0;
	int sign;
	size_t n_blanks = take_blanks(text);

	if (text->len == 0)
		return n_blanks == 0;
	ret->has_zone = true;
	if (take_char(text, 'Z'))
		return true;

	sign = text->data[0] == '-' ? -1 : 1;
	if (!take_char(text, '-') && !take_char(text, '+'))
		return false;
	if (!take_number(text, 1, 2, &hours))
		return false;
	if (take_char(text, ':') && !take_number(text, 2, 2, &minutes))
		return false;
	ret->zone_s = sign * (hours * 60 + minutes) * 60;
	return true;
}

static bool take_time(struct str *text, struct date *ret)
{
	ret->has_time = true;
	if (!take_char(text, 'T') && !take_char(text, 't') && take_blanks(text) == 0)
		return false;
	if (!take_number(text, 1, 2, &ret->hour) || !take_char(text, ':') ||
	    !take_number(text, 2, 2, &ret->minute) || !take_char(text, ':') ||
	    !take_number(text, 2, 2, &ret->second))
		return false;
	take_fraction(text, &ret->us);
	return take_zone(text, ret);
}

/* Reads the form alone; @strict takes 2020-1-1 only with a time, as a plain text. */
static bool scan(struct str text, bool strict, struct date *ret)
{
	bool short_form;

	*ret = (struct date){ 0 };
	if (!take_number(&text, 4, 4, &ret->year) || !take_char(&text, '-'))
		return false;
	short_form = text.len < 5 || text.data[2] != '-';
	if (!take_number(&text, 1, 2, &ret->month) || !take_char(&text, '-') ||
	    !take_number(&text, 1, 2, &ret->day))
		return false;
	short_form = short_form || !is_digit(text.data[-2]);
	if (text.len == 0)
		return !strict || !short_form;
	return take_time(&text, ret) && text.len == 0;
}

bool date_is_form(struct str text)
{
	struct date date;

	return scan(text, true, &date);
}

static int days_of_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

int date_parse(struct str text, struct date *ret)
{
	struct date date;

	if (!scan(text, false, &date))
		return -EINVAL;
	if (date.year < 1 || date.month < 1 || date.month > 12 || date.day < 1 ||
	    date.day > days_of_month(date.year, date.month) || date.hour > 23 ||
	    date.minute > 59 || date.second > 59 || abs(date.zone_s) >= DAY_S)
		return -EINVAL;
	*ret = date;
	return 0;
}

int date_format(const struct date *date, struct strbuf *ret)
{
	int zone = abs(date->zone_s) / 60;

	strbuf_addf(ret, "%04d-%02d-%02d", date->year, date->month, date->day);
	if (date->has_time)
		strbuf_addf(ret, " %02d:%02d:%02d", date->hour, date->minute,
			    date->second);
	if (date->us > 0)
		strbuf_addf(ret, ".%06d", date->us);
	if (date->has_zone)
		strbuf_addf(ret, "%c%02d:%02d", date->zone_s < 0 ? '-' : '+', zone / 60,
			    zone % 60);
	return strbuf_error(ret);
}

int date_format_python(const struct date *date, struct strbuf *ret)
{
	if (!date->has_time)
		return strbuf_addf(ret, "datetime.date(%d, %d, %d)", date->year,
				   date->month, date->day);

	strbuf_addf(ret, "datetime.datetime(%d, %d, %d, %d, %d", date->year, date->month,
		    date->day, date->hour, date->minute);
	if (date->second > 0 || date->us > 0)
		strbuf_addf(ret, ", %d", date->second);
	if (date->us > 0)
		strbuf_addf(ret, ", %d", date->us);
	if (date->has_zone && date->zone_s == 0)
		strbuf_adds(ret, ", tzinfo=datetime.timezone.utc");
	else if (date->has_zone && date->zone_s > 0)
		strbuf_addf(ret,
			    ", tzinfo=datetime.timezone(datetime.timedelta(seconds=%d))",
			    date->zone_s);
	else if (date->has_zone)
		strbuf_addf(ret,
			    ", tzinfo=datetime.timezone("
			    "datetime.timedelta(days=-1, seconds=%d))",
			    DAY_S + date->zone_s);
	return strbuf_addc(ret, ')');
}

int date_kind(const struct date *date)
{
	return date->has_time + date->has_zone;
}

int64_t date_instant(const struct date *date)
{
	int64_t days = 0;
	int64_t seconds;
	int year = date->year - 1;

	days = 365 * (int64_t)year + year / 4 - year / 100 + year / 400 + date->day;
	for (int month = 1; month < date->month; month++)
		days += days_of_month(date->year, month);
	seconds = days * DAY_S + date->hour * 3600 + date->minute * 60 + date->second;
	return (seconds - date->zone_s) * 1000000 + date->us;
}
