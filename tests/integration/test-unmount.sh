#!/bin/bash
# A mount goes away whoever reads from it, and leaves the runs alone: the next mount shows
# them as they are, with all that they have written meanwhile.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$0")
make_told

### Runs that nobody reads

start_mount
ended_id=$(start_run told)
id=$(start_run told)
tell "$id" 'echo before; exec 3>&-'
wait_for grep -q before "$home/runs/$id/.guild/output"
wait_for test -p "$home/runs/$ended_id/tell"
supervisor=$(cat "$mnt/runs/$id/pid")
ended_supervisor=$(cat "$mnt/runs/$ended_id/pid")
daemon=$(mount_pid)
stop_mount
expect_not is_mounted "$mnt"
expect_not has_ended "$supervisor"

tell "$ended_id" 'echo unseen; exit 4'
wait_for has_ended "$ended_supervisor"
tell "$id" 'echo between'
wait_for grep -q between "$home/runs/$id/.guild/output"

start_mount
expect_eq "$(cat "$mnt/runs/$ended_id/status")" error
expect_result "$ended_id" "error 4"
expect_eq "$(cat "$mnt/runs/$ended_id/output")" unseen
expect_eq "$(cat "$mnt/runs/$id/status")" running
expect_eq "$(cat "$mnt/runs/$id/pid")" "$supervisor"
expect_errno EBUSY put "$mnt/runs/$id/restart" ""
exec {output}< <(exec cat "$mnt/runs/$id/output")
expect_line "$output" before
expect_line "$output" between

### Readers that wait are in umount's way, and are not disturbed

reader=$!
wait_for is_waiting "$reader"
expect_not umount "$mnt"
tell "$id" 'echo after'
expect_line "$output" after

### umount -l: they are served to the end, then the daemon goes

wait_for is_waiting "$reader"
daemon=$(mount_pid)
umount -l "$mnt"
expect_not is_mounted "$mnt"
expect_eq "$(ls "$mnt")" ""
tell "$id" 'echo last words; exit 0'
expect_line "$output" "last words"
expect_no_more "$output"
expect_exit "$reader" 0
wait_for has_ended "$daemon"

### umount -f, and SIGTERM or SIGINT to the daemon: they get an error, at once

is_unmounted()
{
	! is_mounted "$mnt"
}

# expect_cut_off COMMAND...: what it does to the mount ends all who wait, and the daemon.
expect_cut_off()
{
	local readers=() pollers=() pid file daemon
	daemon=$(mount_pid)
	for file in output wait; do
		cat "$mnt/runs/$id/$file" >>"$dir/text" 2>>"$dir/errors" &
		readers+=("$!")
		"$here/follow.py" epoll "$mnt/runs/$id/$file" >"$dir/polled" 2>&1 &
		pollers+=("$!")
		wait_for grep -q waits "$dir/polled"
	done
	for pid in "${readers[@]}"; do
		wait_for is_waiting "$pid"
	done
	"$@"
	for pid in "${readers[@]}"; do
		expect_exit "$pid" 1
	done
	for pid in "${pollers[@]}"; do
		wait_for has_ended "$pid"
	done
	wait_for has_ended "$daemon"
	wait_for is_unmounted
	expect_eq "$(cat "$dir/text")" ""
}

start_mount
echo >"$mnt/runs/$id/restart"
force()
{
	umount -f "$mnt" || : # it says busy, and aborts it
}
expect_cut_off force
for signal in TERM INT HUP; do
	start_mount
	expect_eq "$(cat "$mnt/runs/$id/status")" running
	end_daemon()
	{
		kill "-$signal" "$(mount_pid)"
	}
	expect_cut_off end_daemon
done

start_mount
expect_eq "$(cat "$mnt/runs/$id/status")" running
tell "$id" 'echo through it all; exit 0'
expect_result "$id" "completed 0"
expect_eq "$(cat "$mnt/runs/$id/output")" "through it all"
stop_mount
nothing_runs || fail "left behind: $(processes_left)"
