/* The Python of a home's operations, asked in a process of its own. */
#include "engine/python.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine/interpreter.h"
#include "engine/python-cache.h"
#include "engine/strv.h"

#define ANSWER_MAX_LEN	  (16u << 20)
#define ANSWER_TIMEOUT_US 30000000 /* a script on a file system that hangs */

struct python {
	struct loop *loop;
	char *flags_helper, *options_helper;
	char *project; /* or NULL */
	int home_fd;   /* borrowed; -1: answers are not kept */
};

struct python_question {
	struct loop_source *source, *timer;
	int fd;
	pid_t pid;
	python_fn fn;
	void *userdata;
	struct strbuf answer;
	int home_fd;
	char key[PYTHON_CACHE_KEY_LEN + 1]; /* of the answer in the cache; or "" */
	char **argv;			    /* what is asked, and with which words */
	char *script, *root;
	bool runs;
	json_t *known; /* what was found in the cache */
};

/* It lies beside the other. */
static int find_options_helper(struct python *python)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	const char *slash = strrchr(python->flags_helper, '/');

	if (slash)
		strbuf_add(&path, python->flags_helper,
			   (size_t)(slash + 1 - python->flags_helper));
	strbuf_adds(&path, "option-flags.py");
	python->options_helper = strbuf_take(&path);
	return python->options_helper ? 0 : -ENOMEM;
}

int python_new(struct loop *loop, const char *flags_helper, struct python **ret)
{
	_cleanup_(python_freep) struct python *python = calloc(1, sizeof(*python));
	int r;

	if (!python)
		return -ENOMEM;
	python->loop = loop;
	python->home_fd = -1;
	python->flags_helper = strdup(flags_helper);
	if (!python->flags_helper)
		return -ENOMEM;
	r = find_options_helper(python);
	if (r < 0)
		return r;
	*ret = take_ptr(python);
	return 0;
}

void python_free(struct python *python)
{
	if (!python)
		return;
	free(python->flags_helper);
	free(python->options_helper);
	free(python->project);
	free(python);
}

int python_set_project(struct python *python, const char *project)
{
	char *copy = strdup(project);

	if (!copy)
		return -ENOMEM;
	free(python->project);
	python->project = copy;
	return 0;
}

void python_set_home(struct python *python, int home_fd)
{
	python->home_fd = home_fd;
}

int python_find(const struct python *python, struct str requires, struct strbuf *ret_path,
		struct strbuf *ret_why)
{
	return interpreter_find(python->project, requires, ret_path, ret_why);
}

static void question_free(struct python_question *question)
{
	loop_source_free(question->source);
	loop_source_free(question->timer);
	close_fd(question->fd);
	strbuf_done(&question->answer);
	strv_free(question->argv);
	free(question->script);
	free(question->root);
	json_decref(question->known);
	free(question);
}

void python_cancel(struct python_question *question)
{
	if (!question)
		return;
	/* A helper that runs a script takes it away first. */
	if (question->pid > 0)
		(void)kill(question->pid, SIGTERM);
	question_free(question);
}

/* Not a script that can't be read: what it lacks may come without a change of it. */
static bool is_worth_keeping(const json_t *answer)
{
	return json_is_object(answer) &&
	       !json_is_object(json_object_get(answer, "error"));
}

/* Keeps the answer, unless the script has changed since Python was asked. */
static void keep(const struct python_question *question, const json_t *answer)
{
	char key[PYTHON_CACHE_KEY_LEN + 1];

	if (question->key[0] && is_worth_keeping(answer) &&
	    python_cache_key(question->argv, question->script, question->runs,
			     question->root, key) == 0 &&
	    strcmp(key, question->key) == 0)
		(void)python_cache_store(question->home_fd, key, answer);
}

static void finish(struct python_question *question, const char *why)
{
	struct str text = strbuf_str(&question->answer);
	json_auto_t *answer = why ? NULL : json_loadb(text.data, text.len, 0, NULL);

	if (!answer && !why)
		why = "Python gave no answer that makes sense about the script's flags";
	keep(question, answer);
	question->fn(question->userdata, answer, why);
	question_free(question);
}

