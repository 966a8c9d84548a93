/* A project's guild.yml: the operations that it defines. */
#include "engine/guildfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <md5.h>
#include <stdlib.h>
#include <string.h>

#include "engine/guild-model.h"
#include "engine/path.h"

#define GUILDFILE_MAX_LEN (4u << 20)

struct guildfile {
	char *project;
	char version[MD5_DIGEST_STRING_LENGTH]; /* md5 of the file, hex: its opref's
						   VERSION */
	struct guild_doc doc;
	struct guild_model *models;
	size_t n_models;
};

void guildfile_free(struct guildfile *guildfile)
{
	if (!guildfile)
		return;
	for (size_t i = 0; i < guildfile->n_models; i++)
		guild_model_done(&guildfile->models[i]);
	free(guildfile->models);
	guild_doc_done(&guildfile->doc);
	free(guildfile->project);
	free(guildfile);
}

static int make_models(struct guildfile *guildfile)
{
	const struct guild_doc *doc = &guildfile->doc;

	guildfile->models = calloc(doc->n_items + 1, sizeof(*guildfile->models));
	if (!guildfile->models)
		return -ENOMEM;
	for (size_t i = 0; i < doc->n_items; i++) {
		int r;

		if (strcmp(doc->items[i].kind, "model") != 0)
			continue;
		r = guild_model_make(doc, &doc->items[i],
				     &guildfile->models[guildfile->n_models]);
		if (r < 0)
			return r;
		guildfile->n_models++;
	}
	return 0;
}

int guildfile_load(const char *project, struct guildfile **ret)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		calloc(1, sizeof(*guildfile));
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	_cleanup_close_ int dir_fd = -1;
	int r;

	if (!guildfile)
		return -ENOMEM;
	guildfile->project = strdup(project);
	if (!guildfile->project)
		return -ENOMEM;
	dir_fd = path_open(AT_FDCWD, project);
	if (dir_fd < 0)
		return dir_fd;
	r = path_read(dir_fd, "guild.yml", GUILDFILE_MAX_LEN, &text);
	if (r < 0)
		return r;

	(void)MD5Data((const uint8_t *)strbuf_cstr(&text), text.len, guildfile->version);
	r = guild_doc_read(dir_fd, strbuf_str(&text), &guildfile->doc);
	if (r == 0)
		r = make_models(guildfile);
	if (r < 0)
		return r;
	*ret = take_ptr(guildfile);
	return 0;
}

const char *guildfile_mistake(const struct guildfile *guildfile)
{
	return guildfile->doc.mistake;
}

/* An operation in its place; what is not 0 ends the look. */
typedef int (*each_fn)(void *userdata, const struct guild_op_place *place);

static int each_of_model(const struct guildfile *guildfile,
			 const struct guild_model *model, each_fn fn, void *userdata)
{
	const struct value *operations = value_get(&model->data, "operations");

	for (size_t i = 0;
	     operations && operations->type == VALUE_MAP && i < operations->map.n_pairs;
	     i++) {
		const struct value_pair *pair = &operations->map.pairs[i];
		struct guild_op_place place = {
			.project = guildfile->project,
			.version = guildfile->version,
			.doc = &guildfile->doc,
			.model = model,
			.name = value_str(&pair->key),
			.body = &pair->value,
		};
		int r;

		if (pair->key.type != VALUE_STRING ||
		    (model->item->name[0] == '\0' &&
		     str_is(place.name, "operation-defaults")))
			continue;
		r = fn(userdata, &place);
		if (r != 0)
			return r;
	}
	return 0;
}

/* Calls @fn for each operation until it returns something else than 0. */
static int each_operation(const struct guildfile *guildfile, each_fn fn, void *userdata)
{
	for (size_t i = 0; i < guildfile->n_models; i++) {
		int r = each_of_model(guildfile, &guildfile->models[i], fn, userdata);

		if (r != 0)
			return r;
	}
	return 0;
}

/* A name that a directory of the mount can have. */
static bool is_file_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++) {
		if ((unsigned char)name.data[i] < 0x20 || name.data[i] == '/')
			return false;
	}
	return name.len > 0 && name.len <= NAME_MAX && !str_is(name, ".") &&
	       !str_is(name, "..");
}

static int append_name(void *userdata, const struct guild_op_place *place)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (guild_op_full_name(place, &text) < 0)
		return -ENOMEM;
	if (!is_file_name(strbuf_str(&text)))
		return 0;
	return strv_take(userdata, strbuf_take(&text));
}

int guildfile_names(const struct guildfile *guildfile, char ***names)
{
	return each_operation(guildfile, append_name, names);
}

struct search {
	const char *name;
	struct guild_op_place place; /* what is found */
};

static int match_name(void *userdata, const struct guild_op_place *place)
{
	struct search *search = userdata;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;

	if (guild_op_full_name(place, &text) < 0)
		return -ENOMEM;
	if (!is_file_name(strbuf_str(&text)) ||
	    strcmp(strbuf_cstr(&text), search->name) != 0)
		return 0;
	search->place = *place;
	return 1;
}

bool guildfile_has(const struct guildfile *guildfile, const char *name)
{
	struct search search = { .name = name };

	return each_operation(guildfile, match_name, &search) > 0;
}

int guildfile_operation(const struct guildfile *guildfile, const char *name,
			const struct guildfile_script *script, struct operation **ret,
			struct guildfile_main *ret_main)
{
	struct search search = { .name = name };
	int r = each_operation(guildfile, match_name, &search);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	return guild_op_read(&search.place, script, ret, ret_main);
}
