#!/bin/bash
# A run that is made now and started later: its source is of now, its flags can still be
# written, and then anybody may start it, Guild too.
. "$(dirname "$0")/lib.sh"

stage()
{
	local id fd
	exec {fd}<>"$mnt/ops/$1/stage"
	echo "${2-}" >&"$fd"
	read -r id <&"$fd"
	exec {fd}>&-
	echo "$id"
}

stories=$(cd "$(dirname "$0")" && pwd)
use_project optimizers
start_mount
cd "$mnt"

### Made, and not started

id=$(stage echo.py 'x=2.5 z=b')
expect_eq "${#id}" 32
expect_eq "$(cat ops/echo.py/stage)" "$id"
expect_eq "$(cat "runs/$id/status")" staged
expect_eq "$(cat "runs/$id/flags")" $'x=2.5\ny=2\nz=b'
expect_eq "$(cat "runs/$id/wait")" staged
for name in output exit_status started stopped elapsed pid env; do
	expect_eq "$(cat "runs/$id/$name")" ""
done
expect_eq "$(stat -c %a "runs/$id/flags")" 644
expect_not test -e latest
expect_eq "$(ls runs)" "$id"

# As Guild stages: its marker, and ENV for a shell.
guild=$home/runs/$id/.guild
expect_eq "$(stat -c %s "$guild/STAGED")" 0
for name in LOCK PENDING output attrs/env attrs/exit_status attrs/stopped; do
	expect_not test -e "$guild/$name"
done
for name in id initialized cmd flags user_flags run_params op host platform deps started \
	sourcecode_digest; do
	test -e "$guild/attrs/$name"
done
grep -qx 'export FLAG_X=2.5' "$guild/ENV"
LC_ALL=C sort -c "$guild/ENV"
expect_not grep -q '^export \(PWD\|_\)=' "$guild/ENV"

# The source code is that of now.
expect_eq "$(cat "$home/runs/$id/echo.py")" "$(cat "$project/echo.py")"
echo 'print("changed")' >"$project/echo.py"

### Its flags can be written

echo 'x=3' >"runs/$id/flags"
expect_eq "$(cat "runs/$id/flags")" $'x=3\ny=2\nz=b'
expect_eq "$(cat "runs/$id/status")" staged
printf 'y=5\nz=c\n' >"runs/$id/flags"
expect_eq "$(cat "runs/$id/flags")" $'x=3\ny=5\nz=c'
expect_eq "$(cat "runs/$id/label")" 'x=3 y=5 z=c'
grep -qx 'export FLAG_Y=5' "$guild/ENV"
grep -q -- '--x 3 --y 5 --z ' "runs/$id/cmd"

# What can't be is refused, and changes nothing.
expect_errno EINVAL put "runs/$id/flags" lr=1
expect_errno EINVAL put "runs/$id/flags" --needed
expect_errno EINVAL put "runs/$id/flags" "x='a"
expect_eq "$(cat "runs/$id/flags")" $'x=3\ny=5\nz=c'

### Started

echo z=d >"runs/$id/restart"
expect_eq "$(cat "runs/$id/restart")" "Restarting $id"
expect_result "$id" 'completed 0'
expect_eq "$(cat "runs/$id/output")" "3 5 'd'"
expect_eq "$(readlink latest)" "runs/$id"
expect_not test -e "$guild/STAGED"
expect_not test -e "$guild/PENDING"
test -s "runs/$id/started"
test -s "runs/$id/env"
expect_errno EBUSY put "runs/$id/flags" x=4
expect_eq "$(cat "runs/$id/flags")" $'x=3\ny=5\nz=d'

# Guild starts one, too.
id=$(stage hello.sh)
python3 "$stories/guild.py" "$home/runs/$id" restart
expect_eq "$(cat "runs/$id/status")" pending
expect_errno EBUSY put "runs/$id/flags" --force-flags
python3 "$stories/guild.py" "$home/runs/$id" unmark STAGED
RUN_DIR=$home/runs/$id sleep 60 &
python3 "$stories/guild.py" "$home/runs/$id" spawn $!
expect_eq "$(cat "runs/$id/status")" running
kill $!
python3 "$stories/guild.py" "$home/runs/$id" end 0
expect_result "$id" 'completed 0'

### needed

id=$(stage add 'a=1 b=1')
test "$(stage add 'a=1 b=1')" != "$id"
echo >"runs/$id/restart"
expect_result "$id" 'completed 0'
expect_eq "$(stage add '--needed a=1 b=1')" "$id"
touch ops/add/needed
expect_eq "$(stage add 'a=1 b=1')" "$id"

### A staged run outlives its project, and the mount

rm ops/add/needed
id=$(stage add 'a=1 b=2')
cd /
stop_mount
rm -r "$project"
mkdir "$project"
start_mount
cd "$mnt"
expect_eq "$(cat "runs/$id/status")" staged
echo b=3 >"runs/$id/flags"
echo >"runs/$id/restart"
expect_result "$id" 'completed 0'
cd /
