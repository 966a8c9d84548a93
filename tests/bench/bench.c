/*
 * What a mount costs: each figure against a reference that is measured in the same run,
 * the two in turns, as the median of many rounds. This program, the daemon and all that
 * they start keep to one CPU, since on a small virtual machine placement decides more
 * than the code does (fuse-facts 4.2).
 *
 * Programs: $RUNFS_MOUNT and $RUNFS_LIBEXEC, and the system's Python. The home is made in
 * $TMPDIR, and its disk is part of what is measured. Exits 1 when an aim is missed, 77
 * where nothing can be mounted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/strbuf.h"

#define N_ROUNDS   200 /* at most, of one figure */
#define PLACE_SIZE 256
#define N_SCRIPTS  20 /* in the project */
#define PYTHON	   "/usr/bin/python3"

/* Where things are; absolute paths. */
struct place {
	char dir[PLACE_SIZE], home[PLACE_SIZE], project[PLACE_SIZE], mnt[PLACE_SIZE];
	char restart[PLACE_SIZE], stop[PLACE_SIZE], status[PLACE_SIZE], wait[PLACE_SIZE];
	char attr[PLACE_SIZE]; /* the home's own file */
	char ops[PLACE_SIZE], flags[PLACE_SIZE], run[PLACE_SIZE]; /* of script */
	char script[PLACE_SIZE];				  /* the project's file */
};

static struct place place;

/* One figure: what is asked about, what it is held against, and how it may come out. */
struct figure {
	const char *name, *reference_name;
	void (*measured)(void);
	void (*reference)(void);
	int n_rounds;
	int n_calls;	     /* in one round */
	double most_ratio;   /* 0: no aim */
	double most_more_ms; /* 0: no aim */
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	int error = errno;
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fprintf(stderr, ": %s\n", strerror(error));
	exit(EXIT_FAILURE);
}

static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static pid_t spawn(const char *program, char *const argv[])
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		(void)execv(program, argv);
		_exit(127);
	}
	return pid;
}

static int run(const char *program, char *const argv[])
{
	int status;

	if (waitpid(spawn(program, argv), &status, 0) < 0)
		fail("waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* As `echo > path` does it. */
static void echo_to(const char *path)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0 || write(fd, "\n", 1) != 1 || close(fd) < 0)
		fail("echo > %s", path);
}

static ssize_t read_of(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buffer, size);

	if (n < 0 || close(fd) < 0)
		fail("cat %s", path);
	return n;
}

__attribute__((format(printf, 2, 3))) static void set(char *ret, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vsnprintf(ret, PLACE_SIZE, format, args) >= PLACE_SIZE)
		fail("%s: too long", format);
	va_end(args);
}

static void write_project(const char *name, struct str text)
{
	_cleanup_close_ int dir_fd = file_open_dir(AT_FDCWD, place.project);

	if (file_write(dir_fd, name, text, 0644, false) < 0)
		fail("can't write %s/%s", place.project, name);
}

/* The @n-th version of it. */
static void write_script(int n)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	strbuf_addf(&text, "x = %d\ny = 0.5\nz = 'a'\n", n);
	write_project("script.py", strbuf_str(&text));
}

/* What is measured */

static void restart_and_wait(void)
{
	static const char result[] = "completed 0\n";
	char text[64];
	ssize_t n;

	echo_to(place.restart);
	n = read_of(place.wait, text, sizeof(text));
	if ((size_t)n != sizeof(result) - 1 || memcmp(text, result, (size_t)n) != 0)
		fail("%s gave %.*s", place.wait, (int)n, text);
}

static void run_true(void)
{
	char *const argv[] = { (char *)(uintptr_t) "true", NULL };

	if (run("/bin/true", argv) != 0)
		fail("/bin/true");
}

static void restart_skipped(void)
{
	echo_to(place.restart);
}

/* A request too, with its check and its commit, which finds that the run has ended. */
static void stop_ended(void)
{
	echo_to(place.stop);
}

static void stat_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		fail("stat %s", path);
}

static void stat_status(void)
{
	stat_of(place.status);
}

static void stat_attr(void)
{
	stat_of(place.attr);
}

static void read_status(void)
{
	char text[4096];

	(void)read_of(place.status, text, sizeof(text));
}

static void read_attr(void)
{
	char text[4096];

	(void)read_of(place.attr, text, sizeof(text));
}

static void list_of(const char *path)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	int n = 0;

	while (dir && readdir(dir))
		n++;
	if (n < N_SCRIPTS)
		fail("ls %s", path);
}

static void list_ops(void)
{
	list_of(place.ops);
}

