# shellcheck shell=sh disable=SC2154  # here, home, table and a sync's settings are assigned
#
# One host's side of the two-way sync: lsyncd calls `event`, the peer comes in by `gate`.
#
# POSIX sh with the usual tools, run as root. One host of a sync is its runner: it alone
# runs unison, the other asks it to. So two runs never meet, and a lock that is found is
# one that a dead run has left behind.
#
#   $home/NAME/unison/       unison's memory of what both sides had
#             /backup/       what was overwritten or deleted here, 30 days
#             /conflicts/T/  what lost a conflict here, until the operator decides; T.txt says how
#             /transfers     what this run has done so far (unison's log)
#             /cut           what runs that were cut off have done, until one is whole again
#             /history       a line a transfer: TIME SECONDS HERE PEER
#             /run           how the last run ended: TIME ok, or TIME failed WORDS
#             /daemon        how the last event ended: TIME ok, or TIME failed COUNT SINCE WORDS
#             /due-here, /due-peer   a side has received changes and has not acted on them yet
#             /said          what unison said last; beside it what a run notes for itself:
#                            open, left, now, brought (conflicts), carried, untouched (a cut run)

set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

KEPT_DAYS=30
SPARE_WATCHES=8192
MARK=.twinedge-sync # keeps a tree from ever being empty, unless it is gone
LOG_SIZE=1000000 # bytes, twice at the most

say() { printf '%s\n' "$*"; }
die() { say "$*" >&2; exit 1; }
note() { say "$(date +%s) $2" > "$dir/$1.next" && mv -f "$dir/$1.next" "$dir/$1"; } # FILE WORDS

