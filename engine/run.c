/* One run in the home: its attributes, and the status that they amount to. */
#include "engine/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/attempts.h"
#include "engine/file.h"
#include "engine/lock.h"
#include "engine/path.h"
#include "engine/pending.h"
#include "engine/strv.h"
#include "engine/yaml.h"

#define START_GRACE_S 3 /* Guild writes its LOCK long before */
#define LOOKS_MAX     8 /* at a run that is started again and again meanwhile */

struct run {
	char *id;
	int fd; /* .guild, or the directory of an attempt */
	bool is_attempt;
};

bool run_id_is_valid(const char *id)
{
	size_t len = strlen(id);

	if (len == 0 || len > NAME_MAX || id[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)id[i] < 0x20 || id[i] == 0x7f || id[i] == '/')
			return false;
	}
	return true;
}

/*
 * Opens .guild of a run. The run itself may be a link or a mount, but none of runfs; that
 * way is longer, so the short one is tried first.
 */
static int open_guild(int runs_fd, const char *id, int flags)
{
	_cleanup_close_ int dir_fd = -1;
	char path[NAME_MAX + sizeof("/.guild")];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/.guild", id);
	fd = file_open_beneath(runs_fd, path, flags | O_DIRECTORY);
	if (fd != -ELOOP && fd != -EXDEV)
		return fd == -ENOTDIR ? -ENOENT : fd;
	dir_fd = path_open(runs_fd, id);
	if (dir_fd < 0)
		return dir_fd == -EXDEV ? -ENOENT : dir_fd;
	fd = file_open_beneath(dir_fd, ".guild", flags | O_DIRECTORY);
	return fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV ? -ENOENT : fd;
}

int run_stat(int runs_fd, const char *id, struct stat *ret)
{
	_cleanup_close_ int fd = open_guild(runs_fd, id, O_PATH);

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

int run_open(int runs_fd, const char *id, struct run **ret)
{
	_cleanup_(run_freep) struct run *run = NULL;

	if (!run_id_is_valid(id))
		return -EINVAL;
	run = calloc(1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->fd = -1;
	run->id = strdup(id);
	if (!run->id)
		return -ENOMEM;
	run->fd = open_guild(runs_fd, id, O_RDONLY);
	if (run->fd < 0)
		return run->fd;
	if (!file_exists(run->fd, "opref"))
		return -ENOENT;
	*ret = take_ptr(run);
	return 0;
}

int run_open_attempt(const struct run *run, const char *number, struct run **ret)
{
	_cleanup_(run_freep) struct run *attempt = calloc(1, sizeof(*attempt));

	if (!attempt)
		return -ENOMEM;
	attempt->is_attempt = true;
	attempt->id = strdup(run->id);
	attempt->fd = attempts_open(run->fd, number);
	if (attempt->fd < 0)
		return attempt->fd;
	if (!attempt->id)
		return -ENOMEM;
	*ret = take_ptr(attempt);
	return 0;
}

void run_free(struct run *run)
{
	if (!run)
		return;
	close_fd(run->fd);
	free(run->id);
	free(run);
}

const char *run_id(const struct run *run)
{
	return run->id;
}

int run_guild_fd(const struct run *run)
{
	return run->fd;
}

int run_open_dir(const struct run *run)
{
	return file_open_dir(run->fd, "..");
}

int run_attr_text(const struct run *run, const char *name, struct strbuf *ret)
{
	char path[NAME_MAX + sizeof("attrs.old/")];
	int r;

	if (strlen(name) > NAME_MAX || strchr(name, '/'))
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "attrs/%s", name);
	r = file_read(run->fd, path, RUN_ATTR_MAX_LEN, ret);
	if (r != -ENOENT || file_exists(run->fd, "attrs"))
		return r;

	/* A start died between its two renames (engine/record.c). */
	(void)snprintf(path, sizeof(path), "attrs.old/%s", name);
	return file_read(run->fd, path, RUN_ATTR_MAX_LEN, ret);
}

/* What @text says. 0, -ENOENT when that is null, -EBADMSG when it is no YAML. */
static int parse_attr(const struct strbuf *text, struct value *ret)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r = yaml_parse(strbuf_str(text), &value, &why);

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	if (value.type == VALUE_NULL)
		return -ENOENT;
	*ret = value;
	value = VALUE_INIT;
	return 0;
}

int run_attr(const struct run *run, const char *name, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = run_attr_text(run, name, &text);

	return r < 0 ? r : parse_attr(&text, ret);
}

