#!/bin/bash
# mount.runfs as mount(8), fstab and people call it: what it takes, what it refuses with
# one clear line, and what other users and a kernel with limits may do with the mount.
. "$(dirname "$0")/lib.sh"

make_told

# helper ARGUMENT...: as mount(8) has it, options after the operands.
helper()
{
	timeout "$deadline" "$RUNFS_MOUNT" "$@"
}

# expect_refused STATUS SENTENCE ARGUMENT...: says that, nothing else, and mounts nothing.
expect_refused()
{
	local expected=$1 sentence=$2 status=0
	shift 2
	helper "$@" >"$dir/said" 2>&1 || status=$?
	expect_eq "$(cat "$dir/said")" "mount.runfs: $sentence"
	expect_eq "exit status $status" "exit status $expected"
	expect_eq "$(mounts_left)" ""
}

### Refused

expect_refused 1 "unknown option 'nonsense': see mount.runfs(8)" \
	"$home" "$mnt" -o rw,nonsense
expect_refused 1 "unknown option 'jbos=3': see mount.runfs(8)" "$home" "$mnt" -o jbos=3
expect_refused 1 "unknown option '-x': see mount.runfs --help" "$home" "$mnt" -x
expect_refused 1 "option ro takes no value" "$home" "$mnt" -o ro=1
expect_refused 1 "option stop_timeout takes a whole number: stop_timeout=N" \
	"$home" "$mnt" -o stop_timeout=soon
expect_refused 1 "option project takes a directory: project=DIR" "$home" "$mnt" -o project
for arguments in "" "$home" "$home $mnt more"; do
	# shellcheck disable=SC2086 # words
	expect_refused 1 "write mount.runfs HOME MOUNTPOINT [-o OPTION,...]" $arguments
done

expect_refused 1 "$dir/none: No such file or directory: the home must be a directory\
 that exists" "$dir/none" "$mnt"
expect_refused 1 "$dir/none: No such file or directory: make the directory to mount on\
 first" "$home" "$dir/none"
expect_refused 1 "$dir/none: the project must be a directory that exists" \
	"$home" "$mnt" -o "project=$dir/none"
expect_refused 1 "$mnt lies in the mount point: mount somewhere else" \
	"$home" "$mnt" -o "project=$mnt"
touch "$dir/file"
expect_refused 1 "$dir/file is no directory: runs can only be mounted on one" \
	"$home" "$dir/file"
expect_refused 1 "$dir/file: Not a directory: the home must be a directory that exists" \
	"$dir/file" "$mnt"
mkdir "$home/within"
ln -s "$home/within" "$dir/link"
for point in "$home" "$home/within" "$dir" / "$dir/link" "$home/../home/within"; do
	expect_refused 1 "$point is the home $home, or lies in it or above it:\
 mount somewhere else" "$home" "$point"
done
rmdir "$home/within"

(
	export RUNFS_LIBEXEC=$dir/none
	expect_refused 2 "$dir/none/runfs-supervisor: No such file or directory:\
 runfs is not installed whole" "$home" "$mnt"
)
if [ "$(id -u)" -eq 0 ]; then
	chmod 755 "$dir"
	status=0
	setpriv --reuid=65534 --regid=65534 --clear-groups "$RUNFS_MOUNT" "$home" "$mnt" \
		>"$dir/said" 2>&1 || status=$?
	expect_eq "exit status $status" "exit status 32"
	expect_eq "$(wc -l <"$dir/said")" 1
	expect_eq "$(mounts_left)" ""
fi

### Taken

helper "$home" "$mnt" -f -o rw # fake: only looks whether it would
expect_eq "$(mounts_left)" ""
expect_eq "$(ls -A "$home")" ""
expect_refused 1 "$dir/none: No such file or directory: make the directory to mount on\
 first" "$home" "$dir/none" -f

expect_eq "$(helper "$home" "$mnt" -s -n -v -t runfs -N 1 -o rw,nonsense,noatime)" \
	"$home mounted on $mnt"
