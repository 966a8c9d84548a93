#!/bin/bash
# The examples of runfs(5): each file of a project, and the session that comes after it.
# And mount.runfs(8) names what runfs keeps in a home.
. "$(dirname "$0")/lib.sh"

manual=$(dirname "$0")/../../man/runfs.5
export COLUMNS=80

# block N: the Nth example that is marked as a test, as mandoc would show it.
block()
{
	awk -v n="$1" '/^\.Ed/ { on = 0 } on { print }
		/^\.\\" test: / { on = ++i == n }' "$manual" | sed 's/\\&//g; s/\\e/\\/g'
}

kind()
{
	sed -n 's/^\.\\" test: //p' "$manual" | sed -n "${1}p"
}

# session: runs what stands after "$ ", and expects what follows it.
session()
{
	local line command='' expected=''
	while IFS= read -r line; do
		if [[ $line == '$ '* ]]; then
			check "$command" "$expected"
			command=${line#\$ } expected=
		else
			expected+=$line$'\n'
		fi
	done
	check "$command" "$expected"
}

check()
{
	[ -n "$1" ] || return 0
	# As on a terminal, where ls has columns.
	expect_eq "$(cd "$mnt" && eval "${1/#ls /ls -C }")" "${2%$'\n'}"
}

start_mount
n=0
while kind=$(kind $((n + 1))) && [ -n "$kind" ]; do
	n=$((n + 1))
	case $kind in
	guild.yml | *.json) block "$n" >"$project/$kind" ;;
	session)
		session < <(block "$n")
		rm -f "$project"/*.json
		;;
	*) fail "a test of '$kind'" ;;
	esac
done
[ "$n" -ge 4 ] || fail "only $n examples"

helper_manual=$(dirname "$0")/../../man/mount.runfs.8
cat "$mnt/latest/wait" "$mnt/latest/scalars" >/dev/null
echo pause >"$mnt/jobs"
echo >"$mnt/ops/list/stage"
id=$(cat "$mnt/ops/list/stage")
echo >"$mnt/runs/$id/restart"
expect_eq "$(cat "$mnt/runs/$id/status")" pending
touch "$mnt/ops/list/needed"
for path in "$home"/runfs/* "$home"/cache/runfs/*; do
	name=${path#"$home"/}
	grep -q "^\.It Pa $name\(/\|\$\)" "$helper_manual" ||
		fail "mount.runfs(8) says nothing of $name"
done
echo >"$mnt/runs/$id/stop"
