#!/bin/bash
# The main job, as a user of bash types it and as a script of dash runs it: start runs
# with flags, restart them with others, skip what has not changed.
. "$(dirname "$0")/lib.sh"

cat >"$dir/main-job" <<'END'
set -eu
cd "$1"

expect()
{
	[ "$1" = "$2" ] || { printf 'expected %s\nbut got  %s\n' "$2" "$1" >&2; exit 1; }
}

echo > ops/echo.py/run
expect "$(cat latest/output)" "1.0 2 'a'"
first=$(readlink -f latest)

echo 'x=2.0 y=3 z=b' > ops/echo.py/run
expect "$(cat latest/output)" "2.0 3 'b'"
r=$(readlink -f latest)
[ "$r" != "$first" ]

echo > "$r/restart"
expect "$(cat "$r/output")" "2.0 3 'b'"
expect "$(cat "$r/restart")" "Restarting ${r##*/}"
echo x=10 > "$r/restart"
expect "$(cat "$r/output")" "10 3 'b'"
echo > "$r/restart"
expect "$(cat "$r/output")" "10 3 'b'"

skipped='Skipping run because flags have not changed (--needed specified)'
touch "$r/needed"
started=$(cat "$r/started")
echo > "$r/restart"
expect "$(cat "$r/restart")" "$skipped"
echo 'x=10 y=3 z=b' > "$r/restart"
expect "$(cat "$r/restart")" "$skipped"
expect "$(cat "$r/started")" "$started"
expect "$(cat "$r/output")" "10 3 'b'"

echo x=100 > "$r/restart"
expect "$(cat "$r/output")" "100 3 'b'"
[ "$(cat "$r/started")" != "$started" ]
expect "$(cat "$r/flags")" "x=100
y=3
z=b"

# The first run has been left alone; another value runs it once.
expect "$(cat "$first/flags")" "x=1.0
y=2
z=a"
touch "$first/needed"
echo z=d > "$first/restart"
expect "$(cat "$first/restart")" "Restarting ${first##*/}"
expect "$(cat "$first/output")" "1.0 2 'd'"
started=$(cat "$first/started")
echo z=d > "$first/restart"
expect "$(cat "$first/restart")" "$skipped"
expect "$(cat "$first/started")" "$started"
expect "$(cat "$first/output")" "1.0 2 'd'"
expect "$(readlink -f latest)" "$first"

# Without needed it runs whatever has changed.
rm "$first/needed"
echo z=d > "$first/restart"
expect "$(cat "$first/wait")" "completed 0"
[ "$(cat "$first/started")" != "$started" ]
END

use_project optimizers
for shell in bash dash; do
	start_mount
	"$shell" "$dir/main-job" "$mnt"
	expect_eq "$(ls "$home/runs" | wc -l)" 2
	stop_mount
	# All of it is on the disk, for whoever comes next.
	start_mount
	expect_eq "$(cat "$mnt/latest/output")" "1.0 2 'd'"
	expect_eq "$(cat "$mnt/latest/status")" completed
	expect_not test -e "$mnt/latest/needed"
	stop_mount
	rm -rf "$home/runs"
done
