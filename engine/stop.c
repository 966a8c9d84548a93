/* Ends runs, and sends them signals. */
#include "engine/stop.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/list.h"
#include "engine/lock.h"

struct stopper {
	struct loop *loop;
	int64_t timeout_us;
	struct list kills;
};

/* A process of Guild's that has been told to end, and is killed if it does not. */
struct pending_kill {
	struct list link;
	struct loop_source *timer, *ended;
	int pidfd;
};

int stopper_new(struct loop *loop, int64_t timeout_us, struct stopper **ret)
{
	struct stopper *stopper = calloc(1, sizeof(*stopper));

	if (!stopper)
		return -ENOMEM;
	stopper->loop = loop;
	stopper->timeout_us = timeout_us;
	list_init(&stopper->kills);
	*ret = stopper;
	return 0;
}

static void pending_kill_free(struct pending_kill *kill)
{
	list_unlink(&kill->link);
	loop_source_free(kill->timer);
	loop_source_free(kill->ended);
	close_fd(kill->pidfd);
	free(kill);
}

void stopper_free(struct stopper *stopper)
{
	if (!stopper)
		return;
	list_for_each (link, &stopper->kills) {
		pending_kill_free(list_entry(link, struct pending_kill, link));
	}
	free(stopper);
}

/* The signal of a number; 1 is none here, since an interface file takes it for yes. */
static int signal_of_number(struct str text)
{
	int number = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9' || i > 2)
			return -EINVAL;
		number = 10 * number + (text.data[i] - '0');
	}
	return number > 0 && number < NSIG && sigabbrev_np(number) ? number : -EINVAL;
}

/* As kill(1): in upper or lower case, with SIG or without, or a number. */
static int find_signal(struct str name)
{
	char text[16];

	if (name.len == 0 || name.len >= sizeof(text))
		return -EINVAL;
	if (name.data[0] >= '0' && name.data[0] <= '9')
		return signal_of_number(name);
	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	for (int signal = 1; signal < NSIG; signal++) {
		const char *abbreviation = sigabbrev_np(signal);
		bool has_sig = strncasecmp(text, "SIG", 3) == 0;

		if (abbreviation &&
		    strcasecmp(has_sig ? text + 3 : text, abbreviation) == 0)
			return signal;
	}
	return -EINVAL;
}

int stop_parse(struct str text, bool complete, int *ret_signal, struct strbuf *ret_why)
{
	bool goes_on = !complete && (text.len == 0 || text.data[text.len - 1] != '\n');
	struct str word = str_strip(text);

	if (goes_on || word.len == 0 || str_is(word, "1")) {
		*ret_signal = SIGTERM;
		return 0;
	}
	*ret_signal = find_signal(word);
	if (*ret_signal > 0)
		return 0;
	strbuf_add_quoted(ret_why, word);
	strbuf_adds(ret_why,
		    " is no signal: write an empty line, or TERM, INT, KILL, STOP,"
		    " CONT, HUP, USR1, USR2, or a number from 1 to 31");
	return -EINVAL;
}

static int send_signal(int pidfd, int signal, siginfo_t *info)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, info, 0) < 0 ? -errno : 0;
}

/* Has the supervisor pass @signal on to the run's process group. */
static int send_through_supervisor(int pidfd, int signal)
{
	siginfo_t info = { 0 };
	int r;

	info.si_signo = SIGRTMIN;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_int = signal;
	r = signal == SIGTERM ? send_signal(pidfd, SIGTERM, NULL)
			      : send_signal(pidfd, SIGRTMIN, &info);
	/* Somebody may have stopped it, and it could not even pass a SIGKILL on. */
	return r < 0 ? r : send_signal(pidfd, SIGCONT, NULL);
}

static void on_timeout(void *userdata, uint32_t events)
{
	struct pending_kill *kill = userdata;

	(void)send_signal(kill->pidfd, SIGKILL, NULL);
	pending_kill_free(kill);
}

static void on_ended(void *userdata, uint32_t events)
{
	pending_kill_free(userdata);
}

/* Takes @pidfd over. */
static int kill_later(struct stopper *stopper, int pidfd)
{
	struct pending_kill *kill = calloc(1, sizeof(*kill));
	int r;

	if (!kill) {
		close_fd(pidfd);
		return -ENOMEM;
	}
	list_append(&stopper->kills, &kill->link);
	kill->pidfd = pidfd;
	r = loop_add_timer(stopper->loop, on_timeout, kill, &kill->timer);
	if (r == 0)
		r = loop_add_fd(stopper->loop, pidfd, EPOLLIN, on_ended, kill,
				&kill->ended);
	if (r < 0) {
		pending_kill_free(kill);
		return r;
	}
	loop_timer_set(kill->timer, stopper->timeout_us);
	return 0;
}

int stop_run(struct stopper *stopper, const struct run *run, int signal,
	     struct strbuf *ret_why)
{
	_cleanup_close_ int pidfd = -1;
	int supervised = lock_is_held(run_guild_fd(run));
	pid_t pid, still;
	int r = supervised < 0 ? supervised : run_status(run);

	if (r < 0)
		return r;
	if (r == RUN_PENDING) {
		strbuf_addf(ret_why,
			    "the run %s is only being started: stop it when it runs",
			    run_id(run));
		return -EBUSY;
	}
	r = lock_holder(run_guild_fd(run), &pid);
	if (r <= 0)
		return r;
	if (pid <= 0) {
		strbuf_addf(ret_why,
			    "the run %s is running, but its .guild/LOCK names no process:"
			    " find who holds that file (fuser), and end that",
			    run_id(run));
		return -EINVAL;
	}
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		return errno == ESRCH ? 0 : -errno;
	/* Only now can the pid not become another process's any more. */
	r = lock_holder(run_guild_fd(run), &still);
	if (r <= 0 || still != pid)
		return r < 0 ? r : 0;
	r = lock_check_holder(run_guild_fd(run), pid);
	if (r == -EPERM)
		strbuf_addf(ret_why,
			    "process %d, which .guild/LOCK names, is not seen to run %s:"
			    " end it yourself, or remove LOCK if it is none of the run's",
			    (int)pid, run_id(run));
	if (r < 0)
		return r == -ESRCH ? 0 : r;

	r = supervised ? send_through_supervisor(pidfd, signal)
		       : send_signal(pidfd, signal, NULL);
	if (r == -ESRCH)
		return 0;
	if (r == 0 && !supervised && signal == SIGTERM)
		r = kill_later(stopper, take_fd(&pidfd));
	if (r < 0)
		strbuf_addf(ret_why, "cannot signal process %d: %s", (int)pid,
			    strerror(-r));
	return r;
}
