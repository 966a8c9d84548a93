/*
 * A date, or a date and time, as YAML 1.1 has it and Python's datetime prints it.
 */
#pragma once

#include <stdint.h>

#include "engine/strbuf.h"

struct date {
	int year, month, day;
	bool has_time;
	int hour, minute, second, us;
	bool has_zone;
	int zone_s; /* seconds east of UTC */
};

/*
 * Whether a plain text of this form is meant as a date: 2020-01-01, or 2020-1-1 with a
 * time behind it. It need not be one that the calendar has.
 */
bool date_is_form(struct str text);

/* 0, or -EINVAL for what is no date of the years 1 to 9999. */
int date_parse(struct str text, struct date *ret);

/* Appends Python's isoformat(' '): "2020-01-01 10:00:00.500000+01:00". 0 or -ENOMEM. */
int date_format(const struct date *date, struct strbuf *ret);

/* Appends Python's repr(): "datetime.date(2020, 1, 1)". 0 or -ENOMEM. */
int date_format_python(const struct date *date, struct strbuf *ret);

/*
 * Which dates can be compared: those of one kind (a date, a time without a zone, one
 * with). Then the order is by date_instant().
 */
int date_kind(const struct date *date);
int64_t date_instant(const struct date *date); /* microseconds; meaningful in a kind */
