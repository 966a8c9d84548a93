#!/bin/sh
# tests/report-wrapper fails what has a bug, shows the report, and fails nothing else:
#
#     report-wrapper.sh WRAPPER sanitizer|valgrind PLANTED-BUGS
set -u

wrapper=$1
mode=$2
planted=$3
n_wrong=0

wrong()
{
	echo "$0: $1" >&2
	n_wrong=$((n_wrong + 1))
}

run_planted()
{
	"$wrapper" "$mode" "$planted" --jobs 1 --filter "planted/$1" 2>&1
}

expect_report()
{
	report=$(run_planted "$1") && wrong "the planted bug '$1' passed as a test"
	case $report in
	*"$2"*) ;;
	*) wrong "no report of '$1' with '$2' in it, but: $report" ;;
	esac
}

expect_status()
{
	"$wrapper" "$mode" sh -c "exit $1"
	[ $? -eq "$1" ] || wrong "the wrapper did not pass on the exit status $1"
}

# A daemon outlives the command that started it, and a shell test never asks for its end.
expect_failing_daemon()
{
	if "$wrapper" "$mode" sh -c '"$1" --filter planted/leak & wait; exit 0' sh \
		"$planted" >/dev/null 2>&1; then
		wrong "a leak in a shell test's daemon passed"
	fi
}

run_planted clean >/dev/null || wrong "the wrapper failed a test without a bug"
for status in 0 1 77; do
	expect_status $status
done

case $mode in
sanitizer)
	expect_report leak 'detected memory leaks'
	expect_report overflow 'signed integer overflow'
	expect_report out_of_bounds 'planted-bugs.c'
	expect_failing_daemon
	;;
valgrind)
	expect_report leak 'definitely lost'
	expect_report out_of_bounds 'Invalid read'
	;;
esac

[ $n_wrong -eq 0 ]
