#!/bin/bash
# What Guild, another mount or a bare hand does to the home behind a mount is seen there
# the next moment, and wakes those who wait.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$0")
guild()
{
	local id=$1
	shift
	"$here/guild.py" "$home/runs/$id" "$@"
}

make_told
start_mount # of a home without runs/
run=$mnt/runs/one
expect_status()
{
	expect_eq "$(cat "$run/status")" "$1"
}
# make_process ID: such as Guild would have started.
make_process()
{
	(cd "$home/runs/$1" && exec sleep 1000) &
	process=$!
	wait_for test "/proc/$process/cwd" -ef "$home/runs/$1"
}

### Guild starts a run

expect_errno ENOENT cat "$run/status"
guild one init "script:$project '' '' told"
expect_eq "$(ls "$mnt/runs")" one
expect_status pending
exec {waiter}< <(exec cat "$run/wait")
wait_for is_waiting $!
exec {output}< <(exec cat "$run/output")
wait_for is_waiting $!
guild one fail # its dependencies were not there
expect_line "$waiter" error
expect_no_more "$output"
expect_status error

make_process one
guild one restart
expect_status pending
guild one spawn "$process"
expect_status running
expect_eq "$(cat "$run/pid")" "$process"
expect_errno EBUSY put "$run/restart" ""

exec {waiter}< <(exec cat "$run/wait")
wait_for is_waiting $!
exec {output}< <(exec cat "$run/output")
wait_for is_waiting $!
exec {polled}< <(exec "$here/follow.py" epoll "$run/wait")
expect_line "$polled" "not readable"
expect_line "$polled" "waits"
exec {polled_output}< <(exec "$here/follow.py" poll "$run/output")
expect_line "$polled_output" "not readable"
expect_line "$polled_output" "waits"

guild one print "first line"
expect_line "$output" "first line"
expect_line "$polled_output" "first line"
expect_eq "$(stat -c %s "$run/output")" 11
guild one print "second line"
expect_line "$output" "second line"
expect_line "$polled_output" "second line"

### and ends it

ended=$(date +%s%3N)
guild one end 0
expect_line "$waiter" "completed 0"
expect_no_more "$output"
expect_line "$polled" "completed 0"
expect_line "$polled" "[end]"
expect_line "$polled_output" "[end]"
# "Within a second", and as much again for a slow machine.
[ $(($(date +%s%3N) - ended)) -lt 2000 ]
expect_status completed
expect_eq "$(cat "$run/exit_status")" 0

### Guild's restart leaves the old end in place

guild one restart
expect_status pending
expect_errno EAGAIN dd if="$run/wait" iflag=nonblock status=none
guild one spawn "$process"
expect_eq "$(cat "$home/runs/one/.guild/attrs/exit_status")" 0
expect_status running
expect_eq "$(cat "$run/exit_status")$(cat "$run/stopped")" ""
exec {waiter}< <(exec cat "$run/wait")
wait_for is_waiting $!
guild one end -15
expect_line "$waiter" "terminated -15"
expect_status terminated

### A process that is gone without a word, or was never Guild's

guild one restart
guild one spawn "$process"
exec {waiter}< <(exec cat "$run/wait")
wait_for is_waiting $!
exec {output}< <(exec cat "$run/output")
wait_for is_waiting $!
kill -KILL "$process"
expect_line "$waiter" error
expect_no_more "$output"
expect_status error
expect_eq "$(cat "$run/pid")$(cat "$run/exit_status")" ""

lock=$home/runs/one/.guild/LOCK
make_process one
printf '%s' "$process" >"$lock"
expect_status running
sleep 1000 & # in a directory of its own, as everybody else
for text in "$!" '' 999999999 'no pid' -1 0 1; do
	printf '%s' "$text" >"$lock"
	expect_status error
	echo KILL >"$run/stop"
done
kill $!
printf '%s\n' "$process" >"$lock"
expect_status running

# stop is for Guild's processes, too.
echo >"$run/stop"
expect_exit "$process" 143
expect_status error
rm "$lock"
echo elsewhere >"$home/runs/one/.guild/LOCK.remote"
expect_status running
rm "$home/runs/one/.guild/LOCK.remote"

### Attributes

guild one set label "'a label'"
expect_eq "$(cat "$run/label")" "a label"
guild one set label "a longer label"
expect_eq "$(cat "$run/label")" "a longer label"
expect_eq "$(stat -c %s "$run/label")" 15
guild one set flags 'x: 7'
expect_eq "$(cat "$run/flags")" x=7
guild one set anything "[1, 2]"
expect_eq "$(cat "$run/attrs/anything")" "[1, 2]"
rm "$home/runs/one/.guild/attrs/anything"
expect_errno ENOENT cat "$run/attrs/anything"
expect_not test -e "$run/needed"
echo completed >"$home/runs/one/.guild/needed"
expect_eq "$(cat "$run/needed")" completed
rm "$home/runs/one/.guild/needed"
expect_errno ENOENT cat "$run/needed"

