/* What is written between open and close, and when it is carried out. */
#include "fs/writing.h"

void writing_init(struct writing *writing, pid_t opener)
{
	*writing = (struct writing){ .opener = opener };
}

void writing_done(struct writing *writing)
{
	strbuf_done(&writing->text);
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

void writing_fail(struct writing *writing, int r)
{
	writing->failed = r;
	writing->pending = false;
	strbuf_done(&writing->text);
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
	writing->pending = false;
	writing->failed = 0;
	return text;
}
