/*
 * Patterns and an output: the first line is output-scalars as YAML, the others are the
 * output. Whatever they are, what has been found is written down and read again as the
 * same; and a text that nobody wrote down is refused or understood.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "engine/scalar-series.h"
#include "engine/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_saved(const struct scalar_series *series)
{
	_cleanup_(scalar_series_freep) struct scalar_series *again = NULL;
	_cleanup_(strbuf_done) struct strbuf saved = STRBUF_INIT, twice = STRBUF_INIT;
	int r = scalar_series_save(series, &saved);

	assert(r == 0);
	r = scalar_series_load(strbuf_str(&saved), &again);
	assert(r == 0);
	r = scalar_series_save(again, &twice);
	assert(r == 0);
	assert(str_eq(strbuf_str(&saved), strbuf_str(&twice)));
}

static void check_garbage(struct str text)
{
	_cleanup_(scalar_series_freep) struct scalar_series *series = NULL;
	_cleanup_(strbuf_done) struct strbuf shown = STRBUF_INIT;
	int r = scalar_series_load(text, &series);

	assert(r == 0 || r == -EBADMSG);
	if (r == 0)
		(void)scalar_series_format(series, &shown);
}

static void check_output(struct scalar_rules *rules, struct str output)
{
	_cleanup_(scalar_series_freep) struct scalar_series *series = NULL;
	_cleanup_(scalar_line_done) struct scalar_line found = SCALAR_LINE_INIT;
	_cleanup_(strbuf_done) struct strbuf shown = STRBUF_INIT;
	struct str line;
	int r = scalar_series_new(&series);

	assert(r == 0);
	while (str_split(&output, '\n', &line)) {
		r = scalar_rules_match(rules, line, &found);
		assert(r == 0);
		r = scalar_series_add(series, &found);
		assert(r == 0);
	}
	r = scalar_rules_problems(rules, &shown);
	assert(r == 0);
	r = scalar_series_format(series, &shown);
	assert(r == 0);
	check_saved(series);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(scalar_rules_freep) struct scalar_rules *rules = NULL;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(value_done) struct value spec = VALUE_INIT;
	struct flags none = FLAGS_INIT;
	struct str rest = { (const char *)data, len }, first = { "", 0 };
	int r;

	check_garbage(rest);
	(void)str_split(&rest, '\n', &first);
	if (yaml_parse(first, &spec, &why) < 0)
		return 0;
	r = scalar_rules_new(&spec, &none, &rules);
	assert(r == 0);
	check_output(rules, rest);
	return 0;
}
