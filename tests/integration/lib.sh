# shellcheck shell=bash
# Sourced first by every story, which then runs as bash -eu in a small, fixed environment
# with a home, a project and a mount point of its own:
#
#   $home $project $mnt   directories; the project is the parent of none of the others
#   $dir                  holds them, and whatever else the story needs
#   $fixtures             tests/fixtures
#
# The first command that fails ends the story as failed. A mount that is still there at
# the end is unmounted and what still runs is ended; what does not go is a failure.
set -eEuo pipefail

keep_environment()
{
	local name
	for name in RUNFS_MOUNT RUNFS_LIBEXEC ASAN_OPTIONS UBSAN_OPTIONS TMPDIR \
		RUNFS_POINTS RUNFS_FAULTS RUNFS_RACES RUNFS_SEED RUNFS_SOAK; do
		[ -z "${!name-}" ] || printf '%s=%s\0' "$name" "${!name}"
	done
}

if [ -z "${RUNFS_STORY-}" ]; then
	mapfile -d '' kept < <(keep_environment)
	exec env -i "${kept[@]}" PATH=/usr/bin:/bin LANG=C.UTF-8 RUNFS_STORY=unnamed \
		GUILD_PYTHON_EXE=/usr/bin/python3 PYTHONDONTWRITEBYTECODE=1 \
		bash "$0" "$@"
fi

# Seconds until what ought to happen is given up; far more than a slow machine takes.
deadline=20

### What a story says

skip()
{
	echo "skipped: $*"
	exit 77
}

