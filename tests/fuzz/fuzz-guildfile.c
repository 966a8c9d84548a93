/*
 * A guild.yml: whatever it is, it is refused with a sentence, or each operation that it
 * names can be looked at, has an opref that gives its name, and a problem or a command.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "engine/cleanup.h"
#include "engine/file.h"
#include "engine/guildfile.h"

#define PROJECT_TEMPLATE "/tmp/fuzz-guildfile.XXXXXX"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char project[] = PROJECT_TEMPLATE;

static void remove_project(void)
{
	(void)file_remove_tree(AT_FDCWD, project);
}

static void put_guildfile(struct str text)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (strcmp(project, PROJECT_TEMPLATE) == 0) {
		const char *made = mkdtemp(project);

		assert(made);
		atexit(remove_project);
	}
	fd = file_open_dir(AT_FDCWD, project);
	r = file_write(fd, "guild.yml", text, 0644, false);
	assert(r == 0);
}

static void check_operation(const struct guildfile *guildfile, const char *name)
{
	_cleanup_(operation_unrefp) struct operation *operation = NULL, *with = NULL;
	const struct guildfile_script python = { .flags_dest = STR("globals") };
	_cleanup_(guildfile_main_done) struct guildfile_main main = GUILDFILE_MAIN_INIT;
	_cleanup_(guildfile_main_done) struct guildfile_main main_again =
		GUILDFILE_MAIN_INIT;
	_cleanup_(strbuf_done) struct strbuf again = STRBUF_INIT;
	const struct value *args;
	int r;

	assert(guildfile_has(guildfile, name));
	r = guildfile_operation(guildfile, name, NULL, &operation, &main);
	assert(r == 0 && strcmp(operation->name, name) == 0);
	r = operation_name_of_opref(str_from(operation->opref), &again);
	assert(r == 0 && str_is(strbuf_str(&again), name));
	args = value_get(value_get(&operation->attr, "op-cmd"), "cmd-args");
	assert(args && args->type == VALUE_LIST);
	assert(operation->problem || args->list.n_items > 0);
	r = guildfile_operation(guildfile, name, &python, &with, &main_again);
	assert(r == 0 && (with->problem == NULL) == (operation->problem == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile = NULL;
	_cleanup_(strv_freep) char **names = NULL;
	int r;

	put_guildfile((struct str){ (const char *)data, len });
	r = guildfile_load(project, &guildfile);
	assert(r == 0 || (r == -EFBIG && !guildfile));
	if (r < 0)
		return 0;
	r = guildfile_names(guildfile, &names);
	assert(r == 0);
	for (size_t i = 0; i < strv_length(names); i++)
		check_operation(guildfile, names[i]);
	return 0;
}
