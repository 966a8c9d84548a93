/* What tests of text share. */
#include "expect.h"

#include <criterion/criterion.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/strv.h"
#include "engine/yaml.h"

void expect_text(struct str text, const char *expected, const char *about)
{
	cr_expect(str_is(text, expected), "%s: '%.*s' instead of '%s'", about,
		  (int)text.len, text.data ? text.data : "", expected);
}

void expect_sentence(const struct strbuf *why, const char *part, const char *about)
{
	cr_expect_not_null(strstr(strbuf_cstr(why), part), "%s: '%s' has no '%s'", about,
			   strbuf_cstr(why), part);
}

void expect_words(char *const *strv, const char *expected, const char *about)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < strv_length(strv); i++)
		strbuf_addf(&text, "%s%s", i > 0 ? " | " : "", strv[i]);
	expect_text(strbuf_str(&text), expected, about);
}

void value_of(const char *yaml, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	cr_assert_eq(yaml_parse(str_from(yaml), ret, &why), 0, "%s: %s", yaml,
		     strbuf_cstr(&why));
}

void flags_of(const char *yaml, struct flags *ret)
{
	_cleanup_(value_done) struct value map = VALUE_INIT;

	value_of(yaml, &map);
	cr_assert_eq(flags_from_value(&map, ret), 0, "%s", yaml);
}

void expect_document(const struct value *value, const char *yaml, const char *about)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	cr_assert_eq(yaml_format(value, &text), 0);
	expect_text(strbuf_str(&text), yaml, about);
}
