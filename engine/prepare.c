/* Makes the job of a supervisor. */
#include "engine/prepare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "engine/env-file.h"
#include "engine/label.h"
#include "engine/prepare-source.h"
#include "engine/value-text.h"
#include "engine/yaml.h"

/* Guild's default for each option of its command `run` (1.16). */
enum param_type {
	PARAM_NULL,
	PARAM_FALSE,
	PARAM_LIST,
};

static const struct {
	const char *name;
	enum param_type type;
} run_params[] = {
	{ "additional_deps", PARAM_LIST },
	{ "background", PARAM_FALSE },
	{ "batch_comment", PARAM_NULL },
	{ "batch_label", PARAM_NULL },
	{ "batch_tags", PARAM_LIST },
	{ "break_", PARAM_LIST },
	{ "break_on_error", PARAM_FALSE },
	{ "comment", PARAM_NULL },
	{ "debug_sourcecode", PARAM_NULL },
	{ "edit_batch_comment", PARAM_FALSE },
	{ "edit_comment", PARAM_FALSE },
	{ "edit_flags", PARAM_FALSE },
	{ "fail_on_trial_error", PARAM_FALSE },
	{ "flags", PARAM_LIST },
	{ "force_deps", PARAM_FALSE },
	{ "force_flags", PARAM_FALSE },
	{ "force_sourcecode", PARAM_FALSE },
	{ "gpus", PARAM_NULL },
	{ "help_model", PARAM_FALSE },
	{ "help_op", PARAM_FALSE },
	{ "keep_batch", PARAM_FALSE },
	{ "keep_run", PARAM_FALSE },
	{ "label", PARAM_NULL },
	{ "max_trials", PARAM_NULL },
	{ "maximize", PARAM_NULL },
	{ "minimize", PARAM_NULL },
	{ "needed", PARAM_FALSE },
	{ "no_gpus", PARAM_FALSE },
	{ "no_wait", PARAM_FALSE },
	{ "opspec", PARAM_NULL },
	{ "opt_flags", PARAM_LIST },
	{ "optimize", PARAM_FALSE },
	{ "optimizer", PARAM_NULL },
	{ "pidfile", PARAM_NULL },
	{ "print_cmd", PARAM_FALSE },
	{ "print_env", PARAM_FALSE },
	{ "print_trials", PARAM_FALSE },
	{ "proto", PARAM_NULL },
	{ "quiet", PARAM_FALSE },
	{ "random_seed", PARAM_NULL },
	{ "remote", PARAM_NULL },
	{ "restart", PARAM_NULL },
	{ "run_dir", PARAM_NULL },
	{ "run_id", PARAM_NULL },
	{ "save_trials", PARAM_NULL },
	{ "stage", PARAM_FALSE },
	{ "stage_trials", PARAM_FALSE },
	{ "stop_after", PARAM_NULL },
	{ "tags", PARAM_LIST },
	{ "test_flags", PARAM_FALSE },
	{ "test_output_attrs", PARAM_NULL },
	{ "test_output_scalars", PARAM_NULL },
	{ "test_sourcecode", PARAM_FALSE },
	{ "yes", PARAM_FALSE },
};

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int add_value(struct job *job, const char *name, const struct value *value)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = yaml_format(value, &text);

	return r < 0 ? r : job_add_attr(job, name, strbuf_str(&text));
}

static int add_text(struct job *job, const char *name, struct str text)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r = value_string(&value, text);

	return r < 0 ? r : add_value(job, name, &value);
}

static int add_int(struct job *job, const char *name, int64_t number)
{
	_cleanup_(value_done) struct value value = VALUE_INIT;
	int r = value_int(&value, number);

	return r < 0 ? r : add_value(job, name, &value);
}

static int add_flags(struct job *job, const char *name, const struct flags *flags)
{
	_cleanup_(value_done) struct value map = VALUE_INIT;
	int r = flags_to_value(flags, &map);

	return r < 0 ? r : add_value(job, name, &map);
}

static int add_empty_map(struct job *job, const char *name)
{
	return job_add_attr(job, name, STR("{}\n"));
}

/* 0 to 2^32 - 1; Guild's range (1.6). */
static int add_random_seed(struct job *job)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -errno;
	return add_int(job, "random_seed", seed);
}