int run_attr_int(const struct run *run, const char *name, int64_t *ret)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r = run_attr(run, name, &value);

	if (r < 0)
		return r;
	return value_get_int(&value, ret) ? 0 : -EBADMSG;
}

int run_attr_string(const struct run *run, const char *name, struct strbuf *ret)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r = run_attr(run, name, &value);

	if (r < 0)
		return r;
	if (value.type != VALUE_STRING)
		return -EBADMSG;
	return strbuf_addstr(ret, value_str(&value));
}

int run_flags(const struct run *run, struct flags *ret)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r = run_attr(run, "flags", &value);

	if (r < 0 && r != -ENOENT)
		return r;
	return flags_from_value(&value, ret);
}

/* Adds what YAML has against the attribute, if that is it. */
static void add_yaml_mistake(const struct run *run, const char *path,
			     struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(value_done) struct value value = VALUE_INIT;

	if (!str_starts(str_from(path), "attrs/") ||
	    run_attr_text(run, path + strlen("attrs/"), &text) < 0)
		return;
	if (yaml_parse(strbuf_str(&text), &value, &why) < 0 && why.len > 0)
		strbuf_addf(ret_why, " (%s)", strbuf_cstr(&why));
}

int run_refuse(const struct run *run, const char *path, int r, const char *expected,
	       struct strbuf *ret_why)
{
	strbuf_addf(ret_why, "the run %s can't be started again: its .guild/%s ",
		    run_id(run), path);
	switch (r) {
	case -ENOENT:
		strbuf_adds(ret_why, "is missing");
		break;
	case -ELOOP:
	case -EXDEV:
		strbuf_adds(ret_why, "is a link, or on another mount");
		break;
	case -EINVAL:
		strbuf_adds(ret_why, "is no regular file");
		break;
	case -EFBIG:
	case -E2BIG:
		strbuf_adds(ret_why, "is too big");
		break;
	case -EBADMSG:
		strbuf_adds(ret_why, "can't be read");
		add_yaml_mistake(run, path, ret_why);
		break;
	default:
		strbuf_addf(ret_why, "can't be read: %s", strerror(-r));
		return r;
	}
	strbuf_addf(ret_why, ": it must be %s", expected);
	return -EINVAL;
}

static bool has_marker(const struct run *run, const char *name)
{
	return file_exists(run->fd, name);
}

/* The same, or the -errno of what we lack to see it. */
static int find_marker(const struct run *run, const char *name)
{
	struct stat st;
	int r = file_stat(run->fd, name, &st);

	if (file_is_lack(r))
		return r;
	return r == 0 || (r != -ENOENT && r != -ENOTDIR);
}

/*
 * The attributes of one start, whatever is put in their place meanwhile, for each start
 * puts another directory there. A descriptor or -errno, which attr_at() takes, too.
 */
static int open_attrs(const struct run *run)
{
	int fd = file_open_dir(run->fd, "attrs");

	return fd == -ENOENT ? file_open_dir(run->fd, "attrs.old") : fd;
}

static int attr_at(int attrs_fd, const char *name, struct value *ret)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = attrs_fd < 0 ? attrs_fd
			     : file_read(attrs_fd, name, RUN_ATTR_MAX_LEN, &text);

	return r < 0 ? r : parse_attr(&text, ret);
}

static bool get_int_at(int attrs_fd, const char *name, int64_t *ret)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;

	return attr_at(attrs_fd, name, &value) == 0 && value_get_int(&value, ret);
}

static int exit_status_at(int attrs_fd, int64_t *ret)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int64_t started, stopped;
	int r = attr_at(attrs_fd, "exit_status", &value);

	if (r < 0)
		return r;
	if (value.type == VALUE_FLOAT && value.real == (double)(int)value.real)
		*ret = (int)value.real; /* Guild takes 0.0 for 0 */
	else if (!value_get_int(&value, ret))
		return -EBADMSG;

	if (get_int_at(attrs_fd, "started", &started) &&
	    get_int_at(attrs_fd, "stopped", &stopped) && stopped < started)
		return -ENOENT;
	return 0;
}

int run_exit_status(const struct run *run, int64_t *ret)
{
	_cleanup_close_ int attrs_fd = open_attrs(run);

	return exit_status_at(attrs_fd, ret);
}

int run_time(const struct run *run, struct timespec *ret)
{
	int64_t us;
	int r = run_attr_int(run, "started", &us);

	if (r == -ENOENT)
		r = run_attr_int(run, "initialized", &us);
	if (r < 0)
		return r;
	ret->tv_sec = us / 1000000;
	ret->tv_nsec = us % 1000000 * 1000;
	return 0;
}

