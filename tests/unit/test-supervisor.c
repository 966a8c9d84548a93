/* The supervisor: how it starts a run, and a run again, and what it leaves when it can't.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/lock.h"
#include "supervised.h"

TestSuite(supervisor, .init = home_make, .fini = home_remove, .timeout = 60);

static void expect_no_leftovers(void)
{
	_cleanup_closedir_ DIR *guild = fdopendir(run_open_guild());

	for (struct dirent *entry; (entry = readdir(guild));) {
		struct str name = str_from(entry->d_name);

		cr_expect(!str_ends(name, ".new") && !str_ends(name, ".old") &&
				  !str_is(name, "start"),
			  "%s is left", entry->d_name);
	}
	cr_expect_not(run_has(".guild/LOCK"));
}

Test(supervisor, a_new_run_appears_whole)
{
	run_script(true, "echo hello; pwd; echo x > made; exit 3");
	expect_file(".guild/opref", "script:/p '' '' x.sh");
	expect_file(".guild/attrs/started", "1000\n");
	expect_file(".guild/attrs/exit_status", "3\n");
	expect_file(".guild/manifest", "");
	expect_file("made", "x\n");
	cr_expect(run_has(".guild/attrs/stopped"));
	expect_no_leftovers();
	cr_expect_eq(unlinkat(home_fd, "cache/runfs/new", AT_REMOVEDIR), 0,
		     "something is left of making it");
}

Test(supervisor, a_run_works_in_its_directory)
{
	_cleanup_free_ char *output = NULL;
	_cleanup_free_ char *expected = NULL;

	run_script(true, "pwd");
	output = run_read(".guild/output");
	cr_assert_gt(asprintf(&expected, "%s/runs/" RUN_ID "\n", home_path), 0);
	cr_expect_str_eq(output, expected);
}

Test(supervisor, a_command_gets_the_environment_of_the_job_and_nothing_of_ours)
{
	run_script(true, "env | grep -v -e PWD -e SHLVL -e ^_ | sort; ls /proc/self/fd;"
			 "cat; grep SigBlk /proc/self/status");
	expect_file(".guild/output", "PATH=/usr/local/bin:/usr/bin:/bin\nRUNFS_TEST=1\n"
				     "0\n1\n2\n3\n"
				     "SigBlk:\t0000000000000000\n");
}

Test(supervisor, a_signal_that_we_ignore_is_not_ignored_by_the_command)
{
	run_script(true, "kill -PIPE $$");
	expect_file(".guild/attrs/exit_status", "-13\n");
}

Test(supervisor, a_restart_replaces_what_is_new_and_keeps_the_rest)
{
	_cleanup_(job_done) struct job job = JOB_INIT;
	ino_t same, label;

	run_script(true, "echo first; echo x > made; exit 3");
	run_write(".guild/attrs/label", "mine\n");
	run_write(".guild/attrs/flags", "x: 1\n");
	run_write(".guild/attrs/same", "1\n");
	same = run_inode(".guild/attrs/same");
	label = run_inode(".guild/attrs/label");

	job_init(&job, false, "echo second; cat made; kill -9 $$");
	cr_assert_eq(job_add_attr(&job, "flags", STR("x: 2\n")), 0);
	cr_assert_eq(job_add_attr(&job, "same", STR("1\n")), 0);
	run_through(&job);
	expect_file(".guild/attempts/1/output", "first\n");
	expect_file(".guild/attempts/1/attrs/flags", "x: 1\n");
	expect_file(".guild/attempts/1/attrs/exit_status", "3\n");
	expect_file(".guild/output", "second\nx\n");
	expect_file(".guild/attrs/label", "mine\n");
	expect_file(".guild/attrs/flags", "x: 2\n");
	expect_file(".guild/attrs/exit_status", "-9\n");
	cr_expect_eq(run_inode(".guild/attrs/same"), same);
	cr_expect_eq(run_inode(".guild/attrs/label"), label);
	expect_no_leftovers();
}

Test(supervisor, a_running_run_has_a_lock_and_no_exit_status)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;
	_cleanup_close_ int guild_fd = -1;
	pid_t pid;

	run_script(true, "exit 1");
	job_init(&job, false, "read x < go");
	cr_assert_eq(mkfifoat(home_fd, "runs/" RUN_ID "/go", 0600), 0);
	supervised_start(&supervised, &job);
	cr_assert_eq(supervised.result, 0);

	guild_fd = run_open_guild();
	cr_expect_eq(lock_holder(guild_fd, &pid), 1);
	cr_expect_eq(pid, supervised.pid);
	cr_expect_eq(lock_try(guild_fd), 0, "the transition lock is free again");
	cr_expect_not(run_has(".guild/attrs/exit_status"));
	cr_expect_not(run_has(".guild/attrs/stopped"));
	run_write("go", "\n");
	cr_expect_eq(supervised_wait(&supervised), 0);
	cr_expect_eq(lock_holder(guild_fd, &pid), 0);
	expect_file(".guild/attrs/exit_status", "0\n");
}

Test(supervisor, a_staged_run_is_started)
{
	run_script(true, "exit 1");
	run_write(".guild/STAGED", "");
	cr_assert_eq(unlinkat(home_fd, "runs/" RUN_ID "/.guild/output", 0), 0);
	run_script(false, "echo started");
	cr_expect_not(run_has(".guild/STAGED"));
	expect_file(".guild/output", "started\n");
	expect_file(".guild/attrs/exit_status", "0\n");
	expect_no_leftovers();
}

Test(supervisor, what_a_start_left_that_died_is_cleared_away)
{
	run_script(true, "exit 1");
	run_write(".guild/LOCK.new", "1");
	cr_assert_eq(file_make_dirs(home_fd, "runs/" RUN_ID "/.guild/start/attrs.new",
				    0755),
		     0);
	run_write(".guild/start/output", "half");
	run_write(".guild/start/attrs.new/flags", "half");
	run_write(".guild/LOCK", "999999999");
	run_script(false, "echo again");
	expect_file(".guild/output", "again\n");
	cr_expect_not(run_has(".guild/attrs/flags"));
	expect_no_leftovers();
}

/* From here on renames with flags fail as on a file system that has none. */
static void forbid_exchange(void)
{
#ifdef SYS_renameat
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
#else
	cr_skip_test("here every rename is one with flags");
#endif
}