choose() { # NAME
    settings "$1" || die "no sync '$1' on $here (syncs: $names)"
    name=$1
    dir=$home/$name
    there=ssh://$login@$address:$port/$directory
    logged=//$peer/$directory # as unison's log calls it
    mkdir -p "$dir/unison" "$dir/backup" "$dir/conflicts" || die "cannot make $dir"
}
to_peer() { tell_peer "$@" </dev/null; } # WORD…
tell_peer() { # WORD…, and what it reads
    # shellcheck disable=SC2046  # words of our own
    ssh $(ssh_options) -p "$port" "$login@$address" "$@"
}
ssh_options() {
    keys=${table%/*}
    printf '%s ' "-F none -i $keys/key -o IdentitiesOnly=yes -o BatchMode=yes" \
        "-o UserKnownHostsFile=$keys/known_hosts -o StrictHostKeyChecking=yes" \
        "-o HostKeyAlias=$peer -o ConnectTimeout=5" \
        "-o ServerAliveInterval=3 -o ServerAliveCountMax=3 -o LogLevel=ERROR"
}

# --- what lsyncd calls ------------------------------------------------------------------

event() { # NAME: something has changed here
    choose "$1"
    if [ "$runner" = "$here" ]; then "$0" run "$name"; else to_peer run "$name"; fi > "$dir/event.said" 2>&1
    status=$?
    if [ $status -eq 0 ]; then note daemon ok; exit 0; fi
    failures='' since=''
    [ ! -s "$dir/daemon" ] || read -r _ _ failures since _ < "$dir/daemon"
    failures=$((${failures:-0} + 1))
    note daemon "failed $failures ${since:-$(date +%s)} $(reason "$dir/event.said")"
    sleep $((failures < 8 ? failures : 8)) # lsyncd comes again a second later
    exit 1
}
reason() { # FILE: the line that says most
    why=$(grep -a -i -m 1 -e 'fatal error' -e 'error in' -e refused -e 'timed out' -e 'completely emptied' -e '^\[FAILED\]' "$1")
    say "${why:-$(tail -n 1 "$1" | tr -d '\r\b')}"
}
prepare() { # before lsyncd starts: the directories, and watches for all that is in them
    folders=0
    for name in $names; do
        choose "$name"
        [ -d "$directory" ] || install -d -m 755 -o "$owner" "$directory" || die "cannot make $directory"
        folders=$((folders + $(find "$directory" -type d | wc -l)))
        find "$dir/backup" -mindepth 1 -ctime +$KEPT_DAYS ! -type d -delete
    done
    limit=/proc/sys/fs/inotify/max_user_watches
    wanted=$((folders * 2 + SPARE_WATCHES))
    [ "$(cat $limit)" -ge $wanted ] || ( say $wanted > $limit ) 2>/dev/null ||
        say "the syncs may need $wanted inotify watches and $limit says $(cat $limit): raise it" >&2
}

# --- the runner ---------------------------------------------------------------------------

run() { # NAME
    choose "$1"
    [ "$runner" = "$here" ] || die "$runner runs the sync $name, not $here"
    exec 9> "$dir/lock"
    flock -w 60 9 || die "a run of $name has been at work for a minute"
    clear_after_dead # whoever left something held our lock
    began=$(date +%s%N)
    status=3
    record # what a run that was killed has done
    if ! after_cut; then note run "failed $(reason "$dir/said")"; cat "$dir/said"; exit 1; fi
    remember
    pass ""
    [ $status -ge 3 ] || rm -f "$dir/cut"
    if [ $status -eq 1 ]; then settle; clear_emptied; fi
    record
    react
    if [ $status -eq 0 ]; then note run ok; else note run "failed $(reason "$dir/said")"; cat "$dir/said"; fi
    exit $status
}
# Locks and half files of a run that was killed.
clear_after_dead() {
    rm -f "$dir"/unison/lk*
    find "$directory" -name '.unison.*.unison.tmp' -prune -exec rm -rf {} +
}
# What a run had carried when it was cut off stands on both sides and in no memory: where one
# side has deleted it since, unison would take it for new on the other. It is deleted there,
# too, unless it was changed there. (Not where a name has two lines.)
after_cut() {
    [ -s "$dir/cut" ] || return 0
    : > "$dir/said"
    since=$(awk '
        /^Synchronization (in)?complete/ { since = "" }
        !since && sub(/.* started propagating changes at /, "") { sub(/ on /, " "); since = $0 }
        END { print since }' "$dir/cut")
    [ -n "$since" ] || return 0
    times="$(date -d "$since" +%s.%N) $(($(stat -c %Y "$dir/cut") + 1))"
    to_here=" from $logged to $directory" to_there=" from $directory to $logged"
    # shellcheck disable=SC2086  # two times
    unsaved "$to_here" "$to_there" | untouched $times > "$dir/untouched"
    tell_peer absent "$name" < "$dir/untouched" > "$dir/left" 2>> "$dir/said" &&
        pass_over "" -force "$there" || return 1
    unsaved "$to_there" "$to_here" > "$dir/carried"
    tell_peer untouched "$name" "$times" < "$dir/carried" > "$dir/untouched" 2>> "$dir/said" || return 1
    absent < "$dir/untouched" > "$dir/left"
    pass_over "" -force "$directory"
}
unsaved() { # HERE THERE: what is here for sure or may be, and was carried since a memory was saved
    begun=$1 ended=$2 awk '
        function path_of(way) { # "" unless the line says so
            path = substr($0, 1, length($0) - length(way))
            return $0 == path way && sub(/^\[BGN\] (Copying|Updating file) /, "", path) ? path : ""
        }
        /^Synchronization (in)?complete/ { split("", here); split("", sent) }
        path_of(ENVIRON["begun"]) != "" { here[path] }
        path_of(ENVIRON["ended"]) != "" { sent[path] }
        sub(/^\[END\] (Copying|Updating file) /, "") && $0 in sent { here[$0] }
        END { for (path in here) print path }' "$dir/cut"
}
absent() { # which of the paths it reads are not here
    [ -e "$directory/$MARK" ] || return 0 # or is the disk?
    while IFS= read -r path; do
        case /$path/ in */../*) continue ;; esac
        [ -e "$directory/$path" ] || [ -h "$directory/$path" ] || say "$path"
    done
}
# Which of the paths it reads are here, and what is in them, but not what was written after
# SINCE or put in place after UNTIL: unison keeps the time of what it carries.
untouched() { # SINCE UNTIL
    touch -d "@$1" "$dir/since"
    touch -d "@$2" "$dir/until"
    cd "$directory" || exit 1
    {
        find . ! -type d \( -newer "$dir/since" -o -cnewer "$dir/until" \)
        say /
        while IFS= read -r path; do
            case /$path/ in */../*) continue ;; esac
            if [ -d "./$path" ] && [ ! -h "./$path" ]; then find "./$path"
            elif [ -e "./$path" ] || [ -h "./$path" ]; then say "./$path"; fi
        done
    } | awk '
        $0 == "/" { asked = 1; next }
        { path = substr($0, 3) }
        asked { if (!(path in touched)) print path; next }
        { do touched[path]; while (sub("/[^/]*$", "", path)) }'
}
# Unison refuses to empty a side whose other side is empty: a disk that is not mounted, a
# folder that was wiped. A file of our own, made once, keeps that from being the deletion of
# the last file.
remember() {
    set -- "$dir"/unison/ar*
    [ -e "$1" ] || [ -e "$directory/$MARK" ] || [ ! -d "$directory" ] ||
        say "Kept alike on $here and $peer by twinedge. Leave this file here." > "$directory/$MARK"
}
# One run of unison; what only one side changed is carried over, whatever both changed stays.
# A memory that a run had half put in place is mended by the next one, which looks for it too
# early and gives up all the same. One that stays broken is made anew.
pass() { # CONFLICT-STAMP OPTION…
    carry "$@"
    if memory_is_broken; then carry "$@"; fi
    if memory_is_broken && forget_both; then carry "$@"; fi
}
carry() { # CONFLICT-STAMP OPTION…
    aside=$1
    shift
    backups=$dir/backup
    [ -z "$aside" ] || backups=$dir/conflicts/$aside
    say "$set_aside" | {
        while read -r pattern; do set -- "$@" -ignore "$pattern"; done
        HOME=$dir UNISON=$dir/unison UNISONBACKUPDIR=$backups UNISONLOCALHOSTNAME=$here \
            unison "$directory" "$there" -batch -auto -dumbtty -ui text \
            -times -perms -1 -owner -group -fastcheck false -confirmbigdel \
            -backup 'Name *' -backup 'Name .*' -backuploc central -maxbackups 50 \
            -logfile "$dir/transfers" -sshargs "$(ssh_options)" \
            -servercmd "serve $name ${aside:--}" "$@" </dev/null
    } > "$dir/said" 2>&1
    status=$?
}
pass_over() { # CONFLICT-STAMP OPTION…: of the paths in left alone, so many at a time as fit
    while [ -s "$dir/left" ]; do
        head -n 1000 "$dir/left" > "$dir/now"
        sed -i 1,1000d "$dir/left"
        pass_now "$@" -confirmbigdel=false # each path may be "completely emptied"
        [ -z "$1" ] || tell
        [ $status -lt 3 ] || return 1
    done
}
pass_now() {
    while IFS= read -r path; do set -- "$@" -path "$(plain "$path")"; done < "$dir/now"
    pass "$@"
}
repair() { # NAME newer|HOST: without a memory nothing is deleted; what differs goes by the rule
    choose "$1"
    [ "$runner" = "$here" ] || die "$runner runs the sync $name, not $here"
    exec 9> "$dir/lock"
    flock -w 60 9 || die "a run of $name has been at work for a minute"
    forget_both || die "$peer does not answer"
    stamp=$(date -u +%Y%m%dT%H%M%S)
    began=$(date +%s%N)
    case $2 in
    newer) pass "$stamp" -prefer newer ;;
    "$here") pass "$stamp" -prefer "$directory" ;;
    "$peer") pass "$stamp" -prefer "$there" ;;
    *) die "no rule '$2' (rules: newer, $here, $peer)" ;;
    esac
    [ $status -ne 1 ] || pass "$stamp" -prefer "$directory"
    record
    react
    [ $status -eq 0 ] || cat "$dir/said"
    exit $status
}
# What both sides have changed: an edit wins over a delete, and both over a mere change of mode
# or time; of two edits the newer wins, and where neither is newer, the runner's. What loses
# goes to conflicts/, on the side where it lost.
settle() {
    stamp=$(date -u +%Y%m%dT%H%M%S)
    : > "$dir/brought"
    : > "$dir/open.before"
    while
        conflicts > "$dir/open"
        grep -q -v '^edit' "$dir/open" && ! cmp -s "$dir/open" "$dir/open.before"
    do # a folder within a folder shows only now
        cp "$dir/open" "$dir/open.before"
        while IFS=' ' read -r kind side path; do
            [ "$kind" != folder ] || bring_back "$side" "$path"
        done < "$dir/open"
        decide 'props local' -prefer "$directory"
        decide 'props peer' -prefer "$there"
        pass ""
        [ $status -eq 1 ] || return 0
    done
    decide '' -prefer newer
    [ $status -ne 1 ] || decide '' -prefer "$directory"
}
# Only what has been seen and sorted: a folder that goes just now would come back whole.
decide() { # "KIND SIDE", or "" for all; OPTION…
    grep "^$1" "$dir/open" | cut -d ' ' -f 3 > "$dir/left"
    shift
    pass_over "$stamp" "$@"
}
tell() { # how the conflicts of this pass have ended
    how=$(grep -a -e '====>' -e '<====' "$dir/said" | tr -d '\b\r')
    [ -z "$how" ] || say "$how" >> "$dir/conflicts/$stamp.txt"
}
# The conflicts that unison tells of: "folder|props|edit local|peer|neither PATH" a line. The
# side has deleted what the other changed: a folder, or a file ("edit"). Or the other has only
# changed the mode or time of a file ("props") that this side has deleted, or changed in content.
# A newline is \001 and a blank \002.
# "chgd dir <-?-> deleted    PATH  ", "local        : changed dir …", "PEER         : deleted"
conflicts() {
    awk '
        function props(change) { return change ~ /: changed props / }
        function report(side, change) {
            gsub(" ", "\002", path)
            kind = change ~ /: (changed dir|dir props changed) / ? "folder" : "edit"
            print props(change) ? "props" : kind, side, path
        }
        /^........ <-[?]-> ........   / { path = substr($0, 27); open = 1; next }
        open && /^local        : / { sub(/  $/, "", path); mine = $0; open = 0; theirs = 1; next }
        open { path = path "\001" $0; next }
        theirs {
            theirs = 0
            if (mine ~ /: deleted$/ || (props($0) && !props(mine))) report("local", $0)
            else if (/: deleted$/ || (props(mine) && !props($0))) report("peer", mine)
            else report("neither", "")
        }' "$dir/said"
}
plain() {
    case $1 in *[!!-~]*) say "$1" | tr '\001\002' '\n ' ;; *) say "$1" ;; esac
}
# A folder that one side has deleted while the other changed something in it is one conflict
# to unison, and would come back whole. With the empty folder back in its place, each file
# in it is judged by itself, and only what was changed comes back.
bring_back() { # local|peer PATH
    case /$2/ in */../*) return ;; esac
    say "$2" >> "$dir/brought"
    path=$(plain "$2")
    if [ "$1" = local ]; then ( umask 022; mkdir -p "$directory/$path" )
    else to_peer folder "$name" "$(printf %s "$path" | base64 | tr -d '\n')"; fi
}
clear_emptied() { # what was brought back and has stayed empty; lsyncd sees it go
    sort -r "$dir/brought" | while IFS= read -r path; do
        rmdir "$directory/$(plain "$path")" 2>/dev/null
    done
}
memory_is_broken() { # gone on one side, cut off or empty: what a power cut leaves of a new file
    [ $status -eq 3 ] && grep -q -e 'nconsistent state' -e 'archive.*missing' \
        -e 'exception raised in loading archive' -e 'rchives are not identical' \
        -e 'rchive file seems damaged' -e 'orrupted archive' "$dir/said"
}
# A memory that only one side still has cannot be trusted. Without one, unison joins both
# sides and deletes nothing.
forget_both() {
    say "$(date +%s) the memory of $name was not whole: joined anew" >> "$dir/history"
    forget && to_peer forget "$name"
}
forget() { rm -rf "$dir/unison" && mkdir "$dir/unison"; }
# Who has received something, from unison's log: "[BGN] Copying x from /a to //peer//a",
# "[BGN] Deleting x from //peer//a".
record() {
    [ -s "$dir/transfers" ] || return 0
    if received -q "$directory"; then : > "$dir/due-here"; fi
    if received -q "$logged"; then : > "$dir/due-peer"; fi
    count_here=$(received -c "$directory")
    count_peer=$(received -c "$logged")
    if [ -e "$dir/due-here" ] || [ -e "$dir/due-peer" ]; then
        say "$(date +%s) $(( ($(date +%s%N) - began) / 1000000 ))ms $count_here $count_peer" >> "$dir/history"
        rotate history
    fi
    [ $status -lt 3 ] || keep_cut
    cat "$dir/transfers" >> "$dir/log"
    rotate log
    rm -f "$dir/transfers"
}
received() { # OPTION ROOT
    grep -a "$1" -e " to $2\$" -e "^\[BGN\] Deleting .* from $2\$" "$dir/transfers"
}
keep_cut() {
    grep -a -q '^\[BGN\]' "$dir/transfers" || return 0
    cat "$dir/transfers" >> "$dir/cut" && touch -r "$dir/transfers" "$dir/cut"
}
rotate() { [ "$(stat -c %s "$dir/$1")" -lt $LOG_SIZE ] || mv -f "$dir/$1" "$dir/$1.1"; } # FILE
react() {
    if [ -e "$dir/due-here" ]; then react_here && rm -f "$dir/due-here"; fi
    if [ -e "$dir/due-peer" ] && [ $status -lt 3 ]; then
        to_peer received "$name" > /dev/null 2>&1 && rm -f "$dir/due-peer"
    fi
}
react_here() {
    note received "$(date +%s%N)"
    [ -n "$after" ] || return 0
    said=$(timeout -k 2 60 sh -c "$after" 2>&1 9>&-) && { note after ok; return 0; }
    note after "failed $(say "$said" | tail -n 1)"
    return 1
}

# --- what the peer may ask for ----------------------------------------------------------

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
    "forget:$from") stop_server; forget ;;
    "absent:$from") absent ;;
    "untouched:$from")
        case ${3:-}:${4:-} in :* | *: | *[!0-9.:]*) die "twinedge: no such times" ;; esac
        untouched "$3" "$4"
        ;;
    "folder:$from") stop_server; confined "" mkdir -p "$directory/$(say "${3:-}" | base64 -d)" ;;
    "serve:$from")
        case ${3:--} in *[!0-9T-]*) die "twinedge: no such stamp" ;; esac
        serve "${3:--}"
        ;;
    *) die "twinedge: $from may not ask $here to $verb $name" ;;
    esac
}
stop_server() { systemctl -q stop "twinedge-sync-$name" 2>/dev/null || :; }
# A run that is gone may have left its unison behind; the runner has one run at a time, so
# the earlier one can be ended, and its lock is nobody's.
serve() { # STAMP
    backups=$dir/backup
    [ "$1" = - ] || backups=$dir/conflicts/$1
    stop_server
    clear_after_dead
    confined "$backups" unison -server __new-rpc-mode
}
confined() { # BACKUPS COMMAND…: it can write to the tree and its own memory, and see no key
    backups=$1
    shift
    exec systemd-run --quiet --pipe --wait --collect --unit="twinedge-sync-$name" \
        -p KillSignal=SIGKILL -p ProtectSystem=strict -p ProtectHome=read-only -p PrivateTmp=yes \
        -p PrivateDevices=yes -p PrivateNetwork=yes -p NoNewPrivileges=yes -p UMask=0022 \
        -p ReadWritePaths="$directory" -p ReadWritePaths="$dir" -p InaccessiblePaths="${table%/*}" \
        -p WorkingDirectory="$dir" -E HOME="$dir" -E UNISON="$dir/unison" \
        -E UNISONBACKUPDIR="$backups" -E UNISONLOCALHOSTNAME="$here" "$@"
}

# shellcheck source=/dev/null
. "$table"
verb=${1:-}
case $verb in
start) sleep 2; event "${2:-}" ;; # the deploy or the boot that started lsyncd goes first
event | run) "$verb" "${2:-}" ;;
repair) repair "${2:-}" "${3:-}" ;;
prepare) prepare ;;
gate) gate "${2:-}" "${3:-}" ;;
*) die "usage: $0 start|event|run NAME, repair NAME RULE, prepare, gate PEER WORDS" ;;
esac