# The place in the story, not in here, that is being run.
story_line()
{
	local i
	for ((i = 1; i < ${#BASH_SOURCE[@]}; i++)); do
		[ "${BASH_SOURCE[i]}" = "${BASH_SOURCE[0]}" ] && continue
		echo "${BASH_SOURCE[i]}:${BASH_LINENO[i - 1]}"
		return
	done
}

fail()
{
	trap - ERR
	echo "$(story_line): $*" >&2
	exit 1
}

# expect_eq ACTUAL EXPECTED
expect_eq()
{
	[ "$1" = "$2" ] || fail "expected"$'\n'"$2"$'\n'"but got"$'\n'"$1"
}

# expect_not COMMAND...: the command fails, however.
expect_not()
{
	if "$@"; then
		fail "succeeded, but should not: $*"
	fi
}

declare -A errno_texts

# expect_errno ERRNO COMMAND...: the command fails, and says the errno's text.
expect_errno()
{
	local name=$1 text said
	shift
	[ -n "${errno_texts[$name]-}" ] ||
		errno_texts[$name]=$(python3 -c 'import errno, os, sys
print(os.strerror(getattr(errno, sys.argv[1])))' "$name")
	text=${errno_texts[$name]}
	if said=$("$@" 2>&1); then
		fail "'$*' succeeded, where $name was due"
	fi
	case $said in
	*"$text"*) ;;
	*) fail "'$*' did not say '$text' ($name), but '$said'" ;;
	esac
}

# put FILE TEXT: a redirected echo as a command, for expect_errno.
put()
{
	echo "$2" >"$1"
}

# wait_for COMMAND...: returns when the command succeeds, which it must do in time. It
# runs in a subshell, so that what does not hold yet may fail like any other expectation.
wait_for()
{
	local end=$((SECONDS + deadline))
	until ("$@") 2>/dev/null; do
		[ "$SECONDS" -lt "$end" ] || fail "waited $deadline s in vain for: $*"
		sleep 0.01
	done
}

has_ended()
{
	# One look: of two, the second may find nothing any more.
	! grep -qs '^State:[[:space:]][^XZ]' "/proc/$1/status"
}

# expect_exit PID STATUS: a child of the story ends in time, and so.
expect_exit()
{
	local status=0
	wait_for has_ended "$1"
	wait "$1" || status=$?
	expect_eq "exit status $status" "exit status $2"
}

# expect_line FD LINE: the next line that can be read there.
expect_line()
{
	local line=
	read -r -t "$deadline" -u "$1" line || fail "no line came, but '$line'"
	expect_eq "$line" "$2"
}

# expect_no_more FD: there is nothing but the end.
expect_no_more()
{
	local rest status=0
	IFS= read -r -d '' -t "$deadline" -u "$1" rest || status=$?
	expect_eq "$rest" ""
	expect_eq "$status" 1
}

# is_waiting PID: one process, with one thread, waits for a mount to answer.
is_waiting()
{
	grep -q request_wait_answer "/proc/$1/wchan"
}

### Mounts

# mount_column N MOUNTPOINT: prints a column of mountinfo, nothing if nothing is mounted.
mount_column()
{
	awk -v n="$1" -v point="$2" '$5 == point { print $n }' /proc/self/mountinfo
}

is_mounted()
{
	mount_column 5 "$1" | grep -q .
}

# mount_pid [MOUNTPOINT]: prints the pid of the daemon that serves it.
mount_pid()
{
	local proc
	for proc in /proc/[0-9]*; do
		[ "$proc/exe" -ef "$RUNFS_MOUNT" ] || continue
		tr '\0' '\n' <"$proc/cmdline" | grep -qxF "${1:-$mnt}" || continue
		echo "${proc##*/}"
		return
	done
	return 1
}

# start_mount [-o OPTION,...]: mounts $home on $mnt, with $project. For a second mount:
# mnt=$dir/second start_mount
start_mount()
{
	local options=project=$project
	if [ "${1-}" = -o ]; then
		options=$options,$2
		shift 2
	fi
	is_mounted "$mnt" || mkdir -p "$mnt" # a dead mount can't be looked at
	"$RUNFS_MOUNT" "$home" "$mnt" -o "$options" "$@" || fail "mount.runfs failed: $?"
	is_mounted "$mnt" || fail "mount.runfs returned before $mnt was mounted"
}

unmount()
{
	if [ "$(id -u)" -eq 0 ]; then
		timeout 10 umount "$1"
	else
		timeout 10 fusermount3 -u "$1"
	fi
}

# stop_mount [MOUNTPOINT]: unmounts, and returns when the daemon has ended.
stop_mount()
{
	local point=${1:-$mnt} pid
	pid=$(mount_pid "$point") || fail "nobody serves $point"
	unmount "$point" || fail "can't unmount $point"
	wait_for has_ended "$pid"
}

### Runs

# use_project NAME: the project is a copy of the fixture.
use_project()
{
	cp -r "$fixtures/$1/." "$project"
}

# make_program NAME: what comes on stdin becomes a program of the project, an operation.
make_program()
{
	cat >"$project/$1"
	chmod +x "$project/$1"
}

# The operation `told`: a shell that does what tell tells it, until it is told to exit.
make_told()
{
	make_program told <<'END'
#!/bin/bash
[ -p tell ] || mkfifo tell
exec <>tell
while read -r command; do eval "$command"; done
END
}

# tell ID COMMAND
tell()
{
	wait_for test -p "$home/runs/$1/tell"
	echo "$2" >"$home/runs/$1/tell"
}

# start_run OPERATION [REQUEST]: starts a run and prints its ID.
start_run()
{
	local id run_fd
	exec {run_fd}<>"$mnt/ops/$1/run"
	echo "${2-}" >&"$run_fd"
	read -r id <&"$run_fd"
	exec {run_fd}>&-
	echo "$id"
}

# expect_result ID RESULT: what wait gives at the end, such as "completed 0".
expect_result()
{
	local result
	result=$(timeout "$deadline" cat "$mnt/runs/$1/wait") ||
		fail "no end of the run $1 in $deadline s"
	expect_eq "$result" "$2"
}

### The end of a story

mounts_left()
{
	awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo
}

# What the story started, however it was started and whoever has adopted it since.
processes_left()
{
	local -x RUNFS_STORY='' # so that this function's own commands are none of them
	{
		grep -lsaF "RUNFS_STORY=$dir" /proc/[0-9]*/environ
		find /proc -maxdepth 2 -name cwd -lname "$dir/*" 2>/dev/null
	} | sed -n 's|^/proc/\([0-9]*\)/.*|\1|p' | sort -u
}

nothing_runs()
{
	[ -z "$(processes_left)" ]
}

signal_left()
{
	local pid
	for pid in $(processes_left); do
		kill "-$1" "$pid" 2>/dev/null
	done
}

# Takes a mount away whose daemon does not answer: waiting readers get an error.
abort_mount()
{
	local minor
	minor=$(mount_column 3 "$1" | cut -d : -f 2)
	mountpoint -q /sys/fs/fuse/connections ||
		mount -t fusectl fusectl /sys/fs/fuse/connections
	echo 1 >"/sys/fs/fuse/connections/$minor/abort"
	umount -l "$1" || fusermount3 -uz "$1"
}

end_quickly()
{
	local point
	for point in $(mounts_left); do
		abort_mount "$point"
	done
	signal_left KILL
} 2>/dev/null

end_gently()
{
	local point
	for point in $(mounts_left); do
		(stop_mount "$point") || return 1
	done
	signal_left TERM
	(wait_for nothing_runs)
}

clean_up()
{
	local status=$?
	trap - ERR EXIT
	trap '' INT TERM
	deadline=20
	set +eE
	cd /
	if [ "$status" -eq 143 ]; then
		end_quickly
	elif ! end_gently; then
		echo "$0: left behind: $(mounts_left)" >&2
		# shellcheck disable=SC2046 # a list of pids
		ps -o pid,stat,wchan:20,args $(processes_left) >&2
		end_quickly
		status=1
	fi
	rm -rf --one-file-system "$dir"
	exit "$status"
}

# A story's function of the same name would be called by those in here.
# shellcheck disable=SC2046 # a list of names
readonly -f $(compgen -A function)

[ -c /dev/fuse ] || skip "no /dev/fuse"
: "${RUNFS_MOUNT:?is not set: run the stories with meson test}"

fixtures=$(cd "$(dirname "${BASH_SOURCE[0]}")/../fixtures" && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/runfs-story.XXXXXX")
trap clean_up EXIT
trap 'exit 143' INT TERM
trap 'fail "failed: $BASH_COMMAND"' ERR

home=$dir/home
project=$dir/project
mnt=$dir/mnt
mkdir "$home" "$project" "$mnt" "$dir/user"
export HOME=$dir/user RUNFS_STORY=$dir
