/* A project's guild.yml: the operations that it defines. */
#include "engine/guildfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <md5.h>
#include <stdlib.h>
#include <string.h>

#include "engine/file.h"
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
	struct named_op *ops; /* by name */
	size_t n_ops;
};

/* An operation by the name that its directory in the mount has. */
struct named_op {
	char *name;
	size_t order; /* in the document */
	struct guild_op_place place;
};

void guildfile_free(struct guildfile *guildfile)
{
	if (!guildfile)
		return;
	for (size_t i = 0; i < guildfile->n_models; i++)
		guild_model_done(&guildfile->models[i]);
	free(guildfile->models);
	for (size_t i = 0; i < guildfile->n_ops; i++)
		free(guildfile->ops[i].name);
	free(guildfile->ops);
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

const char *guildfile_mistake(const struct guildfile *guildfile)
{
	return guildfile->doc.mistake;
}

bool guildfile_has_includes(const struct guildfile *guildfile)
{
	return guildfile->doc.n_files > 1;
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

static int add_op(void *userdata, const struct guild_op_place *place)
{
	_cleanup_(strbuf_done) struct strbuf name = STRBUF_INIT;
	struct guildfile *guildfile = userdata;
	struct named_op *ops = guildfile->ops;
	size_t n = guildfile->n_ops;

	if (guild_op_full_name(place, &name) < 0)
		return -ENOMEM;
	if (!is_file_name(strbuf_str(&name)))
		return 0;
	if ((n & (n + 1)) == 0)
		ops = reallocarray(ops, 2 * (n + 1), sizeof(*ops));
	if (!ops)
		return -ENOMEM;
	guildfile->ops = ops;
	ops[n] = (struct named_op){ .name = strbuf_take(&name),
				    .order = n,
				    .place = *place };
	if (!ops[n].name)
		return -ENOMEM;
	guildfile->n_ops++;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct named_op *)a)->name,
		      ((const struct named_op *)b)->name);
}

static int compare_ops(const void *a, const void *b)
{
	size_t left = ((const struct named_op *)a)->order;
	size_t right = ((const struct named_op *)b)->order;
	int order = compare_names(a, b);

	return order ? order : (left > right) - (left < right);
}

/* Sorts; of equal names the first in the document stays. */
static int make_ops(struct guildfile *guildfile)
{
	struct named_op *ops;
	size_t n_kept = 0;
	int r = each_operation(guildfile, add_op, guildfile);

	ops = guildfile->ops;
	if (r < 0 || !ops)
		return r;
	qsort(ops, guildfile->n_ops, sizeof(*ops), compare_ops);
	for (size_t i = 0; i < guildfile->n_ops; i++) {
		if (n_kept > 0 && strcmp(ops[n_kept - 1].name, ops[i].name) == 0)
			free(ops[i].name);
		else
			ops[n_kept++] = ops[i];
	}
	guildfile->n_ops = n_kept;
	return 0;
}

int guildfile_names(const struct guildfile *guildfile, char ***names)
{
	size_t n = strv_length(*names);
	int r = 0;

	for (size_t i = 0; r == 0 && i < guildfile->n_ops; i++)
		r = strv_take_at(names, n++, strdup(guildfile->ops[i].name));
	return r;
}

static const struct named_op *find_op(const struct guildfile *guildfile, const char *name)
{
	struct named_op key = { .name = (char *)(uintptr_t)name };

	return guildfile->n_ops == 0 ? NULL
				     : bsearch(&key, guildfile->ops, guildfile->n_ops,
					       sizeof(key), compare_names);
}

bool guildfile_has(const struct guildfile *guildfile, const char *name)
{
	return find_op(guildfile, name) != NULL;
}

int guildfile_operation(const struct guildfile *guildfile, const char *name,
			const struct guildfile_script *script, struct operation **ret,
			struct guildfile_main *ret_main)
{
	const struct named_op *op = find_op(guildfile, name);

	return op ? guild_op_read(&op->place, script, ret, ret_main) : -ENOENT;
}

/* A guild.yml that can't even be read is a mistake, as one in what it says. */
static int read_doc(struct guildfile *guildfile, int dir_fd)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, mistake = STRBUF_INIT;
	int r = path_read(dir_fd, "guild.yml", GUILDFILE_MAX_LEN, &text);

	if (r == -ENOENT || file_is_lack(r))
		return r;
	(void)MD5Data((const uint8_t *)strbuf_cstr(&text), text.len, guildfile->version);
	if (r == 0)
		return guild_doc_read(dir_fd, strbuf_str(&text), &guildfile->doc);
	strbuf_addf(&mistake, "guild.yml can't be read: %s",
		    r == -EINVAL  ? "it is no regular file"
		    : r == -EXDEV ? "it lies on a mount of runfs"
				  : strerror(-r));
	guildfile->doc.mistake = strbuf_take(&mistake);
	return guildfile->doc.mistake ? 0 : -ENOMEM;
}

int guildfile_load(const char *project, struct guildfile **ret)
{
	_cleanup_(guildfile_freep) struct guildfile *guildfile =
		calloc(1, sizeof(*guildfile));
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
	r = read_doc(guildfile, dir_fd);
	if (r == 0)
		r = make_models(guildfile);
	if (r == 0)
		r = make_ops(guildfile);
	if (r < 0)
		return r;
	*ret = take_ptr(guildfile);
	return 0;
}
