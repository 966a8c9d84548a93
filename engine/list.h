/* A doubly linked ring of embedded links: a member of a list is in it by its own struct.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *previous;
};

#define LIST_INIT(list) ((struct list){ &(list), &(list) })

#define list_entry(link, type, member)                                                   \
	((type *)(void *)((char *)(link)-offsetof(type, member)))

/* The body may unlink @link, but no other member. */
#define list_for_each(link, head)                                                        \
	for (struct list *link = (head)->next, *link##_next = link->next;                \
	     link != (head); link = link##_next, link##_next = link->next)

static inline void list_init(struct list *list)
{
	list->next = list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_append(struct list *list, struct list *link)
{
	link->next = list;
	link->previous = list->previous;
	list->previous->next = link;
	list->previous = link;
}

/* Leaves @link a ring of its own, so that unlinking twice does nothing. */
static inline void list_unlink(struct list *link)
{
	link->next->previous = link->previous;
	link->previous->next = link->next;
	list_init(link);
}

/* Moves all members of @from to the end of @list. */
static inline void list_append_all(struct list *list, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->previous = list->previous;
	list->previous->next = from->next;
	from->previous->next = list;
	list->previous = from->previous;
	list_init(from);
}
