/* What can be run, and which flags it takes. */
#include "engine/operation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/file.h"
#include "engine/r-script.h"
#include "engine/strv.h"

/* The four words of an opref, the first split at its colon (1.5). */
struct opref {
	char **words;
	struct str type, name, model, op;
};

struct operation *operation_new(void)
{
	struct operation *operation = calloc(1, sizeof(*operation));

	if (operation)
		operation->n_refs = 1;
	return operation;
}

struct operation *operation_ref(struct operation *operation)
{
	if (operation)
		operation->n_refs++;
	return operation;
}

void operation_unref(struct operation *operation)
{
	if (!operation || --operation->n_refs > 0)
		return;
	for (size_t i = 0; i < operation->n_flag_defs; i++)
		flag_def_done(&operation->flag_defs[i]);
	free(operation->flag_defs);
	free(operation->name);
	free(operation->opref);
	free(operation->opspec);
	free(operation->description);
	free(operation->problem);
	free(operation->remarks);
	free(operation->project);
	free(operation->program);
	free(operation->python_version);
	value_done(&operation->attr);
	value_done(&operation->pip_freeze);
	value_done(&operation->tags);
	value_done(&operation->run_attrs);
	value_done(&operation->env_secrets);
	value_done(&operation->source);
	free(operation);
}

