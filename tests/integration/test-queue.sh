#!/bin/bash
# Job slots: no more runs go on than jobs says; the others wait on disk, in the order in
# which they were asked for, and each starts when one ends, whoever ran that.
. "$(dirname "$0")/lib.sh"

status()
{
	cat "$mnt/runs/$1/status"
}

is()
{
	[ "$(status "$1")" = "$2" ]
}

# expect_status STATUS ID...
expect_status()
{
	local expected=$1 id
	shift
	for id; do
		expect_eq "$id $(status "$id")" "$id $expected"
	done
}

latest_is()
{
	[ "$(readlink "$mnt/latest")" = "runs/$1" ]
}

# digests ID: of all that runfs and Guild have stored of the run.
digests()
{
	(cd "$home/runs/$1/.guild" && find . -type f -exec md5sum {} + | sort)
}

slots()
{
	find "$home/runfs/slots" -type f ! -name '.*' | wc -l
}

stories=$(cd "$(dirname "$0")" && pwd)
make_told
make_program hello.sh <<'END'
#!/bin/sh
echo "hello $FLAG_X"
exit ${FLAG_EXIT:-0}
END
start_mount -o jobs=2
cd "$mnt"

### The limit as a file

expect_eq "$(stat -c %a jobs)" 644
expect_eq "$(cat jobs)" 2
for text in max pause 0 3 2; do
	echo "$text" >"$mnt/jobs"
	expect_eq "$(cat jobs)" "$text"
	expect_eq "$(stat -c %s jobs)" "$((${#text} + 1))"
done
for text in -1 two '' 1.5 '1 2' 9999999999; do
	expect_errno EINVAL put jobs "$text"
done
: >"$mnt/jobs"
expect_eq "$(cat jobs)" 2
expect_eq "$(cat "$home/runfs/jobs")" 2

### Runs over the limit wait, in order, on disk

a=$(start_run told)
b=$(start_run told)
c=$(start_run hello.sh x=c)
d=$(start_run told)
expect_status running "$a" "$b"
expect_status pending "$c" "$d"
expect_eq "$(slots)" 2
expect_eq "$(ls "$home/runfs/queue")" "$(printf '%s\n' "$c" "$d" | sort)"
for id in "$c" "$d"; do
	test -s "$home/runs/$id/.guild/PENDING"
	for name in exit_status started stopped elapsed pid; do
		expect_eq "$(cat "runs/$id/$name")" ""
	done
done
expect_eq "$(cat "runs/$c/flags")" x=c
expect_eq "$(readlink latest)" "runs/$b"
expect_errno EBUSY put "runs/$c/restart" x=d
expect_errno EBUSY put "runs/$c/restart" --needed
expect_errno EBUSY put "runs/$c/flags" x=d

# Who reads, follows through to the end.
timeout 20 cat "runs/$c/output" >"$dir/output" &
reader=$!
timeout 20 cat "runs/$c/wait" >"$dir/wait" &
waiter=$!

# The next one starts when one ends, and then the one after that.
tell "$b" 'exit 0'
expect_result "$b" 'completed 0'
expect_result "$c" 'completed 0'
expect_exit "$reader" 0
expect_exit "$waiter" 0
expect_eq "$(cat "$dir/output")" 'hello c'
expect_eq "$(cat "$dir/wait")" 'completed 0'
wait_for is "$d" running
wait_for latest_is "$d"
expect_eq "$(ls "$home/runfs/queue")" ""

### Out of the queue: as it was before

e=$(start_run hello.sh x=e)
expect_status pending "$e"
echo >"runs/$e/stop"
expect_status staged "$e"
expect_eq "$(cat "runs/$e/wait")" staged
expect_eq "$(ls "$home/runfs/queue")" ""
echo x=f >"runs/$e/flags"

# One that has ended keeps what it had: its status, its output, its flags.
before=$(digests "$c")
echo 'x=other exit=3' >"runs/$c/restart"
expect_eq "$(cat "runs/$c/restart")" "Restarting $c"
expect_status pending "$c"
expect_eq "$(cat "runs/$c/exit_status")" ""
expect_eq "$(stat -c %s "runs/$c/output")" 0
expect_eq "$(dd "if=runs/$c/output" iflag=nonblock status=none)" ""
expect_eq "$(cat "runs/$c/flags")" x=c
echo STOP >"runs/$c/stop"
expect_status pending "$c"
echo KILL >"runs/$c/stop"
expect_status completed "$c"
expect_eq "$(cat "runs/$c/exit_status")" 0
expect_eq "$(cat "runs/$c/output")" 'hello c'
expect_eq "$(digests "$c")" "$before"

