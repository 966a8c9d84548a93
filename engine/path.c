/* Paths of others, walked without entering a mount of runfs. */
#include "engine/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"

#define LINKS_MAX   40	/* as path_resolution(7) */
#define SHEBANG_MAX 256 /* BINPRM_BUF_SIZE of the kernel */

#define MOUNTS_MAX_LEN (64u << 20)

static dev_t avoided_device;

/* The devices that are mounted as fuse.runfs, as they were when a mount last changed. */
static struct {
	int fd; /* mountinfo, which poll(2) calls exceptional after each change */
	dev_t *devices;
	size_t n_devices;
} mounts = { .fd = -1 };

void path_avoid_device(dev_t device)
{
	avoided_device = device;
}

static void add_device(dev_t device)
{
	dev_t *grown = reallocarray(mounts.devices, mounts.n_devices + 1, sizeof(*grown));

	if (!grown)
		return;
	mounts.devices = grown;
	mounts.devices[mounts.n_devices++] = device;
}

/* "36 35 98:0 /root /point options - fuse.runfs source ...", see proc(5). */
static void read_mount(struct str line)
{
	static const char type[] = " - fuse.runfs ";
	struct str field = line;
	unsigned long major, minor;
	char *end;

	if (!memmem(line.data, line.len, type, strlen(type)))
		return;
	for (int i = 0; i < 3; i++)
		(void)str_split(&line, ' ', &field);
	major = strtoul(field.data, &end, 10);
	minor = *end == ':' ? strtoul(end + 1, NULL, 10) : 0;
	add_device(makedev(major, minor));
}

static void read_mounts(void)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct str rest, line;

	mounts.n_devices = 0;
	if (file_read_fd(mounts.fd, MOUNTS_MAX_LEN, &text) < 0)
		return;
	rest = strbuf_str(&text);
	while (str_split(&rest, '\n', &line))
		read_mount(line);
}

/* Reads the mounts when some have come or gone since. */
static void refresh_mounts(void)
{
	struct pollfd poll_fd = { .events = POLLPRI };

	if (mounts.fd < 0) {
		mounts.fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
		if (mounts.fd >= 0)
			read_mounts();
	}
	poll_fd.fd = mounts.fd;
	if (mounts.fd >= 0 && poll(&poll_fd, 1, 0) > 0)
		read_mounts();
}

/* FUSE has numbers of major 0, as whatever has no disk of its own. */
static bool is_avoided(dev_t device)
{
	if (avoided_device != 0 && device == avoided_device)
		return true;
	if (major(device) != 0)
		return false;
	refresh_mounts();
	for (size_t i = 0; i < mounts.n_devices; i++)
		if (mounts.devices[i] == device)
			return true;
	return false;
}

/* Judges the place @fd by what the kernel knows, without asking a file system. */
static int look(int fd, mode_t *ret_mode)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) < 0)
		return -errno;
	if (is_avoided(makedev(stx.stx_dev_major, stx.stx_dev_minor)))
		return -EXDEV;
	*ret_mode = stx.stx_mode;
	return 0;
}

