#!/usr/bin/env bash
# Acceptance of containers: what a docker user would check of their life cycle, from outside, against real images.
# Debian packages: catatonit conmon runc containernetworking-plugins iptables golang-github-containers-common debootstrap attr libcap2-bin jq procps util-linux python3
. "$(dirname "$0")/../../../shared/accept/lib.sh"
varve pull -q "oci:$IMAGES/oci/debian:latest" >/dev/null; varve tag localhost/debian:latest deb
state() { varve inspect --type container "$1" | jq -er ".[0].State.$2"; }
up() { varve run -d --name "$@" >"$scratch/id"; }
gone() { ! varve inspect --type container "$1" >/dev/null 2>&1; }
pid_of() { state "$1" Pid; }
ends() { local n; for n in $(seq 200); do grep -qs '^State:.[^ZX]' "/proc/$1/status" || return 0; sleep 0.05; done; return 1; } # a zombie has ended: pid 1 may be slow
says() { await bash -c "varve logs $1 2>&1 | grep -qx -- '$2'"; }
export -f await says state pid_of

# -- run -d, ps, logs
check "run -d prints the id of 64 digits and nothing else" bash -c "varve run -d --name web deb sh -c 'echo one; echo two >&2; sleep 0.5; echo three; sleep 1000' | grep -Ex '[0-9a-f]{64}'"
check "ps has docker's columns"                         bash -c "varve ps | head -1 | grep -Ex 'CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES'"
check "ps shows it up"                                  bash -c "varve ps | grep -E '^[0-9a-f]{12} +deb +\"sh -c echo one; ech…\" .* ago +Up .* web$'"
check "ps --filter name=^web$ and status=running find it" bash -c "[ \$(varve ps -q -f name=^web$ | wc -l) = 1 ] && [ -z \"\$(varve ps -q -f name=^eb)\" ] && [ \$(varve ps -q -f status=running | wc -l) = 1 ]"
check "a status or exit code that is none is refused"   bash -c "$(declare -f refuses); refuses \"invalid filter 'status=nonsense'\" varve ps -f status=nonsense && refuses \"invalid filter 'exited=x'\" varve ps -f exited=x"
check "ps -q prints short ids, --no-trunc whole ones"   bash -c "varve ps -q | grep -Ex '[0-9a-f]{12}' && varve ps -q --no-trunc | grep -Ex '[0-9a-f]{64}'"
check "ps --format json is an object a line"            prints 'web running deb' bash -c "varve ps --format json | jq -r '[.Names, .State, .Image] | join(\" \")'"
says web three
check "logs keeps standard output and error apart"      bash -c "[ \"\$(varve logs web 2>/dev/null)\" = 'one
three' ] && [ \"\$(varve logs web 2>&1 >/dev/null)\" = two ]"
check "logs --tail"                                     prints three varve logs --tail 1 web
check "logs -t says when"                               bash -c "varve logs -t web 2>/dev/null | head -1 | grep -E '^20[0-9-]+T[0-9:.]+.* one$'"
check "logs --since the future is empty, 10m ago is all" bash -c "[ -z \"\$(varve logs --since 2100-01-01 web 2>&1)\" ] && [ \$(varve logs --since 10m web 2>&1 | wc -l) = 3 ]"
check "logs --until what was said first leaves out what came later" bash -c "varve logs --until \$(varve logs -t web 2>/dev/null | head -1 | cut -d' ' -f1) web 2>&1 | grep -qx one && ! varve logs --until \$(varve logs -t web 2>/dev/null | head -1 | cut -d' ' -f1) web 2>&1 | grep three"
check "logs -f ends at --until, though it runs on"      bash -c "timeout 20 varve logs -f --until \$(date -u -d '1 second' +%FT%TZ) web 2>/dev/null | grep -qx three && [ \$(state web Running) = true ]"
check "it is found by a beginning of its id"            bash -c "varve logs \$(varve ps -q --no-trunc | cut -c1-7) 2>&1 | grep -qx one"
check "its name is taken"                               refuses 'already in use' varve run -d --name web deb true
check "and the one refused left nothing"                prints 1 bash -c "varve ps -aq | wc -l"
check "a running container is not removed without -f"   refuses 'running' varve rm web
check "inspect is docker-shaped"                        prints 'true web sh deb SIGTERM' bash -c "varve inspect web | jq -r '.[0] | [.State.Running, (.Name | ltrimstr(\"/\")), .Path, .Config.Image, .Config.StopSignal] | join(\" \")'"
check "inspect's pid is the first process"              bash -c "tr '\\0' ' ' </proc/\$(varve inspect web | jq .[0].State.Pid)/cmdline | grep -q 'echo one'"
check "it left no mount in the host's table"            bash -c "! grep -q \"$VARVE_ROOT/containers\" /proc/self/mountinfo"
check "system stop refuses and names it"                refuses 'container .*web' varve system stop

# -- its end
check "stop ends it, and prints its name"               prints web varve stop -t 0 web
check "ps does not show it any more, ps -a does"        bash -c "[ -z \"\$(varve ps -q)\" ] && varve ps -a | grep -E 'Exited \(137\) .*ago .* web$'"
check "its logs stay"                                   prints three varve logs --tail 1 web
check "start runs it again with what it had written"    bash -c "varve start web && [ \$(varve inspect web | jq .[0].State.Running) = true ]"
check "restart gives it another process"                bash -c "a=\$(varve inspect web | jq .[0].State.Pid); varve restart -t 0 web && b=\$(varve inspect web | jq .[0].State.Pid) && [ \$a != \$b ] && ! kill -0 \$a 2>/dev/null"
check "rename"                                          bash -c "varve rename web site && varve ps | grep -q ' site$' && ! varve inspect --type container web"
check "rm -f kills and removes it"                      bash -c "p=\$(varve inspect site | jq .[0].State.Pid); varve rm -f site && ! kill -0 \$p 2>/dev/null && [ -z \"\$(varve ps -aq)\" ]"
check "nothing of it is left on disk"                   bash -c "! ls $VARVE_ROOT/containers | grep -E '^[0-9a-f]{64}$'"
check "a container that is not there is a clear error"  refuses 'No such container: nosuch' varve stop nosuch
check "to rm -f it is no failure, and the others go"    bash -c "varve create --name tt deb true; varve rm -f nosuch tt && ! varve rm nosuch && [ -z \"\$(varve ps -aq)\" ]"
check "two restarts at once leave it running, and both say so" bash -c "varve run -d --name tt deb sleep 1000; varve restart -t 0 tt & varve restart -t 0 tt; a=\$?; wait \$!; b=\$?; [ \$a\$b = 00 ] && [ \$(varve inspect tt | jq .[0].State.Running) = true ]; rc=\$?; varve rm -f tt; exit \$rc"
check "stop sends SIGTERM first"                        bash -c "varve run -d --name tt deb sh -c 'trap \"exit 9\" TERM; echo ready; sleep 1000 & wait' && says tt ready && varve stop tt && [ \$(varve inspect tt | jq .[0].State.ExitCode) = 9 ]; rc=\$?; varve rm -f tt; exit \$rc"
check "--stop-signal, --stop-timeout"                   bash -c "varve run -d --name tt --stop-signal USR1 --stop-timeout 5 deb sh -c 'trap \"exit 8\" USR1; echo ready; sleep 1000 & wait'; says tt ready; varve stop tt; [ \$(varve inspect tt | jq .[0].State.ExitCode) = 8 ]; rc=\$?; varve rm -f tt; exit \$rc"
check "a command that ignores SIGTERM is killed after -t" bash -c "varve run -d --name tt deb sh -c 'trap \"\" TERM; echo ready; sleep 1000'; says tt ready; varve stop -t 1 tt; [ \$(varve inspect tt | jq .[0].State.ExitCode) = 137 ]; rc=\$?; varve rm -f tt; exit \$rc"
check "kill sends SIGKILL, -s another"                  bash -c "varve run -d --name tt deb sh -c 'trap \"echo got it\" HUP; echo ready; while :; do sleep 0.05; done'; says tt ready; varve kill -s HUP tt && says tt 'got it' && varve kill tt && [ \$(varve wait tt) = 137 ]; rc=\$?; varve rm -f tt; exit \$rc"
check "kill of one that does not run is refused"        bash -c "varve create --name tt deb true; $(declare -f refuses); refuses 'not running' varve kill tt; rc=\$?; varve rm tt; exit \$rc"
check "wait prints the exit code"                       prints 5 bash -c "varve wait \$(varve run -d --name tt deb sh -c 'sleep 0.3; exit 5'); varve rm tt >/dev/null"
check "wait sees the end of one that is removed with it" prints 6 bash -c "varve wait \$(varve run -d --rm deb sh -c 'sleep 0.3; exit 6')"
check "--rm of a detached container"                    bash -c "varve run -d --rm --name tt deb true; for n in \$(seq 100); do varve ps -aq | grep -q . || exit 0; sleep 0.1; done; exit 1"
check "logs -f follows until it ends"                   prints '1 2 3' bash -c "varve run -d --name tt deb sh -c 'for n in 1 2 3; do echo \$n; sleep 0.2; done' >/dev/null; varve logs -f tt | tr '\\n' ' ' | sed 's/ $//'; varve rm -f tt >/dev/null"
check "logs are bounded, and the newest are there"      bash -c "varve run -d --name tt deb sh -c 'i=0; while [ \$i -lt 40 ]; do head -c 1000000 /dev/zero | tr \"\\0\" x | fold -w 1000; i=\$((i + 1)); done; echo; echo the end' && varve wait tt && [ \$(du -sb $VARVE_ROOT/containers/*/log | cut -f1) -lt 20000000 ] && [ \"\$(varve logs --tail 1 tt)\" = 'the end' ]; rc=\$?; varve rm -f tt; exit \$rc"

