#!/bin/bash
# A daemon that looks into a mount of runfs may wait for itself: whatever leads there from
# a home, a run or a project, by a link or by a bind mount, is an error and no hang.
. "$(dirname "$0")/lib.sh"

use_project optimizers
start_mount
id=$(start_run echo.py)
expect_result "$id" "completed 0"
run=$mnt/runs/$id
guild=$home/runs/$id/.guild

# answers COMMAND...: the command comes back, however, and the daemon serves others.
answers()
{
	local status=0
	timeout "$deadline" "$@" >"$dir/said" 2>&1 || status=$?
	[ "$status" -ne 124 ] || fail "hangs: $*"
	timeout "$deadline" cat "$mnt/README" >/dev/null ||
		fail "does not answer after: $*"
}
# The restart that it asks for may have been carried out.
run_has_ended()
{
	[ ! -f "$guild/LOCK" ] || [ -L "$guild/LOCK" ] || flock -ns "$guild/LOCK" true
}
look_at_all()
{
	answers ls -lR "$mnt/runs/$id" "$mnt/ops"
	answers cat "$run/status"
	answers grep -rs . "$run/" --exclude=files
	answers bash -c "echo >'$run/restart'"
	answers cat "$run/restart"
	answers bash -c "echo >'$run/stop'"
	answers readlink "$mnt/latest"
	wait_for run_has_ended
}
restarts()
{
	echo >"$run/restart"
	expect_result "$id" "completed 0"
}

### Links in .guild

for name in attrs/flags attrs/op attrs/exit_status attrs/started attrs/cmd attrs opref \
	LOCK output needed STAGED PENDING LOCK.remote; do
	[ ! -e "$guild/$name" ] || mv "$guild/$name" "$dir/kept"
	for target in "$run/status" "$mnt/runs/$id/attrs" "$mnt/ops/echo.py/flags" \
		"$run/output"; do
		ln -s "$target" "$guild/$name"
		look_at_all
		rm -f "$guild/$name"
	done
	[ ! -e "$dir/kept" ] || mv "$dir/kept" "$guild/$name"
done
restarts

mv "$home/runs/$id" "$dir/run"
for target in "$mnt/runs" "$mnt/ops/echo.py" "$mnt"; do
	ln -s "$target" "$home/runs/$id"
	look_at_all
	rm "$home/runs/$id"
done
mkdir "$home/runs/$id"
ln -s "$mnt/runs" "$home/runs/$id/.guild"
look_at_all
rm -r "$home/runs/$id"
mv "$dir/run" "$home/runs/$id"
restarts

### Links beside the runs

for name in runfs cache; do
	[ ! -e "$home/$name" ] || mv "$home/$name" "$dir/kept"
	ln -s "$mnt/runs" "$home/$name"
	look_at_all
	answers touch "$mnt/ops/echo.py/needed"
	answers ls "$mnt/ops/echo.py"
	answers bash -c "echo >'$mnt/ops/echo.py/run'"
	rm "$home/$name"
	[ ! -e "$dir/kept" ] || mv "$dir/kept" "$home/$name"
done

### Links in the project

for name in loop.py train.py guild.yml loop; do
	[ ! -e "$project/$name" ] || mv "$project/$name" "$dir/kept"
	ln -s "$mnt/README" "$project/$name"
	answers ls "$mnt/ops" "$mnt/ops/$name"
	answers cat "$mnt/ops/echo.py/help"
	rm "$project/$name"
	[ ! -e "$dir/kept" ] || mv "$dir/kept" "$project/$name"
done

### Bind mounts, of this mount and of another

can_bind()
{
	[ "$(id -u)" -eq 0 ] && touch "$dir/from" "$dir/to" &&
		mount --bind "$dir/from" "$dir/to" 2>/dev/null && umount "$dir/to"
}
# bind WHAT WHERE: a bind mount there, as long as everything is looked at.
bind()
{
	mount --bind "$1" "$2"
	look_at_all
	answers ls "$mnt/ops" "$mnt/runs"
	answers umount "$2"
}
if can_bind; then
	mkdir "$project/sub" "$dir/other"
	mkdir -p "$home/runfs/needed"
	mnt=$dir/second home=$dir/other start_mount
	# One who does not answer, as if it waited for us.
	kill -STOP "$(mount_pid "$dir/second")"
	ln -s "$dir/second/ops" "$project/other"
	ln -s "$dir/second/README" "$project/other.py"
	answers ls "$mnt/ops" "$mnt/ops/other" "$mnt/ops/other.py"
	rm "$project/other" "$project/other.py"
	ln -s "$dir/second/README" "$guild/needed"
	look_at_all
	rm "$guild/needed"
	kill -CONT "$(mount_pid "$dir/second")"

	for mount in "$mnt" "$dir/second"; do
		bind "$mount/runs" "$home/runs"
		bind "$mount/ops" "$home/runfs"
		bind "$mount/ops" "$project/sub"
		bind "$mount/ops" "$home/runs/$id"
		bind "$mount/ops" "$guild"
		bind "$mount/ops" "$guild/attrs"
		for name in attrs/flags attrs/op opref output; do
			bind "$mount/README" "$guild/$name"
		done
		touch "$guild/LOCK"
		bind "$mount/README" "$guild/LOCK"
		rm "$guild/LOCK"
	done
	restarts
	stop_mount "$dir/second"
	# Seen through another mount of the same file system, a home is as good as ever.
	mkdir "$dir/third" "$dir/bound"
	mount --bind "$home" "$dir/bound"
	mnt=$dir/third home=$dir/bound start_mount
	expect_eq "$(cat "$dir/third/runs/$id/status")" completed
	stop_mount "$dir/third"
	umount "$dir/bound"
fi

### A home or a project on a mount

refused()
{
	local said
	mkdir -p "$dir/none"
	if said=$(timeout "$deadline" "$RUNFS_MOUNT" "$@" 2>&1); then
		fail "mounted: $*"
	fi
	case $said in
	*"lies on a mount of runfs"*) ;;
	*) fail "'$*' said '$said'" ;;
	esac
}
refused "$mnt" "$dir/none"
refused "$mnt/runs" "$dir/none"
refused "$run" "$dir/none"
refused "$home" "$dir/none" -o "project=$mnt"
refused "$home" "$dir/none" -o "project=$mnt/ops"
# What files leads to is the run itself, on its own file system.
mkdir "$dir/fourth"
"$RUNFS_MOUNT" "$dir/user" "$dir/fourth" -o "project=$run/files"
ls "$dir/fourth/ops/echo.py" >"$dir/said"
stop_mount "$dir/fourth"
