#!/bin/sh
# The manuals are clean for mandoc, whatever other manuals this machine has.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v mandoc >/dev/null || exit 77

find man -name '*.[0-9]' -exec mandoc -T lint {} + 2>&1 |
	grep -v -e 'referenced manual not found' -e 'outdated mandoc.db' && exit 1
exit 0
