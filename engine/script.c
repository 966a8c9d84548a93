/* What Python says of a project's scripts. */
#include "engine/script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/arg-split.h"
#include "engine/file.h"
#include "engine/list.h"
#include "engine/strv.h"
#include "engine/value-text.h"
#include "engine/yaml.h"

struct scripts {
	struct python *python;
	char *project;
	scripts_fn fn;
	void *userdata;
	struct list list;
};

/* What Python said of one script, or is asked. */
struct script {
	struct list link;
	struct scripts *scripts;
	struct python_question *question; /* NULL when answered */
	json_t *answer;			  /* NULL: see why */
	char *why;
	int error; /* a question that could not be asked; asked again at the next look */
	struct file_stamp stamp;
	char *path, *dest, *package, *requires; /* as in struct script_use */
	char **args;
	bool no_flags;
};

int scripts_new(struct python *python, const char *project, scripts_fn fn, void *userdata,
		struct scripts **ret)
{
	_cleanup_(scripts_freep) struct scripts *scripts = calloc(1, sizeof(*scripts));

	if (!scripts)
		return -ENOMEM;
	list_init(&scripts->list);
	scripts->python = python;
	scripts->fn = fn;
	scripts->userdata = userdata;
	scripts->project = project ? strdup(project) : NULL;
	if (project && !scripts->project)
		return -ENOMEM;
	*ret = take_ptr(scripts);
	return 0;
}

static void script_free(struct script *script)
{
	list_unlink(&script->link);
	python_cancel(script->question);
	json_decref(script->answer);
	free(script->why);
	free(script->path);
	free(script->dest);
	free(script->package);
	free(script->requires);
	strv_free(script->args);
	free(script);
}

void scripts_free(struct scripts *scripts)
{
	if (!scripts)
		return;
	list_for_each (link, &scripts->list) {
		script_free(list_entry(link, struct script, link));
	}
	free(scripts->project);
	free(scripts);
}

static const char *answer_text(const struct script *script, const char *key)
{
	return script->answer ? json_string_value(json_object_get(script->answer, key))
			      : NULL;
}

const char *script_dest(const struct script *script)
{
	const char *dest = answer_text(script, "dest");

	return dest ? dest : "args";
}

const char *script_description(const struct script *script)
{
	return answer_text(script, "description");
}

const char *script_python_version(const struct script *script)
{
	return answer_text(script, "python_version");
}

int script_error(const struct script *script)
{
	return script->error < 0 ? script->error : -EINVAL;
}

/* Is it one that takes its flags as arguments, by a parser? */
static bool is_parser(const char *dest)
{
	return dest && str_starts(str_from(dest), "args");
}

/* Asks what stands in it, or (@run) which options its parser has. */
static void ask(struct script *script, bool run, python_fn fn)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	const struct scripts *scripts = script->scripts;
	struct python_call call = {
		.script = script->path,
		.dest = script->dest,
		.requires = script->requires,
		.run = run,
		.root = scripts->project,
		.package = script->package,
		.args = script->args,
	};

	/* Whether it has a parser at all is what it says itself. */
	if (!run && is_parser(script->dest))
		call.dest = NULL;
	if (run && !is_parser(script->dest))
		call.dest = answer_text(script, "dest");
	script->error =
		python_ask(scripts->python, &call, fn, script, &script->question, &why);
	if (script->error < 0) {
		json_decref(script->answer);
		script->answer = NULL;
		script->why = strbuf_take(&why);
	}
}

/* The options take the place of the flags that no constant is. */
static void on_options(void *userdata, const json_t *answer, const char *why)
{
	static const char *const keys[] = { "flags", "description", "error" };
	struct script *script = userdata;

	script->question = NULL;
	for (size_t i = 0; answer && i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *part = json_object_get(answer, keys[i]);

		if (!json_is_null(part))
			(void)json_object_set_new(script->answer, keys[i],
						  json_deep_copy(part));
	}
	if (!answer) {
		json_decref(script->answer);
		script->answer = NULL;
		script->why = why ? strdup(why) : NULL;
	}
	script->scripts->fn(script->scripts->userdata);
}

static void on_answer(void *userdata, const json_t *answer, const char *why)
{
	struct script *script = userdata;

	script->question = NULL;
	script->answer = json_deep_copy(answer);
	script->why = why ? strdup(why) : NULL;
	if (script->answer && !script->no_flags &&
	    !json_is_object(json_object_get(script->answer, "error")) &&
	    is_parser(answer_text(script, "dest"))) {
		ask(script, true, on_options);
		if (script->question)
			return;
	}
	script->scripts->fn(script->scripts->userdata);
}

