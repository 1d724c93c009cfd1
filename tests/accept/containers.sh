#!/usr/bin/env bash
# Acceptance of containers: what a docker user would check of their life cycle, from outside, against real images.
# Debian packages: conmon runc debootstrap attr libcap2-bin jq procps util-linux python3
. "$(dirname "$0")/../../../shared/accept/lib.sh"
varve pull -q "oci:$IMAGES/oci/debian:latest" >/dev/null; varve tag localhost/debian:latest deb
state() { varve inspect --type container "$1" | jq -er ".[0].State.$2"; }
up() { varve run -d --name "$@" >"$scratch/id"; }
gone() { ! varve inspect --type container "$1" >/dev/null 2>&1; }
pid_of() { state "$1" Pid; }
ends() { local n; for n in $(seq 200); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.05; done; return 1; }
says() { await bash -c "varve logs $1 2>&1 | grep -qx -- '$2'"; }
export -f await says

# -- run -d, ps, logs
check "run -d prints the id of 64 digits and nothing else" bash -c "varve run -d --name web deb sh -c 'echo one; echo two >&2; sleep 0.5; echo three; sleep 1000' | grep -Ex '[0-9a-f]{64}'"
check "ps has docker's columns"                         bash -c "varve ps | head -1 | grep -Ex 'CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES'"
check "ps shows it up"                                  bash -c "varve ps | grep -E '^[0-9a-f]{12} +deb +\"sh -c echo one; ech…\" .* ago +Up .* web$'"
check "ps -q prints short ids, --no-trunc whole ones"   bash -c "varve ps -q | grep -Ex '[0-9a-f]{12}' && varve ps -q --no-trunc | grep -Ex '[0-9a-f]{64}'"
check "ps --format json is an object a line"            prints 'web running deb' bash -c "varve ps --format json | jq -r '[.Names, .State, .Image] | join(\" \")'"
says web three
check "logs keeps standard output and error apart"      bash -c "[ \"\$(varve logs web 2>/dev/null)\" = 'one
three' ] && [ \"\$(varve logs web 2>&1 >/dev/null)\" = two ]"
check "logs --tail"                                     prints three varve logs --tail 1 web
check "logs -t says when"                               bash -c "varve logs -t web 2>/dev/null | head -1 | grep -E '^20[0-9-]+T[0-9:.]+.* one$'"
check "logs --since the future is empty, 10m ago is all" bash -c "[ -z \"\$(varve logs --since 2100-01-01 web 2>&1)\" ] && [ \$(varve logs --since 10m web 2>&1 | wc -l) = 3 ]"
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
check "run -t without a terminal is refused"            refuses 'not a TTY' varve run --rm -t deb true
check "run -it has a terminal of its size"              bash -c "script -qec 'stty rows 41 cols 97; varve run --rm -it deb stty size' /dev/null </dev/null | grep -q '41 97'"
check "run -dt gives a terminal"                        prints /dev/pts/0 bash -c "varve run -dt --name tt deb tty >/dev/null; varve wait tt >/dev/null; varve logs tt | tr -d '\\r'; varve rm tt >/dev/null"

