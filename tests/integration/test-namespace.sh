#!/bin/bash
# The mount is a tree of files as any other: the usual tools read, list, search and copy
# it, what can't be changed says so, and looking changes nothing.
. "$(dirname "$0")/lib.sh"

use_project optimizers
start_mount
first=$(start_run echo.py)
expect_result "$first" "completed 0"
second=$(start_run hello.sh name=moon)
expect_result "$second" "completed 0"
r=$mnt/runs/$first
touch "$r/needed" "$mnt/ops/echo.py/needed"

files_of()
{
	find "$@" -type f ! -name wait | sort
}

### Modes tell the truth, and hold for root too
while read -r mode names; do
	for name in $names; do
		expect_eq "$name $(stat -c %a "$mnt/$name")" "$name $mode"
	done
done <<END
755 . ops runs trash ops/echo.py ops/echo.py/runs runs/$first runs/$first/attrs
644 ops/echo.py/run ops/echo.py/stage ops/echo.py/needed
644 runs/$first/restart runs/$first/needed runs/$first/stop runs/$first/flags
644 runs/$first/label runs/$first/tags runs/$first/comment
444 README ops/echo.py/flags ops/echo.py/help
444 runs/$first/output runs/$first/status runs/$first/exit_status runs/$first/wait
444 runs/$first/op runs/$first/cmd runs/$first/env runs/$first/pid runs/$first/elapsed
444 runs/$first/initialized runs/$first/started runs/$first/stopped runs/$first/source
444 runs/$first/attrs/flags runs/$first/attrs/op
END
python3 - "$mnt" <<'END'
import errno, os, stat, sys

def expect_eacces(path, call, *args):
    try:
        call(path, *args)
    except OSError as e:
        if e.errno == errno.EACCES:
            return
        raise
    sys.exit("%s%r of %s is allowed" % (call.__name__, args, path))

n = 0
for top, dirs, files in os.walk(sys.argv[1]):
    for path in (os.path.join(top, name) for name in files):
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode) and not mode & 0o222:
            expect_eacces(path, os.open, os.O_WRONLY)
            expect_eacces(path, os.open, os.O_RDWR | os.O_APPEND)
            expect_eacces(path, os.open, os.O_WRONLY | os.O_TRUNC)
            expect_eacces(path, os.truncate, 0)
            n += 1
assert n >= 60, n
END
expect_errno EACCES put "$r/status" running
expect_eq "$(find "$mnt" ! -user "$(id -un)")" ""

### A size is what a read gives
sizes()
{
	python3 - "$mnt" <<'END'
import os, stat, sys

n = 0
for top, dirs, files in os.walk(sys.argv[1]):
    for path in (os.path.join(top, name) for name in files):
        st = os.lstat(path)
        if stat.S_ISLNK(st.st_mode):
            text = os.fsencode(os.readlink(path))
        elif os.path.basename(path) != "wait":
            with open(path, "rb", buffering=0) as f:
                text = f.read()
                assert os.fstat(f.fileno()).st_size == len(text), path
        else:
            continue
        assert st.st_size == len(text), "%s: %d, but has %r" % (path, st.st_size, text)
        n += 1
assert n > 80, n
END
}
sizes
expect_eq "$(stat -c %s "$r/wait")" 4096
expect_eq "$(stat -c %s "$r/output")" 10
expect_eq "$(stat -c %s "$r/flags")" 14
expect_eq "$(stat -c %s "$mnt/latest")" $((5 + 32))
echo nosuch=1 >"$r/restart" 2>/dev/null || true
sizes
test -s "$r/restart"
expect_not test -s "$r/pid"

### The usual tools
whole()
{
	(cd "$1" && files_of . ! -name elapsed | xargs sha256sum)
}
mkdir "$dir/copies"
cp -r "$r" "$dir/copies/cp"
(cd "$mnt/runs" && tar --exclude=wait -cf - "$first") | tar -xf - -C "$dir/copies"
rsync -r --links --exclude=wait "$r/" "$dir/copies/rsync"
(cd "$mnt/runs" && busybox tar -c "$first/attrs" "$first/flags" "$first/cmd") |
	busybox tar -x -C "$dir/copies/"