# -- create, start, foreground
check "create runs nothing"                             bash -c "varve create --name tt deb sh -c 'echo made; exit 4' | grep -Ex '[0-9a-f]{64}' && varve ps -a | grep -q ' Created .* tt$'"
check "start -a shows its output and exit code"         bash -c "out=\$(varve start -a tt); [ \$? = 4 ] && [ \"\$out\" = made ]; rc=\$?; varve rm tt; exit \$rc"
check "a foreground run without --rm stays, exited"     bash -c "varve run --name tt deb sh -c 'echo x >/kept; exit 3'; varve ps -a | grep -q 'Exited (3) .* tt$'"
check "and start goes on with what it has written"      bash -c "varve rm tt; varve run --name tt deb sh -c 'test -e /kept || { echo x >/kept; exit 3; }'; varve start -a tt; rc=\$?; varve rm tt; exit \$rc"
check "a foreground run is in ps, and stop works on it" bash -c "varve run --name tt deb sleep 1000 & await bash -c \"varve ps | grep -q ' tt$'\"; varve stop -t 0 tt; wait \$!; rc=\$?; varve rm tt; [ \$rc = 137 ]"
check "--cidfile holds the id, and is not overwritten"  bash -c "varve run --rm --cidfile $scratch/cid deb true && grep -Ex '[0-9a-f]{64}' $scratch/cid; ! varve run --rm --cidfile $scratch/cid deb true 2>$scratch/e && grep -q 'ID file found' $scratch/e && [ -z \"\$(varve ps -aq)\" ]"
check "run -d of a command that is not there exits 127" exits 127 varve run -d --rm deb /no/such/thing
check "of one that cannot be executed, 126"             exits 126 varve run -d --rm deb /etc/passwd
check "an unknown image exits 125"                      exits 125 varve run -d --pull never no/such/image
check "and these leave no container"                    prints '' varve ps -aq
check "-v, -e, -u, -w and --hostname of a detached one" prints 'from the host b 1000 /usr box' bash -c "mkdir -p $scratch/v && echo from the host >$scratch/v/f; varve run -d --name tt -v $scratch/v:/v -e A=b -u 1000 -w /usr --hostname box deb sh -c 'echo \$(cat /v/f) \$A \$(id -u) \$(pwd) \$(hostname)' >/dev/null; varve wait tt >/dev/null; varve logs tt; varve rm tt >/dev/null"
check "run -it without a terminal is refused"           refuses 'not a TTY' varve run --rm -it deb true
check "run -it has a terminal of its size"              bash -c "script -qec 'stty rows 41 cols 97; varve run --rm -it deb stty size' /dev/null </dev/null | grep -q '41 97'"
check "run -dt gives a terminal"                        prints /dev/pts/0 bash -c "varve run -dt --name tt deb tty >/dev/null; varve wait tt >/dev/null; varve logs tt | tr -d '\\r'; varve rm tt >/dev/null"

# -- attached
tt() { local rc=0; "$@" || rc=$?; varve rm -f tt; return $rc; }  # what does something with a container tt, which it need not remove
client() { pgrep -P "$1"; }  # of a varve in the background, which here runs below timeout
export PATH="$(cd "$(dirname "$0")" && pwd):$PATH"; export -f client
head -c 50000000 /dev/urandom >"$scratch/blob"
loops='trap "exit 9" INT TERM; echo ready; while :; do sleep 0.05; done'
check "what a foreground run says is in its logs, apart" tt bash -c "varve run --name tt deb sh -c 'echo one; echo two >&2; exit 3' >$scratch/o 2>$scratch/e; [ \$? = 3 ] && grep -qx one $scratch/o && grep -qx two $scratch/e && [ \"\$(varve logs tt 2>/dev/null)\" = one ] && [ \"\$(varve logs tt 2>&1 >/dev/null)\" = two ]"
check "50 MB of any bytes come out whole"               tt bash -c "varve run --name tt -v $scratch:/v deb cat /v/blob | cmp - $scratch/blob"
check "and go in whole, and their end ends cat"         tt bash -c "varve run -i --name tt deb cat <$scratch/blob | cmp - $scratch/blob"
check "what is said last is there, though input is not read" tt prints last bash -c "varve run -i --name tt deb sh -c 'head -c 1 >/dev/null; echo last' <$scratch/blob"
check "start -a -i passes input on and the exit code"   tt bash -c "varve create -i --name tt deb sh -c 'cat; exit 6'; out=\$(echo through | varve start -a -i tt); [ \$? = 6 ] && [ \"\$out\" = through ]"
check "ctrl-p ctrl-q leaves it running, attach comes back" tt bash -c "at_terminal.py 24x80 '# ' 'echo a\$((6*7))\\n' a42 'echo b\$((6*8))\\x10\\x11' 'read escape' '' -- varve run -it --name tt deb sh && varve ps | grep ' tt$' && at_terminal.py 24x80 '' '\\n' b48 'exit 5\\n' -- varve attach tt; [ \$? = 5 ] && varve logs tt | tr -d '\\r' | grep -qx a42"
check "--detach-keys are others, and '' none"           tt bash -c "at_terminal.py 24x80 '# ' 'xx\\x02z' -- varve run -it --detach-keys ctrl-b,z --name tt deb sh && varve ps | grep ' tt$' && at_terminal.py 24x80 '' '\\x15\\n' '# ' 'echo \\x10\\x11c\$((6*9))\\n' c54 'exit 4\\n' -- varve attach --detach-keys '' tt; [ \$? = 4 ]"
mkdir -p "$scratch/docker" "$scratch/odd"; echo '{"detachKeys": "ctrl-b,z"}' >"$scratch/docker/config.json"; echo '{"detachKeys": "ctrl-1"}' >"$scratch/odd/config.json"
check "those of docker's config.json are taken where it is typed" tt bash -c "export DOCKER_CONFIG=$scratch/docker; at_terminal.py 24x80 '# ' 'xx\\x02z' -- varve run -it --name tt deb sh && at_terminal.py 24x80 '' '\\x15\\n' '# ' '\\x10\\x11' -- varve attach --detach-keys ctrl-p,ctrl-q tt && varve ps | grep ' tt$'"
check "but not unknown ones, which are named"           bash -c "export DOCKER_CONFIG=$scratch/odd; at_terminal.py 24x80 \"config.json: invalid detach keys 'ctrl-1'\" '' -- varve run --rm -it deb true; [ \$? = 125 ] && varve run --rm deb true"
check "run -a passes on what it names, logs have all"   tt bash -c "[ \"\$(varve run -a stderr --name tt deb sh -c 'echo one; echo two >&2' 2>&1)\" = two ] && [ \"\$(varve logs tt 2>/dev/null)\" = one ]"
check "keys that are none are refused"                  refuses 'invalid detach keys' varve run --rm --detach-keys ctrl-1 deb true
check "its terminal has our size from the first, and follows" at_terminal.py 41x97 '41 97' 50x120 '50 120' '' -- varve run --rm -it deb sh -c 'stty size; while ! stty size | grep "50 120"; do sleep 0.05; done'
check "attach gives it the size of ours"                tt bash -c "varve run -dit --name tt deb sh -c 'read x; stty size; read x' && at_terminal.py 33x77 '' '\\n' '33 77' '\\n' -- varve attach tt"
check "run -t needs no terminal of ours without -i"     prints '/dev/pts/0' bash -c "varve run --rm -t deb tty </dev/null | tr -d '\\r'"
check "run -t --rm is gone when it returns"             bash -c "varve run --rm -t --name tt deb true && varve run --rm -t --name tt deb true && [ -z \"\$(varve ps -aq)\" ]"
check "a command that is not there leaves the terminal as it was" exits 127 at_terminal.py 24x80 -- varve run --rm -it deb nosuch
check "two attached see the same, and its exit code"    tt bash -c "varve run -d --name tt deb sh -c 'while ! test -e /go; do echo tick; sleep 0.05; done; echo last; exit 8'; for n in 1 2; do varve attach tt >$scratch/a\$n & pids[n]=\$!; done; await grep tick $scratch/a1 && await grep tick $scratch/a2 && varve exec tt touch /go && for n in 1 2; do wait \${pids[n]}; [ \$? = 8 ] && tail -n 1 $scratch/a\$n | grep -qx last || exit 1; done"
check "the end of an attached input does not end run -d -i's" tt bash -c "varve run -di --name tt deb sh -c 'cat; exit 3' && echo one | varve attach tt & await bash -c 'varve logs tt | grep -qx one' && [ \$(state tt Running) = true ]"
check "ctrl-c reaches it"                               tt exits 9 at_terminal.py 24x80 ready '\x03' -- varve run --name tt deb sh -c "$loops"
check "a signal to the client reaches it"               tt exits 9 at_terminal.py 24x80 ready -SIGTERM -- varve run --name tt deb sh -c "$loops"
check "but not with --sig-proxy=false: it runs on"      tt bash -c "at_terminal.py 24x80 ready -SIGTERM -- varve run -it --sig-proxy=false --name tt deb sh -c '$loops'; [ \$? -ge 124 ] && [ \$(state tt Running) = true ]"
check "kill -9 of the client leaves it running, truthfully told" tt bash -c "varve run --name tt deb sh -c 'echo ready; while ! test -e /go; do sleep 0.05; done; echo done; exit 7' & says tt ready && kill -9 \$(client \$!) && [ \$(state tt Running) = true ] && varve exec tt touch /go && [ \$(varve wait tt) = 7 ] && says tt done && varve ps -a | grep -q 'Exited (7).* tt$'"
check "what cannot be attached to says why"             bash -c "$(declare -f refuses tt); varve create --name tt deb true; tt refuses 'not running' varve attach tt && { varve run --rm --name tt deb sleep 1000 & await pid_of tt; tt refuses 'child of the varve run' varve attach tt; }"
check "run --restart shows the first run, and is started again" tt bash -c "varve run --name tt --restart on-failure:1 deb sh -c 'echo run; exit 7' >$scratch/o; [ \$? = 7 ] && grep -qx run $scratch/o && await bash -c '[ \$(varve logs tt | wc -l) = 2 ] && [ \$(state tt Status) = exited ]'"