### The newest run, and those of an operation

is_latest()
{
	[ "$(readlink "$mnt/latest")" = "runs/$1" ] &&
		[ "$(readlink "$mnt/ops/told/latest")" = "../../runs/$1" ]
}
wait_for is_latest one
guild two init "script:$project '' '' told"
make_process two
guild two spawn "$process"
wait_for is_latest two
has_both()
{
	[ "$(ls "$mnt/ops/told/runs")" = "one
two" ]
}
wait_for has_both

### Deleted, taken elsewhere, and back

exec {output}< <(exec cat "$mnt/runs/two/output")
wait_for is_waiting $!
cat "$mnt/runs/two/wait" >"$dir/text" 2>"$dir/error" &
waiter=$!
wait_for is_waiting "$waiter"
mv "$home/runs/two" "$dir/two"
expect_errno ENOENT cat "$mnt/runs/two/status"
expect_errno ENOENT stat "$mnt/runs/two"
expect_eq "$(ls "$mnt/runs")" one
expect_exit "$waiter" 1
grep -q "No such file or directory" "$dir/error"
expect_no_more "$output"
wait_for is_latest one
mv "$dir/two" "$home/runs/two"
expect_eq "$(cat "$mnt/runs/two/status")" running
expect_eq "$(ls "$mnt/runs")" "one
two"
rm -r "$home/runs/two"
is_gone()
{
	! stat "$1" >"$dir/text" 2>&1
}
wait_for is_gone "$mnt/runs/two" # the kernel is told, a moment later
kill "$process"

### Another mount of the same home

mnt=$dir/second start_mount
id=$(mnt=$dir/second start_run told)
run=$mnt/runs/$id
other=$dir/second/runs/$id
expect_status running
exec {output}< <(exec cat "$run/output")
wait_for is_waiting $!
exec {waiter}< <(exec cat "$run/wait")
wait_for is_waiting $!
tell "$id" 'echo seen here'
expect_line "$output" "seen here"
tell "$id" 'exit 4'
expect_line "$waiter" "error 4"
expect_no_more "$output"

echo >"$other/restart"
expect_status running
exec {output}< <(exec cat "$run/output")
tell "$id" 'echo anew'
expect_line "$output" anew
exec {waiter}< <(exec cat "$other/wait")
wait_for is_waiting $!
echo >"$run/stop"
expect_line "$waiter" "terminated -15"
expect_no_more "$output"

# Also while it is started again and again.
for ((i = 0; i < 20; i++)); do
	echo >"$other/restart"
	expect_status running
	tell "$id" "echo round $i; exit 0"
	expect_result "$id" "completed 0"
	expect_eq "$(cat "$run/output")" "round $i"
done

### Another directory of runs

lists()
{
	[ "$(ls "$mnt/runs" | tr '\n' ' ')" = "$1" ]
}
expect_runs()
{
	wait_for lists "$1"
}
# held ID: a run that waits to be told, in the runs that are there now.
held()
{
	guild "$1" init "script:$project '' '' told"
	make_process "$1"
	guild "$1" spawn "$process"
}
mv "$home/runs" "$dir/first"
expect_errno ENOENT cat "$mnt/runs/$id/status"
expect_runs ""
mkdir "$home/runs"
expect_runs ""
held other
expect_runs "other "
wait_for is_latest other
exec {waiter}< <(exec cat "$mnt/runs/other/wait" 2>&1)
wait_for is_waiting $!
mv "$home/runs" "$dir/second-runs"
expect_line "$waiter" "cat: $mnt/runs/other/wait: No such file or directory"
kill "$process"

# What a link leads to is replaced: no watch tells of that.
mkdir "$dir/links"
ln -s "$dir/first" "$dir/links/runs"
ln -s "$dir/links/runs" "$home/runs"
expect_eq "$(cat "$mnt/runs/$id/status")" completed
ln -sfn "$dir/second-runs" "$dir/links/runs"
expect_errno ENOENT cat "$mnt/runs/$id/status"
expect_runs "other "
held third
expect_eq "$(cat "$mnt/runs/third/status")" running
exec {waiter}< <(exec cat "$mnt/runs/third/wait" 2>&1)
wait_for is_waiting $!
cp -R "$dir/second-runs" "$dir/third-runs"
"$here/guild.py" "$dir/third-runs/third" end 7
ln -sfn "$dir/third-runs" "$dir/links/runs"
expect_line "$waiter" "error 7"
kill "$process"

# A run alone is replaced, by a link, since that is done at once.
mkdir "$dir/fourth"
ln -s "$dir/fourth" "$home/runs/fourth"
held fourth
exec {waiter}< <(exec cat "$mnt/runs/fourth/wait" 2>&1)
wait_for is_waiting $!
cp -R "$dir/fourth" "$dir/fourth-ended"
"$here/guild.py" "$dir/fourth-ended" end 9
ln -sfn "$dir/fourth-ended" "$home/runs/fourth"
expect_line "$waiter" "error 9"
kill "$process"
