#!/bin/bash
# A word written to stop ends a run or sends it that signal: all of its processes, at
# once or after the mount's patience, and whoever started it.
. "$(dirname "$0")/lib.sh"

make_told
start_mount -o stop_timeout=1
id=$(start_run told)
run=$mnt/runs/$id

# restart: the run again, at a standstill, with an empty output.
restart()
{
	[ "$(cat "$run/status")" = running ] || echo >"$run/restart"
}
expect_output()
{
	wait_for grep -qx "$1" "$home/runs/$id/.guild/output"
}

### The words for the end

for word in '' 1 TERM SIGTERM; do
	restart
	tell "$id" 'echo ready'
	expect_output ready
	echo "$word" >"$run/stop"
	expect_result "$id" "terminated -15"
	[ -s "$run/stopped" ] # ended, and not lost
done
restart
printf 1 >"$run/stop" # without a newline
expect_result "$id" "terminated -15"

# A run that has ended is stopped already.
expect_eq "$(cat "$run/status")" terminated
stopped=$(cat "$run/stopped")
echo >"$run/stop"
echo KILL >"$run/stop"
expect_eq "$(cat "$run/stop")" ""
expect_eq "$(cat "$run/stopped")" "$stopped"

### Signals by name

restart
echo INT >"$run/stop"
expect_result "$id" "terminated -2"

restart
tell "$id" 'echo ready'
expect_output ready
echo KILL >"$run/stop"
expect_result "$id" "terminated -9"

restart
for signal in USR1 USR2 HUP QUIT usr1 SIGUSR2 10; do
	tell "$id" "trap 'echo got $signal' $signal; echo ready for $signal"
	expect_output "ready for $signal"
	echo "$signal" >"$run/stop"
	# bash looks at its traps when the next line comes
	tell "$id" :
	expect_output "got $signal"
done
expect_eq "$(cat "$run/status")" running

tell "$id" 'echo $$ >shell-pid; echo written'
expect_output written
shell=$(cat "$home/runs/$id/shell-pid")
echo STOP >"$run/stop"
wait_for grep -q '^State:.T' "/proc/$shell/status"
expect_eq "$(cat "$run/status")" running
echo CONT >"$run/stop"
wait_for grep -q '^State:.S' "/proc/$shell/status"
tell "$id" 'echo goes on'
expect_output "goes on"

# One that is held can be ended all the same.
echo STOP >"$run/stop"
wait_for grep -q '^State:.T' "/proc/$shell/status"
echo >"$run/stop"
expect_result "$id" "terminated -15"

# And so can one whose supervisor somebody holds.
restart
tell "$id" 'echo ready'
expect_output ready
supervisor=$(cat "$run/pid")
kill -STOP "$supervisor"
wait_for grep -q '^State:.T' "/proc/$supervisor/status"
echo >"$run/stop"
expect_result "$id" "terminated -15"

### What is no signal

restart
for word in TURM 99 -9 "TERM KILL"; do
	expect_errno EINVAL put "$run/stop" "$word"
	expect_eq "$(cat "$run/stop")" "error: '$word' is no signal: write an empty line,\
 or TERM, INT, KILL, STOP, CONT, HUP, USR1, USR2, or a number from 1 to 31"
done
expect_eq "$(cat "$run/status")" running

### A run that does not want to end

tell "$id" 'trap "echo not yet" TERM; echo ready'
expect_output ready
echo >"$run/stop"
tell "$id" :
expect_output "not yet"
expect_result "$id" "terminated -9"

### The whole process group

restart
tell "$id" 'sleep 1000 & echo $! >child-pid'
tell "$id" '(trap "" TERM; echo $BASHPID >stubborn-pid; echo ready; exec sleep 1001) &'
expect_output ready
child=$(cat "$home/runs/$id/child-pid")
stubborn=$(cat "$home/runs/$id/stubborn-pid")
echo >"$run/stop"
expect_result "$id" "terminated -15"
has_ended "$child"
has_ended "$stubborn"

### A run that an earlier mount has started

restart
tell "$id" 'echo ready'
expect_output ready
stop_mount
start_mount
expect_eq "$(cat "$run/status")" running
echo >"$run/stop"
expect_result "$id" "terminated -15"

# The patience is that of the mount that started the run.
restart
tell "$id" 'trap "" TERM; echo ready'
expect_output ready
mnt=$dir/second start_mount -o stop_timeout=0
stop_mount "$dir/second"
expect_eq "$(cat "$run/status")" running
mnt=$dir/second start_mount
echo KILL >"$dir/second/runs/$id/stop"
expect_result "$id" "terminated -9"