# -- waiting
waiting() { varve wait --condition "$1" tt >"$scratch/waited" & local w; w=$!; await bash -c '! flock -n "$VARVE_ROOT"/containers/[0-9a-f]*/watch true' && "${@:2}" >/dev/null && wait $w && cat "$scratch/waited"; }
next_exit() { varve create --name tt deb sh -c 'exit 7' && prints 7 waiting next-exit varve start tt && prints 7 waiting next-exit varve start tt; }
running_and_removed() { varve create --name tt deb sleep 1000 && prints -1 waiting running varve start tt && prints 137 waiting removed varve rm -f tt; }
check "wait --condition next-exit waits for what is not started yet" tt next_exit
check "wait --condition running, and removed"           tt running_and_removed
check "a condition that is none is refused"             refuses 'condition' varve wait --condition soon tt

# -- limits
cgroup() { varve run --rm "${@:3}" deb sh -c "cat /sys/fs/cgroup/$1 2>/dev/null || cat /sys/fs/cgroup/$2"; }
check "--memory is in its cgroup"                       prints 67108864 cgroup memory/memory.limit_in_bytes memory.max --memory 64m
check "and twice that with swap; --memory-swap says otherwise" bash -c "$(declare -f cgroup prints); [ ! -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] || { prints 134217728 cgroup memory/memory.memsw.limit_in_bytes - --memory 64m && prints 67108864 cgroup memory/memory.memsw.limit_in_bytes - --memory 64m --memory-swap 64m; }"
check "--cpus"                                          bash -c "$(declare -f cgroup); cgroup cpu/cpu.cfs_quota_us cpu.max --cpus 0.5 | grep -E '^50000( 100000)?$'"
check "--cpuset-cpus"                                   prints 0 varve run --rm --cpuset-cpus 0 deb sh -c "awk '/Cpus_allowed_list/ {print \$2}' /proc/self/status"
check "--pids-limit stops one that forks without end"   bash -c "varve run --rm --pids-limit 12 deb sh -c 'for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 1000 & done' 2>&1 | grep -qi 'cannot fork'"
check "more memory than allowed is 137, and told as OOM" bash -c "varve run -d --name tt --memory 32m deb tail /dev/zero; varve wait tt | grep -qx 137 && varve inspect tt | jq -e '.[0].State.OOMKilled'; rc=\$?; varve rm tt; exit \$rc"
check "limits that cannot be are refused"               bash -c "$(declare -f refuses); refuses 'Minimum memory' varve run --rm --memory 1m deb true && refuses 'Range of CPUs' varve run --rm --cpus 1000 deb true && refuses 'invalid size' varve run --rm --shm-size lots deb true"
check "--shm-size"                                      prints 16384 varve run --rm --shm-size 16m deb sh -c "df -k /dev/shm | awk 'NR == 2 {print \$2}'"
check "--security-opt no-new-privileges"                prints 1 varve run --rm --security-opt no-new-privileges deb sh -c "awk '/NoNewPrivs/ {print \$2}' /proc/self/status"

check "a fork bomb stays in its --pids-limit"            bash -c "varve run -d --name tt --pids-limit 24 deb bash -c 'b() { b | b & }; b; sleep 1000'; await bash -c 'varve exec tt true || true; varve logs tt 2>&1 | grep -qi resource'; varve rm -f tt && varve run --rm deb true"
check "--ulimit"                                        prints '64 128' varve run --rm --ulimit nofile=64:128 deb sh -c 'echo $(ulimit -Sn) $(ulimit -Hn)'
check "one above what varve has is refused before the start" bash -c "$(declare -f refuses); capsh --has-p=cap_sys_resource 2>/dev/null || refuses 'CAP_SYS_RESOURCE' varve run --rm --ulimit nofile=\$((\$(ulimit -Hn) + 1)) deb true"

# -- what it may do to the machine
mounts() { varve run --rm "$@" deb sh -c 'mount -t tmpfs none /mnt && echo mounted'; }
check "system calls are filtered"                       prints '2' varve run --rm deb sh -c "awk '/^Seccomp:/ {print \$2}' /proc/self/status"
check "one that docker's profile forbids is refused"    refuses 'Operation not permitted' varve run --rm deb unshare -U true
check "an exec is filtered as well"                     bash -c "$(declare -f refuses); varve run -d --name tt deb sleep 1000; refuses 'Operation not permitted' varve exec tt unshare -U true; rc=\$?; varve rm -f tt; exit \$rc"
check "--security-opt seccomp=unconfined lets it pass"  varve run --rm --security-opt seccomp=unconfined deb unshare -U true
check "a capability lets pass what belongs to it"       bash -c "$(declare -f refuses mounts); refuses 'denied\|not permitted' mounts && mounts --cap-add SYS_ADMIN"
echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}' >"$scratch/profile.json"
check "a profile of one's own"                          refuses 'No space left' varve run --rm --security-opt "seccomp=$scratch/profile.json" deb mkdir /x
check "a file that is none is refused and named"        refuses '/etc/passwd: is not a seccomp profile' varve run --rm --security-opt seccomp=/etc/passwd deb true
check "--privileged may do all of it"                   bash -c "$(declare -f mounts); mounts --privileged && varve run --rm --privileged deb sh -c 'test -c /dev/kmsg && unshare -U true && ! grep -q \" /proc/sys \" /proc/mounts'"
check "cgroups that a privileged one makes go with it"  bash -c "varve run -d --name tt --privileged deb sh -c 'mkdir -p /sys/fs/cgroup/pids/below/it /sys/fs/cgroup/below 2>/dev/null; sleep 1000'; id=\$(varve inspect tt | jq -r .[0].Id); await bash -c \"ls -d /sys/fs/cgroup/{pids/,}varve/\$id/below\"; varve rm -f tt && ! ls -d /sys/fs/cgroup/{,*/}varve/\$id"
check "a device is there when asked for, with that access" bash -c "varve run --rm --device /dev/fuse deb sh -c ': <>/dev/fuse' && varve run --rm --device /dev/fuse:/dev/x:r deb sh -c 'true </dev/x && ! (true >/dev/x)' && ! varve run --rm deb sh -c 'mknod /f c 10 229 && true </f'"
check "what is no device is refused"                    refuses 'not a device node' varve run --rm --device /etc/passwd deb true
check "--group-add, by name and number, and for an exec" bash -c "varve run -d --name tt -u 1000:1000 --group-add disk --group-add 77 deb sleep 1000; [ \"\$(varve exec tt id -G)\" = '1000 6 77' ] && [ \"\$(varve exec -u 1001:1001 tt id -G)\" = '1001 6 77' ]; rc=\$?; varve rm -f tt; exit \$rc"
check "--init is process 1, and passes the exit code on" bash -c "varve run --rm --init deb sh -c 'read -r name </proc/1/comm; [ \$name != sh ] && exit 7'; [ \$? = 7 ]"
check "and leaves no trace in what the container wrote" bash -c "varve run --name tt --init deb true; ! find \"$VARVE_ROOT\"/containers/*/upper -name '*init*' | grep .; rc=\$?; varve rm tt; exit \$rc"

# -- platforms
foreign=$([ "$(uname -m)" = s390x ] && echo riscv64 || echo s390x)
tar -c -C "$scratch" profile.json | varve import --platform "linux/$foreign" - localhost/foreign >/dev/null
check "an image for another processor is a clear error" bash -c "$(declare -f refuses); refuses 'image is for linux/$foreign.*qemu-user-static' varve run --rm localhost/foreign true"
check "create takes it: it may be for its files alone"  bash -c "varve create --name tt localhost/foreign true && varve rm tt"
check "an image that is here for another platform is not taken" refuses 'does not match the specified platform' varve run --rm --pull never --platform "linux/$foreign" deb true
check "the one that was asked for is"                   varve run --rm --pull never --platform "$(varve inspect --type image deb | jq -r '.[0] | .Os + "/" + .Architecture')" deb true
varve rmi localhost/foreign >/dev/null

