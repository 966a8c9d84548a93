/* One operation of guild.yml. */
#include "engine/guild-op.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/config.h"
#include "engine/file.h"
#include "engine/guild-reader.h"
#include "engine/path.h"
#include "engine/r-script.h"
#include "engine/strv.h"

void guildfile_main_done(struct guildfile_main *main)
{
	free(main->path);
	free(main->package);
	free(main->dest);
	strv_free(main->args);
	*main = GUILDFILE_MAIN_INIT;
}

int guild_op_full_name(const struct guild_op_place *place, struct strbuf *ret)
{
	if (place->model->item->name[0])
		strbuf_addf(ret, "%s:", place->model->item->name);
	return strbuf_addstr(ret, place->name);
}

static void reader_done(struct guild_reader *reader)
{
	operation_unref(reader->operation);
	definition_done(&reader->definition);
	guildfile_main_done(&reader->main);
	value_done(&reader->config);
	value_done(&reader->flags);
	strbuf_done(&reader->problem);
	strbuf_done(&reader->remarks);
}

void guild_reader_note(struct guild_reader *reader, const struct value *where,
		       const char *format, ...)
{
	const struct guild_op_place *place = reader->place;
	va_list args;

	if (reader->problem.len > 0)
		return;
	strbuf_addf(&reader->problem, "%s: line %u: operation ", place->model->item->file,
		    where->line ? where->line : place->body->line);
	strbuf_addstr(&reader->problem, place->name);
	strbuf_adds(&reader->problem, ": ");
	va_start(args, format);
	(void)strbuf_vaddf(&reader->problem, format, args);
	va_end(args);
}

/* What `main` names as a file of the source code: a.b and a/b are a/b.py. */
static int set_script(struct guild_reader *reader, struct str module)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT;
	const char *root = reader->definition.source_root;

	if (!root || root[0] != '/')
		strbuf_addf(&path, "%s/", reader->place->project);
	if (root)
		strbuf_addf(&path, "%s/", root);
	for (size_t i = 0; i < module.len; i++)
		strbuf_addc(&path, module.data[i] == '.' ? '/' : module.data[i]);
	strbuf_adds(&path, ".py");
	free(reader->main.path);
	reader->main.path = strbuf_take(&path);
	return reader->main.path ? 0 : -ENOMEM;
}

/* The package of a/b.c.d is b.c, which is looked for in a. */
static int set_package(struct guild_reader *reader, struct str module)
{
	const char *slash = memrchr(module.data, '/', module.len);
	const char *dot;

	if (slash) {
		module.len -= (size_t)(slash + 1 - module.data);
		module.data = slash + 1;
	}
	dot = memrchr(module.data, '.', module.len);
	if (!dot || dot == module.data)
		return 0;
	free(reader->main.package);
	reader->main.package =
		str_dup((struct str){ module.data, (size_t)(dot - module.data) });
	return reader->main.package ? 0 : -ENOMEM;
}

static int set_main(struct guild_reader *reader, char *const *words)
{
	struct str module = str_from(words[0]);
	int r;

	if (str_ends(module, ".py"))
		module.len -= strlen(".py");
	r = set_script(reader, module);
	if (r == 0)
		r = set_package(reader, module);
	for (char *const *arg = words + 1; r == 0 && *arg; arg++)
		r = strv_append(&reader->main.args, str_from(*arg));
	return r;
}

static int read_main(struct guild_reader *reader, struct str main)
{
	_cleanup_(strv_freep) char **words = NULL;
	int r;

	reader->operation->is_python = true;
	r = strv_split_shell(main, &words);
	if (r == -EINVAL || (r == 0 && !words[0])) {
		guild_reader_note(reader, reader->place->body,
				  "main names no Python module: write the name of one");
		return 0;
	}
	if (r == 0)
		r = definition_add_python(&reader->definition);
	for (size_t i = 0; r == 0 && words[i]; i++)
		r = definition_add_word(&reader->definition, str_from(words[i]));
	if (r == 0)
		r = definition_add_word(&reader->definition, STR("--"));
	if (r == 0)
		r = definition_add_flag_args(&reader->definition);
	return r < 0 ? r : set_main(reader, words);
}

