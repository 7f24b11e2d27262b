# shellcheck shell=sh disable=SC2034,SC2154  # what its other parts assign and use
#
# What the peer may ask for, and the words with which the program is called.

gate() { # PEER WORDS: the forced command of the peer's key
    from=$1
    set -f
    # shellcheck disable=SC2086  # split into words, and nothing else
    set -- $2
    set +f
    [ $# -ge 2 ] || die "twinedge: this key is for the sync of $from and $here alone"
    verb=$1
    choose "$2"
    [ "$peer" = "$from" ] || die "twinedge: $name is no sync of $from"
    case $verb:$runner in
    "run:$here") run "$name" ;;
    "received:$from") react_here ;;
    "forget:$from") stop_box; boxed "" forget ;;
    "absent:$from") boxed "" absent ;;
    "untouched:$from")
        case ${3:-}:${4:-} in :* | *: | *[!0-9.:]*) die "twinedge: no such times" ;; esac
        untouched "$3" "$4"
        ;;
    "folder:$from")
        case ${3:-} in '' | *[!A-Za-z0-9+/=]*) die "twinedge: no such folder" ;; esac
        boxed "" folder "$3"
        ;;
    "serve:$from")
        case ${3:--} in *[!0-9T-]*) die "twinedge: no such stamp" ;; esac
        serve "${3:--}" "${4:-}"
        ;;
    *) die "twinedge: $from may not ask $here to $verb $name" ;;
    esac
}
# A run that is gone may have left its unison behind; there is one run at a time, so the
# earlier one can be ended, and its lock is nobody's. Each has a name of its own: one that has
# ended is there until whoever started it has noticed. (0.1.0 had one name for all.)
stop_box() { systemctl -q stop "twinedge-sync-$name:*" "twinedge-sync-$name" 2>/dev/null || :; }
serve() { # STAMP told|…
    stop_box
    copies "$1"
    boxed "-u twinedge-sync-$name:$$ -w $backups" serve "${2:-}"
    status=$?
    copied
    exit "$status"
}

case ${1:-} in
inside) shift; inside "$@"; exit ;; # the box
-*) relay ;;
esac
# shellcheck source=/dev/null
. "$table"
verb=${1:-}
case $verb in
start) sleep 2; event "${2:-}" ;; # the deploy or the boot that started lsyncd goes first
event | run) "$verb" "${2:-}" ;;
repair) repair "${2:-}" "${3:-}" ;;
prepare) prepare ;;
records) # before unbound reads a new config of its own
    for name in $names; do
        choose "$name"
        reload=''
        publish || die "cannot look at the records in $directory: $(cat "$dir/records.said")"
    done
    ;;
gate) gate "${2:-}" "${3:-}" ;;
*) die "usage: $0 start|event|run NAME, repair NAME RULE, prepare, records, gate PEER WORDS" ;;
esac