# -- exec
up web -e A=b -w /usr deb sh -c 'echo up; sleep 1000'; says web up
check "exec runs beside it, with its environment and directory" prints 'b /usr 0' varve exec web sh -c 'echo $A $(pwd) $(id -u)'
check "exec -e, -u, -w"                                 prints 'c / 1000 b' varve exec -e C=c -u 1000 -w / web sh -c 'echo $C $(pwd) $(id -u) $A'
check "exec passes the exit code on"                    exits 9 varve exec web sh -c 'exit 9'
check "exec of what is not there exits 127"             exits 127 varve exec web nosuch
check "of what cannot be executed, 126"                 exits 126 varve exec web /etc/passwd
check "exec -i passes standard input on"                prints through bash -c "echo through | varve exec -i web cat"
check "exec -it has a terminal of its size"             bash -c "script -qec 'stty rows 43 cols 99; varve exec -it web sh -c \"sleep 0.3; stty size\"' /dev/null </dev/null | grep -q '43 99'"
check "exec -it follows the size, and has the exit code" exits 6 at_terminal.py 43x99 '43 99' 50x120 '50 120' '' -- varve exec -it web sh -c 'stty size; while ! stty size | grep "50 120"; do sleep 0.05; done; exit 6'
check "exec -it of what is not there exits 127"         exits 127 at_terminal.py 43x99 -- varve exec -it web nosuch
check "ctrl-p ctrl-q leaves an exec running"            bash -c "at_terminal.py 24x80 ready '\x10\x11' -- varve exec -it web sh -c 'echo ready; while ! test -e /go; do sleep 0.05; done; echo gone >/went' && varve exec web touch /go && await varve exec web grep gone /went"
check "exec -t needs no terminal of ours without -i"    prints /dev/pts/0 bash -c "varve exec -t web tty </dev/null | tr -d '\r'"
check "exec -dt gives a terminal and does not wait"     bash -c "varve exec -dt web sh -c 'tty >/ttyed; sleep 1000' && await varve exec web grep pts /ttyed"
check "exec -d does not wait, and what it started stays" bash -c "varve exec -d web sh -c 'sleep 0.2; echo done >/done; sleep 1000' && await varve exec web test -e /done"
check "exec into a foreground run"                      bash -c "varve run --name tt deb sh -c 'echo x >/here; sleep 1000' & await varve exec tt test -e /here && varve exec tt sh -c 'echo \$\$; tr \"\\0\" \" \" </proc/1/cmdline' | grep 'sleep 1000'; rc=\$?; varve rm -f tt; exit \$rc"
check "exec -it into a child of varve run"              bash -c "varve run --rm --name tt deb sleep 1000 & await varve exec tt true && at_terminal.py 24x80 '# ' 'echo \$\$\$((6*7)); exit 3\n' 42 '' -- varve exec -it tt sh; [ \$? = 3 ]; rc=\$?; varve rm -f tt; exit \$rc"
check "exec into one that does not run is refused"      bash -c "varve stop -t 0 web; $(declare -f refuses); refuses 'not running' varve exec web true; rc=\$?; varve rm web; exit \$rc"

# -- pause, top, stats
up web deb sh -c 'while :; do :; done'
check "pause freezes it, and ps says so"                bash -c "varve pause web && varve ps | grep -E 'Up .* \(Paused\) .* web$' && [ \"\$(varve inspect web | jq -r '.[0].State | [.Status, .Paused, .Running] | join(\" \")')\" = 'paused true true' ] && varve ps -q --filter status=paused | grep ."
check "it uses no CPU time then"                        bash -c "a=\$(varve inspect web | jq .[0].State.Pid); x=\$(cut -d' ' -f14 /proc/\$a/stat); varve stats --no-stream web >/dev/null; [ \$x = \$(cut -d' ' -f14 /proc/\$a/stat) ]"
check "pausing it again, exec and start are refused"    bash -c "$(declare -f refuses); refuses 'already paused' varve pause web && refuses 'is paused' varve exec web true && refuses 'try unpause' varve start web && refuses 'it is paused' varve rm web"
check "unpause lets it go on"                           bash -c "varve unpause web && varve exec web true && varve ps | grep -vq Paused && $(declare -f refuses) && refuses 'not paused' varve unpause web"
check "stop ends one that is paused"                    bash -c "varve run -d --name tt deb sh -c 'trap \"exit 6\" TERM; echo ready; while :; do sleep 0.05; done'; says tt ready; varve pause tt; varve stop tt; [ \$(varve inspect tt | jq .[0].State.ExitCode) = 6 ]; rc=\$?; varve rm -f tt; exit \$rc"
check "so does kill, and rm -f"                         bash -c "varve run -d --name tt deb sleep 1000; varve pause tt; varve kill tt && [ \$(varve wait tt) = 137 ] && varve start tt && varve pause tt && varve rm -f tt"
check "pause of a foreground run"                       bash -c "varve run --rm --name tt deb sleep 1000 & await varve exec tt true; varve pause tt && varve ps | grep -q 'Paused.* tt$' && varve unpause tt && varve exec tt true; rc=\$?; varve rm -f tt; exit \$rc"
check "top shows its processes as ps does"              bash -c "varve top web | head -1 | grep -Ex 'UID +PID +PPID +C +STIME +TTY +TIME +CMD' && [ \$(varve top web | wc -l) = 2 ] && varve top web | grep -q \"\$(varve inspect web | jq .[0].State.Pid) .*while :\""
check "with ps' own options"                            bash -c "varve top web -o pid,comm | grep -Ex '[0-9]+ +sh' && $(declare -f refuses) && refuses 'PID' varve top web -o comm"
check "stats has docker's columns"                      bash -c "varve stats --no-stream | head -1 | grep -Ex 'CONTAINER ID +NAME +CPU % +MEM USAGE / LIMIT +MEM % +NET I/O +BLOCK I/O +PIDS'"
check "and says that it is busy"                        bash -c "varve stats --no-stream --format json web | jq -e '(.CPUPerc | rtrimstr(\"%\") | tonumber) > 10 and .PIDs == \"1\" and .Name == \"web\" and (.MemUsage | test(\"^[0-9.]+(Ki|Mi)B / [0-9.]+GiB\$\"))'"
check "a limit of memory is in it"                      bash -c "varve run -d --name tt --memory 64m deb sleep 1000; varve stats --no-stream tt | grep -q '/ 64MiB'; rc=\$?; varve rm -f tt; exit \$rc"
check "top and pause of one that does not run are refused" bash -c "$(declare -f refuses); varve rm -f web; varve create --name web deb true; refuses 'not running' varve top web && refuses 'not running' varve pause web; rc=\$?; varve rm -f web; exit \$rc"

# -- restart policies
check "--restart on-failure:2 runs it three times"      bash -c "varve run -d --name tt --restart on-failure:2 deb sh -c 'echo run; exit 7'; for n in \$(seq 100); do [ \$(varve logs tt | wc -l) = 3 ] && [ \$(varve inspect tt | jq -r .[0].State.Status) = exited ] && break; sleep 0.1; done; varve inspect tt | jq -e '.[0] | .RestartCount == 2 and .State.ExitCode == 7'; rc=\$?; varve rm -f tt; exit \$rc"
check "one that succeeds is not started again"          bash -c "varve run -d --name tt --restart on-failure deb true; varve wait tt; sleep 0.3; varve inspect tt | jq -e '.[0] | .RestartCount == 0 and .State.Status == \"exited\"'; rc=\$?; varve rm -f tt; exit \$rc"
check "a stop ends the restarting"                      bash -c "varve run -d --name tt --restart on-failure deb false; sleep 0.4; varve stop -t 0 tt; sleep 0.5; varve inspect tt | jq -e '.[0].State.Status == \"exited\"'; rc=\$?; varve rm -f tt; exit \$rc"
check "and so does a kill"                              bash -c "varve run -d --name tt --restart on-failure deb sleep 1000 && varve kill tt && varve wait tt | grep -qx 137 && varve inspect tt | jq -e '.[0] | .RestartCount == 0 and .State.Status == \"exited\"'; rc=\$?; varve rm -f tt; exit \$rc"
check "--restart and --rm conflict"                     exits 125 varve run -d --rm --restart on-failure deb true

# -- many, filters
check "ps --filter status, name, label, ancestor"       bash -c "varve run -d --name f1 -l app=a deb sleep 1000; varve run --name f2 -l app=b deb true; [ \"\$(varve ps -a --filter label=app=b --format json | jq -r .Names)\" = f2 ] && [ \"\$(varve ps --filter status=exited --format json | jq -r .Names)\" = f2 ] && [ \"\$(varve ps --filter name=f1 -q | wc -l)\" = 1 ] && [ \"\$(varve ps -a --filter ancestor=deb -q | wc -l)\" = 2 ] && ! varve ps --filter colour=red; rc=\$?; varve rm -f f1 f2; exit \$rc"
check "two creations of one name: one wins"             bash -c "for n in 1 2 3 4 5 6; do varve create --name same deb true 2>/dev/null & done | grep -c . | grep -qx 1; rc=\$?; varve rm -f same; exit \$rc"
check "eight detached containers at once"               bash -c "for n in 1 2 3 4 5 6 7 8; do varve run -d --name m\$n deb sh -c 'exit 4' >/dev/null & done; wait; [ \"\$(varve wait m1 m2 m3 m4 m5 m6 m7 m8 | sort | uniq -c | tr -s ' ')\" = ' 8 4' ]; rc=\$?; varve rm m1 m2 m3 m4 m5 m6 m7 m8; exit \$rc"

