#!/bin/bash
# Runs are deleted into Guild's trash, restored, and deleted for good; none is lost on the
# way, whatever tool does it.
. "$(dirname "$0")/lib.sh"

use_project optimizers
make_told
start_mount
trash=$home/trash/runs
runs=$mnt/runs
is_swept()
{
	[ -z "$(ls "$home/cache/runfs/purge")" ]
}

### Deleted and restored

a=$(start_run echo.py x=1)
expect_result "$a" "completed 0"
b=$(start_run echo.py x=2)
expect_result "$b" "completed 0"
expect_eq "$(readlink "$mnt/latest")" "runs/$b"
expect_eq "$(ls "$mnt/trash")" ""
rmdir "$runs/$b"
expect_errno ENOENT ls "$runs/$b"
expect_eq "$(ls "$runs")" "$a"
expect_eq "$(ls "$mnt/trash")" "$b"
expect_eq "$(readlink "$mnt/latest")" "runs/$a"
expect_eq "$(readlink "$mnt/ops/echo.py/latest")" "../../runs/$a"
expect_eq "$(ls "$mnt/ops/echo.py/runs")" "$a"
test -f "$trash/$b/.guild/opref"
expect_not test -e "$home/runs/$b"

deleted=$mnt/trash/$b
expect_eq "$(cat "$deleted/status" "$deleted/wait" "$deleted/op")" \
	"completed"$'\n'"completed 0"$'\n'"echo.py"
expect_eq "$(head -n 1 "$deleted/flags")" x=2
expect_eq "$(cat "$deleted/output")" "2 2 'a'"
expect_eq "$(readlink "$deleted/files")" "$trash/$b"
expect_eq "$(find "$deleted" -type f -perm /222)" ""
expect_errno EACCES put "$deleted/restart" x=3
grep -q "^error: the run $b is deleted: restore it first" "$deleted/restart"
expect_errno EACCES put "$deleted/flags" x=3
expect_errno EACCES truncate -s 0 "$deleted/restart"
expect_errno EPERM touch "$deleted/needed"
expect_errno EPERM mkdir "$mnt/trash/new"
expect_errno EPERM mv "$deleted" "$mnt/trash/other"
expect_errno EPERM mv "$deleted" "$runs/other"
expect_errno EPERM mv "$deleted" "$mnt/ops/"
expect_errno EPERM mv "$runs/$a" "$runs/other"
expect_errno EPERM mv "$runs/$a/label" "$mnt/trash/"
expect_errno EPERM rmdir "$mnt/trash"
expect_errno EPERM rmdir "$runs/$a/attrs"
expect_errno ENOENT rmdir "$mnt/trash/nosuch"
expect_errno ENOENT rmdir "$runs/nosuch"

mv "$deleted" "$runs/"
expect_eq "$(cat "$runs/$b/status")" completed
expect_eq "$(readlink "$mnt/latest")" "runs/$b"
echo x=7 >"$runs/$b/restart" # at once, though the kernel knew its files as read-only
expect_result "$b" "completed 0"
expect_eq "$(cat "$runs/$b/output")" "7 2 'a'"
mv -t "$mnt/trash" "$runs/$a" "$runs/$b"
expect_eq "$(ls "$runs")" ""
expect_errno EACCES put "$mnt/trash/$b/restart" ""
expect_not test -e "$mnt/latest"
mv "$mnt/trash/"* "$runs"
expect_eq "$(ls "$mnt/trash")" ""

# From inside, and while it is read.
exec 3<"$runs/$b/output"
(
	cd "$runs/$b"
	mv "../$b" "$mnt/trash"
	expect_eq "$(cat status)" completed
	expect_errno EACCES put restart ""
	mv "$mnt/trash/$b" "$runs"
	rmdir "../$b"
	expect_errno ENOENT cat status
)
expect_eq "$(cat <&3)" "7 2 'a'"
exec 3<&-
mv "$mnt/trash/$b" "$runs/"

### Not while it is alive

c=$(start_run told)
expect_errno EBUSY rmdir "$runs/$c"
expect_errno EBUSY mv "$runs/$c" "$mnt/trash/"
expect_eq "$(cat "$runs/$c/status")" running
# One that somebody has moved there all the same.
mv "$home/runs/$c" "$trash/$c"
expect_errno EBUSY rmdir "$mnt/trash/$c"
expect_errno EBUSY mv "$mnt/trash/$c" "$runs"
mv "$trash/$c" "$home/runs/$c"
tell "$c" 'exit 0'
expect_result "$c" "completed 0"
(
	exec 4<"$home/runs/$c/.guild"
	flock 4
	expect_errno EBUSY rmdir "$runs/$c"
)
rmdir "$runs/$c"