### needed is looked at again when the turn comes

echo '--needed x=other' >"runs/$c/restart"
expect_status pending "$c"
echo x=n >"runs/$e/flags"
touch ops/hello.sh/needed
same=$(start_run hello.sh x=n)
equal=$(start_run hello.sh x=n)
rm ops/hello.sh/needed
echo x=n >"runs/$e/restart"
expect_status pending "$c" "$same" "$equal" "$e"
echo >"runs/$same/stop"
tell "$d" 'exit 0'
expect_result "$c" 'completed 0'
expect_eq "$(cat "runs/$c/output")" 'hello other'
# equal came before e, so it runs; it would not have, had e been first.
expect_result "$equal" 'completed 0'
expect_result "$e" 'completed 0'
d=$(start_run told)
echo '--needed x=other' >"runs/$c/restart"
expect_eq "$(cat "runs/$c/restart")" \
	'Skipping run because flags have not changed (--needed specified)'
touch ops/hello.sh/needed
first=$(start_run hello.sh x=new)
second=$(start_run hello.sh x=new)
rm ops/hello.sh/needed
expect_status pending "$first" "$second"
tell "$d" 'exit 0'
expect_result "$first" 'completed 0'
wait_for is "$second" staged

### A run that can't be started is an error that says why, and holds up nobody

d=$(start_run told)
lost=$(start_run hello.sh x=lost)
next=$(start_run hello.sh x=next)
rm "$home/runs/$lost/hello.sh"
tell "$d" 'exit 0'
expect_result "$next" 'completed 0'
expect_result "$lost" error
expect_eq "$(cat "runs/$lost/output")" "'./hello.sh' is not there"
expect_eq "$(cat "runs/$lost/restart")" "error: './hello.sh' is not there"
expect_eq "$(ls "$home/runfs/queue")" ""

### pause lets none start, and what goes on goes on

echo pause >"$mnt/jobs"
p=$(start_run hello.sh x=p)
expect_status pending "$p"
expect_status running "$a"
echo 0 >"$mnt/jobs"
expect_result "$p" 'completed 0'
echo 1 >"$mnt/jobs"

### Guild's runs count, and their end makes room

tell "$a" 'exit 0'
expect_result "$a" 'completed 0'
mkdir "$home/runs/g"
guild()
{
	python3 "$stories/guild.py" "$home/runs/g" "$@"
}
guild init "script:/p '' '' x.sh"
RUN_DIR=$home/runs/g sleep 300 &
guilds=$!
guild spawn "$guilds"
q=$(start_run hello.sh x=q)
expect_status pending "$q"
guild end 0
expect_result "$q" 'completed 0'
kill "$guilds"

### A supervisor that is killed gives its slot back at once

a=$(start_run told)
r=$(start_run hello.sh x=r)
expect_status pending "$r"
kill -KILL "$(cat "runs/$a/pid")"
expect_result "$r" 'completed 0'
expect_status error "$a"

### Two mounts of the home: one limit, one queue

mnt=$dir/second start_mount -o jobs=2
expect_eq "$(cat jobs "$dir/second/jobs")" $'2\n2'
a=$(start_run told)
b=$(mnt=$dir/second start_run told)
c=$(start_run hello.sh x=1)
d=$(mnt=$dir/second start_run hello.sh x=2)
expect_status running "$a" "$b"
expect_status pending "$c" "$d"
expect_eq "$(cat "$dir/second/runs/$c/status")" pending
tell "$b" 'exit 0'
expect_result "$c" 'completed 0'
expect_result "$d" 'completed 0'
# The mount that was asked may be gone.
b=$(mnt=$dir/second start_run told)
c=$(mnt=$dir/second start_run hello.sh x=3)
expect_status pending "$c"
stop_mount "$dir/second"
tell "$b" 'exit 0'
expect_result "$c" 'completed 0'
tell "$a" 'exit 0'
expect_result "$a" 'completed 0'
expect_eq "$(slots)" 0

### A mount that may not write starts nothing, and sets nothing

cd /
stop_mount
expect_not "$RUNFS_MOUNT" "$home" "$mnt" -o ro,jobs=1 2>"$dir/said"
grep -q 'leave one of them out' "$dir/said"
expect_not "$RUNFS_MOUNT" "$home" "$mnt" -o jobs=some 2>"$dir/said"
grep -q 'option jobs takes' "$dir/said"