/* The template that the operation has, or had when the run was made. */
static int format_label(const struct operation *operation, const struct flags *flags,
			struct strbuf *ret)
{
	const struct value *template = value_get(&operation->attr, "label-template");

	return label_format(template ? value_str(template).data : NULL, flags, ret);
}

static int add_label(struct job *job, const struct operation *operation,
		     const struct flags *flags)
{
	_cleanup_(strbuf_done) struct strbuf label = STRBUF_INIT;
	int r = format_label(operation, flags, &label);

	if (r < 0 || label.len == 0)
		return r;
	return add_text(job, "label", strbuf_str(&label));
}

static int add_tags(struct job *job, const struct operation *operation)
{
	return operation->tags.type == VALUE_LIST && operation->tags.list.n_items > 0
		       ? add_value(job, "tags", &operation->tags)
		       : 0;
}

static int add_run_attrs(struct job *job, const struct operation *operation)
{
	return operation->run_attrs.type == VALUE_MAP &&
			       operation->run_attrs.map.n_pairs > 0
		       ? add_value(job, "opdef_attrs", &operation->run_attrs)
		       : 0;
}

static int add_env_secrets(struct job *job, const struct operation *operation)
{
	return operation->env_secrets.type == VALUE_LIST
		       ? add_value(job, OPERATION_ENV_SECRETS, &operation->env_secrets)
		       : 0;
}

static int add_source_rules(struct job *job, const struct operation *operation)
{
	return operation->source.type == VALUE_MAP
		       ? add_value(job, OPERATION_SOURCE, &operation->source)
		       : 0;
}

static int put_bool(struct value *map, const char *key, bool boolean)
{
	struct value value;

	value_bool(&value, boolean);
	return value_put(map, str_from(key), &value);
}

static int put_text(struct value *map, const char *key, struct str text)
{
	struct value value = VALUE_INIT;
	int r = value_string(&value, text);

	return r < 0 ? r : value_put(map, str_from(key), &value);
}

/* The flags as they would stand on Guild's command line. */
static int put_written_flags(struct value *params, const struct flags *flags)
{
	struct value list = { .type = VALUE_LIST };
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < flags->n_items; i++) {
		struct value item = VALUE_INIT;

		strbuf_reset(&text);
		strbuf_addf(&text, "%s=", flags->items[i].name);
		r = value_encode_flag(&flags->items[i].value, &text);
		if (r == 0)
			r = value_string(&item, strbuf_str(&text));
		if (r == 0)
			r = value_append(&list, &item);
	}
	if (r < 0) {
		value_done(&list);
		return r;
	}
	return value_put(params, STR("flags"), &list);
}

/* The options of this request over what is in @params. */
static int put_options(struct value *params, const struct request *request)
{
	int r = 0;

	if (request->needed)
		r = put_bool(params, "needed", true);
	if (r == 0 && request->force_sourcecode)
		r = put_bool(params, "force_sourcecode", true);
	return r;
}

static int add_run_params(struct job *job, const struct preparation *preparation)
{
	_cleanup_(value_done) struct value params = { .type = VALUE_MAP };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(run_params) / sizeof(run_params[0]);
	     i++) {
		struct value value = VALUE_INIT;

		if (run_params[i].type == PARAM_FALSE)
			value_bool(&value, false);
		else if (run_params[i].type == PARAM_LIST)
			value.type = VALUE_LIST;
		r = value_put(&params, str_from(run_params[i].name), &value);
	}
	if (r == 0)
		r = put_written_flags(&params, preparation->written);
	if (r == 0)
		r = put_bool(&params, "force_flags", preparation->request->force_flags);
	if (r == 0)
		r = put_text(&params, "opspec", str_from(preparation->operation->opspec));
	if (r == 0)
		r = put_bool(&params, "yes", true); /* nobody was asked */
	if (r == 0)
		r = put_options(&params, preparation->request);
	return r < 0 ? r : add_value(job, "run_params", &params);
}

static const char *own_env(const char *name)
{
	const char *text = getenv(name);

	return text ? text : "";
}

