# shellcheck shell=sh
#
# What a deploy finds on a host that no config of ours makes: who has the ports that we need,
# whether the units are there, what a firewall lets in. POSIX sh, run as root; nothing is changed.
#
#   held tcp|udp ADDRESS:PORT TAB NAME TAB OWNER   OWNER: unit, container, `pid N`, or nothing
#   unit NAME LOADED ACTIVE                as systemd has it
#   nft PART                               the ruleset as JSON, in parts; no elements of its sets
#   iptables RULE                          as `iptables -S` has it
#   synchronised yes|no                    where systemd can tell
#
# Each line is one write, so that others may write beside it.

holders() { # PORT…
    command -v ss >/dev/null 2>&1 || return 0
    ports=
    for port; do ports="$ports${ports:+ or }sport = :$port"; done
    # shellcheck disable=SC2016  # awk's own words
    ss -H -l -t -u -n -p "( $ports )" 2>/dev/null | while read -r how _ _ _ at _ users; do
        pid=${users#*pid=}
        pid=${pid%%,*}
        name=${users#*'(("'}
        case $users in *pid=*) ;; *) pid='' name='' ;; esac
        printf 'held %s %s\t%s\t%s\n' "$how" "$at" "${name%%'"'*}" "$(owner "$pid")"
    done
}
owner() { # PID: the unit or the container that it runs in
    group=$(sed -n -e 's|.*/\([^/]*[.]service\).*|\1|p' -e 's|.*/\([^/]*[.]scope\).*|\1|p' \
        -e 's|.*/docker/\([0-9a-f]*\)$|docker-\1|p' "/proc/${1:-none}/cgroup" 2>/dev/null | head -n 1)
    case $group in
    docker-*)
        group=${group#docker-}
        docker inspect -f 'container {{.Name}}' "${group%.scope}" 2>/dev/null | tr -d / ;;
    *) echo "${group:-${1:+pid $1}}" ;;
    esac
}
units_there() { # UNIT…
    command -v systemctl >/dev/null 2>&1 || return 0
    systemctl show --property=Id,LoadState,ActiveState "$@" 2>/dev/null |
        while IFS='=' read -r key value; do
            case $key in
            Id) unit=${value%.service} ;;
            LoadState) loaded=$value ;;
            ActiveState) echo "unit $unit $loaded $value" ;;
            esac
        done
}
firewall() {
    if command -v nft >/dev/null 2>&1; then
        nft -j -t list ruleset 2>/dev/null | tr -d '\n' | fold -w 1000 | each_as nft
    fi
    if command -v iptables >/dev/null 2>&1; then iptables -S 2>/dev/null | each_as iptables; fi
}
each_as() { # WORD: standard input, each line behind it
    while read -r part || [ -n "$part" ]; do printf '%s %s\n' "$1" "$part"; done
}
clock_synchronised() {
    command -v timedatectl >/dev/null 2>&1 || return 0
    echo "synchronised $(timeout 5 timedatectl show --property=NTPSynchronized --value 2>/dev/null)"
}
