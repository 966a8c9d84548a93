/*
 * The content of .guild/opref: whatever it is, it names an operation or is refused; and
 * how a shell splits a text: what is quoted again is the same words.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/operation.h"
#include "engine/strv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_words(char *const *words)
{
	_cleanup_(strv_freep) char **again = NULL;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r;

	for (size_t i = 0; words[i]; i++) {
		strbuf_addc(&text, ' ');
		strbuf_add_shell(&text, str_from(words[i]));
	}
	r = strv_split_shell(strbuf_str(&text), &again);
	assert(r == 0 && strv_length(again) == strv_length(words));
	for (size_t i = 0; words[i]; i++)
		assert(strcmp(words[i], again[i]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(strv_freep) char **words = NULL;
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	struct str text = { (const char *)data, len };
	int r_split, r_name;

	r_split = strv_split_shell(text, &words);
	assert(r_split == 0 || r_split == -EINVAL);
	r_name = operation_name_of_opref(text, &name);
	assert(r_name == 0 || (r_name == -EBADMSG && name.len == 0));
	assert(r_name < 0 || (r_split == 0 && strv_length(words) == 4));
	if (r_split == 0)
		check_words(words);
	return 0;
}