Test(supervisor, a_file_system_that_can_t_exchange_will_do)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	forbid_exchange();
	run_script(true, "echo first; exit 3");
	job_init(&job, false, "echo second; exit 4");
	cr_assert_eq(job_add_attr(&job, "flags", STR("x: 2\n")), 0);
	run_through(&job);
	expect_file(".guild/output", "second\n");
	expect_file(".guild/attrs/flags", "x: 2\n");
	expect_file(".guild/attrs/exit_status", "4\n");
	expect_no_leftovers();
}

Test(supervisor, a_running_run_is_not_started_again)
{
	_cleanup_(supervised_done) struct supervised first = SUPERVISED_INIT;
	_cleanup_(supervised_done) struct supervised second = SUPERVISED_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;

	job_init(&job, true, "mkfifo go; read x < go; echo end");
	supervised_start(&first, &job);
	cr_assert_eq(first.result, 0);
	await_file("go");
	job.is_new = false;
	supervised_start(&second, &job);
	cr_expect_eq(second.result, -EBUSY);
	cr_expect_str_eq(strbuf_cstr(&second.why), "the run is running");
	cr_expect_eq(supervised_wait(&second), 1);
	cr_expect(run_has(".guild/LOCK"));

	run_write("go", "\n");
	cr_expect_eq(supervised_wait(&first), 0);
	expect_file(".guild/output", "end\n");
	expect_no_leftovers();
}

Test(supervisor, a_new_run_takes_no_name_that_is_taken)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;

	run_script(true, "echo first");
	job_init(&job, true, "echo second");
	supervised_start(&supervised, &job);
	cr_expect_eq(supervised.result, -EEXIST);
	expect_file(".guild/output", "first\n");
	cr_expect_eq(unlinkat(home_fd, "cache/runfs/new", AT_REMOVEDIR), 0);
}

