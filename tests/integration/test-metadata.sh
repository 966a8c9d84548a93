#!/bin/bash
# label, tags and comment are text files: whatever writes them, Guild finds its
# attributes, and nothing that was written is lost.
. "$(dirname "$0")/lib.sh"

make_told
start_mount
id=$(start_run told)
run=$mnt/runs/$id
attrs=$home/runs/$id/.guild/attrs
attr()
{
	cat "$attrs/$1"
}
for file in label tags comment; do
	expect_eq "$(stat -c %a "$run/$file")" 644
done

### A label, of a run that is alive

echo "a label" >"$run/label"
expect_eq "$(cat "$run/label")" "a label"
expect_eq "$(attr label)" "a label"
expect_eq "$(stat -c %s "$run/label")" 8
echo 12 >"$run/label"
expect_eq "$(attr label)" "'12'"
expect_errno EINVAL put "$run/label" $'two\nlines'
expect_errno EINVAL put "$run/label" $'no \xff text'
expect_eq "$(cat "$run/label")" 12
printf 'gr\xc3\xbc\xc3\x9fe' >"$run/label"
expect_eq "$(attr label)" '"gr\xFC\xDFe"'
expect_eq "$(cat "$run/label")" grüße
echo >"$run/label"
expect_not test -e "$attrs/label"
expect_eq "$(cat "$run/label")" ""
echo again >"$run/label"
: >"$run/label"
expect_not test -e "$attrs/label"
echo again >"$run/label"
truncate -s 3 "$run/label"
expect_eq "$(attr label)" aga
truncate -s 0 "$run/label"
expect_not test -e "$attrs/label"

# A shorter one over a longer one: what stands behind it is judged when it is saved, since
# it may be cut off before.
echo "a longer label" >"$run/label"
python3 - "$run/label" <<'END'
import sys
with open(sys.argv[1], "r+") as file:
    file.write("short\n")
    file.truncate()
END
expect_eq "$(attr label)" short
echo "a longer label" >"$run/label"
expect_errno EINVAL python3 - "$run/label" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
assert os.write(fd, b"short\n") == 6
os.close(fd)
END
expect_eq "$(attr label)" "a longer label"
: >"$run/label"

### Tags: words, or changes of those that there are

expect_tags()
{
	expect_eq "$(paste -sd ' ' "$run/tags")" "$1"
}
echo b a b >"$run/tags"
expect_tags "a b"
expect_eq "$(attr tags)" $'- a\n- b'
echo +c -a >"$run/tags"
expect_tags "b c"
echo +d >>"$run/tags"
expect_tags "b c d"
echo -b >>"$run/tags"
expect_tags "c d"
echo x -x +y >"$run/tags"
expect_tags y
expect_errno EINVAL put "$run/tags" "a + b"
expect_tags y
echo >"$run/tags"
expect_eq "$(attr tags)" "[]"
for i in 1 2 3 4 5 6 7 8; do
	echo "+t$i" >"$run/tags" &
done
wait
expect_tags "t1 t2 t3 t4 t5 t6 t7 t8"

### A comment is any text, and others' words stay theirs

printf 'one\ntwo\n' >"$run/comment"
expect_eq "$(cat "$run/comment")" $'one\ntwo'
grep -qx -- "- body: 'one" "$attrs/comments"
grep -qx "  user: ''" "$attrs/comments"
cat >"$attrs/comments" <<'END'
- body: first
  host: h
  time: 1
  user: her
- body: second
  host: h
  time: 2
  user: him
END
echo third >>"$run/comment"
expect_eq "$(cat "$run/comment")" $'first\nsecond\nthird'
expect_eq "$(head -n 8 "$attrs/comments" | md5sum)" "$(md5sum - <<'END'
- body: first
  host: h
  time: 1
  user: her
- body: second
  host: h
  time: 2
  user: him