/* What a restart needs to judge flags by, where the project may be gone. */
static int add_flag_defs(struct job *job, const struct operation *operation)
{
	_cleanup_(value_done) struct value defs = { .type = VALUE_MAP };
	bool some = false;

	for (size_t i = 0; i < operation->n_flag_defs; i++) {
		const struct flag_def *flag_def = &operation->flag_defs[i];
		struct value copy = VALUE_INIT;
		int r = value_copy(flag_def->source.type == VALUE_MAP
					   ? &flag_def->source
					   : &flag_def->default_value,
				   &copy);

		if (r == 0)
			r = value_put(&defs, str_from(flag_def->name), &copy);
		if (r < 0)
			return r;
		some |= flag_def->source.type == VALUE_MAP;
	}
	return some ? add_value(job, OPERATION_FLAG_DEFS, &defs) : 0;
}

/* HOST, or what the system calls itself (1.6). */
static int add_host(struct job *job)
{
	struct utsname system;

	if (own_env("HOST")[0])
		return add_text(job, "host", str_from(own_env("HOST")));
	if (uname(&system) < 0)
		return -errno;
	return add_text(job, "host", str_from(system.nodename));
}

static int add_platform(struct job *job, const struct operation *operation)
{
	_cleanup_(value_done) struct value platform = { .type = VALUE_MAP };
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	struct value cpus = VALUE_INIT;
	struct utsname system;
	int r;

	if (uname(&system) < 0)
		return -errno;
	/* The last word is the processor, which Linux does not tell Python. */
	strbuf_addf(&name, "%s %s %s %s ", system.sysname, system.nodename,
		    system.release, system.machine);
	r = put_text(&platform, "architecture",
		     sizeof(void *) == 8 ? STR("64bit ELF") : STR("32bit ELF"));
	if (r == 0)
		r = value_int(&cpus, sysconf(_SC_NPROCESSORS_ONLN));
	if (r == 0)
		r = value_put(&platform, STR("cpus"), &cpus);
	if (r == 0)
		r = put_text(&platform, "processor", STR(""));
	if (r == 0)
		r = put_text(&platform, "python_version",
			     str_from(operation->python_version));
	if (r == 0)
		r = put_text(&platform, "uname", strbuf_str(&name));
	return r < 0 ? r : add_value(job, "platform", &platform);
}

static int add_plugins(struct job *job, const struct operation *operation)
{
	const struct value *plugins =
		value_get(value_get(value_get(&operation->attr, "op-cmd"), "cmd-env"),
			  "GUILD_PLUGINS");
	_cleanup_(value_done) struct value list = { .type = VALUE_LIST };
	struct str rest = plugins ? value_str(plugins) : str_from(NULL);
	struct str name;

	while (str_split(&rest, ',', &name)) {
		struct value item = VALUE_INIT;
		int r = value_string(&item, name);

		if (r == 0)
			r = value_append(&list, &item);
		if (r < 0)
			return r;
	}
	return add_value(job, "plugins", &list);
}

static int add_pip_freeze(struct job *job, const struct operation *operation)
{
	if (operation->pip_freeze.type != VALUE_LIST || operation->no_pip_freeze ||
	    strcmp(own_env("NO_PIP_FREEZE"), "1") == 0)
		return 0;
	return add_value(job, "pip_freeze", &operation->pip_freeze);
}

static int copy_strv(char *const *strv, char ***ret)
{
	for (size_t i = 0; strv && strv[i]; i++) {
		int r = strv_append(ret, str_from(strv[i]));

		if (r < 0)
			return r;
	}
	return 0;
}

static int fill_env_file(const struct preparation *preparation, struct job *job)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = env_file_format(&preparation->command->env, &text);

	if (r < 0)
		return r;
	job->env_file = strbuf_take(&text);
	return job->env_file ? 0 : -ENOMEM;
}

static bool is_true(const struct value *value)
{
	return value && value->type == VALUE_BOOL && value->boolean;
}

static bool has_config(const struct preparation *preparation)
{
	return preparation->rendering && preparation->rendering->path;
}

static int fill_config(const struct rendering *rendering, struct job *job)
{
	job->config.path = strdup(rendering->path);
	job->config.text = strdup(rendering->text);
	if (!job->config.path || !job->config.text)
		return -ENOMEM;
	if (!rendering->uri)
		return 0;
	job->config.source = strdup(rendering->source);
	job->config.uri = strdup(rendering->uri);
	return job->config.source && job->config.uri ? 0 : -ENOMEM;
}

