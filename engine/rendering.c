/* The configuration file that a run gets. */
#include "engine/rendering.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "engine/config.h"
#include "engine/path.h"
#include "engine/r-script.h"

void rendering_done(struct rendering *rendering)
{
	free(rendering->path);
	free(rendering->source);
	free(rendering->uri);
	free(rendering->template);
	free(rendering->text);
	*rendering = RENDERING_INIT;
}

static int read_below(const char *dir, const char *path, struct strbuf *ret)
{
	_cleanup_close_ int fd = path_open(AT_FDCWD, dir);

	return fd < 0 ? fd : path_read(fd, path, CONFIG_MAX_LEN, ret);
}

/* Guild keeps no template: what it made the file from, or that file, must do. */
static int read_of_run(const struct operation *operation, const struct run *run,
		       const struct rendering *rendering, struct strbuf *ret)
{
	const struct value *project =
		value_get(value_get(value_get(&operation->attr, "op-cmd"), "cmd-env"),
			  "PROJECT_DIR");
	_cleanup_close_ int fd = -1;
	int r = run_attr_string(run, RENDERING_TEMPLATE, ret);

	if (r == 0 || r == -ENOMEM)
		return r;
	strbuf_reset(ret);
	if (project && value_str(project).len > 0 &&
	    read_below(value_str(project).data, rendering->source, ret) == 0)
		return 0;
	strbuf_reset(ret);
	fd = run_open_dir(run);
	return fd < 0 ? fd : path_read(fd, rendering->path, CONFIG_MAX_LEN, ret);
}

static int read_template(const struct operation *operation, const struct run *run,
			 const char *source, struct rendering *rendering,
			 struct strbuf *ret_why)
{
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT;
	int r = source || !run
			? read_below(source ? source : "/", rendering->source, &text)
			: read_of_run(operation, run, rendering, &text);

	if (r < 0) {
		strbuf_addf(ret_why, "%s, which takes the flags, can't be read: %s",
			    rendering->source, strerror(-r));
		return r;
	}
	rendering->template = strdup(strbuf_cstr(&text));
	return rendering->template ? 0 : -ENOMEM;
}

static int set_script(struct str file, struct rendering *rendering)
{
	rendering->source = str_dup(file);
	rendering->path = str_dup(file);
	return rendering->source && rendering->path ? 0 : -ENOMEM;
}

static int set_names(struct str file, struct rendering *rendering)
{
	_cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT, uri = STRBUF_INIT;

	config_add_target(file, &path);
	strbuf_adds(&uri, "config:");
	strbuf_addstr(&uri, file);
	rendering->source = str_dup(file);
	rendering->path = strbuf_take(&path);
	rendering->uri = strbuf_take(&uri);
	return rendering->source && rendering->path && rendering->uri ? 0 : -ENOMEM;
}

int rendering_make(const struct operation *operation, const struct flags *flags,
		   const struct run *run, const char *source, struct rendering *ret,
		   struct strbuf *ret_why)
{
	_cleanup_(rendering_done) struct rendering rendering = RENDERING_INIT;
	_cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT, ignored = STRBUF_INIT;
	const struct value *op_cmd = value_get(&operation->attr, "op-cmd");
	struct str dest = value_str(value_get(op_cmd, "flags-dest"));
	struct str file = r_script_is(dest) ? dest : config_file(dest);
	int r;

	/* Another place of a script is one that Guild's own plugin has made. */
	if (file.len == 0 ||
	    (r_script_is(dest) && config_check_place(file, &ignored) < 0))
		return 0;
	r = r_script_is(dest) ? 0 : config_check(file, ret_why);
	if (r == 0)
		r = r_script_is(dest) ? set_script(file, &rendering)
				      : set_names(file, &rendering);
	if (r == 0)
		r = read_template(operation, run, source, &rendering, ret_why);
	if (r == 0 && r_script_is(dest))
		r = r_script_render(str_from(rendering.template), flags, &text);
	else if (r == 0)
		r = config_render(file, str_from(rendering.template),
				  value_get(op_cmd, "cmd-flags"), flags, &text, ret_why);
	if (r < 0)
		return r;
	rendering.text = strbuf_take(&text);
	if (!rendering.text)
		return -ENOMEM;
	*ret = rendering;
	rendering = RENDERING_INIT;
	return 0;
}
