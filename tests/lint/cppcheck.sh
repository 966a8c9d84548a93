#!/bin/sh
# cppcheck finds nothing in the C of engine/ and fs/.
#
# It does not know the cleanup attribute, so it must not judge what is freed. Its results
# are kept in the build directory given, and only what changed is looked at again.
set -u
build=$1
cd "$(dirname "$0")/../.." || exit 1
command -v cppcheck >/dev/null || exit 77

mkdir -p "$build/cppcheck"
cppcheck --quiet --error-exitcode=1 -j 2 --cppcheck-build-dir="$build/cppcheck" \
	--std=c11 --library=gnu --enable=warning,performance,portability \
	--template='{file}:{line}: {message} [{id}]' --inline-suppr \
	--suppress=memleak --suppress=resourceLeak \
	-D_GNU_SOURCE -D__GNUC__=12 -I. engine fs
