/* A run that waits for a job slot. */
#include "engine/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/claim.h"
#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/jobs.h"
#include "engine/proc.h"

#define MARKER_MAX_LEN (2u << 20) /* a request has up to 1 MiB */
#define ORDER_MAX_LEN  32
#define FIRST_LINE     "runfs: waits for a job slot"
#define SLACK_US       1000000 /* a clock that was set a little */

void pending_done(struct pending *pending)
{
	free(pending->project);
	free(pending->request);
	*pending = PENDING_INIT;
}

/* Lines of names and values, an empty one, and then the request as it is. */
int pending_format(const struct pending *pending, struct strbuf *ret)
{
	strbuf_addf(ret, FIRST_LINE "\norder %" PRId64 "\n", pending->order_us);
	if (pending->needed)
		strbuf_addf(ret, "needed %u\n", pending->needed);
	if (pending->project && !strchr(pending->project, '\n'))
		strbuf_addf(ret, "project %s\n", pending->project);
	strbuf_addc(ret, '\n');
	return strbuf_adds(ret, pending->request ? pending->request : "");
}

static int64_t parse_number(struct str text)
{
	int64_t number = 0;

	for (size_t i = 0; i < text.len && i < 18; i++) {
		if (text.data[i] >= '0' && text.data[i] <= '9')
			number = number * 10 + (text.data[i] - '0');
	}
	return number;
}

static int parse_line(struct str line, struct pending *pending)
{
	struct str name, value = line;

	(void)str_split(&value, ' ', &name);
	if (str_is(name, "order"))
		pending->order_us = parse_number(value);
	else if (str_is(name, "needed"))
		pending->needed = (unsigned int)parse_number(value);
	else if (str_is(name, "project")) {
		free(pending->project);
		pending->project = str_dup(value);
		return pending->project ? 0 : -ENOMEM;
	}
	return 0;
}

int pending_parse(struct str text, struct pending *ret)
{
	_cleanup_(pending_done) struct pending pending = PENDING_INIT;
	struct str line;
	int r = 0;

	if (!str_split(&text, '\n', &line) || !str_is(line, FIRST_LINE))
		return -EBADMSG;
	while (r == 0 && str_split(&text, '\n', &line) && line.len > 0)
		r = parse_line(line, &pending);
	if (r < 0)
		return r;
	pending.request = str_dup(text);
	if (!pending.request)
		return -ENOMEM;
	*ret = pending;
	pending = PENDING_INIT;
	return 0;
}

int pending_read(int guild_fd, struct pending *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = file_read(guild_fd, "PENDING", MARKER_MAX_LEN, &text);

	if (r < 0)
		return r == -EFBIG || r == -EINVAL ? -EBADMSG : r;
	return pending_parse(strbuf_str(&text), ret);
}

int pending_is_ours(int guild_fd)
{
	_cleanup_(pending_done) struct pending pending = PENDING_INIT;
	int r = pending_read(guild_fd, &pending);

	return file_is_lack(r) ? r : r == 0;
}

int pending_exists(int guild_fd)
{
	struct stat st;
	int64_t written_us;
	int r = file_stat(guild_fd, "PENDING", &st);

	if (r < 0)
		return file_is_lack(r) ? r : 0;
	written_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	return st.st_size > 0 || written_us + SLACK_US >= proc_boot_us();
}

static int announce(int home_fd, const char *id, int64_t order_us, bool durable)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = strbuf_addf(&text, "%" PRId64 "\n", order_us);

	return r < 0 ? r
		     : claim_make(home_fd, JOBS_QUEUE_DIR, id, strbuf_str(&text),
				  durable);
}

int pending_announce(int home_fd, const char *id, int64_t order_us)
{
	return announce(home_fd, id, order_us, true);
}

static bool is_announced(int home_fd, const char *id)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;

	return strbuf_addf(&path, JOBS_QUEUE_DIR "/%s", id) < 0 ||
	       file_exists(home_fd, strbuf_cstr(&path));
}

/* In this order: who leaves the queue takes the marker away first. */
int pending_announce_again(int home_fd, int guild_fd, const char *id)
{
	_cleanup_(pending_done) struct pending pending = PENDING_INIT;
	int fd;

	if (is_announced(home_fd, id) || pending_read(guild_fd, &pending) < 0)
		return 0;
	fd = announce(home_fd, id, pending.order_us, false);
	close_fd(fd);
	return fd < 0 ? fd : 1;
}

int pending_withdraw(int home_fd, const char *id)
{
	return claim_remove(home_fd, JOBS_QUEUE_DIR, id);
}

int pending_order(int dir_fd, const char *id, int64_t *ret_us)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = file_read(dir_fd, id, ORDER_MAX_LEN, &text);
	char *end;

	if (r < 0)
		return r;
	*ret_us = strtoll(strbuf_cstr(&text), &end, 10);
	return end == strbuf_cstr(&text) ? -EBADMSG : 0;
}
