/* Which flags a run gets. */
#include "engine/assign.h"

#include <errno.h>
#include <string.h>

static int decode(const struct flag_def *flag_def, const struct flag *text,
		  const struct flag *plain, const char *dir, bool force,
		  struct value *ret, struct strbuf *ret_why)
{
	size_t before = ret_why->len;
	int r;

	if (!flag_def)
		return value_copy(&plain->value, ret);
	r = flag_def_decode(flag_def, value_str(&text->value), dir, ret, ret_why);
	if (r != -EINVAL || !force)
		return r;
	strbuf_truncate(ret_why, before);
	return value_copy(&plain->value, ret);
}

static int refuse_twice(const struct flag_def *flag_def, struct strbuf *ret_why)
{
	strbuf_addf(ret_why,
		    "cannot specify both alias '%s' and name for flag '%s': write one of"
		    " them (--force-flags skips this check)",
		    flag_def->alias, flag_def->name);
	return -EINVAL;
}

int assign_written(const struct operation *operation, const struct request *request,
		   const char *dir, struct flags *ret, struct strbuf *ret_why)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r;

	for (size_t i = 0; i < request->texts.n_items; i++) {
		const struct flag *text = &request->texts.items[i];
		const struct flag *plain = flags_find(&request->flags, text->name);
		const struct flag_def *flag_def =
			operation_find_flag(operation, text->name);
		const char *name = flag_def ? flag_def->name : text->name;
		struct value value = VALUE_INIT;

		if (strcmp(name, text->name) != 0 && !request->force_flags &&
		    flags_find(&request->texts, name))
			return refuse_twice(flag_def, ret_why);
		r = decode(flag_def, text, plain, dir, request->force_flags, &value,
			   ret_why);
		if (r == 0)
			r = flags_set(&flags, str_from(name), &value);
		if (r < 0)
			return r;
	}
	*ret = flags;
	flags = FLAGS_INIT;
	return 0;
}

static int set_copy(struct flags *flags, const char *name, const struct value *value)
{
	struct value copy = VALUE_INIT;
	int r = value_copy(value, &copy);

	return r < 0 ? r : flags_set(flags, str_from(name), &copy);
}

/* What @written leaves out: the defaults, in their types. */
static int add_defaults(const struct operation *operation, const char *dir,
			struct flags *flags, struct strbuf *ret_why)
{
	for (size_t i = 0; i < operation->n_flag_defs; i++) {
		const struct flag_def *flag_def = &operation->flag_defs[i];
		struct value value = VALUE_INIT;
		int r;

		if (flags_find(flags, flag_def->name))
			continue;
		r = value_copy(&flag_def->default_value, &value);
		if (r == 0)
			r = flag_def_coerce(flag_def, dir, &value, ret_why);
		if (r < 0) {
			value_done(&value);
			return r;
		}
		r = flags_set(flags, str_from(flag_def->name), &value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check(const struct operation *operation, const struct flags *flags,
		 struct strbuf *ret_why)
{
	for (size_t i = 0; i < flags->n_items; i++) {
		const struct flag_def *flag_def =
			operation_find_flag(operation, flags->items[i].name);
		int r = flag_def ? flag_def_check(flag_def, &flags->items[i].value,
						  ret_why)
				 : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* A user's value, other than null, is never set by a choice. */
static bool is_users(const struct flags *written, const char *name)
{
	const struct flag *flag = flags_find(written, name);

	return flag && flag->value.type != VALUE_NULL;
}

static int apply_choice(const struct flag_choice *choice, const struct flags *written,
			struct flags *flags)
{
	for (size_t i = 0; i < choice->flags.n_items; i++) {
		const struct flag *flag = &choice->flags.items[i];
		int r = is_users(written, flag->name)
				? 0
				: set_copy(flags, flag->name, &flag->value);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A choice that has an alias sets its flags when it is called by that, as in Guild. */
static bool sets_flags(const struct flag_choice *choice, const struct value *value)
{
	return !choice->alias || value_is_string(value, choice->alias);
}

/* Aliases of choices become their values, and choices set their flags. */
static int apply_choices(const struct operation *operation, const struct flags *written,
			 struct flags *flags)
{
	for (size_t i = 0; i < operation->n_flag_defs; i++) {
		const struct flag_def *flag_def = &operation->flag_defs[i];
		const struct flag *flag = flags_find(flags, flag_def->name);
		const struct flag_choice *choice =
			flag ? flag_def_choice(flag_def, &flag->value) : NULL;
		bool sets;
		int r;

		if (!choice)
			continue;
		sets = sets_flags(choice, &flag->value);
		r = set_copy(flags, flag_def->name, &choice->value);
		if (r == 0 && sets)
			r = apply_choice(choice, written, flags);
		if (r < 0)
			return r;
	}
	return 0;
}

/* On a restart a flag that the run has stays, unless the user names it. */
static int keep_own(const struct flags *own, const struct flags *written,
		    struct flags *flags)
{
	for (size_t i = 0; own && i < own->n_items; i++) {
		int r = flags_find(written, own->items[i].name)
				? 0
				: set_copy(flags, own->items[i].name,
					   &own->items[i].value);

		if (r < 0)
			return r;
	}
	return 0;
}

static bool is_missing(const struct flags *flags, const struct flag_def *flag_def)
{
	const struct flag *flag = flags_find(flags, flag_def->name);

	return !flag || flag->value.type == VALUE_NULL ||
	       (flag->value.type == VALUE_STRING && value_str(&flag->value).len == 0);
}

static int check_required(const struct operation *operation, const struct flags *flags,
			  struct strbuf *ret_why)
{
	bool some = false;

	for (size_t i = 0; i < operation->n_flag_defs; i++) {
		const struct flag_def *flag_def = &operation->flag_defs[i];

		if (!flag_def->required || !is_missing(flags, flag_def))
			continue;
		strbuf_adds(ret_why,
			    some ? ", "
				 : "Operation requires the following missing flags: ");
		strbuf_adds(ret_why, flag_def->name);
		if (flag_def->description)
			strbuf_addf(ret_why, " (%s)", flag_def->description);
		some = true;
	}
	if (some)
		strbuf_adds(ret_why, ": write them as name=value");
	return some ? -EINVAL : 0;
}

int assign_flags(const struct operation *operation, const struct flags *written,
		 const struct flags *own, const char *dir, bool complete,
		 bool force_flags, struct flags *ret, struct strbuf *ret_why)
{
	_cleanup_(flags_done) struct flags flags = FLAGS_INIT;
	int r = flags_copy(written, &flags);

	/* A run has had the defaults at its first start; what it lacks, it lacked then.
	 */
	if (r == 0 && !own)
		r = add_defaults(operation, dir, &flags, ret_why);
	if (r == 0 && !force_flags)
		r = check(operation, &flags, ret_why);
	if (r == 0)
		r = apply_choices(operation, written, &flags);
	if (r == 0)
		r = keep_own(own, written, &flags);
	if (r == 0 && complete && !force_flags)
		r = check_required(operation, &flags, ret_why);
	if (r < 0)
		return r;
	*ret = flags;
	flags = FLAGS_INIT;
	return 0;
}