END
)"
expect_eq "$(grep -c "^- body" "$attrs/comments")" 3
perl -e 'open(F, "+<", $ARGV[0]); seek(F, 6, 0); print F "SECOND"' "$run/comment"
expect_eq "$(cat "$run/comment")" $'first\nSECOND\nthird'
expect_eq "$(grep -c "user: h" "$attrs/comments")" 1
python3 - "$run/comment" <<'END'
import os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
assert os.read(fd, 100) == b"first\nSECOND\nthird\n"
os.ftruncate(fd, 6)
assert os.pread(fd, 100, 0) == b"first\n"
os.pwrite(fd, b"last", 6)
os.fsync(fd)
assert open(sys.argv[1]).read() == "first\nlast\n"
os.write(fd, b"")
os.close(fd)
END
expect_eq "$(cat "$run/comment")" $'first\nlast'
expect_eq "$(grep -c "user: her" "$attrs/comments")" 1
head -c 1048575 /dev/zero | tr '\0' x >"$run/comment"
expect_eq "$(stat -c %s "$run/comment")" 1048576
expect_errno EFBIG dd if=/dev/zero of="$run/comment" bs=1M seek=1 count=1
expect_errno EINVAL bash -c 'printf "a\0b" >"$1"' bash "$run/comment"
expect_eq "$(stat -c %s "$run/comment")" 1048576
cp "$project/told" "$run/comment"
cmp "$project/told" "$run/comment"
expect_errno EPERM sed -i s/read/write/ "$run/comment"
expect_errno EPERM mv "$project/told" "$run/comment"
if [ -x /usr/bin/vim ]; then
	vim -es -u NONE -c 'set backupcopy=yes nobackup noswapfile' -c '%s/shell/x/e' \
		-c wq "$run/comment" </dev/null
fi
: >"$run/comment"
expect_not test -e "$attrs/comments"

### While the run is started, others wait for the lock; nothing is lost, nobody is refused

tell "$id" 'exit 0'
expect_result "$id" "completed 0"
# put_later TEXT: without the lock that we hold; $dir/written is there when all that is
# left is to close the file.
put_later()
{
	exec python3 -c '
import os, sys
fd = os.open(sys.argv[2], os.O_WRONLY | os.O_TRUNC)
os.write(fd, sys.argv[1].encode())
open(sys.argv[3], "w").close()
os.close(fd)' "$1" "$run/label" "$dir/written" 4<&-
}
# expect_closing PID: and it waits.
expect_closing()
{
	wait_for test -e "$dir/written"
	wait_for is_waiting "$1"
	rm "$dir/written"
}
exec 4<"$home/runs/$id/.guild"
flock 4 # as a start has it
put_later kept &
writer=$!
expect_closing "$writer"
expect_eq "$(cat "$run/status")" completed # the mount serves others
expect_not test -e "$attrs/label"
exec 4<&-
expect_exit "$writer" 0
expect_eq "$(attr label)" kept

# Also when the writer and the mount go meanwhile.
exec 4<"$home/runs/$id/.guild"
flock 4
put_later late &
writer=$!
expect_closing "$writer"
kill -KILL "$writer"
stop_mount
exec 4<&-
is_late()
{
	[ "$(attr label)" = late ]
}
wait_for is_late
start_mount
for ((i = 0; i < 10; i++)); do
	echo "round $i" >"$run/label" &
	writer=$!
	echo >"$run/restart"
	expect_exit "$writer" 0
	expect_eq "$(cat "$run/label")" "round $i"
	tell "$id" 'exit 0'
	expect_result "$id" "completed 0"
	expect_eq "$(cat "$run/label")" "round $i"
done

### A run that has gone

exec 5>"$run/label"
rmdir "$run"
expect_errno EACCES put "$mnt/trash/$id/label" x
expect_eq "$(cat "$mnt/trash/$id/label")" "round 9"
exec 5>&-
expect_eq "$(cat "$mnt/trash/$id/label")" "round 9"
expect_eq "$(find "$home" -name '.*.new')" ""
