/*
 * A document on the disk: whatever it is, it is read or refused with a sentence, and
 * what is written for it reads as the same value.
 */
#include <assert.h>
#include <errno.h>

#include "engine/cleanup.h"
#include "engine/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_written(const struct value *value,
			  int (*format)(const struct value *, struct strbuf *))
{
	_cleanup_(value_done) struct value again = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r;

	r = format(value, &text);
	assert(r == 0);
	r = yaml_parse(strbuf_str(&text), &again, &why);
	assert(r == 0);
	assert(value_identical(value, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r;

	r = yaml_parse((struct str){ (const char *)data, len }, &value, &why);
	assert(r == 0 || ((r == -EBADMSG || r == -E2BIG) && why.len > 0));
	if (r < 0)
		return 0;
	check_written(&value, yaml_format);
	check_written(&value, yaml_format_inline);
	return 0;
}
