#!/bin/bash
# In a home of many runs, who asks for all of them waits until they have been looked at,
# and is told them all; so is who starts a run and has to know them. What is started
# meanwhile is the latest at once.
. "$(dirname "$0")/lib.sh"

n_old=1000

make_old_runs()
{
	python3 - "$home/runs" "$n_old" <<'END_PYTHON'
import os, sys
for number in range(int(sys.argv[2])):
    guild = f"{sys.argv[1]}/{number:032x}/.guild"
    os.makedirs(f"{guild}/attrs")
    for name, text in ("opref", "script:/p '' '' old"), ("attrs/started", f"{number}\n"):
        with open(f"{guild}/{name}", "w") as file:
            file.write(text)
END_PYTHON
}

make_program quick <<'END_PROGRAM'
#!/bin/sh
exit 0
END_PROGRAM
make_old_runs

### All who ask at once are told all

start_mount
for i in 1 2 3 4 5; do
	ls "$mnt/runs" >"$dir/all.$i" &
	readlink "$mnt/latest" >"$dir/latest.$i" &
	ls "$mnt" >"$dir/top.$i" &
done
[ -e "$mnt/README" ] || fail "nobody else is answered"
wait
for i in 1 2 3 4 5; do
	ls "$home/runs" | diff - "$dir/all.$i" || fail "not all runs are listed"
	expect_eq "$(cat "$dir/latest.$i")" "runs/$(printf '%032x' $((n_old - 1)))"
	grep -qx latest "$dir/top.$i" || fail "there is no latest run"
done
stop_mount

### What is started while all are looked at is the latest

start_mount
ls "$mnt/runs" >"$dir/all" &
id=$(start_run quick)
expect_eq "$(readlink "$mnt/latest")" "runs/$id"
expect_eq "$(readlink "$mnt/ops/quick/latest")" "../../runs/$id"
wait
for _ in 1 2 3; do
	ls "$mnt/ops/quick/runs" >"$dir/all" &
	id=$(start_run quick)
	expect_eq "$(readlink "$mnt/latest")" "runs/$id"
done
wait
expect_result "$id" "completed 0"
stop_mount

### Who has to know all runs to start one

start_mount
touch "$mnt/ops/quick/needed"
expect_eq "$(start_run quick)" "$id"
stop_mount
rm -r "$home/runfs/needed"
start_mount -o jobs=1
id=$(start_run quick)
expect_result "$id" "completed 0"
expect_eq "$(ls "$mnt/runs" | wc -l)" $((n_old + 5))