static int add_exec_word(struct guild_reader *reader, struct str word)
{
	return str_is(word, "${flag_args}")
		       ? definition_add_flag_args(&reader->definition)
		       : definition_add_word(&reader->definition, word);
}

static int read_exec(struct guild_reader *reader, const struct value *exec)
{
	_cleanup_(strv_freep) char **words = NULL;
	int r = 0;

	if (exec->type == VALUE_STRING)
		r = strv_split_shell(value_str(exec), &words);
	else if (exec->type != VALUE_LIST)
		r = -EINVAL;
	for (size_t i = 0; r == 0 && exec->type == VALUE_LIST && i < exec->list.n_items;
	     i++) {
		if (exec->list.items[i].type != VALUE_STRING)
			r = -EINVAL;
		else
			r = strv_append(&words, value_str(&exec->list.items[i]));
	}
	if (r == -EINVAL || (r == 0 && strv_length(words) == 0)) {
		guild_reader_note(
			reader, exec,
			"exec is no command: write a command line, or a list of words");
		return 0;
	}
	for (size_t i = 0; r == 0 && words[i]; i++)
		r = add_exec_word(reader, str_from(words[i]));
	return r;
}

/* An operation that says neither main nor exec runs the module of its name (5.2). */
static int default_main(struct guild_reader *reader, struct strbuf *ret)
{
	for (size_t i = 0; i < reader->place->name.len; i++) {
		char c = reader->place->name.data[i];

		strbuf_addc(ret, c == '-' ? '_' : c);
	}
	if (str_ends(strbuf_str(ret), ".py"))
		strbuf_truncate(ret, ret->len - strlen(".py"));
	return strbuf_error(ret);
}

/* The value of @key; NULL also for null, which says nothing. */
static const struct value *said(const struct value *map, const char *key)
{
	const struct value *value = value_get(map, key);

	return value && value->type != VALUE_NULL ? value : NULL;
}

static int read_command(struct guild_reader *reader)
{
	const struct value *exec = said(reader->place->body, "exec");
	const struct value *main = said(reader->place->body, "main");
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;

	if (exec && main)
		strbuf_adds(&reader->remarks,
			    "main: exec goes before it; it has no effect.\n");
	if (exec)
		return read_exec(reader, exec);
	if (reader->place->body->type == VALUE_STRING)
		return read_main(reader, value_str(reader->place->body));
	if (main)
		return read_main(reader, value_str(main));
	if (default_main(reader, &name) < 0)
		return -ENOMEM;
	return read_main(reader, strbuf_str(&name));
}

static int set_names(struct guild_reader *reader)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT, opref = STRBUF_INIT;
	_cleanup_(strbuf_done) struct strbuf file = STRBUF_INIT;
	struct operation *operation = reader->operation;

	(void)guild_op_full_name(reader->place, &name);
	strbuf_addf(&file, "%s/guild.yml", reader->place->project);
	strbuf_adds(&opref, "guildfile:");
	strbuf_add_shell(&opref, strbuf_str(&file));
	strbuf_addf(&opref, " %s ", reader->place->version);
	strbuf_add_shell(&opref, str_from(reader->place->model->item->name));
	strbuf_addc(&opref, ' ');
	strbuf_add_shell(&opref, reader->place->name);
	operation->project = strdup(reader->place->project);
	operation->opspec = str_dup(strbuf_str(&name));
	operation->name = strbuf_take(&name);
	operation->opref = strbuf_take(&opref);
	return operation->project && operation->opspec && operation->name &&
			       operation->opref && !strbuf_error(&file)
		       ? 0
		       : -ENOMEM;
}

/* Keys that are read with others, or say nothing that a run is made of. */
static bool is_read_elsewhere(const struct value *name)
{
	static const char *const names[] = { "main",
					     "exec",
					     "flags",
					     "flags-import",
					     "flags-import-skip",
					     "default-flag-arg-skip",
					     "sourcecode" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (value_is_string(name, names[i]))
			return true;
	}
	return false;
}