Test(supervisor, a_command_that_is_not_there_ends_with_127)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	job_init(&job, true, "");
	job_set_argv(&job, "./no such", NULL);
	run_through(&job);
	expect_file(".guild/attrs/exit_status", "127\n");
	expect_file(".guild/output",
		    "runfs: cannot start './no such': No such file or directory\n");
}

Test(supervisor, a_word_that_is_no_command_names_the_path)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	job_init(&job, true, "");
	job_set_argv(&job, "no-such-command", NULL);
	run_through(&job);
	expect_file(".guild/attrs/exit_status", "127\n");
	expect_file(".guild/output", "runfs: cannot start 'no-such-command': no such "
				     "command in PATH (/usr/local/bin:/usr/bin:/bin)\n");
}

static void run_file(const char *text, mode_t mode)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	run_script(true, "true");
	run_write("x.sh", text);
	cr_assert_eq(fchmodat(home_fd, "runs/" RUN_ID "/x.sh", mode, 0), 0);
	job_init(&job, false, "");
	job_set_argv(&job, "./x.sh", "word");
	run_through(&job);
}

Test(supervisor, a_relative_path_is_one_from_the_run)
{
	run_file("#!/bin/sh\necho $0 $1\n", 0755);
	expect_file(".guild/output", "./x.sh word\n");
}

Test(supervisor, what_is_not_executable_ends_with_126)
{
	run_file("#!/bin/sh\n", 0644);
	expect_file(".guild/attrs/exit_status", "126\n");
	expect_file(".guild/output",
		    "runfs: cannot start './x.sh': Permission denied; it "
		    "must be an executable file (chmod +x)\n");
}

Test(supervisor, a_script_needs_its_first_line)
{
	run_file("echo x\n", 0755);
	expect_file(".guild/attrs/exit_status", "126\n");
	expect_file(".guild/output", "runfs: cannot start './x.sh': Exec format error; "
				     "the first line of a script is like #!/bin/sh\n");
}

Test(supervisor, a_missing_interpreter_is_said_to_be_missing)
{
	/* It looks for the interpreter itself, and says so in its own words. */
	if (getenv("RUNFS_VALGRIND"))
		cr_skip_test("valgrind answers for the kernel here");
	run_file("#!/no/such/interpreter\n", 0755);
	expect_file(".guild/attrs/exit_status", "127\n");
	expect_file(".guild/output",
		    "runfs: cannot start './x.sh': its interpreter, named "
		    "in its first line, does not exist\n");
}

static void fill_disk(void)
{
	_cleanup_close_ int fd = openat(home_fd, "filler", O_WRONLY | O_CREAT, 0644);
	char zeros[512] = { 0 };

	while (write(fd, zeros, sizeof(zeros)) > 0)
		continue;
	cr_assert_eq(errno, ENOSPC);
}

Test(supervisor, on_a_full_disk_a_restart_changes_nothing)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;

	home_make_on_small_disk(256);
	run_script(true, "echo first");
	run_write(".guild/STAGED", "");
	fill_disk();
	job_init(&job, false, "echo second");
	cr_assert_eq(job_add_attr(&job, "flags", STR("x: 2\n")), 0);
	supervised_start(&supervised, &job);
	cr_expect_eq(supervised.result, -ENOSPC);
	cr_expect_str_eq(strbuf_cstr(&supervised.why),
			 "cannot write .guild/attrs/flags: No space left on device");
	expect_file(".guild/output", "first\n");
	expect_file(".guild/attrs/exit_status", "0\n");
	cr_expect(run_has(".guild/STAGED"));
	cr_expect_not(run_has(".guild/attrs/flags"));
	expect_no_leftovers();
}

Test(supervisor, on_a_full_disk_a_new_run_leaves_nothing)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;

	home_make_on_small_disk(64);
	fill_disk();
	job_init(&job, true, "echo first");
	supervised_start(&supervised, &job);
	cr_expect_eq(supervised.result, -ENOSPC);
	cr_expect_gt(supervised.why.len, 0);
	cr_expect_eq(faccessat(home_fd, "runs/" RUN_ID, F_OK, 0), -1);
	cr_expect_eq(faccessat(home_fd, "cache/runfs/new/" RUN_ID, F_OK, 0), -1);
}

