#!/bin/bash
# Source code: every form of `sourcecode` in guild.yml, outside git and in a work tree;
# what is recorded of it, and that --force-sourcecode goes by the same rules.
. "$(dirname "$0")/lib.sh"

cat >"$project/guild.yml" <<'END'
- model: ''
  operations:
    plain: {exec: 'true'}
    none: {exec: 'true', sourcecode: no}
    empty: {exec: 'true', sourcecode: []}
    one: {exec: 'true', sourcecode: '*.py'}
    list: {exec: 'true', sourcecode: [src, /data/x.bin]}
    rules:
      exec: 'true'
      sourcecode:
      - exclude: ['*.py', '*.yml']
      - include: data/*.bin
      - include: {dir: .hidden}
      - exclude: {dir: src}
    kinds:
      exec: 'true'
      sourcecode:
      - exclude: {text: '*'}
      - include: {binary: '*'}
      - exclude: {binary: 'y.*'}
    select:
      exec: sh -c 'echo $GUILD_SOURCECODE; cat code/sub/b.py'
      sourcecode: {select: ['sub/*'], root: ./src/, dest: code/, digest: no, prepare: x}
    main:
      main: run
      flags-import: all
      sourcecode: {root: src, dest: lib}
    tool: {exec: ./bin/tool.sh, sourcecode: {dest: bin, root: src}}
    lost: {exec: ./tool.sh, sourcecode: {dest: bin, root: src}}
    outside: {exec: 'true', sourcecode: {dest: ../x}}
    odd: {exec: 'true', sourcecode: yes}
    oddrule: {exec: 'true', sourcecode: [{include: {file: x}}]}
    rootless: {exec: 'true', sourcecode: {root: nowhere}}
- model: m
  sourcecode: {select: [{exclude: '*.txt'}], digest: no, dest: model}
  operations:
    own: {exec: 'true', sourcecode: [{exclude: '*.py'}]}
    inherited: {exec: 'true'}
    digest: {exec: 'true', sourcecode: {digest: yes, dest: .}}
- model: bare
  sourcecode: no
  operations:
    inherited: {exec: 'true'}
    own: {exec: 'true', sourcecode: a.txt}
END
mkdir -p "$project"/{src/sub,data,.hidden,skipped}
touch "$project"/{.hidden/h.txt,skipped/.guild-nocopy,skipped/s.py}
echo 'n = 1' >"$project/a.py"
echo a >"$project/a.txt"
echo 'x = 2
print("x", x)' >"$project/src/run.py"
echo b >"$project/src/sub/b.py"
printf '#!/bin/sh\necho tool\n' >"$project/src/tool.sh"
chmod +x "$project/src/tool.sh"
printf 'a\0b' >"$project/data/x.bin"
printf 'a\0b' >"$project/data/y.bin"
start_mount

# files_of ID: the run's files, but for what it has itself.
files_of()
{
	(cd "$home/runs/$1" && find . -name .guild -prune -o -type f -print) |
		sed 's|^\./||' | LC_ALL=C sort | tr '\n' ' '
}

# manifest N: the Nth word of each line of the run's manifest.
manifest()
{
	cut -d ' ' -f "$1" "$home/runs/$id/.guild/manifest"
}

# expect_files OPERATION FILES: a run has them, and its manifest names no others.
expect_files()
{
	id=$(start_run "$1")
	expect_result "$id" "completed 0"
	expect_eq "$1: $(files_of "$id")" "$1: $2"
	expect_eq "$1: $(manifest 2 | tr '\n' ' ')" "$1: $2"
}

attr()
{
	cat "$home/runs/$id/.guild/attrs/$1"
}

### Outside git
expect_files plain "a.py a.txt guild.yml src/run.py src/sub/b.py src/tool.sh "
expect_not test -e "$home/runs/$id/.guild/attrs/sourcecode_rules"
expect_files none ""
expect_eq "$(attr sourcecode_digest)" null
expect_eq "$(attr sourcecode_rules)" $'select:\n- exclude:\n  - \'*\''
expect_files empty ""
expect_files one "a.py src/run.py src/sub/b.py "
expect_files list "data/x.bin src/run.py src/sub/b.py src/tool.sh "
expect_files rules ".hidden/h.txt a.txt data/x.bin data/y.bin "
expect_files kinds "data/x.bin "

### Root and dest; what is recorded
expect_files select "code/sub/b.py "
expect_eq "$(cat "$mnt/runs/$id/output")" $'code/\nb'
expect_eq "$(manifest 4)" src/sub/b.py
expect_eq "$(grep -A 2 ^sourcecode "$home/runs/$id/.guild/attrs/op")" \
	$'sourcecode:\n  dest: code/\n  root: ./src/'
expect_not test -e "$home/runs/$id/.guild/attrs/sourcecode_digest"
grep -q "^sourcecode: 'prepare' is none of select" "$mnt/ops/select/help"
expect_files main "lib/run.py lib/sub/b.py lib/tool.sh "
expect_eq "$(cat "$mnt/runs/$id/output")" "x 2"
grep -q '^PYTHONPATH=lib' "$mnt/runs/$id/env"
echo x=7 >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
expect_eq "$(cat "$mnt/runs/$id/output")" "x 7"
rm "$home/runs/$id/lib/run.py"
expect_errno ENOENT put "$mnt/runs/$id/restart" x=8
grep -q 'the script lib/run.py is not in' "$mnt/runs/$id/restart"
expect_files tool "bin/run.py bin/sub/b.py bin/tool.sh "
expect_eq "$(cat "$mnt/runs/$id/output")" tool

### Models
expect_files m:own "model/guild.yml model/src/tool.sh "
expect_files m:inherited "model/a.py model/guild.yml model/src/run.py \
model/src/sub/b.py model/src/tool.sh "
expect_not test -e "$home/runs/$id/.guild/attrs/sourcecode_digest"
expect_files m:digest "a.py guild.yml src/run.py src/sub/b.py src/tool.sh "
expect_eq "$(cut -d = -f 1 "$mnt/runs/$id/source")" digest
expect_files bare:inherited ""
expect_files bare:own "a.txt "

### Refusals
# expect_refusal OPERATION ERRNO BEGINNING
expect_refusal()
{
	expect_errno "$2" put "$mnt/ops/$1/run" ''
	case $(cat "$mnt/ops/$1/run") in
	"error: $3"*) ;;
	*) fail "$(cat "$mnt/ops/$1/run")" ;;
	esac
}
expect_refusal lost ENOENT \
	"'./tool.sh' is not there: the run has its source code in bin (sourcecode: dest)"
expect_refusal outside EINVAL \
	"guild.yml: line 30: operation outside: sourcecode: dest is a path below the"
expect_refusal odd EINVAL "guild.yml: line 31: operation odd: sourcecode is a pattern"
expect_refusal oddrule EINVAL \
	"guild.yml: line 32: operation oddrule: sourcecode: what is included is a"
expect_refusal rootless ENOENT \
	"the project $project has no directory nowhere to take the source code from"

### --force-sourcecode goes by the rules that the run was made by
id=$(start_run one)
expect_result "$id" "completed 0"
touch "$project/new.py" "$project/new.txt"
rm "$project/guild.yml"
echo --force-sourcecode >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
expect_eq "$(files_of "$id")" "a.py new.py src/run.py src/sub/b.py "
expect_eq "$(wc -l <"$home/runs/$id/.guild/manifest")" 4
rm "$project"/new.*

### Limits are told
head -c 1048577 /dev/zero | tr '\0' x >"$project/big.txt"
mkdir "$project/many"
for i in {1..100}; do
	: >"$project/many/$i.txt"
done
cat >"$project/guild.yml" <<'END'
plain: {exec: 'true'}
own: {exec: 'true', sourcecode: [{include: '*.txt'}]}
END
id=$(start_run plain)
expect_result "$id" "completed 0"
expect_eq "$(files_of "$id" | wc -w)" 100
advice="To control which files are copied, define 'sourcecode' for the operation in a \
Guild file."
expect_eq "$(grep ^warning "$mnt/runs/$id/source")" \
	"warning=Skipping source code file big.txt because it's too big. $advice
warning=Found more than 100 source code files but will only copy 100 as a safety \
measure. $advice"
rm "$project/big.txt"
rm -r "$project/many"
echo --force-sourcecode >"$mnt/runs/$id/restart"
expect_result "$id" "completed 0"
expect_not grep -q warning "$mnt/runs/$id/source"
id=$(start_run own)
expect_result "$id" "completed 0"
expect_not grep -q warning "$mnt/runs/$id/source"

### In a git work tree
cat >>"$project/guild.yml" <<'END'
rules:
  exec: 'true'
  sourcecode:
  - include: '*.log'
  - include: {dir: ignored}
  - exclude: '*.py'
END
git -C "$project" init -q
printf '*.log\nignored\n' >"$project/.gitignore"
printf '# not for runs\n*.txt\n!h.txt\n' >"$project/.guildignore"
mkdir "$project/ignored"
touch "$project/x.log" "$project/ignored/i.log"
in_git=".hidden/h.txt a.py data/x.bin data/y.bin guild.yml src/run.py src/sub/b.py \
src/tool.sh "
expect_files plain "$in_git"
expect_not test -e "$home/runs/$id/.guild/attrs/vcs_commit"
expect_files rules ".hidden/h.txt data/x.bin data/y.bin guild.yml ignored/i.log \
src/tool.sh x.log "
git -C "$project" add src
git -C "$project" -c user.name=x -c user.email=x commit -qm x
head=$(git -C "$project" rev-parse HEAD)
expect_files plain "$in_git"
expect_eq "$(attr vcs_commit)" "git:$head*"
expect_eq "$(head -n 1 "$mnt/runs/$id/source")" "commit=git:$head*"