# A staged one, while one of Guild's queues looks for such.
mv "$mnt/trash/$c" "$runs/"
touch "$home/runs/$c/.guild/STAGED"
mkdir -p "$home/locks"
(
	exec 4>"$home/locks/run-status"
	flock 4
	expect_errno EBUSY rmdir "$runs/$c"
)
rmdir "$runs/$c"

# What somebody still has something open of, or is in, and is restored behind our back.
mnt=$dir/second start_mount
exec 4<"$runs/$a/status"
(cd "$runs/$a/attrs" && exec sleep infinity) &
inside=$!
is_inside()
{
	[ "$(readlink "/proc/$inside/cwd")" = "$runs/$a/attrs" ]
}
wait_for is_inside
rmdir "$runs/$a"
mv "$dir/second/trash/$a" "$dir/second/runs/"
expect_eq "$(cat "$runs/$a/exit_status" "$runs/$a/attrs/exit_status")" $'0\n0'
expect_eq "$(cat <&4)" completed
kill "$inside"
exec 4<&-
stop_mount "$dir/second"

### An ID that exists in both

cp -r "$trash/$c" "$home/runs/$c"
echo first >"$trash/$c/mark"
echo second >"$home/runs/$c/mark"
expect_errno EEXIST mv "$mnt/trash/$c" "$runs/"
expect_errno EEXIST mv "$runs/$c" "$mnt/trash/"
expect_errno EINVAL python3 - "$runs/$c" "$mnt/trash/$c" <<'END'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.renameat2(-100, os.fsencode(sys.argv[1]), -100, os.fsencode(sys.argv[2]), 2):
    sys.exit(os.strerror(ctypes.get_errno()))
END
expect_eq "$(cat "$runs/$c/files/mark" "$mnt/trash/$c/files/mark")" $'second\nfirst'
rmdir "$runs/$c" # as Guild does it
expect_eq "$(cat "$trash/$c/mark")" second
aside=$(echo "$trash/${c}_"????????)
expect_eq "$(cat "$aside/mark")" first
expect_eq "$(cat "$mnt/trash/${aside##*/}/status")" staged
mv "$mnt/trash/${aside##*/}" "$runs/"
expect_eq "$(cat "$runs/${aside##*/}/files/mark")" first

### rm -r takes no run apart

touch "$runs/$a/needed"
before=$(find "$home/runs/$a" | sort)
for tool in "rm -r" "rm -rf" "busybox rm -r" "busybox rm -rf" \
	"python3 -c 'import shutil, sys; shutil.rmtree(sys.argv[1])'"; do
	expect_errno EPERM bash -c "$tool \"\$1\"" bash "$runs/$a"
done
expect_errno EPERM find "$runs/$a" -delete
expect_errno EPERM rm -r "$runs"
expect_eq "$(find "$home/runs/$a" | sort)" "$before"
rm "$runs/$a/needed"

### but in the trash it purges

n=0
for tool in rmdir "rm -r" "rm -rf" "busybox rm -r" "busybox rm -rf" \
	"python3 -c 'import shutil, sys; shutil.rmtree(sys.argv[1])'" "find -D none"; do
	cp -r "$home/runs/$a" "$trash/p$((++n))"
	chmod -R a-w "$trash/p$n/echo.py"
	case $tool in
	find*) find "$mnt/trash/p$n" -delete ;;
	*) bash -c "$tool \"\$1\"" bash "$mnt/trash/p$n" ;;
	esac
	expect_not test -e "$mnt/trash/p$n"
	expect_not test -e "$trash/p$n"
done
wait_for is_swept
# One that is broken off halfway has purged nothing.
cp -r "$home/runs/$a" "$trash/half"
rm "$mnt/trash/half/status" "$mnt/trash/half/files"
expect_eq "$(cat "$mnt/trash/half/status")" completed
rm -r "$mnt/trash/half"
expect_eq "$(ls "$runs" | wc -l)" 3

### What a crash has left is swept by the next mount

stop_mount
wait_for is_swept
mkdir -p "$home/cache/runfs/purge/0123"
mv "$home/runs/$b" "$home/cache/runfs/purge/0123/"
start_mount
wait_for is_swept
expect_eq "$(ls "$runs")" "$(printf '%s\n' "$a" "${aside##*/}" | sort)"

### Homes in pieces

stop_mount
mkdir "$dir/elsewhere"
mv "$home/runs" "$dir/elsewhere/runs"
ln -s ../elsewhere/runs "$home/runs"
rm -r "$home/trash"
start_mount
rmdir "$runs/$a"
expect_eq "$(cat "$mnt/trash/$a/status")" completed
mv "$mnt/trash/$a" "$runs"
stop_mount
start_mount -o ro
expect_errno EROFS rmdir "$runs/$a"
expect_errno EROFS mv "$runs/$a" "$mnt/trash"