expect_eq "$(findmnt -no FSTYPE "$mnt") $(findmnt -no SOURCE "$mnt")" "fuse.runfs $home"
mount_column 6 "$mnt" | grep -q 'nosuid,nodev,noatime'
expect_eq "$(ls "$mnt/ops")" "" # a home that is not called .guild has no project
stop_mount

helper "$home" "$mnt" \
	-o "rw,user,nofail,_netdev,auto,x-systemd.automount,comment=mine,project=$project"
expect_eq "$(ls "$mnt/ops")" told
stop_mount

mkdir "$project/.guild" "$dir/a, b"
(
	cd "$project"
	helper .guild ../mnt -o rw
)
test -e "$mnt/ops/told/run" # the parent of .guild is the project
expect_eq "$(findmnt -no SOURCE "$mnt")" "$project/.guild"
daemon=$(mount_pid ../mnt)
unmount "$mnt"
wait_for has_ended "$daemon"
rm -r "$project/.guild"

cp "$project/told" "$dir/a, b/other"
helper "$home" "$mnt" -o "project=$dir/a\\, b"
test -e "$mnt/ops/other/run"
stop_mount

### Read-only

start_mount
id=$(start_run told)
tell "$id" 'echo text'
stop_mount
start_mount -o ro
run=$mnt/runs/$id
mount_column 6 "$mnt" | grep -q '^ro,'
expect_eq "$(cat "$run/status")" running
expect_eq "$(head -n 1 "$run/output")" text
for file in "$run/stop" "$run/restart" "$run/needed" "$mnt/ops/told/run"; do
	expect_errno EROFS put "$file" ""
done
tell "$id" 'exit 0'
expect_result "$id" "completed 0"
stop_mount

### In the foreground

exec {said}< <(exec env --default-signal=INT "$RUNFS_MOUNT" "$home" "$mnt" \
	-o "foreground,project=$project" 2>&1)
daemon=$!
wait_for test -e "$mnt/README"
expect_eq "$(mount_pid)" "$daemon"
kill -INT "$daemon"
expect_no_more "$said"
expect_exit "$daemon" 0
expect_eq "$(mounts_left)" ""

### One that is dead already, and one that is not

start_mount
kill -KILL "$(mount_pid)"
wait_for expect_errno ENOTCONN ls "$mnt"
helper "$home" "$mnt" -o rw
expect_eq "$(mount_column 5 "$mnt")" "$mnt"
test -s "$mnt/README"
stop_mount

### mount(8) itself, with the helper in its place for nobody else

if [ "$(id -u)" -eq 0 ]; then
	cat >"$dir/by-mount" <<'END'
set -e
dir=$1
mkdir "$dir/top" "$dir/work"
cp "$RUNFS_MOUNT" "$dir/top/mount.runfs"
mount -t tmpfs none "$dir/work"
mkdir "$dir/work/upper" "$dir/work/work"
cp "$dir/top/mount.runfs" "$dir/work/upper"
mount -t overlay -o "lowerdir=/usr/sbin,upperdir=$dir/work/upper,workdir=$dir/work/work" \
	none /usr/sbin
mount -t runfs -o "noatime,project=$dir/project" "$dir/home" "$dir/mnt"
test -e "$dir/mnt/ops/told/run"
umount "$dir/mnt"
echo "$dir/home $dir/mnt runfs noauto,nofail,project=$dir/project,ro 0 0" >"$dir/fstab"
mount -T "$dir/fstab" "$dir/mnt"
test -e "$dir/mnt/ops/told/run"
! touch "$dir/mnt/ops/told/run"
umount "$dir/mnt"
status=0
mount -t runfs -o nonsense "$dir/home" "$dir/mnt" || status=$?
[ "$status" -eq 1 ]
END
	bash "$(dirname "$0")/apart.sh" bash "$dir/by-mount" "$dir" 2>"$dir/said" ||
		fail "$(cat "$dir/said")"
	grep -q "unknown option 'nonsense'" "$dir/said"
fi

### Other users

