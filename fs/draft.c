/* A text file that is being edited. */
#include "fs/draft.h"

#include <errno.h>
#include <string.h>

void draft_init(struct draft *draft, pid_t opener)
{
	*draft = (struct draft){ .opener = opener };
}

void draft_done(struct draft *draft)
{
	strbuf_done(&draft->text);
}

/* Appends the text as it is, up to @len, and NULs for what is missing there. */
static void add_start(const struct draft *draft, size_t len, struct strbuf *ret)
{
	struct str text = strbuf_str(&draft->text);

	if (text.len > len)
		text.len = len;
	strbuf_addstr(ret, text);
	for (size_t i = text.len; i < len; i++)
		strbuf_addc(ret, '\0');
}

int draft_write(const struct draft *draft, off_t offset, struct str data,
		struct strbuf *ret)
{
	size_t start = draft->appends ? draft->text.len : (size_t)offset;
	size_t end = start + data.len;

	if (draft->failed < 0)
		return draft->failed;
	if (start > DRAFT_MAX_LEN || end > DRAFT_MAX_LEN)
		return -EFBIG;
	add_start(draft, start, ret);
	strbuf_addstr(ret, data);
	if (end < draft->text.len)
		strbuf_add(ret, draft->text.data + end, draft->text.len - end);
	return strbuf_error(ret);
}

int draft_resize(const struct draft *draft, off_t len, struct strbuf *ret)
{
	if (draft->failed < 0)
		return draft->failed;
	if (len > DRAFT_MAX_LEN)
		return -EFBIG;
	add_start(draft, (size_t)len, ret);
	return strbuf_error(ret);
}

void draft_accept(struct draft *draft, struct strbuf *text)
{
	strbuf_done(&draft->text);
	draft->text = *text;
	*text = STRBUF_INIT;
	draft->changed = draft->written = true;
}

void draft_owned(struct draft *draft, uint64_t lock_owner)
{
	if (draft->has_owner)
		return;
	draft->has_owner = true;
	draft->owner = lock_owner;
}

void draft_fail(struct draft *draft, int r)
{
	draft->failed = r;
	draft->changed = false;
}

bool draft_flush(struct draft *draft, uint64_t lock_owner, pid_t pid)
{
	/* A shell's redirection comes to its descriptor by dup2 and close, empty. */
	if (!draft->has_owner && pid == draft->opener) {
		draft_owned(draft, lock_owner);
		return draft->changed && draft->written;
	}
	if (!draft->has_owner || lock_owner != draft->owner)
		return false;
	draft->failed = 0;
	return draft->changed;
}