for copy in cp "$first" rsync; do
	expect_eq "$(whole "$dir/copies/$copy")" "$(whole "$r")"
	expect_eq "$(readlink "$dir/copies/$copy/files")" "$home/runs/$first"
done
expect_eq "$(cat "$dir/copies/cp/wait")" "completed 0"
for reader in cat "busybox cat" "head -c 1000" "dd status=none bs=1 if=" "sort" \
	"tail -n 5" "tail -c 1000" "awk 1" "sed p -n" "grep ." "od -An -c -v" \
	"busybox head" "busybox tail" "busybox dd status=none if="; do
	for file in "$r/flags" "$r/output" "$r/cmd"; do
		# shellcheck disable=SC2086 # words
		case $reader in
		*=) said=$($reader"$file" 2>&1) ;;
		*) said=$($reader "$file") ;;
		esac
		case $reader in
		od*) expect_eq "$said" "$($reader <<<"$(cat "$file")")" ;;
		*) expect_eq "$reader $said" "$reader $(cat "$file")" ;;
		esac
	done
done
expect_eq "$(dash -c 'read x <"$1"; echo "$x"' dash "$r/status")" completed
expect_eq "$(perl -e 'print -s $ARGV[0]' "$r/status")" 10
expect_eq "$(grep -rlx y=2 "$r" | sort)" "$r/flags"
expect_eq "$(grep -rl "^hello moon" "$mnt/runs" --include=output)" \
	"$mnt/runs/$second/output"
expect_eq "$(grep -lx completed "$mnt"/runs/*/status | wc -l)" 2
expect_eq "$(find "$mnt/runs" -name status | sort)" "$(ls -d "$mnt"/runs/*/status)"
expect_eq "$(find "$mnt/runs" -mindepth 1 -maxdepth 1 -newer "$r")" "$mnt/runs/$second"
[ "$mnt/runs/$second" -nt "$r" ]
diff <(cat "$r/flags") "$r/flags"
cmp "$home/runs/$first/.guild/attrs/op" "$r/attrs/op"
expect_eq "$(readlink "$r/files")" "$home/runs/$first"
expect_eq "$(cat "$r/files/echo.py")" "$(cat "$project/echo.py")"
expect_eq "$(df --output=fstype "$mnt" | tail -n 1)" fuse.runfs

### A read is a snapshot of the time of open(2), from 0 a new one
exec 3<"$mnt/ops/echo.py/flags"
head -c 3 <&3 >"$dir/parts"
sed -i 's/^y = .*/y = 22/' "$project/echo.py"
cat <&3 >>"$dir/parts"
exec 3<&-
expect_eq "$(cat "$dir/parts")" $'x=1.0\ny=2\nz=a'
expect_eq "$(cat "$mnt/ops/echo.py/flags")" $'x=1.0\ny=22\nz=a'
python3 - "$r/needed" "$r" <<'END'
import os, sys
file, run = sys.argv[1:]
fd = os.open(os.path.join(run, "flags"), os.O_RDONLY)
before = os.pread(fd, 4, 0) + os.pread(fd, 100, 4)
assert before == b"x=1.0\ny=2\nz=a\n", before
for chunk in range(1, 8):
    text, offset = b"", 0
    while part := os.pread(fd, chunk, offset):
        text, offset = text + part, offset + len(part)
    assert text == before, text
END

### What can't be made, renamed or removed
for where in "$mnt" "$mnt/ops" "$mnt/runs" "$mnt/ops/echo.py" "$r" "$r/attrs" \
	"$mnt/ops/echo.py/runs"; do
	expect_errno EPERM mkdir "$where/new"
	expect_errno EPERM touch "$where/new"
	expect_errno EPERM ln -s x "$where/new"
	expect_errno EPERM mkfifo "$where/new"
	expect_errno ENOENT cat "$where/new"
done
for name in README latest ops runs ops/echo.py ops/echo.py/run "runs/$first/flags" \
	"runs/$first/restart" "runs/$first/attrs" "runs/$first/attrs/op" \
	"runs/$first/files" "ops/echo.py/runs/$first"; do
	expect_errno EPERM mv "$mnt/$name" "$mnt/other"
	if [ -h "$mnt/$name" ]; then
		expect_errno EPERM rm -f "$mnt/$name"
	elif [ -d "$mnt/$name" ]; then
		expect_errno EPERM rmdir "$mnt/$name"
		expect_errno EPERM chmod 777 "$mnt/$name"
	else
		expect_errno EPERM rm -f "$mnt/$name"
		expect_errno EPERM ln "$mnt/$name" "$mnt/other"
		expect_errno EPERM mv "$mnt/$name" "$r/needed"
		expect_errno EPERM chmod 777 "$mnt/$name"
	fi
	[ -e "$mnt/$name" ] || fail "$name is gone"