/* What the file or the model as a whole has wrong is wrong with all its operations. */
static int read_mistake(struct guild_reader *reader)
{
	const struct guild_op_place *place = reader->place;

	if (place->doc->mistake)
		return strbuf_adds(&reader->problem, place->doc->mistake);
	return place->model->problem
		       ? strbuf_adds(&reader->problem, place->model->problem)
		       : 0;
}

/* As Guild records a file that it would render (1.6.1). */
static int add_config_dep(struct guild_reader *reader, struct str file)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	struct value deps = { .type = VALUE_LIST }, dep = { .type = VALUE_MAP };
	struct value sources = { .type = VALUE_LIST }, source = { .type = VALUE_MAP };
	struct value text = VALUE_INIT, yes;
	int r = value_string(&text, file);

	value_bool(&yes, true);
	strbuf_adds(&name, "config:");
	strbuf_addstr(&name, file);
	if (r == 0)
		r = value_put(&source, STR("config"), &text);
	if (r == 0)
		r = value_put(&source, STR("replace-existing"), &yes);
	if (r == 0)
		r = value_append(&sources, &source);
	if (r == 0)
		r = value_put(&dep, STR("sources"), &sources);
	if (r == 0)
		r = value_string(&text, strbuf_str(&name));
	if (r == 0)
		r = value_put(&dep, STR("name"), &text);
	if (r == 0)
		r = value_string(&text, str_from(reader->place->project));
	if (r == 0)
		r = value_put(&dep, STR("location"), &text);
	if (r == 0)
		r = value_append(&deps, &dep);
	if (r == 0)
		r = value_put(&reader->definition.op, STR("deps"), &deps);
	value_done(&source);
	value_done(&sources);
	value_done(&dep);
	value_done(&deps);
	return r;
}

/* The flags that the file has which `flags-dest` names, and that it is one. */
static int read_config(struct guild_reader *reader)
{
	const struct value *where = value_get(reader->place->body, "flags-dest");
	struct str dest = reader->definition.flags_dest;
	struct str file = r_script_is(dest) ? dest : config_file(dest);
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, why = STRBUF_INIT;
	_cleanup_(value_done) struct value document = VALUE_INIT;
	_cleanup_close_ int dir_fd = -1;
	int r;

	if (file.len == 0)
		return 0;
	dir_fd = path_open(AT_FDCWD, reader->place->project);
	r = dir_fd < 0 ? dir_fd : path_read(dir_fd, file.data, CONFIG_MAX_LEN, &text);
	if (file_is_lack(r))
		return r;
	if (r < 0) {
		guild_reader_note(reader, where, "flags-dest: %s can't be read: %s",
				  file.data, strerror(-r));
		return 0;
	}
	if (r_script_is(file)) {
		r = r_script_flags(strbuf_str(&text), &reader->config, &why);
	} else {
		r = config_parse(file, strbuf_str(&text), &document, &why);
		if (r == 0)
			r = config_flags(&document, &reader->config, &why);
	}
	if (r == -EINVAL)
		guild_reader_note(reader, where, "flags-dest: %s", strbuf_cstr(&why));
	if (r < 0)
		return r == -EINVAL ? 0 : r;
	return r_script_is(file) ? 0 : add_config_dep(reader, file);
}

/* What Python is to be asked of the script. */
static int set_wanted(struct guild_reader *reader)
{
	struct str dest = reader->definition.flags_dest;

	if (!reader->main.path)
		return 0;
	reader->main.no_flags =
		config_file(dest).len > 0 || !guild_reader_imports(reader);
	reader->main.dest = dest.len > 0 ? str_dup(dest) : NULL;
	return dest.len > 0 && !reader->main.dest ? -ENOMEM : 0;
}

