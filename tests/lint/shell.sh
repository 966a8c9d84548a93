#!/bin/sh
# Shell scripts hold nothing that shellcheck warns of, but for what stories do on purpose:
# words for another shell in single quotes (SC2016), cat and ls where a reader or a
# listing is what is tested (SC2002, SC2012), arguments with a default (SC2119).
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v shellcheck >/dev/null || exit 77

grep -rlE --exclude-dir=fixtures '^#!(/usr)?/bin/(env )?(sh|bash|dash)$' \
	scripts tests .ci | xargs shellcheck --external-sources --source-path=SCRIPTDIR \
	--exclude=SC2002,SC2012,SC2016,SC2119 --format=gcc
