#!/bin/bash
# A home that can't be written says so to who writes, not only to who closes: shells see
# it. What needs nothing written is done all the same.
. "$(dirname "$0")/lib.sh"

[ "$(id -u)" -eq 0 ] || {
	echo "not shown without root: a full home, a read-only home"
	exit 0
}
use_project optimizers
mkdir "$dir/small"
mount -t tmpfs -o size=2m,nr_inodes=400 tmpfs "$dir/small"
home=$dir/small/home
mkdir "$home"
start_mount

run=$mnt/runs/$(start_run echo.py z=b)
id=${run##*/}
expect_result "$id" "completed 0"
expect_eq "$(cat "$run/output")" "1.0 2 'b'"
staged=$mnt/runs/$(echo >"$mnt/ops/echo.py/stage" && cat "$mnt/ops/echo.py/stage")
touch "$run/needed" "$mnt/ops/echo.py/needed"
echo "a label" >"$run/label"
echo a b >"$run/tags"
echo "a comment" >"$run/comment"
echo 3 >"$mnt/jobs"

# All that is on the disk, but for what is to be full or is not ours.
on_disk()
{
	(cd "$home" && find . -type f -print0 | sort -z | xargs -0r sha256sum)
}

# expect_told ERRNO FILE TEXT: write(2) fails and changes nothing, however often it tries.
expect_told()
{
	local before
	before=$(on_disk)
	expect_errno "$1" put "$2" "$3"
	# shellcheck disable=SC2016 # expands in dash
	expect_not dash -c 'echo "$2" >"$1"' dash "$2" "$3" 2>/dev/null
	expect_errno "$1" python3 -c 'import sys
with open(sys.argv[1], "w") as file:
    file.write(sys.argv[2] + "\n")' "$2" "$3"
	expect_eq "$(on_disk)" "$before"
}

put_unfinished()
{
	printf %s "$2" >"$1"
}

# expect_answer FILE SENTENCE
expect_answer()
{
	expect_eq "$(cat "$1")" "error: $2"
}

expect_all_told()
{
	local errno=$1 text=$2
	expect_told "$errno" "$run/restart" x=7
	expect_answer "$run/restart" "the run $id can't be written to: $text"
	expect_errno "$errno" put_unfinished "$run/restart" x=7
	expect_told "$errno" "$staged/restart" ""
	expect_told "$errno" "$staged/flags" x=7
	expect_told "$errno" "$mnt/ops/echo.py/run" x=7
	expect_answer "$mnt/ops/echo.py/run" "the home $home can't be written to: $text"
	expect_told "$errno" "$mnt/ops/echo.py/stage" x=7
	expect_answer "$mnt/ops/echo.py/stage" "the home $home can't be written to: $text"
	expect_told "$errno" "$mnt/ops/echo.py/needed" completed
	expect_told "$errno" "$run/needed" completed
	expect_told "$errno" "$run/label" another
	expect_told "$errno" "$run/tags" +c
	expect_told "$errno" "$run/comment" another
	expect_told "$errno" "$mnt/jobs" 2
	expect_eq "$(ls "$mnt/runs")" "$(ls "$home/runs")"
	expect_eq "$(cat "$run/label" "$run/tags" "$run/comment" "$mnt/jobs")" \
		$'a label\na\nb\na comment\n3'

	# What is wrong with a request is wrong here, too.
	expect_told EINVAL "$run/restart" nosuch=1
	expect_told EINVAL "$mnt/jobs" many

	# Nothing to write.
	: >"$run/restart"
	echo z=b >"$run/restart"
	expect_eq "$(cut -d ' ' -f 1 "$run/restart")" Skipping
	printf %s --needed >"$run/restart"
	expect_eq "$(cut -d ' ' -f 1 "$run/restart")" Skipping
	echo z=b >"$mnt/ops/echo.py/run"
	expect_eq "$(cat "$mnt/ops/echo.py/run")" "$id"
	echo >"$run/stop"
}

### Full: to the last block, then of the last inode only

fill()
{
	dd if=/dev/zero of="$dir/small/filling" bs=4096 2>/dev/null || true
}
fill
expect_all_told ENOSPC "No space left on device: make room"
expect_errno ENOSPC touch "$staged/needed"
: >"$run/label" # what is removed needs no room
expect_eq "$(cat "$run/label")" ""
rm "$dir/small/filling"
echo "a label" >"$run/label"
fill
echo >"$run/label"
expect_eq "$(cat "$run/label")" ""
rm "$dir/small/filling"
echo "a label" >"$run/label"

for ((i = 0; ; i++)); do
	: >"$dir/small/$i" || break
done 2>/dev/null
expect_all_told ENOSPC "No space left on device: make room"
find "$dir/small" -maxdepth 1 -type f -delete
echo x=6 >"$run/restart"
expect_result "$id" "completed 0"
expect_eq "$(cat "$run/output")" "6 2 'b'"
echo z=b x=1.0 >"$run/restart"
expect_result "$id" "completed 0"
stop_mount

### Read-only: since it was mounted, and from the beginning

mount --bind "$home" "$home"
start_mount
mount -o remount,ro,bind "$home"
for when in since before; do
	expect_all_told EROFS "Read-only file system: mount it read-write"
	expect_errno EROFS touch "$staged/needed"
	expect_errno EROFS truncate -s 0 "$run/label"
	# As with any file, opening it is what fails.
	# shellcheck disable=SC2016 # expands in the other shell
	expect_errno EROFS bash -c ': >"$1"' bash "$run/label"
	expect_eq "$(cat "$run/label")" "a label"
	stop_mount
	[ "$when" = before ] || start_mount
done
umount "$home"
umount "$dir/small"