static int open_start(int dir_fd, struct str path)
{
	const char *start = path.len > 0 && path.data[0] == '/' ? "/" : ".";
	int fd = openat(dir_fd, start, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Puts the target of the link @fd before what is left of the path. */
static int follow(int fd, struct str rest, struct strbuf *path)
{
	_cleanup_(strbuf_done) struct strbuf target = STRBUF_INIT;
	int r = file_read_link(fd, "", &target);

	if (r < 0)
		return r;
	strbuf_addc(&target, '/');
	strbuf_addstr(&target, rest);
	if (strbuf_error(&target) < 0)
		return -ENOMEM;
	if (target.len > PATH_MAX)
		return -ENAMETOOLONG;
	strbuf_done(path);
	*path = target;
	target = STRBUF_INIT;
	return 0;
}

/* Opens the place @name of @dir_fd itself, link or not. */
static int open_place(int dir_fd, struct str name)
{
	char place[NAME_MAX + 1];
	int fd;

	if (name.len > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(place, name.data, name.len);
	place[name.len] = '\0';
	fd = openat(dir_fd, place, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int path_open(int dir_fd, const char *path)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	struct str rest, name;
	int n_links = 0;
	mode_t mode;
	int r;

	if (strbuf_adds(&text, path) < 0)
		return -ENOMEM;
	rest = strbuf_str(&text);
	fd = open_start(dir_fd, rest);
	if (fd < 0)
		return fd;
	r = look(fd, &mode);
	if (r < 0)
		return r;

	while (str_split(&rest, '/', &name)) {
		_cleanup_close_ int next = -1;

		if (name.len == 0)
			continue;
		next = open_place(fd, name);
		if (next < 0)
			return next;
		r = look(next, &mode);
		if (r < 0)
			return r;
		if (S_ISLNK(mode)) {
			if (++n_links > LINKS_MAX)
				return -ELOOP;
			r = follow(next, rest, &text);
			if (r < 0)
				return r;
			rest = strbuf_str(&text);
			if (rest.data[0] != '/')
				continue;
			close_fd(take_fd(&next));
			next = open_start(AT_FDCWD, rest);
			if (next < 0)
				return next;
		}
		close_fd(fd);
		fd = take_fd(&next);
	}
	return take_fd(&fd);
}

static bool is_shebang_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Opens for reading what the place @path_fd is. */
static int open_for_reading(int path_fd)
{
	char name[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	int fd;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int path_read(int dir_fd, const char *path, size_t max_len, struct strbuf *ret)
{
	_cleanup_close_ int path_fd = path_open(dir_fd, path);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (path_fd < 0)
		return path_fd;
	if (fstat(path_fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	fd = open_for_reading(path_fd);
	return fd < 0 ? fd : file_read_fd(fd, max_len, ret);
}

/* Appends the interpreter of a "#!" line, nothing for another kind of file. */
static int read_interpreter(int path_fd, struct strbuf *ret)
{
	_cleanup_close_ int fd = open_for_reading(path_fd);
	char line[SHEBANG_MAX];
	struct str text = { line, 0 };
	struct str word;
	ssize_t n;

	if (fd < 0)
		return 0; /* executable but not readable, such as some setuid programs */
	n = pread(fd, line, sizeof(line), 0);
	if (n < 2 || memcmp(line, "#!", 2) != 0)
		return 0;

	text.len = (size_t)n;
	(void)str_split(&text, '\n', &word);
	word.data += 2;
	word.len -= 2;
	/* As the kernel does: a '\r' of a DOS text is part of the interpreter's name. */
	while (word.len > 0 && is_shebang_blank(word.data[0])) {
		word.data++;
		word.len--;
	}
	for (size_t i = 0; i < word.len; i++) {
		if (is_shebang_blank(word.data[i]))
			word.len = i;
	}
	return strbuf_addstr(ret, word);
}

/* Is there an executable file at @path? 0 and an O_PATH descriptor, or -errno. */
static int open_program(int dir_fd, const char *path)
{
	_cleanup_close_ int fd = path_open(dir_fd, path);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	if (faccessat(fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) < 0)
		return -errno;
	return take_fd(&fd);
}

static int judge(int r, const char *name, struct strbuf *ret_why)
{
	strbuf_add_quoted(ret_why, str_from(name));
	switch (r) {
	case -ENOENT:
	case -ENOTDIR:
		strbuf_adds(ret_why, " is not there");
		return -ENOENT;
	case -EACCES:
		strbuf_adds(ret_why, " is not executable: chmod +x it");
		return -EACCES;
	case -EISDIR:
		strbuf_adds(ret_why, " is a directory, not a program");
		return -EACCES;
	case -EXDEV:
		strbuf_adds(ret_why,
			    " lies on a mount of runfs: programs can't be run from it");
		return -EACCES;
	default:
		strbuf_addf(ret_why, " can't be run: %s", strerror(-r));
		return r;
	}
}

static int check_interpreter(int dir_fd, int program_fd, const char *name,
			     struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf interpreter = STRBUF_INIT;
	_cleanup_close_ int fd = -1;

	if (read_interpreter(program_fd, &interpreter) < 0)
		return -ENOMEM;
	if (interpreter.len == 0)
		return 0;
	fd = open_program(dir_fd, strbuf_cstr(&interpreter));
	if (fd >= 0)
		return 0;
	strbuf_adds(ret_why, "the interpreter of ");
	strbuf_add_quoted(ret_why, str_from(name));
	strbuf_adds(ret_why, ", ");
	return judge(fd, strbuf_cstr(&interpreter), ret_why);
}

/* As execvp: goes on after a place that has no such program, keeps the worst. */
static int search(struct str search_path, const char *name, struct strbuf *ret_path)
{
	struct str dir;
	int ret = -ENOENT;

	while (str_split(&search_path, ':', &dir)) {
		_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
		int fd;

		/* An empty or relative place means another directory for each caller. */
		if (dir.len == 0 || dir.data[0] != '/')
			continue;
		strbuf_addstr(&path, dir);
		strbuf_addf(&path, "/%s", name);
		fd = strbuf_error(&path) < 0 ? -ENOMEM
					     : open_program(AT_FDCWD, strbuf_cstr(&path));
		if (fd >= 0) {
			if (strbuf_addstr(ret_path, strbuf_str(&path)) == 0)
				return fd;
			close_fd(fd);
			return -ENOMEM;
		}
		if (file_is_lack(fd))
			return fd;
		if (fd == -EACCES)
			ret = fd;
	}
	return ret;
}

int path_find_program(int dir_fd, const char *name, const char *search_path,
		      struct strbuf *ret_path, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf found = STRBUF_INIT;
	_cleanup_close_ int fd = -1;
	int r;

	if (strchr(name, '/')) {
		fd = open_program(dir_fd, name);
		strbuf_adds(&found, name);
	} else {
		fd = search(str_from(search_path), name, &found);
	}
	if (fd == -ENOENT && !strchr(name, '/')) {
		strbuf_add_quoted(ret_why, str_from(name));
		strbuf_adds(ret_why,
			    " is in no directory of PATH: install it, or give its path");
		return -ENOENT;
	}
	if (fd < 0)
		return judge(fd, name, ret_why);

	r = check_interpreter(dir_fd, fd, name, ret_why);
	if (r < 0)
		return r;
	return ret_path ? strbuf_addstr(ret_path, strbuf_str(&found)) : 0;
}