static void list_project(void)
{
	list_of(place.project);
}

static void read_flags(void)
{
	char text[4096];

	if (read_of(place.flags, text, sizeof(text)) < 1)
		fail("%s", place.flags);
}

static void read_script(void)
{
	char text[4096];

	(void)read_of(place.script, text, sizeof(text));
}

/* Of another size and time than before, so that Python is asked. */
static void read_flags_of_new_script(void)
{
	static int n;

	write_script(++n);
	read_flags();
}

static void run_python(void)
{
	char *const argv[] = { (char *)(uintptr_t) "python3", (char *)(uintptr_t) "-c",
			       (char *)(uintptr_t) "pass", NULL };

	if (run(PYTHON, argv) != 0)
		fail(PYTHON);
}

static void run_script(void)
{
	char *const argv[] = { (char *)(uintptr_t) "python3", place.script, NULL };

	if (run(PYTHON, argv) != 0)
		fail("%s", place.script);
}

/* As `echo > run; cat wait` of the new run. */
static void start_script_and_wait(void)
{
	static const char result[] = "completed 0\n";
	char path[PLACE_SIZE], id[64];
	int fd = open(place.run, O_RDWR | O_CLOEXEC);
	ssize_t n;

	if (fd < 0 || write(fd, "\n", 1) != 1)
		fail("%s", place.run);
	n = read(fd, id, sizeof(id) - 1);
	if (n < 2 || close(fd) < 0)
		fail("%s", place.run);
	id[n - 1] = '\0';
	set(path, "%.120s/runs/%.80s/wait", place.mnt, id);
	n = read_of(path, id, sizeof(id));
	if ((size_t)n != sizeof(result) - 1 || memcmp(id, result, (size_t)n) != 0)
		fail("%s gave %.*s", path, (int)n, id);
}

/* How it is measured */

static int compare_times(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *times, int n)
{
	qsort(times, (size_t)n, sizeof(*times), compare_times);
	return n % 2 ? times[n / 2] : (times[n / 2 - 1] + times[n / 2]) / 2;
}

/* Microseconds of one call. */
static double time_of(void (*call)(void), int n_calls)
{
	int64_t begin = now_ns();

	for (int i = 0; i < n_calls; i++)
		call();
	return (double)(now_ns() - begin) / 1000 / n_calls;
}

/* Prints the figure; false when its aim is missed. */
static bool measure(const struct figure *figure)
{
	static double measured[N_ROUNDS], reference[N_ROUNDS];
	double us, reference_us;
	bool met = true;

	for (int i = 0; i < figure->n_rounds; i++) {
		reference[i] = time_of(figure->reference, figure->n_calls);
		measured[i] = time_of(figure->measured, figure->n_calls);
	}
	us = median(measured, figure->n_rounds);
	reference_us = median(reference, figure->n_rounds);
	printf("%-30s %9.1f us   %-30s %9.1f us   %6.2f times, %+.2f ms", figure->name,
	       us, figure->reference_name, reference_us, us / reference_us,
	       (us - reference_us) / 1000);
	if (figure->most_ratio > 0) {
		met = us <= figure->most_ratio * reference_us;
		printf("   at most %g times: %s", figure->most_ratio,
		       met ? "met" : "MISSED");
	} else if (figure->most_more_ms > 0) {
		met = us - reference_us <= figure->most_more_ms * 1000;
		printf("   at most %g ms more: %s", figure->most_more_ms,
		       met ? "met" : "MISSED");
	}
	(void)putchar('\n');
	(void)fflush(stdout);
	return met;
}

/* The mount */

static void clean_up(void)
{
	if (place.mnt[0])
		(void)umount2(place.mnt, MNT_DETACH);
	if (place.dir[0])
		(void)file_remove_tree(AT_FDCWD, place.dir);
}

static void make_project(void)
{
	write_project("guild.yml", STR("t: {exec: /bin/true}\n"));
	for (int i = 0; i < N_SCRIPTS; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "other%d.py", i);
		write_project(name, STR("x = 1\n"));
	}
	write_script(0);
}

static void make_dirs(void)
{
	const char *tmp = getenv("TMPDIR");

	set(place.dir, "%s/runfs-bench.XXXXXX", tmp && tmp[0] ? tmp : "/tmp");
	if (!mkdtemp(place.dir))
		fail("%s", place.dir);
	set(place.home, "%.200s/home", place.dir);
	set(place.project, "%.200s/project", place.dir);
	set(place.mnt, "%.200s/mnt", place.dir);
	if (mkdir(place.home, 0755) < 0 || mkdir(place.project, 0755) < 0 ||
	    mkdir(place.mnt, 0755) < 0)
		fail("%s", place.dir);
	make_project();
}

