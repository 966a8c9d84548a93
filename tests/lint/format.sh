#!/bin/sh
# The layout of C is what clang-format 14 makes of it with .clang-format.
# To put it right: clang-format-14 -i FILE
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v clang-format-14 >/dev/null || exit 77

find engine fs tests -name '*.[ch]' -print0 |
	xargs -0 clang-format-14 --dry-run --style=file 2>&1 |
	sed -n 's/ warning: code should be .*/ not as clang-format has it/p' |
	grep . && exit 1
exit 0
