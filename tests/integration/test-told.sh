#!/bin/bash
# What the kernel has been told of the runs is over when they change: at once for what was
# done through the same mount, within a second whoever did it. Nothing hangs over it,
# however the mount ends.
. "$(dirname "$0")/lib.sh"

here=$(dirname "$0")
make_program quick <<'END'
#!/bin/sh
exit 0
END
start_mount
other=$dir/other
mnt=$other start_mount
id=$(start_run quick)
expect_result "$id" "completed 0"

# milliseconds COMMAND...: how long it takes until the command succeeds.
milliseconds()
{
	local begin
	begin=$(date +%s%3N)
	wait_for "$@"
	echo $(($(date +%s%3N) - begin))
}
# expect_within_a_second COMMAND...: and as much again for a slow machine.
expect_within_a_second()
{
	[ "$(milliseconds "$@")" -lt 2000 ] || fail "took more than a second: $*"
}

### Through the same mount, at once

"$here/told.py" restart "$mnt/runs/$id"

### Through another, within a second; what comes and goes there, at once

is_size()
{
	[ "$(stat -c %s "$1")" -eq "$2" ]
}
long=$(printf '%0500d' 7)
stat "$other/runs/$id/env" >"$dir/text"
echo "x='$long'" >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
expect_within_a_second is_size "$other/runs/$id/env" \
	"$(wc -c <"$mnt/runs/$id/env")"
expect_eq "$(cat "$other/runs/$id/flags")" "$(cat "$mnt/runs/$id/flags")"
"$here/told.py" sizes "$other/runs/$id"

expect_not test -e "$other/runs/$id/needed"
touch "$mnt/runs/$id/needed"
test -e "$other/runs/$id/needed"
rm "$mnt/runs/$id/needed"
expect_not test -e "$other/runs/$id/needed"

expect_not test -e "$other/runs/new"
"$here/guild.py" "$home/runs/new" init "script:$project '' '' quick"
test -d "$other/runs/new"

# tail -f there follows what is started here.
make_told
told=$(start_run told)
tell "$told" 'echo one'
wait_for grep -q one "$home/runs/$told/.guild/output"
exec {tail}< <(exec tail -f "$other/runs/$told/output")
tail_pid=$!
expect_line "$tail" one
tell "$told" 'echo two; exit 0'
expect_line "$tail" two
expect_result "$told" "completed 0"
kill "$tail_pid"
exec {tail}<&-

### A run that goes: the kernel is told, and does not find out by itself

is_gone()
{
	! stat "$1" >/dev/null 2>&1
}
all=0
for ((i = 0; i < 10; i++)); do
	stat "$mnt/runs/new" "$mnt/runs/new/op" >"$dir/text"
	(cd "$mnt/runs/new" && ls >"$dir/text")
	mv "$home/runs/new" "$dir/new"
	took=$(milliseconds is_gone "$mnt/runs/new")
	expect_errno ENOENT ls "$mnt/runs/new"
	expect_errno ENOENT cat "$mnt/runs/new/op"
	expect_not cd "$mnt/runs/new" 2>"$dir/text"
	mv "$dir/new" "$home/runs/new"
	test -d "$mnt/runs/new"
	all=$((all + took))
done
# The kernel would ask by itself after a second.
[ "$all" -lt 5000 ] || fail "was not told, but found out in $all ms"

### However a mount ends, nobody hangs: with many changes to tell of, and many looks

# ends_well COMMAND...: while others change runs/ and look, the command ends the mount.
ends_well()
{
	local churn look daemon
	daemon=$(mount_pid)
	exec {churn}< <(exec "$here/told.py" churn "$home/runs" "$mnt/runs")
	look=$!
	expect_line "$churn" busy
	"$@"
	wait_for has_ended "$daemon"
	kill "$look"
	wait_for has_ended "$look"
	exec {churn}<&-
	! is_mounted "$mnt" || umount -l "$mnt"
	start_mount
	expect_eq "$(cat "$mnt/runs/$id/status")" completed
}
lazily()
{
	umount -l "$mnt"
}
by_force()
{
	umount -f "$mnt" 2>"$dir/text" || : # it says busy, and aborts it
}
by_death()
{
	kill -KILL "$(mount_pid)"
}
by_signal()
{
	kill "$(mount_pid)"
}
for ((round = 0; round < 5; round++)); do
	for way in by_force by_death by_signal lazily; do
		ends_well "$way"
	done
done
