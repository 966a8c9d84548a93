#!/bin/bash
# When inotify can't tell (its queue runs over; no watch or no instance is left), the home
# is looked at again within a second, and nothing wrong is shown or waited for in vain.
#
# In a user namespace of its own, so that limits are this story's only. There nobody can
# unmount what others have mounted, but what they unmount themselves goes there, too.
if [ "${1-}" != inside ]; then
	apart=()
	[ "$(id -u)" -ne 0 ] || apart=(bash "$(dirname "$0")/apart.sh")
	exec "${apart[@]}" unshare --user --map-root-user --mount --propagation slave \
		bash "$0" inside
fi
. "$(dirname "$0")/lib.sh"

here=$(dirname "$0")
make_told
limits=/proc/sys/user

guild()
{
	local id=$1
	shift
	"$here/guild.py" "$home/runs/$id" "$@"
}
# spawn ID: starts a process for it, as Guild would.
processes=()
spawn()
{
	RUN_DIR=$home/runs/$1 sleep 1000 &
	processes+=($!)
	guild "$1" spawn $!
}
# guild_runs ID: as guild.py, with a process of Guild's.
guild_runs()
{
	guild "$1" init "script:$project '' '' told"
	(cd "$home/runs/$1" && exec sleep 1000) &
	processes+=("$!")
	wait_for test "/proc/$!/cwd" -ef "$home/runs/$1"
	guild "$1" spawn "$!"
}
processes=()
lists()
{
	[ "$(ls "$mnt/runs")" = "$1" ]
}
is_latest()
{
	[ "$(readlink "$mnt/latest")" = "runs/$1" ]
}
is_gone()
{
	! stat "$mnt/runs/$1" >/dev/null 2>&1
}
expect_within_a_second()
{
	local begin
	begin=$(date +%s%3N)
	wait_for "$@"
	[ $(($(date +%s%3N) - begin)) -lt 2000 ] || fail "took more than a second: $*"
}

# All that may change behind the daemon, while it sleeps or can't watch.
change_all()
{
	guild one end 0
	rm -r "$home/runs/two"
	guild three init "script:$project '' '' told"
	spawn three
}
expect_all_seen()
{
	expect_line "$waiter" "completed 0"
	expect_within_a_second is_gone two
	expect_within_a_second lists "one
three"
	expect_within_a_second is_latest three
	expect_eq "$(cat "$mnt/runs/three/status")" running
	expect_eq "$(cat "$mnt/runs/one/status")" completed
	"$here/told.py" sizes "$mnt/runs/one"
}
begin()
{
	rm -rf "$home/runs"
	guild one init "script:$project '' '' told"
	spawn one
	guild two init "script:$project '' '' told"
	start_mount
	exec {waiter}< <(exec cat "$mnt/runs/one/wait")
	wait_for is_waiting $!
	expect_eq "$(ls -l "$mnt/runs" | wc -l)" 3
	stat "$mnt/runs/two" >"$dir/text"
}
end()
{
	stop_mount
	exec {waiter}<&-
}

### Its queue runs over

is_stopped()
{
	grep -q '^State:.T' "/proc/$1/status"
}
begin
daemon=$(mount_pid)
kill -STOP "$daemon"
wait_for is_stopped "$daemon"
python3 -c '
import os, sys
number = int(open("/proc/sys/fs/inotify/max_queued_events").read())
for i in range(number // 2 + 10):
    os.mkdir(sys.argv[1])
    os.rmdir(sys.argv[1])
' "$home/runs/.passing"
change_all
kill -CONT "$daemon"
expect_all_seen
# and it watches as before
tell_of_another()
{
	guild four init "script:$project '' '' told"
	expect_within_a_second lists "four
one
three"
}
tell_of_another
end

### No watch is left, or only one of the two that the home takes; and no instance

# expect_seen_with NUMBER WHAT
expect_seen_with()
{
	local most
	most=$(cat "$limits/max_inotify_$2")
	echo "$1" >"$limits/max_inotify_$2"
	begin 2>"$dir/error"
	grep -q "no inotify $2 left: changes are looked for twice a second" "$dir/error"
	change_all
	expect_all_seen
	tell_of_another
	echo "$most" >"$limits/max_inotify_$2"
	end
}
expect_seen_with 0 watches
expect_seen_with 1 watches
expect_seen_with 0 instances

# Enough for the home, but not for the run that is waited for.
echo 3 >"$limits/max_inotify_watches"
begin
change_all
expect_all_seen
end
kill "${processes[@]}"