# -- exec
up web -e A=b -w /usr deb sh -c 'echo up; sleep 1000'; says web up
check "exec runs beside it, with its environment and directory" prints 'b /usr 0' varve exec web sh -c 'echo $A $(pwd) $(id -u)'
check "exec -e, -u, -w"                                 prints 'c / 1000 b' varve exec -e C=c -u 1000 -w / web sh -c 'echo $C $(pwd) $(id -u) $A'
check "exec passes the exit code on"                    exits 9 varve exec web sh -c 'exit 9'
check "exec of what is not there exits 127"             exits 127 varve exec web nosuch
check "of what cannot be executed, 126"                 exits 126 varve exec web /etc/passwd
check "exec -i passes standard input on"                prints through bash -c "echo through | varve exec -i web cat"
check "exec -it has a terminal of its size"             bash -c "script -qec 'stty rows 43 cols 99; varve exec -it web sh -c \"sleep 0.3; stty size\"' /dev/null </dev/null | grep -q '43 99'"
check "exec -d does not wait, and what it started stays" bash -c "varve exec -d web sh -c 'sleep 0.2; echo done >/done; sleep 1000' && await varve exec web test -e /done"
check "exec into a foreground run"                      bash -c "varve run --name tt deb sh -c 'echo x >/here; sleep 1000' & await varve exec tt test -e /here && varve exec tt sh -c 'echo \$\$; tr \"\\0\" \" \" </proc/1/cmdline' | grep 'sleep 1000'; rc=\$?; varve rm -f tt; exit \$rc"
check "exec into one that does not run is refused"      bash -c "varve stop -t 0 web; $(declare -f refuses); refuses 'not running' varve exec web true; rc=\$?; varve rm web; exit \$rc"

# -- restart policies
check "--restart on-failure:2 runs it three times"      bash -c "varve run -d --name tt --restart on-failure:2 deb sh -c 'echo run; exit 7'; for n in \$(seq 100); do [ \$(varve logs tt | wc -l) = 3 ] && [ \$(varve inspect tt | jq -r .[0].State.Status) = exited ] && break; sleep 0.1; done; varve inspect tt | jq -e '.[0] | .RestartCount == 2 and .State.ExitCode == 7'; rc=\$?; varve rm -f tt; exit \$rc"
check "one that succeeds is not started again"          bash -c "varve run -d --name tt --restart on-failure deb true; varve wait tt; sleep 0.3; varve inspect tt | jq -e '.[0] | .RestartCount == 0 and .State.Status == \"exited\"'; rc=\$?; varve rm -f tt; exit \$rc"
check "a stop ends the restarting"                      bash -c "varve run -d --name tt --restart on-failure deb false; sleep 0.4; varve stop -t 0 tt; sleep 0.5; varve inspect tt | jq -e '.[0].State.Status == \"exited\"'; rc=\$?; varve rm -f tt; exit \$rc"
check "--restart and --rm conflict"                     exits 125 varve run -d --rm --restart on-failure deb true

# -- many, filters
check "ps --filter status, name, label, ancestor"       bash -c "varve run -d --name f1 -l app=a deb sleep 1000; varve run --name f2 -l app=b deb true; [ \"\$(varve ps -a --filter label=app=b --format json | jq -r .Names)\" = f2 ] && [ \"\$(varve ps --filter status=exited --format json | jq -r .Names)\" = f2 ] && [ \"\$(varve ps --filter name=f1 -q | wc -l)\" = 1 ] && [ \"\$(varve ps -a --filter ancestor=deb -q | wc -l)\" = 2 ] && ! varve ps --filter colour=red; rc=\$?; varve rm -f f1 f2; exit \$rc"
check "two creations of one name: one wins"             bash -c "for n in 1 2 3 4 5 6; do varve create --name same deb true 2>/dev/null & done | grep -c . | grep -qx 1; rc=\$?; varve rm -f same; exit \$rc"
check "eight detached containers at once"               bash -c "for n in 1 2 3 4 5 6 7 8; do varve run -d --name m\$n deb sh -c 'exit 4' >/dev/null & done; wait; [ \"\$(varve wait m1 m2 m3 m4 m5 m6 m7 m8 | sort | uniq -c | tr -s ' ')\" = ' 8 4' ]; rc=\$?; varve rm m1 m2 m3 m4 m5 m6 m7 m8; exit \$rc"

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
left() { await bash -c "$(declare -f conmons); ! conmons"; prints '' bash -c "$(declare -f conmons); conmons; varve ps -aq; ls $VARVE_ROOT/containers | grep -E '^[0-9a-f]{64}$'; true"; }
check "no container, directory or conmon is left"       left
complete=yes
