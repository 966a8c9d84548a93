/* Running out of descriptors. */
#include "descriptors.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "engine/cleanup.h"

void descriptors_leave(int n)
{
	static rlim_t before;
	struct rlimit limit;
	int first;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (before == 0)
		before = limit.rlim_cur;
	limit.rlim_cur = before;
	if (n >= 0) {
		first = open("/", O_PATH | O_CLOEXEC);
		cr_assert_geq(first, 0);
		close_fd(first);
		limit.rlim_cur = (rlim_t)(first + n);
	}
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