static void on_answer(void *userdata, uint32_t events)
{
	struct python_question *question = userdata;
	char *end = strbuf_reserve(&question->answer, 65536);
	ssize_t n;

	if (!end || question->answer.len > ANSWER_MAX_LEN) {
		(void)kill(question->pid, SIGTERM);
		finish(question, "Python's answer about the script's flags is too long");
		return;
	}
	n = read(question->fd, end, 65536);
	if (n > 0)
		strbuf_grew(&question->answer, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		finish(question, NULL);
}

static void on_timeout(void *userdata, uint32_t events)
{
	struct python_question *question = userdata;

	(void)kill(question->pid, SIGTERM);
	finish(question, "Python took too long to read the script's flags");
}

static void on_known(void *userdata, uint32_t events)
{
	struct python_question *question = userdata;

	question->fn(question->userdata, question->known, NULL);
	question_free(question);
}

static int add_word(char ***argv, const char *word)
{
	return strv_append(argv, str_from(word));
}

static int add_option(char ***argv, const char *name, const char *value)
{
	int r = value && value[0] ? add_word(argv, name) : 0;

	return r == 0 && value && value[0] ? add_word(argv, value) : r;
}

/* What is run: the helper, and what it is told. */
static int build_argv(const struct python *python, const char *exe,
		      const struct python_call *call, char ***argv)
{
	int r = add_word(argv, exe);

	if (r == 0 && call->run) {
		r = add_word(argv, python->options_helper);
	} else if (r == 0) {
		/* Nothing of the user's environment can change what this one does. */
		r = add_word(argv, "-I");
		if (r == 0)
			r = add_word(argv, "-S");
		if (r == 0)
			r = add_word(argv, python->flags_helper);
		if (r == 0)
			r = add_word(argv, "--pip-freeze");
	}
	if (r == 0)
		r = add_option(argv, "--dest", call->dest);
	if (r == 0 && call->run)
		r = add_option(argv, "--root", call->root);
	if (r == 0 && call->run)
		r = add_option(argv, "--package", call->package);
	if (r == 0)
		r = add_word(argv, call->script);
	for (char *const *arg = call->args; r == 0 && call->run && arg && *arg; arg++)
		r = add_word(argv, *arg);
	return r;
}

static int spawn(struct python_question *question, char *const *argv, int answer_fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int r;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, answer_fd, 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	r = -posix_spawn(&question->pid, argv[0], &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return r;
}

static int start(struct python *python, char *const *argv,
		 struct python_question *question)
{
	_cleanup_close_ int answer_fd = -1;
	int fds[2];
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	question->fd = fds[0];
	answer_fd = fds[1];
	if (fcntl(question->fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	r = loop_add_fd(python->loop, question->fd, EPOLLIN, on_answer, question,
			&question->source);
	if (r == 0)
		r = loop_add_timer(python->loop, on_timeout, question, &question->timer);
	if (r < 0)
		return r;
	loop_timer_set(question->timer, ANSWER_TIMEOUT_US);
	return spawn(question, argv, answer_fd);
}

/* Looks for the answer in the cache. What goes wrong there costs no more than Python. */
static int look_up(const struct python *python, const struct python_call *call,
		   struct python_question *question)
{
	question->home_fd = python->home_fd;
	question->runs = call->run;
	question->script = strdup(call->script);
	question->root = call->root ? strdup(call->root) : NULL;
	if (!question->script || (call->root && !question->root))
		return -ENOMEM;
	if (python->home_fd < 0)
		return 0;
	if (python_cache_key(question->argv, question->script, question->runs,
			     question->root, question->key) < 0)
		question->key[0] = '\0';
	else
		(void)python_cache_load(python->home_fd, question->key, &question->known);
	return 0;
}

static int answer_soon(struct python *python, struct python_question *question)
{
	int r = loop_add_timer(python->loop, on_known, question, &question->timer);

	if (r == 0)
		loop_timer_set(question->timer, 0);
	return r;
}

int python_ask(struct python *python, const struct python_call *call, python_fn fn,
	       void *userdata, struct python_question **ret, struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf exe = STRBUF_INIT;
	_cleanup_(strv_freep) char **argv = NULL;
	struct python_question *question;
	int r;

	r = python_find(python, str_from(call->requires), &exe, ret_why);
	if (r == 0)
		r = build_argv(python, strbuf_cstr(&exe), call, &argv);
	if (r < 0)
		return r;
	question = calloc(1, sizeof(*question));
	if (!question)
		return -ENOMEM;
	question->fd = -1;
	question->fn = fn;
	question->userdata = userdata;
	question->argv = take_ptr(argv);
	r = look_up(python, call, question);
	if (r == 0)
		r = question->known ? answer_soon(python, question)
				    : start(python, question->argv, question);
	if (r < 0) {
		strbuf_addf(ret_why, "cannot start %s: %s", strbuf_cstr(&exe),
			    strerror(-r));
		question_free(question);
		return r;
	}
	*ret = question;
	return 0;
}
