/*
 * A template of a label: whatever it is, it gives a text, always the same, that is no
 * longer than its formats can make it.
 */
#include <assert.h>

#include "engine/cleanup.h"
#include "engine/label.h"
#include "engine/value-text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void set_flag(struct flags *flags, const char *name, const char *text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct value value = VALUE_INIT;
	int r = value_decode(str_from(text), &value, &why);

	assert(r == 0);
	r = flags_set(flags, str_from(name), &value);
	assert(r == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_free_ char *template = str_dup((struct str){ (const char *)data, len });
	_cleanup_(strbuf_done) struct strbuf once = STRBUF_INIT, again = STRBUF_INIT;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r;

	assert(template);
	set_flag(&flags, "x", "0.123456789");
	set_flag(&flags, "n", "-12345678901234567890");
	set_flag(&flags, "s", "/a/b c");
	set_flag(&flags, "l", "[1, a, null]");
	set_flag(&flags, "o", "null");
	r = label_format(template, &flags, &once);
	assert(r == 0);
	r = label_format(template, &flags, &again);
	assert(r == 0);
	assert(str_eq(strbuf_str(&once), strbuf_str(&again)));
	return 0;
}
