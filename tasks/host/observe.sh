# shellcheck shell=sh
#
# One look at a host: many small questions at once, their answers in labelled sections.
#
# POSIX sh with the usual tools (coreutils or busybox), run as root. tasks/observe.py
# puts assignments in front and one `job NAME COMMAND…` a question behind, then `report`.
# Nothing is changed. A tool that the host lacks is an answer too (exit status 127).
#
# Printed:  clock SECONDS        the host's own time, before the first question
#           @ STATUS NAME        one question's exit status and name,
#            LINE…               and its output, each line behind a space
#           clock SECONDS        after the last answer

# shellcheck disable=SC2154  # limit is assigned in front

set -u
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

clock() { printf 'clock %s\n' "$(date +%s.%N)"; }

clock
# In memory where there is /run: a full disk must not stop the one who looks for it.
work=$(mktemp -d /run/twinedge-look.XXXXXX 2>/dev/null || mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
count=0

job() { # NAME COMMAND…: asked in the background
    count=$((count + 1))
    printf '%s\n' "$1" > "$work/$count.name" || exit 1
    shift
    { "$@" > "$work/$count.out" 2>&1; echo $? > "$work/$count.status"; } </dev/null &
}
report() {
    wait
    n=0
    while [ "$n" -lt "$count" ]; do
        n=$((n + 1))
        status=1
        read -r status 2>/dev/null < "$work/$n.status"
        read -r name < "$work/$n.name"
        printf '@ %s %s\n' "$status" "$name"
        echo >> "$work/$n.out"  # the last line may have no end
        sed 's/^/ /' "$work/$n.out"
    done
    clock
}

has() { command -v "$1" >/dev/null 2>&1 || { echo "$1 is not installed"; return 127; }; }
bounded() { has "$1" && timeout -k 1 "$limit" "$@"; }
as_json() { # COMMAND…: without what it warns of beside its answer; where it fails, its words
    has "$1" || return
    timeout -k 1 "$limit" "$@" 2> "$work/$count.beside" && return
    status=$?
    cat "$work/$count.beside"
    return $status
}

# An answer over HTTP: "CODE SECONDS yes|no" (is WANTED in the body?), then the body's
# start, unless WANTED was found.
get() { # URL HOST WANTED FLAGS-OF-CURL…
    has curl || return
    url=$1 host=$2 wanted=$3 body=$work/body.$count
    shift 3
    told=$(curl -s -A twinedge -m "$limit" -o "$body" -w '%{http_code} %{time_total}' \
        ${host:+-H "Host: $host"} "$@" "$url")
    status=$?
    if [ -n "$wanted" ] && grep -qF -- "$wanted" "$body" 2>/dev/null; then
        echo "$told yes"
    else
        echo "$told no"
        head -c 200 "$body" 2>/dev/null | tr '\000\n\r' '   '
    fi
    return $status
}
# Caddy's admin API: at its socket, or where an earlier version of ours had it.
admin() { # SOCKET PATH
    has curl || return
    if grep -q " $1\$" /proc/net/unix; then
        curl -s -f -m "$limit" --unix-socket "$1" "http://127.0.0.1$2"
    else
        curl -s -f -m "$limit" "http://localhost:2019$2"
    fi
}
# Who may reach what Caddy believes: "admin-api socket FOLDER-MODE SOCKET-MODE", or that any
# local user may.
trusted() { # SOCKET PORT
    if grep -q " $1\$" /proc/net/unix; then
        echo "admin-api socket $(stat -c %a "${1%/*}") $(stat -c %a "$1")"
    else
        echo "admin-api open to every local user"
    fi
    has nft || return
    if nft list table inet twinedge_tunnel 2>/dev/null | grep -q "dport $2 .*skuid"; then
        echo "tunnel-listener guarded"
    else
        echo "tunnel-listener open to every local user"
    fi
}

# Over the mesh: tailscale's own ping where there is one, which tells the route. The
# first answers may be relayed while a direct way is still being found.
reach() { # ADDRESS
    if command -v tailscale >/dev/null 2>&1; then
        bounded tailscale ping -c 3 --timeout 2s "$1"
    else
        bounded ping -n -c 1 -W "$limit" "$1"
    fi
}
listeners() {
    if command -v ss >/dev/null 2>&1; then ss -H -l -t -n
    elif command -v netstat >/dev/null 2>&1; then netstat -l -t -n | sed 1,2d
    else has ss; fi
}
# Who holds a port: "PORT UNIT PROGRAM"; of a container, its runtime's unit.
holders() {
    has ss || return
    ss -H -l -t -n -p 2>/dev/null | awk '{
        port = $4
        sub(/.*:/, "", port)
        if (match($0, /[(][(]"[^"]+",pid=[0-9]+/)) {
            split(substr($0, RSTART + 3, RLENGTH - 3), told, "\",pid=")
            print port, told[2], told[1]
        }
    }' | sort -u | while read -r port pid program; do
        unit=$(sed -n 's|.*/\([^/]*[.]service\).*|\1|p' "/proc/$pid/cgroup" 2>/dev/null | head -n 1)
        echo "$port ${unit:--} $program"
    done
}
units() { # UNIT…
    has systemctl && systemctl show --property=Id,LoadState,ActiveState "$@"
}
watches() { # UNIT: "USED LIMIT", the inotify watches of its main process
    pid=$(systemctl show --property=MainPID --value "$1") || return
    used=$(cat "/proc/$pid/fdinfo"/* 2>/dev/null | grep -c '^inotify')
    echo "$used $(cat /proc/sys/fs/inotify/max_user_watches)"
}
disks() { # PATH…: only those that exist
    for path; do
        shift
        if [ -e "$path" ]; then set -- "$@" "$path"; fi
    done
    bounded df -P "$@"
}
aged() { # FILE: its age in seconds by the host's clock, and its text
    written=$(stat -c %Y "$1") || return
    echo "age $(($(date +%s) - written))"
    cat "$1"
}
tree() { # DIRECTORY, then find's words for what is left out; sync_trees.sh says what is told
    directory=$1
    shift
    has systemd-run && in_tree -r "$directory" "" tree "$@"
}
# How the sync of one tree goes on this host, from what sync.sh has written down.
sync_records() { # FOLDER
    cd "$1" || return
    for record in daemon run after; do
        [ ! -s $record ] || sed "s/^/$record /;q" $record
    done
    for record in refused skipped; do
        [ ! -s $record ] || sed "s/^/$record /" $record
    done
    cat history.1 history 2>/dev/null | awk '$2 !~ /^[0-9]+ms$/ { next }
        $3 > 0 { here = $0 } $4 > 0 { peer = $0 }
        END { if (here) print "to-here " here; if (peer) print "to-peer " peer }'
    [ ! -d conflicts ] ||
        echo "conflicts $(find conflicts -mindepth 1 -maxdepth 1 | sed 's/[.]txt$//' | sort -u | wc -l)"
}