/* What the run keeps of the project's file, to be started again without it. */
static int add_template(struct job *job, const struct preparation *preparation)
{
	return has_config(preparation)
		       ? add_text(job, RENDERING_TEMPLATE,
				  str_from(preparation->rendering->template))
		       : 0;
}

/* Guild's record of what was put into the run: nothing, or the file (6.14). */
static int add_deps(struct job *job, const struct preparation *preparation)
{
	struct value deps = { .type = VALUE_MAP }, resource = { .type = VALUE_MAP };
	struct value source = { .type = VALUE_MAP }, paths = { .type = VALUE_LIST };
	struct value path = VALUE_INIT;
	const char *uri;
	int r;

	if (!has_config(preparation) || !preparation->rendering->uri)
		return add_empty_map(job, "deps");
	uri = preparation->rendering->uri;
	r = value_string(&path, str_from(preparation->rendering->path));
	if (r == 0)
		r = value_append(&paths, &path);
	if (r == 0)
		r = value_put(&source, STR("paths"), &paths);
	if (r == 0)
		r = put_text(&source, "uri", str_from(uri));
	if (r == 0)
		r = value_put(&resource, str_from(uri), &source);
	if (r == 0)
		r = value_put(&deps, str_from(uri), &resource);
	if (r == 0)
		r = add_value(job, "deps", &deps);
	value_done(&paths);
	value_done(&source);
	value_done(&resource);
	value_done(&deps);
	return r;
}

static int fill_process(const struct preparation *preparation, struct job *job)
{
	int r = has_config(preparation) ? fill_config(preparation->rendering, job) : 0;

	if (r < 0)
		return r;
	job->kind = preparation->kind;
	job->n_attempts = preparation->n_attempts;
	job->stop_timeout_us = preparation->stop_timeout_us;
	job->n_files = preparation->n_files;
	job->delete_on_success =
		is_true(value_get(&preparation->operation->attr, "delete-on-success"));
	job->id = strdup(preparation->id);
	job->opref = strdup(preparation->operation->opref);
	if (!job->id || !job->opref)
		return -ENOMEM;
	if (preparation->project) {
		job->source.vcs_commit = strcmp(own_env("NO_VCS_COMMIT"), "1") != 0;
		r = prepare_source(preparation->operation, preparation->project, job);
		if (r < 0)
			return r;
	}
	r = fill_env_file(preparation, job);
	if (r == 0)
		r = copy_strv(preparation->command->argv, &job->argv);
	return r < 0 ? r : copy_strv(preparation->command->envp, &job->envp);
}

int prepare_new(const struct preparation *preparation, struct job *ret)
{
	_cleanup_(job_done) struct job job = JOB_INIT;
	const struct operation *operation = preparation->operation;
	int r;

	job.is_new = true;
	r = fill_process(preparation, &job);
	if (r == 0)
		r = add_text(&job, "id", str_from(preparation->id));
	if (r == 0)
		r = add_int(&job, "initialized", now_us());
	if (r == 0)
		r = add_value(&job, "cmd", &preparation->command->cmd);
	if (r == 0)
		r = add_label(&job, operation, preparation->flags);
	if (r == 0)
		r = add_tags(&job, operation);
	if (r == 0)
		r = add_flags(&job, "flags", preparation->flags);
	if (r == 0)
		r = add_flags(&job, "user_flags", preparation->written);
	if (r == 0)
		r = add_run_params(&job, preparation);
	if (r == 0)
		r = add_random_seed(&job);
	if (r == 0)
		r = add_value(&job, "op", &operation->attr);
	if (r == 0)
		r = add_flag_defs(&job, operation);
	if (r == 0)
		r = add_env_secrets(&job, operation);
	if (r == 0)
		r = add_source_rules(&job, operation);
	if (r == 0)
		r = add_host(&job);
	if (r == 0)
		r = add_text(&job, "user", str_from(own_env("USER")));
	if (r == 0)
		r = add_platform(&job, operation);
	if (r == 0)
		r = add_plugins(&job, operation);
	if (r == 0)
		r = add_run_attrs(&job, operation);
	if (r == 0)
		r = add_deps(&job, preparation);
	if (r == 0)
		r = add_template(&job, preparation);
	if (r == 0)
		r = add_pip_freeze(&job, operation);
	if (r == 0)
		r = add_int(&job, "started", now_us());
	if (r == 0)
		r = add_value(&job, "env", &preparation->command->env);
	if (r < 0)
		return r;
	*ret = job;
	job = JOB_INIT;
	return 0;
}

