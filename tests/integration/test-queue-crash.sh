#!/bin/bash
# What waits for a job slot is not lost, whatever dies: the daemon, all daemons, those
# that hold runs, or the machine. The next mount goes on with it, in the same order.
. "$(dirname "$0")/lib.sh"

is()
{
	[ "$(cat "$mnt/runs/$1/status")" = "$2" ]
}

expect_status()
{
	local expected=$1 id
	shift
	for id; do
		expect_eq "$id $(cat "$mnt/runs/$id/status")" "$id $expected"
	done
}

# Kills the daemon of $mnt, and takes away what it leaves.
kill_mount()
{
	local pid
	pid=$(mount_pid)
	kill -KILL "$pid"
	wait_for has_ended "$pid"
	umount -l "$mnt" || fusermount3 -uz "$mnt"
}

started_us()
{
	cat "$home/runs/$1/.guild/attrs/started"
}

make_told
make_program hello.sh <<'END'
#!/bin/sh
echo "hello $FLAG_X"
END
start_mount -o jobs=1

### The daemon dies: what waits is started by the next one

a=$(start_run told)
b=$(start_run hello.sh x=b)
c=$(start_run hello.sh x=c)
expect_status running "$a"
expect_status pending "$b" "$c"
kill_mount
tell "$a" 'exit 0'
wait_for test -e "$home/runs/$a/.guild/attrs/exit_status"
test -e "$home/runs/$b/.guild/PENDING" # nobody is there to start it
start_mount
expect_result "$b" 'completed 0'
expect_result "$c" 'completed 0'
expect_eq "$(cat "$mnt/runs/$b/output" "$mnt/runs/$c/output")" $'hello b\nhello c'
[ "$(started_us "$b")" -lt "$(started_us "$c")" ] || fail "c was started before b"
expect_eq "$(cat "$mnt/jobs")" 1

### Somebody clears away what is not Guild's: who waits is found again with the others

a=$(start_run told)
b=$(start_run hello.sh x=b)
c=$(start_run hello.sh x=c)
stop_mount
rm -r "$home/runfs/queue"
start_mount
expect_status pending "$b" "$c"
expect_eq "$(ls "$mnt/runs" | wc -l)" "$(ls "$home/runs" | wc -l)"
tell "$a" 'exit 0'
expect_result "$b" 'completed 0'
expect_result "$c" 'completed 0'
[ "$(started_us "$b")" -lt "$(started_us "$c")" ] || fail "c was started before b"

### Everything dies, as when the power goes

a=$(start_run told)
echo x=again >"$mnt/runs/$b/restart"
new=$(start_run hello.sh x=new)
expect_status pending "$b" "$new"
supervisor=$(cat "$mnt/runs/$a/pid")
kill_mount
kill -KILL "$supervisor"
wait_for has_ended "$supervisor"
start_mount
expect_status error "$a"
expect_result "$b" 'completed 0'
expect_result "$new" 'completed 0'
expect_eq "$(cat "$mnt/runs/$b/output")" 'hello again'
wait_for test -z "$(ls "$home/runfs/queue")"

### What a supervisor leaves that dies on the way into the queue, and out of it

echo pause >"$mnt/jobs"
echo x=1 >"$mnt/runs/$b/restart"
echo x=2 >"$mnt/runs/$c/restart"
expect_status pending "$b" "$c"
kill_mount
rm "$home/runs/$b/.guild/PENDING"             # announced, and no marker yet
: >"$home/runfs/queue/0123456789abcdef"       # of a new run that never was
: >"$home/runfs/slots/$c"                     # a slot that nobody holds
: >"$home/runfs/queue/.$b"                    # half an announcement
start_mount
echo 1 >"$mnt/jobs"
expect_result "$c" 'completed 0'
expect_eq "$(cat "$mnt/runs/$c/output")" 'hello 2'
expect_eq "$(cat "$mnt/runs/$b/output")" 'hello again'
expect_status completed "$b"
wait_for test ! -e "$home/runfs/queue/$b"
wait_for test ! -e "$home/runfs/queue/0123456789abcdef"
echo x=3 >"$mnt/runs/$b/restart"
expect_result "$b" 'completed 0'
expect_eq "$(cat "$mnt/runs/$b/output")" 'hello 3'

### A PENDING of Guild's is one only as long as the machine is up

: >"$home/runs/$a/.guild/PENDING"
expect_status pending "$a"
expect_errno EBUSY put "$mnt/runs/$a/restart" ''
touch -d 2001-01-01 "$home/runs/$a/.guild/PENDING"
expect_status error "$a"
echo >"$mnt/runs/$a/restart"
wait_for is "$a" running
expect_not test -e "$home/runs/$a/.guild/PENDING"

### Whoever serves the home when the slot is free starts what waits

mnt=$dir/second start_mount
b=$(start_run hello.sh x=second)
expect_status pending "$b"
kill_mount
tell "$a" 'exit 0'
wait_for grep -qx completed "$dir/second/runs/$b/status"
expect_eq "$(cat "$dir/second/runs/$b/output")" 'hello second'
expect_eq "$(find "$home/runs" -name PENDING)" ""
stop_mount "$dir/second"