static void mount_home(void)
{
	const char *program = getenv("RUNFS_MOUNT");
	char option[PLACE_SIZE + 16];
	char *const argv[] = { (char *)(uintptr_t) "mount.runfs", place.home, place.mnt,
			       (char *)(uintptr_t) "-o",	  option,     NULL };

	(void)snprintf(option, sizeof(option), "project=%s", place.project);
	if (!program || run(program, argv) != 0)
		fail("can't mount with RUNFS_MOUNT=%s", program ? program : "");
}

/* Starts a run, waits for its end, and keeps its files' names. */
static void make_run(void)
{
	char run_file[PLACE_SIZE], id[64];
	ssize_t n;
	int fd;

	set(run_file, "%.200s/ops/t/run", place.mnt);
	fd = open(run_file, O_RDWR | O_CLOEXEC);
	if (fd < 0 || write(fd, "\n", 1) != 1)
		fail("%s", run_file);
	n = read(fd, id, sizeof(id) - 1);
	if (n < 2 || close(fd) < 0)
		fail("%s", run_file);
	id[n - 1] = '\0';
	set(place.restart, "%.120s/runs/%.80s/restart", place.mnt, id);
	set(place.stop, "%.120s/runs/%.80s/stop", place.mnt, id);
	set(place.status, "%.120s/runs/%.80s/status", place.mnt, id);
	set(place.wait, "%.120s/runs/%.80s/wait", place.mnt, id);
	set(place.attr, "%.120s/runs/%.80s/.guild/attrs/exit_status", place.home, id);
	(void)read_of(place.wait, id, sizeof(id));
}

static void set_needed(void)
{
	char needed[PLACE_SIZE];
	int fd;

	set(needed, "%.*s/needed", (int)(strrchr(place.stop, '/') - place.stop),
	    place.stop);
	fd = open(needed, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || close(fd) < 0)
		fail("%s", needed);
}

/* The last of those that we may use: the first ones have the most interrupts. */
static void keep_to_one_cpu(void)
{
	cpu_set_t all, one;
	int cpu = CPU_SETSIZE - 1;

	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		fail("sched_getaffinity");
	while (cpu > 0 && !CPU_ISSET(cpu, &all))
		cpu--;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		fail("sched_setaffinity");
	printf("everything on CPU %d\n", cpu);
	(void)fflush(stdout);
}

static bool measure_all(void)
{
	static const struct figure start = {
		.name = "restart to wait, /bin/true",
		.reference_name = "fork, exec, wait of /bin/true",
		.measured = restart_and_wait,
		.reference = run_true,
		.n_rounds = N_ROUNDS,
		.n_calls = 1,
		.most_more_ms = 3,
	};
	static const struct figure others[] = {
		{ "skipped restart", "stop of an ended run", restart_skipped, stop_ended,
		  N_ROUNDS, 10, .most_ratio = 3 },
		{ "stat status", "stat of the home's file", stat_status, stat_attr,
		  N_ROUNDS, 100 },
		{ "open, read, close of status", "the same of the home's file",
		  read_status, read_attr, N_ROUNDS, 100 },
		{ "ls ops", "ls of the project", list_ops, list_project, N_ROUNDS, 10 },
		{ "cat ops/script.py/flags", "cat of the script", read_flags, read_script,
		  N_ROUNDS, 10 },
		{ "the same, the script changed", "python3 -c pass",
		  read_flags_of_new_script, run_python, N_ROUNDS / 4, 1 },
		{ "run to wait, script.py", "python3 script.py", start_script_and_wait,
		  run_script, N_ROUNDS / 4, 1, .most_more_ms = 15 },
	};
	bool met;

	make_run();
	met = measure(&start);
	set_needed();
	set(place.ops, "%.200s/ops", place.mnt);
	set(place.flags, "%.200s/ops/script.py/flags", place.mnt);
	set(place.run, "%.200s/ops/script.py/run", place.mnt);
	set(place.script, "%.200s/script.py", place.project);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		met &= measure(&others[i]);
	return met;
}

/* However the one that measures ends, the other takes its mount away. */
int main(void)
{
	int status = 0;
	pid_t pid;

	if (access("/dev/fuse", F_OK) < 0)
		return 77;
	(void)setenv("GUILD_PYTHON_EXE", PYTHON, 1);
	keep_to_one_cpu();
	make_dirs();
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		mount_home();
		exit(measure_all() ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)waitpid(pid, &status, 0);
	clean_up();
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}
