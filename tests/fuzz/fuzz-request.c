/*
 * A request: whatever is written, it is judged. What is refused while more may come is
 * refused in the end too, and what a request's flags show is a request of equal flags.
 */
#include <assert.h>
#include <errno.h>

#include "engine/cleanup.h"
#include "engine/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int parse(struct str text, bool complete, struct request *ret)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r = request_parse(text, complete, ret, &why);

	assert(r == 0 || ((r == -EINVAL || r == -E2BIG) && why.len > 0));
	assert(r == 0 || (ret->flags.n_items == 0 && !ret->unfinished));
	return r;
}

/* A name that a request can hold at all: flags of a run may have others. */
static void check_written_back(const struct request *request)
{
	_cleanup_(request_done) struct request again = REQUEST_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	r = flags_format(&request->flags, &text);
	assert(r == 0);
	if (text.len > REQUEST_MAX_LEN)
		return; /* escapes are longer than what they stand for */
	r = parse(strbuf_str(&text), true, &again);
	assert(r == 0 && again.flags.n_items == request->flags.n_items);
	for (size_t i = 0; i < again.flags.n_items; i++)
		assert(value_identical(&request->flags.items[i].value,
				       &again.flags.items[i].value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(request_done) struct request whole = REQUEST_INIT, part = REQUEST_INIT;
	struct str text = { (const char *)data, len };
	int r_whole, r_part;

	r_whole = parse(text, true, &whole);
	r_part = parse(text, false, &part);
	assert(r_part == 0 || r_whole < 0);
	assert(!whole.unfinished);
	if (r_whole == 0)
		check_written_back(&whole);
	return 0;
}
