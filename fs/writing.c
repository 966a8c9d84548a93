/* What is written between open and close, and when it is carried out. */
#include "fs/writing.h"

#include <string.h>

#include "engine/cleanup.h"
#include "engine/request.h"

/* Up to here all is judged with each write. */
#define WHOLE_MAX 16384

void writing_init(struct writing *writing, pid_t opener)
{
	*writing = (struct writing){ .opener = opener };
}

/* Nothing is pending any more. */
static void forget_text(struct writing *writing)
{
	strbuf_done(&writing->text);
	strbuf_done(&writing->options);
	writing->pending = false;
	writing->judged_len = writing->line_start = 0;
}

void writing_done(struct writing *writing)
{
	forget_text(writing);
}

int writing_add(struct writing *writing, uint64_t lock_owner, struct str data)
{
	if (!writing->has_owner) {
		writing->has_owner = true;
		writing->owner = lock_owner;
	}
	if (writing->failed < 0)
		return writing->failed;
	writing->pending = true;
	return strbuf_addstr(&writing->text, data);
}

static struct str from(struct str text, size_t start)
{
	return (struct str){ text.data + start, text.len - start };
}

struct str writing_to_judge(const struct writing *writing, struct strbuf *scratch)
{
	struct str text = strbuf_str(&writing->text);
	struct str added = from(text, writing->judged_len);
	struct str lines = from(text, writing->line_start);
	size_t known_len = writing->judged_len - writing->line_start;

	if (text.len <= WHOLE_MAX)
		return text;
	if (known_len > WHOLE_MAX && lines.len < 2 * known_len &&
	    !memchr(added.data, '\n', added.len))
		return str_from(NULL);
	if (writing->options.len == 0)
		return lines;
	strbuf_reset(scratch);
	strbuf_addstr(scratch, strbuf_str(&writing->options));
	strbuf_addstr(scratch, lines);
	return strbuf_error(scratch) < 0 ? text : strbuf_str(scratch);
}

static void add_option(struct strbuf *options, const char *line)
{
	if (options->len == 0 || !strstr(options->data, line))
		strbuf_adds(options, line);
}

/* Adds the options of whole lines to those that are known. */
static int add_options(struct writing *writing, struct str lines)
{
	_cleanup_(request_done) struct request request = REQUEST_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

	/* What is no request has no options. */
	if (!memmem(lines.data, lines.len, "--", 2) ||
	    request_parse(lines, true, &request, &why) < 0)
		return 0;
	if (request.needed)
		add_option(&writing->options, "--needed\n");
	if (request.force_flags)
		add_option(&writing->options, "--force-flags\n");
	if (request.force_sourcecode)
		add_option(&writing->options, "--force-sourcecode\n");
	return strbuf_error(&writing->options);
}

int writing_judged(struct writing *writing)
{
	struct str text = strbuf_str(&writing->text);
	struct str lines = from(text, writing->line_start);
	const char *end = lines.len > 0 ? memrchr(lines.data, '\n', lines.len) : NULL;

	writing->judged_len = text.len;
	if (!end)
		return 0;
	lines.len = (size_t)(end + 1 - lines.data);
	writing->line_start += lines.len;
	return add_options(writing, lines);
}

void writing_fail(struct writing *writing, int r)
{
	writing->failed = r;
	forget_text(writing);
}

void writing_end_failed(struct writing *writing)
{
	writing->failed = 0;
}

bool writing_flush(struct writing *writing, uint64_t lock_owner, pid_t pid)
{
	if (!writing->has_owner && !writing->pending && pid == writing->opener) {
		writing->has_owner = true;
		writing->owner = lock_owner;
		return false;
	}
	if (!writing->has_owner || lock_owner != writing->owner)
		return false;
	writing_end_failed(writing);
	return writing->pending;
}

struct strbuf writing_take(struct writing *writing)
{
	struct strbuf text = writing->text;

	writing->text = STRBUF_INIT;
	forget_text(writing);
	writing->failed = 0;
	return text;
}
