/* Rules of `sourcecode`: what their patterns match, and what names a directory. */
#include "engine/source-rule.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/strv.h"
#include "scratch.h"

TestSuite(source_rule, .init = scratch_make, .fini = scratch_remove);

static void add(struct source_rules *rules, bool include, enum source_rule_type type,
		const char *pattern)
{
	char **patterns = NULL;

	cr_assert_eq(strv_append(&patterns, str_from(pattern)), 0);
	cr_assert_eq(source_rules_add(rules, include, type, patterns), 0);
}

Test(source_rule, patterns_are_python_s)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} rows[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "a", "a", true },
		{ "a", "b", false },
		{ "a", "ab", false },
		{ "ab", "a", false },
		{ "*", "", true },
		{ "*", ".hidden/a", true },
		{ "*.py", "a.py", true },
		{ "*.py", "a/b.py", true },
		{ "*.py", "a.pyc", false },
		{ "a*b*c", "a-bb-b-c", true },
		{ "a*b*c", "a-bb-b-c-", false },
		{ "**a", "ba", true },
		{ "?", "\xc3\xa4", true },
		{ "?", "", false },
		{ "??", "\xc3\xa4", false },
		{ "[a-c]x", "bx", true },
		{ "[a-c]x", "dx", false },
		{ "[!a-c]x", "dx", true },
		{ "[!a-c]x", "bx", false },
		{ "[\xc3\xa4\xc3\xb6]", "\xc3\xb6", true },
		{ "[]a]", "]", true },
		{ "[]a]", "a", true },
		{ "[!]a]", "b", true },
		{ "[a", "[a", true },
		{ "[", "[", true },
		{ "[!", "[!", true },
		{ "[]", "[]", true },
		{ "[a-]", "-", true },
		{ "[^a]", "^", true },
		{ "[z-a]", "m", false },
		{ "\\*", "*", false },
		{ "\\*", "\\x", true },
		{ "A", "a", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(source_rule_fnmatch(str_from(rows[i].pattern),
						 str_from(rows[i].text)),
			     rows[i].matches, "%s: %s", rows[i].pattern, rows[i].text);
}

Test(source_rule, a_bad_pattern_takes_no_time)
{
	_cleanup_(strbuf_done) struct strbuf pattern = STRBUF_INIT, text = STRBUF_INIT;

	for (int i = 0; i < 1000; i++)
		strbuf_adds(&pattern, "*a");
	for (int i = 0; i < 4000; i++)
		strbuf_addc(&text, 'a');
	strbuf_addc(&text, 'b');
	cr_expect_not(source_rule_fnmatch(strbuf_str(&pattern), strbuf_str(&text)));
}

Test(source_rule, without_a_slash_it_is_for_the_last_name)
{
	static const struct {
		const char *pattern, *path;
		bool matches;
	} rows[] = {
		{ "b.py", "a/b.py", true },   { "a", "a/b.py", false },
		{ "a/b.py", "a/b.py", true }, { "a/*", "a/x/b.py", true },
		{ "/b.py", "a/b.py", false }, { "/b.py", "b.py", true },
		{ "//a/*", "a/b.py", true },  { "./b.py", "b.py", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(source_rules_done) struct source_rules rules =
			SOURCE_RULES_INIT;

		add(&rules, true, SOURCE_RULE_FILE, rows[i].pattern);
		cr_expect_eq(source_rule_matches(&rules.items[0], str_from(rows[i].path)),
			     rows[i].matches, "%s: %s", rows[i].pattern, rows[i].path);
	}
}

Test(source_rule, what_names_a_directory_is_all_in_it)
{
	static const struct {
		enum source_rule_type type;
		const char *pattern, *resolved;
	} rows[] = {
		{ SOURCE_RULE_FILE, "sub", "sub/*" },
		{ SOURCE_RULE_FILE, "/sub", "/sub/*" },
		{ SOURCE_RULE_FILE, "sub/", "sub/*" },
		{ SOURCE_RULE_FILE, "file", "file" },
		{ SOURCE_RULE_FILE, "none", "none" },
		{ SOURCE_RULE_FILE, "s*", "s*" },
		{ SOURCE_RULE_DIR, "sub", "sub" },
		{ SOURCE_RULE_TEXT, "sub", "sub" },
	};
	_cleanup_close_ int root_fd = file_open_dir(AT_FDCWD, scratch);

	scratch_put("sub/x", "");
	scratch_put("file", "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(source_rules_done) struct source_rules rules =
			SOURCE_RULES_INIT;
		_cleanup_(source_rules_done) struct source_rules resolved =
			SOURCE_RULES_INIT;

		add(&rules, true, rows[i].type, rows[i].pattern);
		cr_assert_eq(source_rules_resolve(&rules, root_fd, &resolved), 0);
		cr_assert_eq(resolved.n_items, 1);
		cr_expect(resolved.items[0].include);
		cr_expect_str_eq(resolved.items[0].patterns[0], rows[i].resolved);
	}
}

Test(source_rule, all_are_excluded_by_one_rule_for_any_file)
{
	static const struct {
		bool include;
		enum source_rule_type type;
		const char *pattern;
		bool all;
	} rows[] = {
		{ false, SOURCE_RULE_FILE, "*", true },
		{ true, SOURCE_RULE_FILE, "*", false },
		{ false, SOURCE_RULE_TEXT, "*", false },
		{ false, SOURCE_RULE_DIR, "*", false },
		{ false, SOURCE_RULE_FILE, "*.py", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(source_rules_done) struct source_rules rules =
			SOURCE_RULES_INIT;

		cr_expect_not(source_rules_exclude_all(&rules));
		add(&rules, rows[i].include, rows[i].type, rows[i].pattern);
		add(&rules, true, SOURCE_RULE_FILE, "a");
		cr_expect_eq(source_rules_exclude_all(&rules), rows[i].all, "%zu", i);
	}
}

Test(source_rule, a_place_in_a_run_is_below_it)
{
	static const struct {
		const char *text, *place;
	} rows[] = {
		{ "", "" },
		{ ".", "" },
		{ "./a//b/.", "a/b/" },
		{ "a", "a/" },
		{ ".guild/sourcecode", ".guild/sourcecode/" },
		{ ".guild/attrs", NULL },
		{ ".guild", NULL },
		{ ".guilds", ".guilds/" },
		{ "..", NULL },
		{ "a/../b", NULL },
		{ "/a", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(strbuf_done) struct strbuf place = STRBUF_INIT;
		int r = source_dest_normalize(str_from(rows[i].text), &place);

		cr_expect_eq(r, rows[i].place ? 0 : -EINVAL, "%s", rows[i].text);
		if (rows[i].place)
			cr_expect_str_eq(strbuf_cstr(&place), rows[i].place);
	}
}
