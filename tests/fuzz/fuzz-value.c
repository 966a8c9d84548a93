/*
 * The text of a flag's value, as a user types it: whatever it is, it is decoded or
 * refused, and what a request shows for it gives the same value again.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/value-text.h"
#include "engine/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_request(const struct value *value)
{
	_cleanup_(value_done) struct value again = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r;

	r = value_encode_request(value, &text);
	assert(r == 0);
	assert(text.len == 0 || !memchr(text.data, '\n', text.len));
	r = value_decode(strbuf_str(&text), &again, &why);
	/* The last resort may be longer than a value can be. */
	assert(r == 0 || text.len > VALUE_TEXT_MAX_LEN);
	assert(r < 0 || value_identical(value, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	r = value_decode((struct str){ (const char *)data, len }, &value, &why);
	assert(r == 0 || (r == -EINVAL && why.len > 0));
	if (r < 0)
		return 0;

	check_request(&value);
	r = value_encode_label(&value, &text);
	assert(r == 0);
	r = value_encode_arg(&value, NULL, &text);
	assert(r == 0);
	r = value_encode_python(&value, &text);
	assert(r == 0);
	return 0;
}