# -- volumes
data() { varve volume inspect "$1" | jq -er '.[0].Mountpoint'; }
check "volume create prints its name, ls has docker's columns" bash -c "[ \"\$(varve volume create v1)\" = v1 ] && varve volume ls | head -1 | grep -Ex 'DRIVER +VOLUME NAME' && varve volume ls | grep -Ex 'local +v1'"
check "volume inspect is docker-shaped"                 prints 'v1 local local' bash -c "varve volume inspect v1 | jq -r '.[0] | [.Name, .Driver, .Scope] | join(\" \")'"
check "what one container writes to it another reads"   prints kept bash -c "varve run --rm -v v1:/v deb sh -c 'echo kept >/v/f' && varve run --rm -v v1:/w:ro deb cat /w/f"
check "a read-only one is not written to"               refuses 'Read-only file system' varve run --rm -v v1:/v:ro deb touch /v/g
check "a new one begins as the image's directory, owner, mode and all" bash -c "varve run --rm --mount type=volume,src=v2,dst=/etc deb true && varve run --rm deb stat -c '%n %u:%g %a %Y' /etc/shadow /etc/ld.so.conf.d >$scratch/a && varve run --rm -v v2:/x deb sh -c 'cd /x && stat -c \"/etc/%n %u:%g %a %Y\" shadow ld.so.conf.d' >$scratch/b && diff $scratch/a $scratch/b && [ -s $scratch/a ]"
check "of two labels of one key the last counts"        prints b bash -c "varve volume create --label k=a --label k=b lab >/dev/null; varve volume ls -f label=k=b --format '{{.Label \"k\"}}'; varve volume rm lab >/dev/null"
check "one that is empty does too, but not with nocopy" bash -c "varve volume create v3; varve run --rm -v v3:/etc/apt:nocopy deb true; [ -z \"\$(ls \$(varve volume inspect v3 | jq -r .[0].Mountpoint))\" ] && varve run --rm -v v3:/etc/apt deb true && [ -d \$(varve volume inspect v3 | jq -r .[0].Mountpoint)/sources.list.d ]"
check "a volume in use is not removed"                  bash -c "varve create --name tt -v v1:/v deb true; $(declare -f refuses); refuses 'volume is in use - \[' varve volume rm v1; rc=\$?; varve rm tt; exit \$rc"
check "inspect shows its mounts as docker does"         prints 'volume v1 /v false local bind /host /tmp true' bash -c "mkdir -p $scratch/v; varve create --name tt -v v1:/v:ro -v $scratch/v:/host deb true >/dev/null; varve inspect tt | jq -r '[.[0].Mounts[] | .Type, .Name // empty, .Destination, .RW, .Driver // empty] | join(\" \")' | sed \"s|/host true|/host /tmp true|\"; varve rm tt >/dev/null"
check "volume rm removes it, and says what is not there" bash -c "[ \"\$(varve volume rm v1)\" = v1 ] && ! varve volume rm v1 2>$scratch/e && grep -q 'no such volume' $scratch/e && varve volume rm -f v1"
varve run --name tt deb sh -c 'mkdir -p /srv/data && echo from the image >/srv/data/f && chown 33:33 /srv/data' && varve commit -c 'VOLUME /srv/data' tt voldeb >/dev/null; varve rm tt >/dev/null
check "a VOLUME of the image becomes an anonymous volume, seeded" bash -c "varve run --name tt voldeb stat -c %u /srv/data/../data | grep -qx 33 && varve inspect tt | jq -e '.[0].Mounts[0] | .Type == \"volume\" and .Destination == \"/srv/data\" and (.Name | length) == 64' && varve volume ls -q --filter dangling=false | grep -Ex '[0-9a-f]{64}'"
check "rm keeps it, rm -v does not"                     bash -c "n=\$(varve inspect tt | jq -r .[0].Mounts[0].Name); varve rm tt; varve volume ls -q | grep -x \$n && varve create --name tt -v \$n:/v -v /w deb true && varve rm -v tt && varve volume ls -q | grep -x \$n && [ \$(varve volume ls -q | grep -Ecx '[0-9a-f]{64}') = 1 ]"
check "--rm takes anonymous volumes with it"            bash -c "varve volume prune -f; varve run --rm -v /a voldeb true; ! varve volume ls -q | grep -Ex '[0-9a-f]{64}'"
check "volume prune takes anonymous ones, -a all that are unused" bash -c "varve volume create keep; varve volume create >$scratch/n; varve volume prune -f | grep -x \"\$(cat $scratch/n)\" && varve volume ls -q | grep -x keep && varve volume prune -f --filter all=1 | grep -x keep && varve volume prune -f | grep -q '^Total reclaimed space: 0 *B'"
check "--mount type=bind needs its source, -v makes it" bash -c "$(declare -f refuses); refuses 'bind source path does not exist' varve run --rm --mount type=bind,src=$scratch/none,dst=/v deb true && varve run --rm -v $scratch/made:/v deb true && [ -d $scratch/made ]"
check "--mount type=tmpfs"                              prints 'tmpfs 1024 1770' varve run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 deb sh -c 'echo $(df -k --output=fstype,size /t | tail -1) $(stat -c %a /t)'
check "--mount type=image shows another image, read-only, on each start" bash -c "varve run --name tt --mount type=image,src=voldeb,dst=/other deb sh -c 'cat /other/srv/data/f; ! touch /other/x 2>/dev/null' | grep -x 'from the image' && $(declare -f refuses); refuses 'conflict' varve rmi voldeb && varve inspect tt | jq -e '.[0].Mounts[0] | .Type == \"image\" and .Source == \"voldeb\" and .RW == false' && varve start tt && [ \$(varve wait tt) = 0 ] && varve logs tt | grep -x 'from the image'; rc=\$?; varve rm tt; exit \$rc"
check "--mount's mistakes are docker's"                 bash -c "$(declare -f refuses); refuses 'target is required' varve run --rm --mount type=volume,src=v deb true && refuses \"unexpected key 'colour'\" varve run --rm --mount dst=/v,colour=red deb true && refuses 'duplicate mount point' varve run --rm -v /v --tmpfs /v deb true; rc=\$?; [ -z \"\$(varve volume ls -q)\" ] && exit \$rc"
check "--volumes-from gives what another mounts"        prints shared bash -c "varve create --name one -v data:/d -v /e deb true >/dev/null; varve run --rm --volumes-from one deb sh -c 'echo shared >/d/f'; varve run --rm --volumes-from one:ro deb sh -c 'cat /d/f; test -d /e; ! touch /d/g 2>/dev/null'; varve rm -v one >/dev/null; varve volume rm data >/dev/null"

# -- cp
mkdir -p "$scratch/in/sub"; echo inside >"$scratch/in/sub/f"; echo top >"$scratch/in/g"; ln -s g "$scratch/in/l"
up tt -v cpv:/vol --tmpfs /t deb sh -c 'mkdir /home/d; echo here >/home/d/f; chown 1000:1000 /home/d/f; ln -s /etc/hostname /home/out; echo up; sleep 1000'; says tt up
check "cp of a file out of a container that runs, and in" bash -c "varve cp tt:/home/d/f $scratch/f && grep -x here $scratch/f && echo new >$scratch/f && varve cp $scratch/f tt:/home/g && [ \"\$(varve exec tt cat /home/g)\" = new ]"
check "a directory into one that is there, or as a new one" bash -c "varve cp $scratch/in tt:/home && varve exec tt cat /home/in/sub/f && varve cp $scratch/in tt:/home/new && varve exec tt cat /home/new/sub/f && varve cp $scratch/in/. tt:/home/d && [ \"\$(varve exec tt sh -c 'cat /home/d/f /home/d/g')\" = 'here
top' ]"
check "a directory out, symlinks as they are"           bash -c "varve cp tt:/home/new $scratch/out && [ \$(readlink $scratch/out/l) = g ] && varve cp tt:/home/new $scratch/out && [ -e $scratch/out/new/sub/f ]"
check "-L follows the source, -a keeps owners"          bash -c "varve cp -L tt:/home/new/l $scratch/l && [ ! -L $scratch/l ] && grep -x top $scratch/l && varve cp tt:/home/d/f $scratch/o && [ \$(stat -c %u $scratch/o) = 0 ] && varve cp -a tt:/home/d/f $scratch/o && [ \$(stat -c %u $scratch/o) = 1000 ]"
check "- is a tar"                                      bash -c "[ \"\$(varve cp tt:/home/d - | tar -tf - | sort | head -2)\" = 'd/
d/f' ] && tar -C $scratch -cf - in | varve cp - tt:/opt && [ \"\$(varve exec tt cat /opt/in/g)\" = top ]"
check "into a volume, and out of it"                    bash -c "varve cp $scratch/in/g tt:/vol/g && varve exec tt cat /vol/g && varve cp tt:/vol/g $scratch/vg && grep -x top $scratch/vg"
check "a symlink of the container leads nowhere else"   bash -c "echo secret >$scratch/secret; varve exec tt ln -s $scratch/secret /home/trap; varve exec tt ln -s $scratch /home/trapd; ! varve cp -L tt:/home/trap $scratch/got && ! varve cp $scratch/f tt:/home/trapd/secret; grep -x secret $scratch/secret && [ ! -e $scratch/got ]"
check "its mistakes are docker's"                       bash -c "$(declare -f refuses); refuses 'Could not find the file /none in container tt' varve cp tt:/none $scratch && refuses 'must be a directory' varve cp - tt:/none </dev/null && refuses 'cannot copy directory' varve cp $scratch/in tt:/etc/passwd && refuses 'must specify at least one container' varve cp a b && refuses 'between containers' varve cp tt:/a tt:/b"
varve stop -t 0 tt >/dev/null
check "cp into and out of one that does not run"        bash -c "echo later >$scratch/f && varve cp $scratch/f tt:/home/later && varve cp tt:/home/later - | tar -xOf - | grep -x later && varve cp tt:/vol/g - | tar -xOf - | grep -x top && varve start tt && varve exec tt grep -x later /home/later"
check "into one that was never started"                 bash -c "varve create --name fresh -v cpv:/vol -v $scratch/f:/deep/in/it deb cat /home/f /vol/g && varve cp $scratch/f fresh:/home/f && [ \"\$(varve start -a fresh)\" = 'later
top' ]; rc=\$?; varve rm -v fresh; exit \$rc"
check "no mount is left in the host's table"            bash -c "! grep -q \"$VARVE_ROOT/containers\" /proc/self/mountinfo"
varve rm -fv tt >/dev/null; varve volume rm cpv >/dev/null

