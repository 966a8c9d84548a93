/* The environment of a staged run, for a shell. */
#include "engine/env-file.h"

#include <errno.h>

#include "engine/cleanup.h"

static bool is_shells_own(struct str name)
{
	return str_is(name, "PWD") || str_is(name, "_");
}

static int add_export(struct str name, struct str text, struct strbuf *ret)
{
	strbuf_adds(ret, "export ");
	strbuf_addstr(ret, name);
	strbuf_addc(ret, '=');
	if (text.len > 0)
		strbuf_add_shell(ret, text);
	return strbuf_addc(ret, '\n');
}

int env_file_format(const struct value *env, struct strbuf *ret)
{
	_cleanup_free_ const struct value_pair **pairs = NULL;

	if (env->type != VALUE_MAP)
		return 0;
	pairs = value_sorted_pairs(env);
	if (!pairs)
		return -ENOMEM;
	for (size_t i = 0; i < env->map.n_pairs; i++) {
		struct str name = value_str(&pairs[i]->key);

		if (!is_shells_own(name))
			(void)add_export(name, value_str(&pairs[i]->value), ret);
	}
	return strbuf_error(ret);
}