done
expect_eq "$(cat "$r/needed")" "completed terminated"

### What editors do to what they save has no effect
started=$(cat "$r/started")
for file in "$r/restart" "$r/stop" "$mnt/ops/echo.py/run"; do
	mtime=$(stat -c %Y "$file")
	touch "$file"
	touch -d 2001-01-01 "$file"
	chmod 644 "$file"
	truncate -s 0 "$file"
	chown "$(id -u):$(id -g)" "$file"
	expect_errno EPERM chmod 600 "$file"
	expect_errno EINVAL truncate -s 10 "$file"
	expect_eq "$(stat -c %Y:%a "$file")" "$mtime:644"
	: >"$file"
done
expect_eq "$(cat "$r/started")" "$started"
expect_eq "$(ls "$mnt/runs" | wc -l)" 2
chmod 644 "$r/needed"
chmod 644 "$r/flags"

### What is not there is not there at once
for name in nosuch ops/nosuch runs/nosuch "runs/$first/nosuch" "runs/$first/.guild" \
	"runs/$first/attrs/nosuch" "ops/echo.py/nosuch" "ops/echo.py/runs/nosuch"; do
	expect_errno ENOENT stat "$mnt/$name"
done
expect_errno ENOENT stat "$mnt/runs/$(printf 'x%.0s' {1..255})"
python3 - "$mnt/runs" <<'END'
import os, sys, time
begin = time.monotonic()
for i in range(1000):
    assert not os.path.exists("%s/%032x" % (sys.argv[1], i))
assert time.monotonic() - begin < 10, "look-ups are slow"
END

### Times: the newest first
expect_eq "$(ls -t "$mnt/runs")" "$second"$'\n'"$first"
expect_eq "$(readlink "$mnt/latest")" "runs/$second"
expect_eq "$(date -u -d "$(cat "$r/started")" +%s)" "$(stat -c %Y "$r")"
rm "$r/needed"
echo >"$r/restart"
expect_eq "$(ls -t "$mnt/runs")" "$first"$'\n'"$second"
expect_eq "$(readlink "$mnt/latest")" "runs/$first"
expect_result "$first" "completed 0"
expect_eq "$(date -u -d "$(cat "$r/started")" +%s)" "$(stat -c %Y "$r")"
[ "$(stat -c %Y "$r/output")" -ge "$(stat -c %Y "$r")" ]
# latest is as old as the run that it leads to, and runs as the last that came.
for latest in "$mnt/latest" "$mnt"/ops/*/latest; do
	expect_eq "$(stat -c %Y "$latest")" "$(stat -L -c %Y "$latest")"
done
expect_eq "$(stat -c %y "$mnt/runs")" "$(stat -c %y "$home/runs")"

### Looking changes nothing, but for what it has found out of outputs and scripts
on_disk()
{
	(cd "$home" && rm -rf cache/runfs/scalars cache/runfs/flags &&
		find . ! -name . ! -path ./cache/runfs \
			-printf '%p %y %m %s %T@ %C@ %l\n' | sort &&
		find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
before=$(on_disk)
look()
{
	find "$mnt" -type f -exec cat {} + >/dev/null
	find "$mnt" -exec stat {} + >/dev/null
	ls -laR "$mnt" >/dev/null
	grep -r nothing-at-all "$mnt" && return 1
	find -L "$mnt" -maxdepth 4 -type f -exec head -c 1 {} + >/dev/null
	tar -C "$mnt" --exclude=wait -cf - . | cat >/dev/null
}
look
stop_mount
start_mount
look
stop_mount
# Neither does it in a home that nothing can be written to, nor in one that is empty.
expect_eq "$(on_disk)" "$before"
home=$dir/empty
mkdir "$home"
start_mount
look
expect_eq "$(ls -A "$home")" ""