# -- diff, export, commit
check "a container that has done nothing has no diff"   prints '' bash -c "varve run --name tt deb true; varve diff tt; varve rm tt >/dev/null"
varve run --name tt deb sh -c 'echo new >/srv/new; echo more >>/etc/issue; rm /etc/debian_version; rm -rf /etc/apt; mkdir /etc/apt; echo x >/etc/apt/only; ln /srv/new /srv/link; chmod 4755 /usr/bin/who; mkfifo /srv/fifo; setcap cap_net_raw+ep /usr/bin/env 2>/dev/null; true'
check "diff tells what was added, changed and deleted"  bash -c "varve diff tt >$scratch/d; for line in 'C /srv' 'A /srv/new' 'C /etc/issue' 'D /etc/debian_version' 'C /etc/apt' 'A /etc/apt/only' 'D /etc/apt/sources.list' 'C /usr/bin/who'; do grep -qx \"\$line\" $scratch/d || { echo \"no \$line\"; cat $scratch/d; exit 1; }; done; ! grep -E '/(dev|proc|\.dockerenv|etc/hosts)' $scratch/d"
check "export is a tar of what it sees, links and all"  bash -c "varve export -o $scratch/e.tar tt && tar -tvf $scratch/e.tar >$scratch/l && grep -q ' srv/new link to srv/link\| srv/link link to srv/new\| srv/new\$' $scratch/l && grep -q '^hr.* link to srv/' $scratch/l && grep -q '^prw.* srv/fifo$' $scratch/l && grep -q '^-rwsr-xr-x.* usr/bin/who$' $scratch/l && ! grep -q ' etc/debian_version$' $scratch/l && grep -q ' etc/apt/only$' $scratch/l && varve export tt | cmp - $scratch/e.tar"
check "commit prints an id, and the image has exactly the changes" bash -c "varve commit -a me -m why -c 'ENV A=b' tt committed:1 | grep -Ex 'sha256:[0-9a-f]{64}' && [ \"\$(varve run --rm committed:1 sh -c 'cat /srv/link; echo \$A; ls /etc/apt; test ! -e /etc/debian_version; stat -c %a /usr/bin/who; tail -n 1 /etc/issue')\" = 'new
b
only
4755
more' ]"
check "with the history that says so"                   bash -c "varve inspect --type image committed:1 | jq -e '.[0].Author == \"me\"' && varve history --no-trunc committed:1 | sed -n 2p | grep -q 'echo new .*why'"
check "a container of it has no diff, and its files are those exported" bash -c "varve run --name two committed:1 true && [ -z \"\$(varve diff two)\" ] && varve export two | tar -tv | awk '{print \$1, \$2, \$3, \$6}' | sort >$scratch/x; tar -tvf $scratch/e.tar | awk '{print \$1, \$2, \$3, \$6}' | sort | diff - $scratch/x; rc=\$?; varve rm two; exit \$rc"
check "a commit of a commit adds one layer each"        bash -c "varve run --name two committed:1 rm /srv/new && varve commit two committed:2 && [ \$(varve inspect --type image committed:2 | jq '.[0].RootFS.Layers | length') = \$((\$(varve inspect --type image deb | jq '.[0].RootFS.Layers | length') + 2)) ] && [ \"\$(varve run --rm committed:2 ls /srv)\" = \"fifo
link\" ]; rc=\$?; varve rm two; exit \$rc"
check "diff of two images tells the same"               prints 'A /srv/new' bash -c "varve diff committed:2 committed:1 /srv | grep -v '^C'; varve diff committed:1 committed:1"
check "commit of one that runs does not stop it"        bash -c "varve run -d --name three deb sh -c 'echo a >/a; echo up; sleep 1000'; says three up; varve commit three running && varve exec three true && [ \"\$(varve run --rm running cat /a)\" = a ]; rc=\$?; varve rm -f three; exit \$rc"
check "its options are the image's"                     prints 'B=c 1000 /usr' bash -c "varve run --name four -e B=c -u 1000 -w /usr deb true; varve commit four opts >/dev/null; varve run --rm opts sh -c 'echo B=\$B \$(id -u) \$(pwd)'; varve rm four >/dev/null"
check "a container of it shows its command and labels" bash -c "varve commit -c 'ENTRYPOINT [\"sh\", \"-c\"]' -c 'CMD [\"exit 4\"]' -c 'LABEL of=image both=image' tt said && varve create --name of -l both=own said && [ \$(varve inspect of | jq -c '.[0].Config | [.Entrypoint, .Cmd, .Labels.of, .Labels.both]' | tr -d ' ') = '[[\"sh\",\"-c\"],[\"exit4\"],\"image\",\"own\"]' ] && varve ps -a -f label=of=image --format '{{.Labels}}' | grep 'both=own,.*of=image'; rc=\$?; varve rm of; varve rmi said; exit \$rc"
check "a change that cannot be is refused"              refuses 'RUN' varve commit -c 'RUN x' tt
half() { varve images -aq | sort >"$scratch/before"; varve run --name big deb sh -c 'head -c 300000000 /dev/urandom >/big' || return 1; varve commit big half & local p=$!; sleep 0.4; kill -9 $(cat "/proc/$p/task/$p/children") $p; wait $p; { varve images -aq | sort | diff "$scratch/before" - || varve run --rm half true; } && varve commit big half && [ "$(varve run --rm half stat -c %s /big)" = 300000000 ]; local rc=$?; varve rm big; varve rmi half; return $rc; }
check "a commit that is killed leaves nothing visible, and the next one works" half

thawed() { varve run -d --name hot deb sh -c 'head -c 200000000 /dev/urandom >/big; echo up; while :; do echo tick; sleep 0.1; done'; says hot up; local f; f=/sys/fs/cgroup/freezer/varve/$(varve inspect hot | jq -r .[0].Id)/freezer.state; varve commit hot hot & local p=$!; await grep -q FROZEN "$f"; kill -9 $(cat "/proc/$p/task/$p/children") $p; await grep -q THAWED "$f" && varve exec hot true; local rc=$?; varve rm -f hot; return $rc; }
[ ! -d /sys/fs/cgroup/freezer ] || check "nor a container frozen" thawed

# -- images that containers need
check "rmi of an image that a stopped container needs is refused" refuses 'image is being used by stopped container' varve rmi "$(varve inspect --type image committed:2 | jq -r .[0].Id; varve create --name need committed:2 true >/dev/null)"
check "by its name too"                                 refuses 'unable to remove repository reference' varve rmi committed:2
check "rmi -f takes its name, and it starts all the same" bash -c "varve rmi -f committed:2 && ! varve images -q committed:2 | grep . && varve start -a need; rc=\$?; varve rm need; exit \$rc"
check "system prune -a keeps what one that runs was made of" bash -c "varve run -d --name runs committed:1 sleep 1000 && varve rmi -f committed:1 && varve system prune -af && varve restart -t 0 runs && varve exec runs cat /srv/new; rc=\$?; varve rm -f runs; exit \$rc"
varve rmi -f running opts voldeb >/dev/null 2>&1; varve tag localhost/debian:latest deb 2>/dev/null || { varve pull -q "oci:$IMAGES/oci/debian:latest" >/dev/null; varve tag localhost/debian:latest deb; }

# -- a root with a colon, which separates words for some that we execute
colon() { mkdir -p "$scratch/colon/a:b"; local VARVE_ROOT="$scratch/colon/a:b"; export VARVE_ROOT; varve pull -q "oci:$IMAGES/oci/debian:latest" && varve run -d --name tt localhost/debian sh -c 'echo said; sleep 1000' && says tt said && varve exec -t tt true && varve restart -t 0 tt && varve cp tt:/etc/hostname "$scratch/h" && varve run --rm -v vol:/v localhost/debian true; local rc=$?; varve system stop --force; [ "$(ls "$scratch/colon")" = a:b ] && return $rc; }
check "VARVE_ROOT may have a colon"                     colon

# -- prune
check "container prune removes what does not run, and only that" bash -c "varve run -d --name p1 deb sleep 1000; varve create --name p2 deb true; varve run --name p3 deb sh -c 'head -c 2000000 /dev/zero >/f'; varve container prune -f >$scratch/pruned && grep -qx 'Deleted Containers:' $scratch/pruned && [ \$(grep -cEx '[0-9a-f]{64}' $scratch/pruned) = 2 ] && grep -E 'Total reclaimed space: 2\.[0-9]+ MB' $scratch/pruned && [ \"\$(varve ps -a --format json | jq -r .Names)\" = p1 ]; rc=\$?; varve rm -f p1; exit \$rc"
check "but only what its filters choose"                bash -c "varve create --name p1 -l app=a deb true; varve create --name p2 deb true; varve container prune -f --filter until=1h; [ \$(varve ps -aq | wc -l) = 2 ] && varve container prune -f --filter label=app=a --filter until=2100-01-01 && varve ps -a | grep -q ' p2$' && ! varve ps -a | grep -q ' p1$'; rc=\$?; varve rm -f p1 p2; exit \$rc"
check "it asks first, and no is no"                     bash -c "varve create --name p1 deb true; echo n | varve container prune | grep -q 'WARNING! This will remove all stopped containers' && [ \$(varve ps -aq | wc -l) = 1 ]; rc=\$?; varve rm -f p1; exit \$rc"
check "system prune removes them too"                   bash -c "id=\$(varve create deb true); varve system prune -f | grep -qx \$id && [ -z \"\$(varve ps -aq)\" ] && varve images | grep -q '^localhost/debian'"

