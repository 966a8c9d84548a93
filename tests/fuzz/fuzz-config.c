/*
 * A file that takes flags: whatever it is, it is read or refused with a sentence, and
 * what is written for it reads as the same again. The first byte says which kind it is.
 */
#include <assert.h>
#include <errno.h>

#include "engine/cleanup.h"
#include "engine/config.h"
#include "engine/r-script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void set_flag(struct flags *flags, const char *name)
{
	struct value value = VALUE_INIT;
	int r = value_int(&value, 7);

	assert(r == 0);
	r = flags_set(flags, str_from(name), &value);
	assert(r == 0);
}

static void check_config(struct str file, struct str text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT, once = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf twice = STRBUF_INIT, thrice = STRBUF_INIT;
	_cleanup_(value_done) struct value document = VALUE_INIT, found = VALUE_INIT;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r = config_parse(file, text, &document, &why);

	assert(r == 0 || (r == -EINVAL && why.len > 0));
	if (r < 0)
		return;
	r = config_flags(&document, &found, &why);
	assert(r == 0 || (r == -EINVAL && why.len > 0));
	set_flag(&flags, "a.b");
	r = config_render(file, text, NULL, &flags, &once, &why);
	assert(r == 0 || r == -EINVAL);
	if (r < 0)
		return;
	/* Blanks at the ends of a value are lost in INI. */
	r = config_render(file, strbuf_str(&once), NULL, &flags, &twice, &why);
	assert(r == 0);
	r = config_render(file, strbuf_str(&twice), NULL, &flags, &thrice, &why);
	assert(r == 0);
	assert(str_eq(strbuf_str(&twice), strbuf_str(&thrice)));
}

static void check_script(struct str text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT, once = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf twice = STRBUF_INIT;
	_cleanup_(value_done) struct value found = VALUE_INIT;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r = r_script_flags(text, &found, &why);

	assert(r == 0 || (r == -EINVAL && why.len > 0));
	set_flag(&flags, "x");
	r = r_script_render(text, &flags, &once);
	assert(r == 0);
	r = r_script_render(strbuf_str(&once), &flags, &twice);
	assert(r == 0);
	assert(str_eq(strbuf_str(&once), strbuf_str(&twice)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct str text = { (const char *)data + 1, len - 1 };

	if (len == 0)
		return 0;
	switch (data[0]) {
	case 'y':
		check_config(STR("f.yml"), text);
		break;
	case 'j':
		check_config(STR("f.json"), text);
		break;
	case 'i':
		check_config(STR("f.ini"), text);
		break;
	case 'r':
		check_script(text);
		break;
	default:
		break;
	}
	return 0;
}