/* Four words, of which the first is TYPE:NAME (1.5). */
static int has_opref(const struct run *run)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strv_freep) char **words = NULL;
	int r = file_read(run->fd, "opref", RUN_OPREF_MAX_LEN, &text);

	if (file_is_lack(r))
		return r;
	return r == 0 && strv_split_shell(str_strip(strbuf_str(&text)), &words) == 0 &&
	       strv_length(words) == 4 && strchr(words[0], ':');
}

/* Can all that a user is shown of an ended run be read, as what it ought to be? */
static int is_readable(const struct run *run, int attrs_fd)
{
	static const struct {
		const char *name;
		enum value_type type;
	} attrs[] = {
		{ "flags", VALUE_MAP },
		{ "op", VALUE_MAP },
		{ "started", VALUE_INT },
		{ "stopped", VALUE_INT },
	};

	if (!run->is_attempt) {
		int r = has_opref(run);

		if (r <= 0)
			return r;
	}
	for (size_t i = 0; i < sizeof(attrs) / sizeof(attrs[0]); i++) {
		_cleanup_(value_done) struct value value = VALUE_INIT;
		int64_t number;
		int r = attr_at(attrs_fd, attrs[i].name, &value);

		if (r == -ENOENT)
			continue;
		if (file_is_lack(r))
			return r;
		if (r < 0 || value.type != attrs[i].type ||
		    (value.type == VALUE_INT && !value_get_int(&value, &number)))
			return false;
	}
	return true;
}

/* What it is apart from waiting to be started; of its end what @attrs_fd has. */
static int look_behind(const struct run *run, int attrs_fd, struct run_moment *moment)
{
	pid_t pid;
	int r = find_marker(run, "STAGED");

	if (r != 0)
		return r < 0 ? r : RUN_STAGED;
	r = lock_holder(run->fd, &pid);
	if (r != 0)
		return r < 0 ? r : RUN_RUNNING;
	r = exit_status_at(attrs_fd, &moment->exit_status);
	if (file_is_lack(r))
		return r;
	moment->has_exit_status = r == 0;
	if (!moment->has_exit_status || moment->exit_status > 0)
		return RUN_ERROR;
	r = is_readable(run, attrs_fd);
	if (r <= 0)
		return r < 0 ? r : RUN_ERROR;
	return moment->exit_status < 0 ? RUN_TERMINATED : RUN_COMPLETED;
}

static int look(const struct run *run, int attrs_fd, struct run_moment *moment)
{
	int r = find_marker(run, "LOCK.remote");

	if (r != 0)
		return r < 0 ? r : RUN_RUNNING;
	r = pending_exists(run->fd);
	if (r != 0)
		return r < 0 ? r : RUN_PENDING;
	return look_behind(run, attrs_fd, moment);
}

/* Are they still the run's? No other directory has their number while they are open. */
static bool are_in_place(const struct run *run, int attrs_fd)
{
	_cleanup_close_ int now_fd = open_attrs(run);
	struct stat st, now;

	if (attrs_fd < 0 || now_fd < 0)
		return attrs_fd == now_fd;
	return fstat(attrs_fd, &st) == 0 && fstat(now_fd, &now) == 0 &&
	       st.st_ino == now.st_ino && st.st_dev == now.st_dev;
}

/*
 * The moment as it is by the attributes that are there now: 0, -EAGAIN if they have gone,
 * or -errno.
 */
static int look_once(const struct run *run, struct run_moment *ret)
{
	/* Before the lock: without one, the start whose they are has written its end. */
	_cleanup_close_ int attrs_fd = open_attrs(run);
	int r;

	*ret = (struct run_moment){ 0 };
	r = look(run, attrs_fd, ret);
	if (r < 0)
		return r;
	ret->status = (enum run_status)r;
	return run_status_is_live(r) || r == RUN_STAGED || are_in_place(run, attrs_fd)
		       ? 0
		       : -EAGAIN;
}

int run_look(const struct run *run, struct run_moment *ret)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < LOOKS_MAX; i++)
		r = look_once(run, ret);
	if (r < 0 && r != -EAGAIN)
		return r;
	ret->may_be_starting = ret->status == RUN_ERROR && !ret->has_exit_status &&
			       run_may_be_starting(run);
	return 0;
}

int run_status(const struct run *run)
{
	struct run_moment moment;
	int r = run_look(run, &moment);

	return r < 0 ? r : (int)moment.status;
}

