#!/bin/bash
# Whoever is killed, the others go on: a run without its daemon, a home without the
# supervisor of a run, a mount without the command.
. "$(dirname "$0")/lib.sh"

make_told

### The daemon

start_mount
id=$(start_run told)
run=$mnt/runs/$id
tell "$id" 'echo one'
wait_for grep -q one "$home/runs/$id/.guild/output"
cat "$run/output" >"$dir/text" 2>"$dir/error" &
reader=$!
wait_for is_waiting "$reader"
daemon=$(mount_pid)
kill -KILL "$daemon"
expect_exit "$reader" 1
wait_for has_ended "$daemon"
expect_errno ENOTCONN ls "$mnt"
tell "$id" 'echo two'
wait_for grep -q two "$home/runs/$id/.guild/output"

# The next mount takes the dead one away first.
start_mount
expect_eq "$(mount_column 5 "$mnt")" "$mnt"
expect_eq "$(cat "$run/status")" running
exec {output}< <(exec cat "$run/output")
expect_line "$output" one
expect_line "$output" two
tell "$id" 'echo three; exit 0'
expect_line "$output" three
expect_no_more "$output"
expect_result "$id" "completed 0"

# A run that ends while nobody serves it.
echo >"$run/restart"
tell "$id" 'echo alone'
supervisor=$(cat "$run/pid")
kill -KILL "$(mount_pid)"
tell "$id" 'exit 7'
wait_for has_ended "$supervisor"
start_mount
expect_result "$id" "error 7"
expect_eq "$(cat "$run/output")" alone

# A daemon that dies again and again, the moment it has started a run.
for ((i = 0; i < 10; i++)); do
	echo >"$run/restart"
	kill -KILL "$(mount_pid)"
	tell "$id" "echo round $i; exit $i"
	start_mount
	[ "$i" -gt 0 ] || expect_result "$id" "completed 0"
	[ "$i" -eq 0 ] || expect_result "$id" "error $i"
	expect_eq "$(cat "$run/output")" "round $i"
done

### The supervisor

echo >"$run/restart"
tell "$id" 'echo $$ >shell-pid; echo started'
exec {output}< <(exec cat "$run/output")
expect_line "$output" started
reader=$!
shell=$(cat "$home/runs/$id/shell-pid")
cat "$run/wait" >"$dir/result" &
waiter=$!
wait_for is_waiting "$reader"
wait_for is_waiting "$waiter"
kill -KILL "$(cat "$run/pid")"
wait_for has_ended "$shell"
expect_exit "$waiter" 0
expect_no_more "$output"
expect_eq "$(cat "$dir/result")" error
expect_eq "$(cat "$run/status")" error
expect_eq "$(cat "$run/pid")$(cat "$run/exit_status")$(cat "$run/stopped")" ""
expect_eq "$(cat "$run/output")" started
echo >"$run/stop"

echo >"$run/restart"
expect_eq "$(cat "$run/status")" running
tell "$id" 'echo again; exit 0'
expect_result "$id" "completed 0"
expect_eq "$(cat "$run/output")" again

### The command

echo >"$run/restart"
tell "$id" 'echo $$ >shell-pid; echo started'
exec {output}< <(exec cat "$run/output")
expect_line "$output" started
kill -KILL "$(cat "$home/runs/$id/shell-pid")"
expect_result "$id" "terminated -9"
expect_no_more "$output"
expect_eq "$(cat "$run/exit_status")" -9