Test(supervisor, what_is_no_attribute_is_not_thrown_away)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;

	run_script(true, "echo first");
	cr_assert_eq(mkdirat(home_fd, "runs/" RUN_ID "/.guild/attrs/dir", 0755), 0);
	job_init(&job, false, "echo second");
	supervised_start(&supervised, &job);
	cr_expect_eq(supervised.result, -EISDIR);
	cr_expect_str_eq(strbuf_cstr(&supervised.why),
			 "cannot keep .guild/attrs/dir: Is a directory");
	expect_file(".guild/output", "first\n");
	cr_expect(run_has(".guild/attrs/dir"));
	expect_no_leftovers();
}

static void project_write(const char *path, const char *text)
{
	_cleanup_close_ int fd =
		openat(home_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	cr_assert_eq(file_write_fd(fd, str_from(text)), 0);
}

/* The job's source is a project with one file, lib/x.py. */
static void make_project(struct job *job)
{
	cr_assert_gt(asprintf(&job->source.root, "%s/project", home_path), 0);
	cr_assert_eq(file_make_dirs(home_fd, "project/lib", 0755), 0);
	project_write("project/lib/x.py", "source\n");
}

Test(supervisor, a_new_run_has_the_source_code)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	job_init(&job, true, "cat lib/x.py");
	make_project(&job);
	run_through(&job);
	expect_file(".guild/output", "source\n");
	expect_file(".guild/manifest",
		    "s lib/x.py e04ff2983499c33b1597bd03d23b30ec20d78a61 lib/x.py\n");
	expect_file(".guild/attrs/sourcecode_digest",
		    "6261ed5c94d7b735680d517a106396b3\n");
}

Test(supervisor, a_restart_with_source_code_replaces_it)
{
	_cleanup_(job_done) struct job job = JOB_INIT;

	run_script(true, "mkdir lib; echo old > lib/x.py; echo mine > lib/mine");
	run_write(".guild/manifest",
		  "s lib/x.py 1 lib/x.py\ns old 2 old\nd data - file:d\n");
	run_write(".guild/attrs/vcs_commit", "git:1\n");
	job_init(&job, false, "cat lib/x.py");
	make_project(&job);
	run_through(&job);
	expect_file(".guild/output", "source\n");
	expect_file("lib/mine", "mine\n");
	expect_file(".guild/manifest",
		    "s lib/x.py e04ff2983499c33b1597bd03d23b30ec20d78a61 lib/x.py\n"
		    "d data - file:d\n");
	cr_expect_not(run_has(".guild/attrs/vcs_commit"));
	expect_no_leftovers();
}

Test(supervisor, source_code_replaces_no_directory_and_goes_through_no_link)
{
	_cleanup_(supervised_done) struct supervised directory = SUPERVISED_INIT;
	_cleanup_(supervised_done) struct supervised link = SUPERVISED_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;

	run_script(true, "echo old > a.py; mkdir -p lib/x.py; echo mine > lib/x.py/mine");
	job_init(&job, false, "echo new");
	make_project(&job);
	project_write("project/a.py", "new\n");
	supervised_start(&directory, &job);
	cr_expect_eq(directory.result, -EISDIR);
	cr_expect_str_eq(strbuf_cstr(&directory.why),
			 "cannot replace lib/x.py: Is a directory");
	expect_file("a.py", "old\n");
	expect_file("lib/x.py/mine", "mine\n");

	run_script(false, "rm -r lib; mkdir /tmp/$$; ln -s /tmp/$$ lib; rmdir /tmp/$$");
	supervised_start(&link, &job);
	cr_expect_lt(link.result, 0);
	expect_file("a.py", "old\n");
	expect_no_leftovers();
}

Test(supervisor, what_is_no_job_is_answered)
{
	_cleanup_(supervised_done) struct supervised supervised = SUPERVISED_INIT;
	_cleanup_(job_done) struct job job = JOB_INIT;

	job_init(&job, true, "true");
	free(job.id);
	job.id = strdup("../x");
	supervised_start(&supervised, &job);
	cr_expect_eq(supervised.result, -EBADMSG);
	cr_expect_eq(supervised_wait(&supervised), 1);
}
