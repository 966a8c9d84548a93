#!/bin/sh
# clang-tidy finds nothing in what a build compiles of engine/ and fs/, by the checks of
# .clang-tidy.
set -u
build=$1
cd "$(dirname "$0")/../.." || exit 1
command -v clang-tidy-14 >/dev/null || exit 77

# Paths of the build directory, as `../../engine/file.c`, to those of the tree.
sed -nE 's!^ *"file": ".*/((engine|fs)/[a-z-]+[.]c)".*!\1!p' \
	"$build/compile_commands.json" |
	xargs -n 8 -P 2 clang-tidy-14 --quiet -p "$build" 2>/dev/null