int run_status_behind(const struct run *run)
{
	_cleanup_close_ int attrs_fd = open_attrs(run);
	struct run_moment moment = { 0 };

	return look_behind(run, attrs_fd, &moment);
}

bool run_has_marker(const struct run *run)
{
	return has_marker(run, "LOCK") || has_marker(run, "PENDING") ||
	       has_marker(run, "LOCK.remote");
}

bool run_may_be_starting(const struct run *run)
{
	struct timespec now;
	int64_t exit_status;
	struct stat st;
	time_t age;

	if (run->is_attempt || has_marker(run, "LOCK") ||
	    run_exit_status(run, &exit_status) != -ENOENT || fstat(run->fd, &st) < 0)
		return false;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	age = now.tv_sec - st.st_mtim.tv_sec;
	/* A time to come, by a clock that was set back, would come no nearer. */
	return age >= 0 && age < START_GRACE_S;
}

static const char *const status_names[] = {
	[RUN_PENDING] = "pending",	 [RUN_STAGED] = "staged",
	[RUN_RUNNING] = "running",	 [RUN_COMPLETED] = "completed",
	[RUN_TERMINATED] = "terminated", [RUN_ERROR] = "error",
};

const char *run_status_name(int status)
{
	return status_names[status];
}

int run_status_parse(struct str word, enum run_status *ret)
{
	for (size_t i = 0; i < sizeof(status_names) / sizeof(status_names[0]); i++) {
		if (str_is(word, status_names[i])) {
			*ret = (enum run_status)i;
			return 0;
		}
	}
	return -EINVAL;
}

int run_was_started(const struct run *run)
{
	int r = find_marker(run, "STAGED");

	return r < 0 ? r : !r;
}

int run_pid(const struct run *run)
{
	pid_t pid;
	int r = run_status(run);

	if (r != RUN_RUNNING)
		return r < 0 ? r : 0;
	r = lock_holder(run->fd, &pid);
	return r <= 0 ? r : pid;
}

unsigned int run_needed_default(void)
{
	return 1u << RUN_COMPLETED | 1u << RUN_TERMINATED;
}

static int parse_needed_word(struct str word, unsigned int *statuses,
			     struct strbuf *ret_why)
{
	enum run_status status;

	if (run_status_parse(word, &status) == 0 &&
	    (status == RUN_COMPLETED || status == RUN_TERMINATED)) {
		*statuses |= 1u << status;
		return 0;
	}
	strbuf_add_quoted(ret_why, word);
	strbuf_adds(ret_why,
		    " is no status that can make a run not needed: write completed,"
		    " terminated or both");
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Takes the blanks and the word at the start of @rest off it; false for no word. */
static bool take_word(struct str *rest, struct str *ret)
{
	size_t start = 0, end;

	while (start < rest->len && is_blank(rest->data[start]))
		start++;
	for (end = start; end < rest->len && !is_blank(rest->data[end]);)
		end++;
	*ret = (struct str){ rest->data + start, end - start };
	rest->data += end;
	rest->len -= end;
	return ret->len > 0;
}

int run_needed_parse(struct str text, bool complete, unsigned int *ret_statuses,
		     struct strbuf *ret_why)
{
	unsigned int statuses = 0;
	struct str word;
	int r;

	while (text.len > 0 && take_word(&text, &word)) {
		if (!complete && text.len == 0)
			continue; /* the word may still go on */
		r = parse_needed_word(word, &statuses, ret_why);
		if (r < 0)
			return r;
	}
	*ret_statuses = statuses ? statuses : run_needed_default();
	return 0;
}

int run_needed_format(unsigned int statuses, struct strbuf *ret)
{
	const char *before = "";

	for (int status = RUN_PENDING; status <= RUN_ERROR; status++) {
		if (!(statuses & 1u << status))
			continue;
		strbuf_addf(ret, "%s%s", before, status_names[status]);
		before = " ";
	}
	return strbuf_addc(ret, '\n');
}

int run_set_needed(const struct run *run, unsigned int statuses)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = run_needed_format(statuses, &text);

	return r < 0 ? r : file_write(run->fd, "needed", strbuf_str(&text), 0644, false);
}

int run_needed(const struct run *run, unsigned int *ret_statuses)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	int r = file_read(run->fd, "needed", RUN_ATTR_MAX_LEN, &text);

	if (r < 0)
		return r;
	/* A hand-made file with other words accepts what a new one does. */
	if (run_needed_parse(strbuf_str(&text), true, ret_statuses, &why) < 0)
		*ret_statuses = run_needed_default();
	return 0;
}