# -- networks
serve() { varve run -d --name "$@" deb perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die; $| = 1; print "up\n"; while (my $c = $s->accept) { print $c "served\n"; close $c }' >"$scratch/id" && says "$1" up; }
ask='exec 3<>/dev/tcp/$0/$1 && cat <&3' # bash -c "$ask" ADDRESS PORT
address() { varve exec "$1" hostname -i; }
leases() { ls "$VARVE_ROOT"/containers/networks/leases/*/ | grep -E '^[0-9.]+$'; }
rules() { { iptables-save; iptables-legacy-save; } 2>/dev/null | grep -F "$(jq -r .id[:10] "$VARVE_ROOT/containers/networks/bridge.json")"; }
gateway() { jq -r .gateway "$VARVE_ROOT/containers/networks/bridge.json"; }
host_says() { python3 -c 'import socket, sys; s = socket.create_server((sys.argv[1], 0)); print(s.getsockname()[1], flush=True); s.accept()[0].send(b"the host\n")' "$(gateway)"; }
from_host() { coproc host_says; local p; read -r p <&"${COPROC[0]}"; prints 'the host' timeout 20 varve run --rm deb bash -c "$ask" "$(gateway)" "$p"; local rc=$?; kill "$COPROC_PID" 2>/dev/null; return $rc; }
killed() { varve run -d --name tt deb sleep 1000 >/dev/null; p=$(pid_of tt); leases | grep -q . && kill -9 "$(cat "$VARVE_ROOT"/containers/*/bundle/conmon.pid)" "$p"; ends "$p"; varve create --name next deb true >/dev/null; ! leases; local rc=$?; varve rm tt next >/dev/null; return $rc; }
killed_run() { varve run --rm --name tt deb sleep 1000 & local run; run=$!; await pid_of tt; p=$(pid_of tt); leases | grep -q . && kill -9 "$(cat "/proc/$run/task/$run/children")"; wait $run; ends "$p"; varve create --name next deb true >/dev/null; ! leases; local rc=$?; varve rm next >/dev/null; return $rc; }
check "a container has an address and a way out"        prints 'eth0 lo 1' bash -c "varve run --rm deb sh -c 'echo \$(ls /sys/class/net) \$(grep -c \"^eth0.00000000\" /proc/net/route)'"
check "with --network none it has loopback only"        prints lo varve run --rm --network none deb ls /sys/class/net
check "with --network host it has the host's"           prints "$(readlink /proc/self/ns/net)" varve run --rm --network host deb readlink /proc/self/ns/net
check "it knows its own name"                           bash -c "varve run --rm --hostname box deb hostname -i | grep -Ex '10[.][0-9.]+'"
check "low ports need no root"                          varve run --rm -u 1000 deb perl -MIO::Socket::INET -e 'IO::Socket::INET->new(LocalPort => 80, Listen => 5) or die'
serve web
check "the host reaches a container"                    prints served timeout 20 bash -c "$ask" "$(address web)" 80
check "another container reaches it"                    prints served timeout 20 varve run --rm deb bash -c "$ask" "$(address web)" 80
check "a container reaches the host"                    from_host
check "container:NAME shares a network and its names"   bash -c "[ \$(varve run --rm --network container:web deb readlink /proc/self/ns/net) = \$(varve exec web readlink /proc/self/ns/net) ] && [ \$(varve run --rm --network container:web deb hostname -i) = $(address web) ]"
check "that of one which does not run is refused"       bash -c "varve create --name tt deb true; $(declare -f refuses); refuses 'non running' varve run --rm --network container:tt deb true; rc=\$?; varve rm tt; exit \$rc"
check "a restart keeps it reachable"                    bash -c "varve restart -t 0 web && [ \$(varve exec web hostname -i | wc -l) = 1 ]"
check "rm gives the address back"                       bash -c "$(declare -f leases); leases && varve rm -f web && ! leases"
check "so does the end of a foreground run"             bash -c "$(declare -f leases); varve run --rm deb true && ! leases"
check "after kill -9 of it and conmon, the next command does" killed
check "and after kill -9 of a foreground run"           killed_run
check "eight at once have eight addresses"              prints 8 bash -c "for n in 1 2 3 4 5 6 7 8; do varve run --rm deb sh -c 'hostname -i; sleep 1' & done | sort -u | wc -l"
check "a missing plugin is named, with its package"     refuses 'containernetworking-plugins.*--network host' env CNI_PATH=/nowhere varve run --rm deb true
check "an unknown network is a clear error"             refuses 'network nosuch not found' varve run --rm --network nosuch deb true
check "system stop leaves no bridge and no rule"        bash -c "$(declare -f rules); rules | grep -q MASQUERADE && varve system stop && ! rules && ! ls /sys/class/net | grep -F \$(jq -r .id[:10] $VARVE_ROOT/containers/networks/bridge.json)"

# -- published ports
p=$(free_port); serve web -p "$p:80" --expose 443
check "-p is reached on the host's addresses, loopback too" bash -c "for a in $(gateway) 127.0.0.1; do [ \"\$(timeout 20 bash -c '$ask' \$a $p)\" = served ] || exit 1; done"
check "and from another container"                      prints served timeout 20 varve run --rm deb bash -c "$ask" "$(gateway)" "$p"
check "ps shows it, and what is only exposed"           bash -c "varve ps | grep -F '0.0.0.0:$p->80/tcp, 443/tcp '"
check "so does inspect"                                 prints "0.0.0.0 $p $(address web) bridge true" bash -c "varve inspect web | jq -r '.[0] | [.NetworkSettings.Ports[\"80/tcp\"][0].HostIp, .HostConfig.PortBindings[\"80/tcp\"][0].HostPort, .NetworkSettings.Networks.bridge.IPAddress, .HostConfig.NetworkMode, (.NetworkSettings.Ports | has(\"443/tcp\"))] | join(\" \")'"
check "and port"                                        bash -c "[ \"\$(varve port web)\" = '80/tcp -> 0.0.0.0:$p' ] && [ \$(varve port web 80) = 0.0.0.0:$p ] && ! varve port web 81"
check "a second container on that port is refused"      refuses "port 0.0.0.0:$p/tcp is already allocated" varve run --rm -p "$p:80" deb true
check "in the foreground another program gets it not"   bash -c "varve rm -f web; varve run --rm --name tt -p $p:80 deb sleep 1000 & await bash -c 'varve port tt | grep .'; ! python3 -c 'import socket; socket.create_server((\"\", $p))'; rc=\$?; varve rm -f tt; exit \$rc"
check "of a port that a program has it is refused"      bash -c "coproc python3 -c 'import socket; s = socket.create_server((\"\", $p)); print(1, flush=True); s.accept()'; read -r _ <&\${COPROC[0]}; $(declare -f refuses); refuses 'already allocated' varve run --rm -p $p:80 deb true; rc=\$?; kill \$COPROC_PID; exit \$rc"
check "a stop gives it back at once, ten times over"    bash -c "for n in 1 2 3 4 5 6 7 8 9 10; do varve run -d --name tt -p $p:80 deb sleep 1000 && varve stop -t 0 tt && varve rm tt || exit 1; done"
check "a restart keeps it"                              bash -c "varve run -d --name tt -p $p:80 deb sleep 1000 && varve restart -t 0 tt && [ \$(varve port tt 80) = 0.0.0.0:$p ]; rc=\$?; varve rm -f tt; exit \$rc"
check "so does a restart policy"                        bash -c "varve run -d --name tt --restart on-failure:2 -p $p:80 deb sh -c 'exit 7'; for n in \$(seq 100); do [ \$(varve inspect tt | jq -r .[0].State.Status) = exited ] && break; sleep 0.1; done; varve inspect tt | jq -e '.[0] | .RestartCount == 2 and .State.Error == \"\"'; rc=\$?; varve rm -f tt; exit \$rc"
check "-p of a container's port alone, ranges, udp, -P" bash -c "varve run -d --name tt -p 80 -p 127.0.0.1::53/udp -p 7000-7001 --expose 90 -P deb sleep 1000 && [ \$(varve port tt | grep -cE '^(80|7000|7001|90)/tcp -> 0.0.0.0:[0-9]+$|^53/udp -> 127.0.0.1:[0-9]+$') = 5 ]; rc=\$?; varve rm -f tt; exit \$rc"
check "and no rule of them is left"                     bash -c "! { iptables-save; iptables-legacy-save; } 2>/dev/null | grep -E 'name: .?\"varve'"
check "with --network host it is said to be of no use"  bash -c "varve run --rm --network host -p $p:80 deb true 2>&1 | grep -q 'Published ports are discarded'"
check "ports and container:NAME conflict"               bash -c "varve run -d --name tt deb sleep 1000; $(declare -f refuses); refuses 'conflicting options' varve run --rm --network container:tt -p 80 deb true; rc=\$?; varve rm -f tt; exit \$rc"
check "a port that is none is refused"                  refuses "invalid port '65536'" varve run --rm -p 65536 deb true

# -- names of hosts
check "--dns, --dns-search, --dns-option"               prints 'nameserver 192.0.2.53 search a.test b.test options ndots:2' bash -c "varve run --rm --dns 192.0.2.53 --dns-search a.test --dns-search b.test --dns-option ndots:2 deb grep -v '^#' /etc/resolv.conf | paste -sd' '"
check "the host's loopback is no name server of its"    bash -c "! varve run --rm deb grep -E '^nameserver[[:space:]]+(127|::1)' /etc/resolv.conf && varve run --rm deb grep -q ^nameserver /etc/resolv.conf"
check "--add-host, and host-gateway"                    bash -c "[ \"\$(varve run --rm --add-host db:192.0.2.7 --add-host up:host-gateway deb getent hosts db up | awk '{print \$1}' | paste -sd' ')\" = \"192.0.2.7 $(gateway)\" ]"
check "an address that is none is refused"              refuses 'invalid IP address in add-host' varve run --rm --add-host db:nowhere deb true
check "--dns and container:NAME conflict"               bash -c "varve create --name tt deb true; $(declare -f refuses); refuses 'conflicting options: dns' varve run --rm --network container:tt --dns 192.0.2.53 deb true; rc=\$?; varve rm tt; exit \$rc"

# -- networks of one's own
back() { jq -r ".$1" "$VARVE_ROOT/containers/networks/back.json"; }
others() { iptables-save 2>/dev/null; iptables-legacy-save 2>/dev/null; }
check "network ls has docker's columns and networks"    prints 'NETWORK ID NAME DRIVER SCOPE bridge bridge local host host local none null local' bash -c "varve network ls | sed -E 's/^[0-9a-f]{12} //' | tr -s ' \n' ' ' | sed 's/ $//'"
check "network create prints the id"                    bash -c "varve network create --subnet 198.51.100.0/24 --gateway 198.51.100.9 back | grep -Ex '[0-9a-f]{64}'"
check "a name or a subnet that is taken is refused"     bash -c "$(declare -f refuses); refuses 'already exists' varve network create back && refuses overlaps varve network create --subnet 198.51.0.0/16 other"
serve db --network back
check "a container on it has an address of its subnet"  bash -c "varve exec db hostname -i | grep -Ex '198[.]51[.]100[.][0-9]+'"
check "containers on it know each other by name"        prints served timeout 20 varve run --rm --network back deb bash -c "$ask" db 80
check "also one that comes later, until it goes"        bash -c "varve run -d --name tt --network back deb sleep 1000 && varve exec db getent hosts tt && varve rm -f tt && ! varve exec db getent hosts tt"
check "on the default network they do not"              bash -c "! varve run --rm deb getent hosts db"
check "one on another network does not reach it"        bash -c "! timeout 3 varve run --rm deb bash -c '$ask' $(address db) 80"
check "network inspect shows it"                        prints '198.51.100.0/24 198.51.100.9 db false' bash -c "varve network inspect back | jq -r '.[0] | [.IPAM.Config[0].Subnet, .IPAM.Config[0].Gateway, (.Containers | map(.Name) | join(\",\")), .Internal] | join(\" \")'"
check "one in use is not removed"                       refuses 'in use by container db' varve network rm back
check "nor is a predefined one"                         refuses predefined varve network rm bridge
bridge=varve$(back 'id[:10]')
check "network rm removes it, its bridge and its rules" bash -c "varve rm -f db && varve network rm back && ! varve network inspect back && ! ls /sys/class/net | grep -x $bridge; $(declare -f others); ! others | grep -F ${bridge#varve}"
check "an internal one has no way out, and no ports"    bash -c "varve network create --internal back; [ \$(varve run --rm --network back deb grep -c '^eth0.00000000.[0-9A-F]*[1-9A-F]' /proc/net/route) = 0 ] && $(declare -f refuses); refuses internal varve run --rm --network back -p 80 deb true; rc=\$?; varve network rm back; exit \$rc"

# -- a disk that a container fills
large=$VARVE_ROOT VARVE_ROOT=$scratch/small; mkdir "$VARVE_ROOT"; mount -t tmpfs -o size=250m small "$VARVE_ROOT"
varve pull -q "oci:$IMAGES/oci/debian:latest" >/dev/null; varve tag localhost/debian:latest deb
fills='echo begin; head -c 1000000000 /dev/zero >/big; echo "exit $?"; exec sleep 1000'
up other deb sh -c 'while ! test -e /go; do sleep 0.05; done; echo x >/written && echo went on'
up full deb sh -c "$fills"
check "a container that fills the disk is told so, and its logs say it" says full 'exit 1'
check "what is there is told, and what runs goes on"    bash -c "[ \$(state full Running) = true ] && [ \$(state other Running) = true ] && [ \$(varve ps -q | wc -l) = 2 ] && varve images | grep -q debian && varve logs full 2>&1 | grep -q 'No space left'"
check "what needs room is a clear error"                refuses 'no space left on device' varve run --rm deb true
check "it can be stopped"                               bash -c "varve stop -t 0 full && [ \$(state full Running) = false ] && varve logs full | grep -qx begin"
check "and removed, and others have room again"         bash -c "varve rm full && varve exec other touch /go && [ \$(varve wait other) = 0 ] && says other 'went on' && varve run --rm deb true"
up full deb sh -c "$fills"; says full 'exit 1'
check "so does rm -f"                                   bash -c "varve rm -f full && [ -z \"\$(varve ps -q)\" ] && varve start other && varve store verify"
varve system stop --force; umount "$VARVE_ROOT"; VARVE_ROOT=$large

# -- faults: what is told is what is
up web deb sh -c 'echo a; sleep 1000'
check "it outlives the daemon"                          bash -c "kill -9 \$(cat $VARVE_ROOT/run/cached.pid); [ \$(varve inspect --type container web | jq .[0].State.Running) = true ] && varve images -q && varve logs web | grep -qx a"
p=$(pid_of web); kill -9 "$p"
check "a kill -9 of its process from outside is told"   bash -c "varve wait web | grep -qx 137 && varve ps -a | grep -q 'Exited (137).* web$'"
varve start web >/dev/null; p=$(pid_of web); kill -9 "$(cat "$VARVE_ROOT"/containers/*/bundle/conmon.pid)"
check "with conmon killed it is still told as running"  bash -c "[ \$(varve inspect web | jq .[0].State.Running) = true ]"
kill -9 "$p"; ends "$p"
check "and as exited once it has ended"                 bash -c "[ \$(varve inspect web | jq -r .[0].State.Status) = exited ] && varve inspect web | jq -r .[0].State.Error | grep -q 'not seen'"
check "and can be started again"                        bash -c "varve start web && varve stop -t 0 web && varve rm web"
swept() { varve run --rm --name gone deb sleep 1000 & local run; run=$!; await pid_of gone; p=$(pid_of gone); kill -9 "$(cat "/proc/$run/task/$run/children")"; wait $run; ends "$p" && varve create --name next deb true && gone gone && [ "$(ls "$VARVE_ROOT/containers" | grep -cE '^[0-9a-f]{64}$')" = 1 ]; local rc=$?; varve rm next; return $rc; }
check "a killed run --rm leaves no process, and is swept" swept
up web deb sleep 1000; p=$(pid_of web)
check "system stop --force ends it"                     bash -c "varve system stop --force && ! kill -0 $p 2>/dev/null"
check "and it is there to be started again"             bash -c "varve start web && [ \$(varve inspect web | jq .[0].State.Running) = true ] && varve rm -f web"
conmons() { local p; for p in $(pgrep -x conmon); do tr '\0' ' ' <"/proc/$p/cmdline" | grep -F "$VARVE_ROOT"; done; }
with_runc() { # SCRIPT COMMAND...: with a runc that does SCRIPT first
  mkdir -p "$scratch/fake"; printf '#!/bin/bash\nreal() { %s "$@"; }\n%s\nreal "$@"\n' "$(command -v runc)" "$1" >"$scratch/fake/runc"; chmod +x "$scratch/fake/runc"
  PATH=$scratch/fake:$PATH "${@:2}"
}
no_conmon() { await bash -c "$(declare -f conmons); ! conmons"; }
killed_start() {
  with_runc '[[ " $* " != *" create "* ]] || { real "$@"; rc=$?; for p in $(pgrep -x varve); do ! grep -qz "^VARVE_ROOT=$VARVE_ROOT$" /proc/$p/environ || kill -9 $p; done; exit $rc; }' varve run -d --name tt -p "$p:80" deb sleep 1000 && return 1
  conmons && [ "$(state tt Status)" = created ] && varve create --name next deb true && no_conmon && varve start tt && [ "$(state tt Running)" = true ]; local rc=$?; varve rm -f tt next; return $rc
}
failed_start() {
  with_runc '[[ " $* " != *" start "* ]] || { p=$(cat $VARVE_ROOT/containers/*/bundle/pid); kill -9 $p; while kill -0 $p 2>/dev/null; do sleep 0.01; done; }' exits 125 varve run -d --name tt deb sleep 1000 &&
    [ "$(state tt Status) $(state tt ExitCode)" = "created 125" ] && state tt Error | grep 'cannot start a container that has stopped' && no_conmon && varve start tt; local rc=$?; varve rm -f tt; return $rc
}
p=$(free_port)
check "a start that is killed when runc has created it is swept" killed_start
check "one that fails then is told as that, and can be tried again" failed_start
left() { await bash -c "$(declare -f conmons); ! conmons"; prints '' bash -c "$(declare -f conmons); conmons; varve ps -aq; ls $VARVE_ROOT/containers | grep -E '^[0-9a-f]{64}$'; true"; }
check "no container, directory or conmon is left"       left
complete=yes