static bool is_same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool is_about(const struct script *script, const struct script_use *use)
{
	char *const *a = script->args, *const *b = use->args;

	if (!is_same(script->path, use->path) || !is_same(script->dest, use->dest) ||
	    !is_same(script->package, use->package) ||
	    !is_same(script->requires, use->requires) ||
	    script->no_flags != use->no_flags)
		return false;
	for (; a && *a && b && *b; a++, b++) {
		if (strcmp(*a, *b) != 0)
			return false;
	}
	return (!a || !*a) && (!b || !*b);
}

static struct script *find_script(struct scripts *scripts, const struct script_use *use)
{
	list_for_each (link, &scripts->list) {
		struct script *script = list_entry(link, struct script, link);

		if (is_about(script, use))
			return script;
	}
	return NULL;
}

/* What is known of other uses of the script as it was before it changed. */
static void drop_old(struct scripts *scripts, const struct script *than)
{
	list_for_each (link, &scripts->list) {
		struct script *script = list_entry(link, struct script, link);

		if (!script->question && strcmp(script->path, than->path) == 0 &&
		    !file_stamp_equal(&script->stamp, &than->stamp))
			script_free(script);
	}
}

static int copy_text(const char *text, char **ret)
{
	*ret = text ? strdup(text) : NULL;
	return text && !*ret ? -ENOMEM : 0;
}

static struct script *script_new(struct scripts *scripts, const struct script_use *use,
				 const struct file_stamp *stamp)
{
	struct script *script = calloc(1, sizeof(*script));
	int r;

	if (!script)
		return NULL;
	script->scripts = scripts;
	script->stamp = *stamp;
	script->no_flags = use->no_flags;
	list_append(&scripts->list, &script->link);
	r = copy_text(use->path, &script->path);
	if (r == 0)
		r = copy_text(use->dest, &script->dest);
	if (r == 0)
		r = copy_text(use->package, &script->package);
	if (r == 0)
		r = copy_text(use->requires, &script->requires);
	for (char *const *arg = use->args; r == 0 && arg && *arg; arg++)
		r = strv_append(&script->args, str_from(*arg));
	if (r < 0) {
		script_free(script);
		return NULL;
	}
	return script;
}

int scripts_ask(struct scripts *scripts, const struct script_use *use,
		const struct stat *st, const struct script **ret)
{
	struct script *script = find_script(scripts, use);
	struct file_stamp stamp;

	file_stamp_of(st, &stamp);
	if (script && !script->question &&
	    (script->error < 0 || !file_stamp_equal(&script->stamp, &stamp))) {
		script_free(script);
		script = NULL;
	}
	if (!script) {
		script = script_new(scripts, use, &stamp);
		if (!script)
			return -ENOMEM;
		drop_old(scripts, script);
		ask(script, false, on_answer);
	}
	*ret = script;
	return script->question ? -EINPROGRESS : 0;
}

char *script_problem(const struct script *script, const char *name)
{
	_cleanup_(strbuf_done) struct strbuf problem = STRBUF_INIT;
	json_t *error = script->answer ? json_object_get(script->answer, "error") : NULL;

	if (!script->answer) {
		strbuf_addf(&problem, "the flags of %s can't be read: %s", name,
			    script->why ? script->why : "there is no memory");
	} else if (json_is_object(error)) {
		long long line = json_integer_value(json_object_get(error, "line"));

		strbuf_addf(&problem, "%s: ", name);
		if (line > 0)
			strbuf_addf(&problem, "line %lld: ", line);
		strbuf_adds(&problem,
			    json_string_value(json_object_get(error, "message")));
	} else {
		return NULL;
	}
	return strbuf_take(&problem);
}

/*
 * A list is kept as text in words, as Guild has it, and split again when it is passed. A
 * parser gets the words as they are; for a variable they are decoded, so that each says
 * its type.
 */
static int join_list(struct value *value, bool typed)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	struct value joined = VALUE_INIT;
	int r;

	if (typed) {
		r = arg_split_join(value, &joined);
	} else {
		r = value_encode_arg(value, NULL, &text);
		if (r == 0)
			r = value_string(&joined, strbuf_str(&text));
	}
	if (r < 0)
		return r;
	value_done(value);
	*value = joined;
	return 0;
}

/* Puts what the helper says under @key, as YAML, under guild.yml's name for it. */
static int put_yaml(struct value *attrs, const char *name, const json_t *text)
{
	_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
	struct value value = VALUE_INIT;
	int r;

	if (!json_is_string(text) ||
	    yaml_parse(str_from(json_string_value(text)), &value, &why) < 0)
		return 0;
	r = value_put(attrs, str_from(name), &value);
	return r;
}

static int put_text(struct value *attrs, const char *name, const json_t *text)
{
	struct value value = VALUE_INIT;
	int r;

	if (!json_is_string(text))
		return 0;
	r = value_string(&value, str_from(json_string_value(text)));
	return r < 0 ? r : value_put(attrs, str_from(name), &value);
}