/* Where the first flag of a name that is not before @name is, or belongs. */
static size_t find_place(const struct operation *operation, const char *name)
{
	size_t low = 0, high = operation->n_flag_defs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(operation->flag_defs[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct flag_def *operation_find_flag(const struct operation *operation,
					   const char *name)
{
	size_t place = find_place(operation, name);

	if (place < operation->n_flag_defs &&
	    strcmp(operation->flag_defs[place].name, name) == 0)
		return &operation->flag_defs[place];
	for (size_t i = 0; operation->has_aliases && i < operation->n_flag_defs; i++) {
		const char *alias = operation->flag_defs[i].alias;

		if (alias && strcmp(alias, name) == 0)
			return &operation->flag_defs[i];
	}
	return NULL;
}

int operation_add_flag_def(struct operation *operation, struct flag_def *flag_def)
{
	_cleanup_(flag_def_done) struct flag_def taken = *flag_def;
	struct flag_def *flag_defs;
	size_t n = operation->n_flag_defs, place = find_place(operation, taken.name);

	*flag_def = FLAG_DEF_INIT;
	flag_defs = operation->flag_defs;
	/* Room doubles at powers of two. */
	if ((n & (n + 1)) == 0)
		flag_defs = reallocarray(flag_defs, 2 * (n + 1), sizeof(*flag_defs));
	if (!flag_defs)
		return -ENOMEM;
	operation->flag_defs = flag_defs;
	operation->has_aliases |= taken.alias != NULL;
	memmove(&flag_defs[place + 1], &flag_defs[place],
		(operation->n_flag_defs - place) * sizeof(*flag_defs));
	flag_defs[place] = taken;
	taken = FLAG_DEF_INIT;
	operation->n_flag_defs++;
	return 0;
}

int operation_add_flag(struct operation *operation, struct str name,
		       struct str description, struct value *default_value)
{
	_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;

	flag_def.default_value = *default_value;
	*default_value = VALUE_INIT;
	flag_def.name = str_dup(name);
	flag_def.description = description.len > 0 ? str_dup(description) : NULL;
	if (!flag_def.name || (description.len > 0 && !flag_def.description))
		return -ENOMEM;
	return operation_add_flag_def(operation, &flag_def);
}

static struct str source_path(const struct operation *operation, const char *key)
{
	const struct value *source = value_get(&operation->attr, "sourcecode");
	struct str path = value_str(value_get(source, key));

	return str_is(path, ".") ? str_from(NULL) : path;
}

struct str operation_source_root(const struct operation *operation)
{
	return source_path(operation, "root");
}

struct str operation_source_dest(const struct operation *operation)
{
	return source_path(operation, "dest");
}

int operation_defaults(const struct operation *operation, struct flags *ret)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;

	for (size_t i = 0; i < operation->n_flag_defs; i++) {
		const struct flag_def *flag_def = &operation->flag_defs[i];
		struct value copy = VALUE_INIT;
		int r = value_copy(&flag_def->default_value, &copy);

		if (r == 0)
			r = flags_set(&flags, str_from(flag_def->name), &copy);
		if (r < 0)
			return r;
	}
	*ret = flags;
	flags = FLAGS_INIT;
	return 0;
}

static void opref_done(struct opref *opref)
{
	strv_free(opref->words);
}

static int opref_parse(struct str text, struct opref *ret)
{
	_cleanup_(strv_freep) char **words = NULL;
	struct str first;
	int r = strv_split_shell(text, &words);

	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	if (strv_length(words) != 4)
		return -EBADMSG;
	first = str_from(words[0]);
	if (!memchr(first.data, ':', first.len))
		return -EBADMSG;
	(void)str_split(&first, ':', &ret->type);
	ret->name = first;
	ret->model = str_from(words[2]);
	ret->op = str_from(words[3]);
	ret->words = take_ptr(words);
	return 0;
}

static bool is_known_type(struct str type)
{
	return str_is(type, "guildfile") || str_is(type, "script") ||
	       str_is(type, "package") || str_is(type, "builtin") ||
	       str_is(type, "import") || str_is(type, "func") || str_is(type, "test") ||
	       str_is(type, "pending");
}

static int add_name(const struct opref *opref, struct strbuf *ret)
{
	if (!is_known_type(opref->type))
		return strbuf_addc(ret, '?');
	if (str_is(opref->type, "package")) {
		strbuf_addstr(ret, opref->name);
		strbuf_addc(ret, '/');
	}
	if (opref->model.len > 0) {
		strbuf_addstr(ret, opref->model);
		strbuf_addc(ret, ':');
	}
	strbuf_addstr(ret, opref->op);
	if (str_is(opref->type, "func"))
		strbuf_adds(ret, "()");
	return strbuf_error(ret);
}

int operation_name_of_opref(struct str text, struct strbuf *ret)
{
	_cleanup_(opref_done) struct opref opref = { 0 };
	int r = opref_parse(text, &opref);

	return r < 0 ? r : add_name(&opref, ret);
}

/* As opref.to_opspec() (1.5): a script by its path, others by their names. */
static int add_opspec(const struct opref *opref, struct strbuf *ret)
{
	if (!str_is(opref->type, "script"))
		return add_name(opref, ret);
	strbuf_addstr(ret, opref->name);
	strbuf_addc(ret, '/');
	return strbuf_addstr(ret, opref->op);
}

static bool has_cmd_flags(const struct operation *operation)
{
	const struct value *cmd_flags =
		value_get(value_get(&operation->attr, "op-cmd"), "cmd-flags");

	return cmd_flags && cmd_flags->type == VALUE_MAP && cmd_flags->map.n_pairs > 0;
}

static int read_opref(const struct run *run, struct operation *operation,
		      struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, name = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf opspec = STRBUF_INIT;
	_cleanup_(opref_done) struct opref opref = { 0 };
	int r;

	r = file_read(run_guild_fd(run), "opref", RUN_OPREF_MAX_LEN, &text);
	if (r == 0)
		r = opref_parse(str_strip(strbuf_str(&text)), &opref);
	if (r < 0)
		return run_refuse(run, "opref", r,
				  "one line TYPE:NAME VERSION MODEL OP, quoted as a"
				  " shell does",
				  ret_why);
	(void)add_name(&opref, &name);
	(void)add_opspec(&opref, &opspec);
	operation->takes_any_flag = str_is(opref.type, "script") &&
				    !str_ends(opref.op, ".py") &&
				    !(r_script_is(opref.op) && has_cmd_flags(operation));
	operation->opref = str_dup(str_strip(strbuf_str(&text)));
	operation->name = strbuf_take(&name);
	operation->opspec = strbuf_take(&opspec);
	return operation->opref && operation->name && operation->opspec ? 0 : -ENOMEM;
}

static int add_names(struct operation *operation, const struct value *map)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r = flags_from_value(map, &flags);

	for (size_t i = 0; r == 0 && i < flags.n_items; i++) {
		struct value none = VALUE_INIT;

		if (!operation_find_flag(operation, flags.items[i].name))
			r = operation_add_flag(operation, str_from(flags.items[i].name),
					       str_from(NULL), &none);
	}
	return r;
}

/* The definitions that runfs has recorded; a run of Guild's has none. */
static int add_recorded_defs(const struct run *run, struct operation *operation)
{
	_cleanup_(value_done) struct value defs = VALUE_INIT;
	int r = run_attr(run, OPERATION_FLAG_DEFS, &defs);

	if (r < 0 || defs.type != VALUE_MAP)
		return r == -ENOMEM ? r : 0;
	for (r = 0; r == 0 && operation->n_flag_defs < defs.map.n_pairs;) {
		const struct value_pair *pair = &defs.map.pairs[operation->n_flag_defs];
		_cleanup_(flag_def_done) struct flag_def flag_def = FLAG_DEF_INIT;
		_cleanup_(strbuf_done) struct strbuf why = STRBUF_INIT;

		r = flag_def_read(value_str(&pair->key), &pair->value, &flag_def, &why);
		if (r == 0)
			r = operation_add_flag_def(operation, &flag_def);
	}
	return r == -ENOMEM ? r : 0;
}

/* A run's flags are those that `op` can pass on and those that it has had. */
static int add_run_flags(const struct run *run, struct operation *operation,
			 struct strbuf *ret_why)
{
	_cleanup_(value_done) struct value flags = VALUE_INIT;
	const struct value *op_cmd = value_get(&operation->attr, "op-cmd");
	const struct value *cmd_flags = value_get(op_cmd, "cmd-flags");
	int r;

	r = add_recorded_defs(run, operation);
	if (r < 0)
		return r;
	r = run_attr(run, "flags", &flags);
	if (r == 0)
		r = add_names(operation, &flags);
	else if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return run_refuse(run, "attrs/flags", r, "a YAML map of name: value",
				  ret_why);
	return cmd_flags && cmd_flags->type == VALUE_MAP ? add_names(operation, cmd_flags)
							 : 0;
}

static bool is_python(const struct value *attr)
{
	const struct value *args = value_get(value_get(attr, "op-cmd"), "cmd-args");

	return args && args->type == VALUE_LIST && args->list.n_items > 0 &&
	       value_is_string(&args->list.items[0], "${python_exe}");
}

int operation_of_run(const struct run *run, struct operation **ret,
		     struct strbuf *ret_why)
{
	_cleanup_(operation_unrefp) struct operation *operation = operation_new();
	const struct value *args;
	int r;

	if (!operation)
		return -ENOMEM;
	r = run_attr(run, "op", &operation->attr);
	args = value_get(value_get(&operation->attr, "op-cmd"), "cmd-args");
	if (r == 0 && (!args || args->type != VALUE_LIST || args->list.n_items == 0))
		r = -EBADMSG;
	if (r < 0)
		return run_refuse(run, "attrs/op", r,
				  "a YAML map with op-cmd, which has a list cmd-args",
				  ret_why);
	operation->is_python = is_python(&operation->attr);
	r = read_opref(run, operation, ret_why);
	if (r == 0)
		r = add_run_flags(run, operation, ret_why);
	if (r == 0 &&
	    run_attr(run, OPERATION_ENV_SECRETS, &operation->env_secrets) == -ENOMEM)
		r = -ENOMEM;
	if (r == 0 && run_attr(run, OPERATION_SOURCE, &operation->source) == -ENOMEM)
		r = -ENOMEM;
	if (r < 0)
		return r;
	*ret = take_ptr(operation);
	return 0;
}

static int refuse_flag(const struct operation *operation, const char *name,
		       struct strbuf *ret_why)
{
	strbuf_adds(ret_why, "unsupported flag ");
	strbuf_add_quoted(ret_why, str_from(name));
	strbuf_addf(ret_why, ": %s takes ", operation->name);
	for (size_t i = 0; i < operation->n_flag_defs; i++)
		strbuf_addf(ret_why, "%s%s", i > 0 ? ", " : "",
			    operation->flag_defs[i].name);
	strbuf_addf(ret_why, "%s (--force-flags skips this check)",
		    operation->n_flag_defs > 0 ? "" : "no flags");
	return -EINVAL;
}

int operation_check_flags(const struct operation *operation,
			  const struct request *request, struct strbuf *ret_why)
{
	if (request->force_flags || operation->takes_any_flag)
		return 0;
	for (size_t i = 0; i < request->flags.n_items; i++) {
		const char *name = request->flags.items[i].name;

		if (!operation_find_flag(operation, name))
			return refuse_flag(operation, name, ret_why);
	}
	/* Only its value may still change; --force-flags has to stand before. */
	if (request->unfinished && !operation_find_flag(operation, request->unfinished))
		return refuse_flag(operation, request->unfinished, ret_why);
	return 0;
}
