#!/bin/bash
# apart.sh COMMAND...: what root runs, in a mount namespace without a mount of runfs.
#
# A namespace is made with a copy of all mounts, and each copy keeps the daemon of another
# story alive that has unmounted its own, and waits for the daemon's end.
set -eu

if [ "$1" != within ]; then
	exec unshare --mount bash "$0" within "$@"
fi
shift
# No look at them: their daemons may not answer.
findmnt -nlt fuse.runfs -o TARGET | while IFS= read -r point; do
	umount --internal-only --no-canonicalize --lazy "$point"
done
exec "$@"