static int put_bool(struct value *attrs, const char *name, const json_t *boolean)
{
	struct value value;

	if (!json_is_true(boolean))
		return 0;
	value_bool(&value, true);
	return value_put(attrs, str_from(name), &value);
}

/* A list of values, each as YAML. */
static int put_choices(struct value *attrs, const json_t *choices)
{
	struct value list = { .type = VALUE_LIST };
	int r = 0;

	if (!json_is_array(choices))
		return 0;
	for (size_t i = 0; r == 0 && i < json_array_size(choices); i++) {
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		struct value item = VALUE_INIT;
		const char *yaml = json_string_value(json_array_get(choices, i));

		if (yaml && yaml_parse(str_from(yaml), &item, &why) == 0)
			r = value_append(&list, &item);
	}
	if (r < 0) {
		value_done(&list);
		return r;
	}
	return value_put(attrs, STR("choices"), &list);
}

/* Pairs of a value as YAML and the text that stands for it. */
static int put_encoding(struct value *attrs, const json_t *pairs)
{
	struct value map = { .type = VALUE_MAP };
	int r = 0;

	if (!json_is_array(pairs))
		return 0;
	for (size_t i = 0; r == 0 && i < json_array_size(pairs); i++) {
		const json_t *pair = json_array_get(pairs, i);
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;
		struct value key = VALUE_INIT, text = VALUE_INIT;

		r = yaml_parse(str_from(json_string_value(json_object_get(pair, "yaml"))),
			       &key, &why);
		if (r == 0)
			r = value_string(&text, str_from(json_string_value(
							json_object_get(pair, "text"))));
		if (r == 0)
			r = value_add_pair(&map, &key, &text);
		value_done(&key);
		value_done(&text);
	}
	if (r < 0) {
		value_done(&map);
		return r == -ENOMEM ? r : 0;
	}
	return value_put(attrs, STR("arg-encoding"), &map);
}

/* One flag of the helper's answer with the attributes of guild.yml. */
static int attrs_of_flag(const json_t *flag, bool typed, struct value *ret)
{
	bool split = json_is_true(json_object_get(flag, "split"));
	struct value default_value = VALUE_INIT;
	const struct value *given;
	int r;

	ret->type = VALUE_MAP;
	r = put_yaml(ret, "default", json_object_get(flag, "yaml"));
	given = value_get(ret, "default");
	if (r == 0 && split && given && given->type == VALUE_LIST) {
		r = value_copy(given, &default_value);
		if (r == 0)
			r = join_list(&default_value, typed);
		if (r == 0)
			r = value_put(ret, STR("default"), &default_value);
		value_done(&default_value);
	}
	if (r == 0)
		r = put_bool(ret, "arg-split", json_object_get(flag, "split"));
	if (r == 0)
		r = put_text(ret, "type", json_object_get(flag, "type"));
	if (r == 0)
		r = put_text(ret, "description", json_object_get(flag, "description"));
	if (r == 0)
		r = put_bool(ret, "required", json_object_get(flag, "required"));
	if (r == 0)
		r = put_choices(ret, json_object_get(flag, "choices"));
	if (r == 0)
		r = put_yaml(ret, "min", json_object_get(flag, "min"));
	if (r == 0)
		r = put_yaml(ret, "max", json_object_get(flag, "max"));
	if (r == 0)
		r = put_text(ret, "arg-name", json_object_get(flag, "arg-name"));
	if (r == 0)
		r = put_yaml(ret, "arg-switch", json_object_get(flag, "arg-switch"));
	if (r == 0)
		r = put_encoding(ret, json_object_get(flag, "arg-encoding"));
	return r;
}

int script_flags(const struct script *script, struct value *ret)
{
	const json_t *flags =
		script->answer ? json_object_get(script->answer, "flags") : NULL;
	int r = 0;

	ret->type = VALUE_MAP;
	for (size_t i = 0; r == 0 && i < json_array_size(flags); i++) {
		const json_t *flag = json_array_get(flags, i);
		_cleanup_(value_done) struct value attrs = VALUE_INIT;

		r = attrs_of_flag(flag, !is_parser(script_dest(script)), &attrs);
		if (r == 0)
			r = value_put(ret,
				      str_from(json_string_value(
					      json_object_get(flag, "name"))),
				      &attrs);
	}
	return r;
}

int script_packages(const struct script *script, struct value *ret)
{
	const json_t *packages =
		script->answer ? json_object_get(script->answer, "pip_freeze") : NULL;
	int r = 0;

	if (!json_is_array(packages))
		return 0;
	ret->type = VALUE_LIST;
	for (size_t i = 0; r == 0 && i < json_array_size(packages); i++) {
		struct value item = VALUE_INIT;

		r = value_string(
			&item, str_from(json_string_value(json_array_get(packages, i))));
		if (r == 0)
			r = value_append(ret, &item);
	}
	return r;
}
