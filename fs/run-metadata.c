/*
 * The files of runs/ID/ that people write about a run: label, tags, comment. Each is an
 * ordinary text file.
 */
#include "fs/dirs.h"

static int read_text(const struct node *node, enum metadata which, struct strbuf *ret)
{
	_cleanup_(run_freep) struct run *run = NULL;
	int r = node_run(node, &run);

	return r < 0 ? r : metadata_read(run, which, ret);
}

static int save_text(const struct node *node, enum metadata which, struct commit *commit,
		     struct str text, struct strbuf *ret_why)
{
	return amend_run(node->view->amender, node->run_id, which, text, commit->done,
			 commit->userdata, ret_why);
}

int label_read(const struct node *node, struct strbuf *ret_text)
{
	return read_text(node, METADATA_LABEL, ret_text);
}

int label_check(const struct node *node, const struct operation *operation,
		struct str text, struct strbuf *ret_why)
{
	return metadata_check(METADATA_LABEL, text, false, ret_why);
}

int label_commit(const struct node *node, struct commit *commit, struct str text,
		 struct strbuf *ret_why)
{
	return save_text(node, METADATA_LABEL, commit, text, ret_why);
}

int tags_read(const struct node *node, struct strbuf *ret_text)
{
	return read_text(node, METADATA_TAGS, ret_text);
}

int tags_check(const struct node *node, const struct operation *operation,
	       struct str text, struct strbuf *ret_why)
{
	return metadata_check(METADATA_TAGS, text, false, ret_why);
}

int tags_commit(const struct node *node, struct commit *commit, struct str text,
		struct strbuf *ret_why)
{
	return save_text(node, METADATA_TAGS, commit, text, ret_why);
}

int comment_read(const struct node *node, struct strbuf *ret_text)
{
	return read_text(node, METADATA_COMMENT, ret_text);
}

int comment_check(const struct node *node, const struct operation *operation,
		  struct str text, struct strbuf *ret_why)
{
	return metadata_check(METADATA_COMMENT, text, false, ret_why);
}

int comment_commit(const struct node *node, struct commit *commit, struct str text,
		   struct strbuf *ret_why)
{
	return save_text(node, METADATA_COMMENT, commit, text, ret_why);
}
