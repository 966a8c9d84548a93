/* Labels: templates, filters, and the label of who has no template. */
#include "engine/label.h"

#include <criterion/criterion.h>

#include "engine/cleanup.h"
#include "expect.h"

Test(label, a_template_is_filled_from_the_flags)
{
	static const struct {
		const char *template, *flags, *label;
	} rows[] = {
		{ NULL, "{b: 2, a: x, c: null}", "a=x b=2" },
		{ "", "{a: 1}", "a=1" },
		{ "plain", "{a: 1}", "plain" },
		{ "a is ${a}", "{a: 1}", "a is 1" },
		{ "${a}${b}", "{a: 1, b: no}", "1no" },
		{ "${ a }", "{a: 1}", "1" },
		{ "x ${none} y", "{a: 1}", "x  y" },
		{ "${a}", "{a: null}", "" },
		{ "v1 ${default_label}", "{a: 1, b: x}", "v1 a=1 b=x" },
		{ "${a|%.2f}", "{a: 0.12345}", "0.12" },
		{ "${a|%.2f}", "{a: 1}", "1.00" },
		{ "${a|%05d}", "{a: 7}", "00007" },
		{ "${a|%d}", "{a: 7.9}", "7" },
		{ "${a|%.1e}", "{a: 12345}", "1.2e+04" },
		{ "${a|%5s}|", "{a: x}", "    x|" },
		{ "${a|%.2f}", "{a: text}", "text" },
		{ "${a|%n}", "{a: 1}", "1" },
		{ "${a|%s%n}", "{a: 1}", "1" },
		{ "${a|%999999999d}", "{a: 1}", "1" },
		{ "${a|%*d}", "{a: 1}", "1" },
		{ "${a|%d}", "{a: .inf}", "inf" },
		{ "${a|%d of 9}", "{a: 7}", "7 of 9" },
		{ "${a|%.0f%%}", "{a: 12.3}", "12%" },
		{ "${a|%%%d}", "{a: 7}", "%7" },
		{ "${a|%%}", "{a: 7}", "7" },
		{ "${a|%d %d}", "{a: 7}", "7" },
		{ "${a|%}", "{a: 7}", "7" },
		{ "${a|%x}", "{a: 255}", "ff" },
		{ "${a|%#X}", "{a: 255}", "0XFF" },
		{ "${a|%x}", "{a: -255}", "-ff" },
		{ "${a|%x}", "{a: 1.5}", "1.5" },
		{ "${a|%u}", "{a: -1}", "-1" },
		{ "${a|%r}", "{a: x}", "'x'" },
		{ "${a|%s}", "{a: 0.123456789}", "0.123456789" },
		{ "${a|%s}", "{a: yes}", "True" },
		{ "${a|%d}", "{a: yes}", "1" },
		{ "${a|%s}", "{a: [1, b]}", "[1, 'b']" },
		{ "${a|%.2f|%.1f}", "{a: 1}", "1.00" },
		{ "${none|%.2f}", "{a: 1}", "" },
		{ "${a}", "{a: 0.123456789}", "0.12345" },
		{ "${a|default:x}", "{a: 0.123456789}", "0.123456789" },
		{ "${a|default:x}", "{a: ''}", "" },
		{ "${a|default}|", "{a: null}", "|" },
		{ "${a|default:x:y}", "{a: null}", "x:y" },
		{ "${a|default:5|%d}", "{a: null}", "5" },
		{ "${a|default:none}", "{}", "none" },
		{ "${a|default:none}", "{a: null}", "none" },
		{ "${a|default:none}", "{a: 0}", "0" },
		{ "${a|basename}", "{a: data/x.csv}", "x.csv" },
		{ "${a|basename}", "{a: x.csv}", "x.csv" },
		{ "${a|basename}", "{a: data/dir/}", "dir" },
		{ "${a|basename:x}", "{a: data/dir}", "dir" },
		{ "${default_label|basename}", "{a: x/y}", "y" },
		{ "${a|unquote}", "{a: 'b c'}", "b c" },
		{ "${a|unquote}", "{a: bc}", "bc" },
		{ "${a|unquote}", "{a: \"'b'\"}", "b" },
		{ "${a|unquote}", "{a: '\"b\"'}", "\"b\"" },
		{ "${a|basename|default:y}", "{}", "" },
		{ "${a|default:y|basename}", "{}", "y" },
		{ "${a|default:x}", "{a: 2020-01-01}", "2020-01-01" },
		{ "${a|upper}", "{a: x}", "#error#" },
		{ "${a", "{a: x}", "${a" },
		{ "${}", "{a: x}", "" },
		{ "$a {a}", "{a: x}", "$a {a}" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
		_cleanup_(strbuf_done) struct strbuf label = STRBUF_INIT;

		flags_of(rows[i].flags, &flags);
		cr_expect_eq(label_format(rows[i].template, &flags, &label), 0);
		expect_text(strbuf_str(&label), rows[i].label,
			    rows[i].template ? rows[i].template : "none");
	}
}