static bool has_attr(const struct run *run, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	return run_attr_text(run, name, &text) != -ENOENT;
}

/* What Guild fills in for a run that somebody else made (1.15). */
static int add_missing(const struct preparation *preparation, const struct run *run,
		       struct job *job)
{
	int r = 0;

	if (!has_attr(run, "id"))
		r = add_text(job, "id", str_from(preparation->id));
	if (r == 0 && !has_attr(run, "initialized"))
		r = add_int(job, "initialized", now_us());
	if (r == 0 && !has_attr(run, "random_seed"))
		r = add_random_seed(job);
	if (r == 0 && !has_attr(run, "deps"))
		r = add_deps(job, preparation);
	if (r == 0 && (preparation->project || !has_attr(run, RENDERING_TEMPLATE)))
		r = add_template(job, preparation);
	return r;
}

/*
 * A label that is the old flags' own, also none where they give none, follows them; one
 * that the user set stays. An empty text takes the place of one that is gone.
 */
static int update_label(const struct preparation *preparation, const struct run *run,
			struct job *job)
{
	_cleanup_(strbuf_done) struct strbuf label = STRBUF_INIT, old = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf new = STRBUF_INIT;
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r = run_attr_string(run, "label", &label);

	if ((r < 0 && r != -ENOENT) || run_flags(run, &flags) < 0 ||
	    format_label(preparation->operation, &flags, &old) < 0 ||
	    !str_eq(strbuf_str(&label), strbuf_str(&old)))
		return 0;
	r = format_label(preparation->operation, preparation->flags, &new);
	if (r < 0 || (label.len == 0 && new.len == 0))
		return r;
	return add_text(job, "label", strbuf_str(&new));
}

static int update_run_params(const struct preparation *preparation, const struct run *run,
			     struct job *job)
{
	_cleanup_(value_done) struct value params = VALUE_INIT;
	int r = run_attr(run, "run_params", &params);

	if (r < 0 || params.type != VALUE_MAP)
		return add_run_params(job, preparation);
	/* What `guild run --keep-run` asked for holds for each start. */
	if (is_true(value_get(&params, "keep_run")))
		job->delete_on_success = false;
	r = put_options(&params, preparation->request);
	return r < 0 ? r : add_value(job, "run_params", &params);
}

/* Later than the last start, also where the clock was set back: it tells starts apart. */
static int add_started(const struct run *run, struct job *job)
{
	int64_t now = now_us(), last;

	if (run_attr_int(run, "started", &last) == 0 && now <= last && last < INT64_MAX)
		now = last + 1;
	return add_int(job, "started", now);
}

int prepare_failure(const struct run *run, struct str why, struct job *ret)
{
	_cleanup_(job_done) struct job job = { .kind = JOB_FAIL, .in_turn = true };
	int r;

	job.id = strdup(run_id(run));
	job.failure = str_dup(why);
	r = job.id && job.failure ? add_started(run, &job) : -ENOMEM;
	if (r < 0)
		return r;
	*ret = job;
	job = JOB_INIT;
	return 0;
}

int prepare_restart(const struct preparation *preparation, const struct run *run,
		    struct job *ret)
{
	_cleanup_(job_done) struct job job = JOB_INIT;
	int r;

	r = fill_process(preparation, &job);
	if (r == 0)
		r = add_missing(preparation, run, &job);
	if (r == 0)
		r = add_value(&job, "cmd", &preparation->command->cmd);
	if (r == 0)
		r = update_label(preparation, run, &job);
	if (r == 0)
		r = add_flags(&job, "flags", preparation->flags);
	if (r == 0)
		r = add_flags(&job, "user_flags", preparation->written);
	if (r == 0)
		r = update_run_params(preparation, run, &job);
	if (r == 0)
		r = add_started(run, &job);
	if (r == 0)
		r = add_value(&job, "env", &preparation->command->env);
	if (r < 0)
		return r;
	*ret = job;
	job = JOB_INIT;
	return 0;
}