/* What the model says for those of its operations that don't. */
static int read_model_keys(struct guild_reader *reader)
{
	static const char *const names[] = { "python-requires", "plugins" };
	const struct value *model = &reader->place->model->data;
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_(value_done) struct value key = VALUE_INIT;

		if (!said(model, names[i]) || said(reader->place->body, names[i]))
			continue;
		r = value_string(&key, str_from(names[i]));
		if (r == 0)
			r = guild_reader_key(reader, &key, said(model, names[i]));
	}
	return r;
}

static int read_body(struct guild_reader *reader)
{
	const struct value *body = reader->place->body;
	int r = guild_reader_source(reader);

	if (r == 0)
		r = read_command(reader);
	if (r == 0)
		r = read_model_keys(reader);
	if (body->type != VALUE_MAP && body->type != VALUE_STRING &&
	    body->type != VALUE_NULL)
		guild_reader_note(reader, body,
				  "write a map, or the name of a Python module");
	for (size_t i = 0; r == 0 && body->type == VALUE_MAP && i < body->map.n_pairs;
	     i++) {
		const struct value_pair *pair = &body->map.pairs[i];

		if (!is_read_elsewhere(&pair->key))
			r = guild_reader_key(reader, &pair->key, &pair->value);
	}
	if (r == 0)
		r = read_config(reader);
	if (r == 0)
		r = guild_reader_flags(reader);
	if (r == 0)
		r = set_wanted(reader);
	if (reader->definition.flags_dest.len == 0 && reader->script)
		reader->definition.flags_dest = reader->script->flags_dest;
	return r;
}

/* Guild drops such an argument with a warning at each start. */
static int remark_shadowed(struct guild_reader *reader)
{
	const struct definition *definition = &reader->definition;
	const struct value *words = &definition->cmd_args;

	for (size_t i = 0; i < reader->operation->n_flag_defs; i++) {
		const char *name = reader->operation->flag_defs[i].name;
		const struct value *arg_name =
			value_get(value_get(&definition->cmd_flags, name), "arg-name");
		_cleanup_(strbuf_done) struct strbuf option = STRBUF_INIT;

		strbuf_adds(&option, "--");
		strbuf_adds(&option, arg_name && value_str(arg_name).len > 0
					     ? value_str(arg_name).data
					     : name);
		if (strbuf_error(&option) < 0)
			return -ENOMEM;
		for (size_t k = 0;
		     k < words->list.n_items &&
		     !value_is_string(&words->list.items[k], "__flag_args__");
		     k++) {
			if (value_is_string(&words->list.items[k], strbuf_cstr(&option)))
				strbuf_addf(
					&reader->remarks,
					"flag %s: is no argument, it's shadowed in the"
					" operation cmd as %s.\n",
					name, strbuf_cstr(&option));
		}
	}
	return strbuf_error(&reader->remarks);
}

static int finish(struct guild_reader *reader, struct operation **ret)
{
	struct operation *operation = reader->operation;
	int r = definition_apply(&reader->definition, operation);

	if (r < 0)
		return r;
	if (reader->problem.len > 0) {
		operation->problem = strbuf_take(&reader->problem);
		operation->problem_error = -EINVAL;
		if (!operation->problem)
			return -ENOMEM;
	}
	if (reader->remarks.len > 0) {
		operation->remarks = strbuf_take(&reader->remarks);
		if (!operation->remarks)
			return -ENOMEM;
	}
	*ret = take_ptr(reader->operation);
	return 0;
}

int guild_op_read(const struct guild_op_place *place,
		  const struct guildfile_script *script, struct operation **ret,
		  struct guildfile_main *ret_main)
{
	_cleanup_(reader_done) struct guild_reader reader = {
		.place = place,
		.script = script,
		.definition = DEFINITION_INIT,
		.operation = operation_new(),
	};
	int r;

	if (!reader.operation)
		return -ENOMEM;
	r = set_names(&reader);
	if (r == 0)
		r = read_mistake(&reader);
	if (r == 0)
		r = read_body(&reader);
	if (r == 0)
		r = remark_shadowed(&reader);
	if (r == 0)
		r = finish(&reader, ret);
	if (r < 0)
		return r;
	*ret_main = reader.main;
	reader.main = GUILDFILE_MAIN_INIT;
	return 0;
}