as_nobody()
{
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
if [ "$(id -u)" -eq 0 ]; then
	start_mount
	expect_errno EACCES as_nobody ls "$mnt"
	stop_mount

	for options in allow_other allow_other,uid=65534,gid=65534; do
		start_mount -o "$options"
		echo >"$run/restart"
		tell "$id" 'echo for all to see'
		expect_eq "$(as_nobody cat "$run/status")" running
		expect_eq "$(as_nobody head -n 1 "$run/output")" "for all to see"
		for file in "$run/stop" "$run/restart" "$mnt/ops/told/run"; do
			expect_errno EACCES as_nobody tee "$file" </dev/null
			expect_errno EACCES as_nobody bash -c "echo >$file"
		done
		expect_errno EACCES as_nobody touch "$run/needed"
		expect_eq "$(as_nobody cat "$run/status")" running
		echo >"$run/stop"
		expect_result "$id" "terminated -15"
		expect_errno EACCES as_nobody bash -c "echo >$run/restart"
		expect_eq "$(as_nobody cat "$run/status")" terminated
		stop_mount
	done
fi

### Modes are for root, too

start_mount
for file in status output wait exit_status op cmd; do
	expect_errno EACCES put "$run/$file" x
done
stop_mount

### Programs that lie on the mount, or seem to, are not run, and the mount lives on

# bounded COMMAND...: a daemon that waits for itself could not even be killed.
bounded()
{
	"$@" >"$dir/said" 2>&1 &
	(wait_for has_ended "$!") || abort_mount "$mnt"
	cat "$dir/said"
	wait "$!"
}
cat >"$project/guild.yml" <<END
on-mount: {exec: $mnt/README}
by-path: {exec: told-not-there}
found: {exec: "true"}
END
ln -s "$mnt/README" "$project/link"
printf '#!%s\n' "$mnt/README" >"$project/script"
chmod +x "$project/script"
env PATH="$mnt:$mnt/ops/told:$PATH" "$RUNFS_MOUNT" "$home" "$mnt" -o "project=$project"
expect_errno EACCES bounded put "$mnt/ops/on-mount/run" ""
expect_eq "$(bounded cat "$mnt/ops/on-mount/run")" \
	"error: '$mnt/README' lies on a mount of runfs: programs can't be run from it"
expect_errno ENOENT bounded put "$mnt/ops/by-path/run" ""
expect_errno EACCES bounded put "$mnt/ops/script/run" ""
expect_errno ENOENT bounded put "$mnt/ops/link/run" ""
bounded ls -l "$mnt/ops" >/dev/null
found=$(bounded start_run found)
expect_result "$found" "completed 0"
stop_mount
env PATH="$mnt" GUILD_PYTHON_EXE="$mnt/README" "$RUNFS_MOUNT" "$home" "$mnt" \
	-o "project=$project"
echo 'x = 1' >"$project/script.py"
expect_errno EACCES bounded put "$mnt/ops/script.py/run" ""
expect_eq "$(bounded cat "$run/status")" terminated
stop_mount
rm "$project"/{guild.yml,link,script,script.py}

### A kernel that aborts mounts over slow requests

sysctl=/proc/sys/fs/fuse/max_request_timeout
if [ -w "$sysctl" ]; then
	(
		old=$(cat "$sysctl")
		trap 'echo "$old" >"$sysctl"' EXIT
		echo 3 >"$sysctl"
		start_mount
		test -s "$mnt/README" # it has looked at the limit by now
	)
	echo >"$run/restart"
	exec {waiter}< <(exec cat "$run/wait")
	# Readers that don't ask again are told EINTR, again and again.
	exec {raw}< <(exec python3 -c 'import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open(sys.argv[1], os.O_RDONLY)
buffer = ctypes.create_string_buffer(100)
for i in range(2):
    n = libc.read(fd, buffer, len(buffer))
    print(n, errno.errorcode.get(ctypes.get_errno()), flush=True)' "$run/wait")
	expect_line "$raw" "-1 EINTR"
	expect_line "$raw" "-1 EINTR"
	tell "$id" 'exit 0'
	expect_line "$waiter" "completed 0"
	stop_mount
fi
