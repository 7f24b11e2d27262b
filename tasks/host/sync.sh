# shellcheck shell=sh disable=SC2034,SC2154  # assigned in front, used behind
#
# One host's side of the two-way sync: lsyncd calls `event`, the peer comes in by `gate`.
#
# POSIX sh with the usual tools and systemd, run as root; sync_box.sh, sync_inside.sh,
# sync_run.sh, sync_settle.sh, sync_records.sh and sync_gate.sh follow it. One host of a sync is its runner: it
# alone runs unison, the other asks it to. So two runs never meet, and a lock that is found
# is one that a dead run has left behind.
#
# The peer can write, through its end of unison, to the tree and to the folders marked *:
# root follows no path into these. All else is ours alone.
#
#   $home/NAME/unison/       * unison's memory of what both sides had
#             /backup/       * what was overwritten or deleted here
#             /conflicts/T/  * what lost a conflict here, until the operator decides
#             /conflicts/T.txt  how it went
#             /transfers     what this run has done so far (unison's log)
#             /cut           what runs that were cut off have done, until one is whole again
#             /history       a line a transfer: TIME SECONDS HERE PEER
#             /run           how the last run ended: TIME ok, or TIME failed WORDS
#             /daemon        how the last event ended: TIME ok, or TIME failed COUNT SINCE WORDS
#             /due-here, /due-peer   a side has received changes and has not acted on them yet
#             /skipped       what cannot travel: HOST KIND PATH a line
#             /refused       own DNS records that unbound may not see, and why
#             /swept         when copies were last looked at for what is too old or too much
#             /said          what unison said last; beside it what a run notes for itself:
#                            asked, line/, open, left, now, brought (conflicts), carried, untouched

set -u
umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

KEPT_DAYS=30    # what was overwritten or deleted
SETTLED_DAYS=90 # what was decided, and the trees from before a repair
KEPT_BYTES=500000000 # of each of them, and of what nobody has decided yet
SWEEP_MINUTES=10
SPARE_WATCHES=8192
MARK=.twinedge-sync # keeps a tree from ever being empty, unless it is gone
LOG_SIZE=1000000 # bytes, twice at the most

say() { printf '%s\n' "$*"; }
die() { say "$*" >&2; exit 1; }
# What unison is told must never be cut short by a full disk: without its paths, a rule for a
# few files would count for the whole tree.
whole() { # FILE TEXT
    # In a subshell: what dash could not write, it would try to write again, before the reason.
    ( say "$2" > "$dir/$1" ) && [ "$(cat "$dir/$1")" = "$2" ] ||
        die "cannot write $dir/$1: is the disk full?"
}
note() { say "$(date +%s) $2" > "$dir/$1.next" && mv -f "$dir/$1.next" "$dir/$1"; } # FILE WORDS

choose() { # NAME
    settings "$1" || die "no sync '$1' on $here (syncs: $names)"
    name=$1
    dir=$home/$name
    there=ssh://$login@$address:$port/$directory
    logged=//$peer/$directory # as unison's log calls it
    for each in "$dir"/*; do # 0.1.0 let the peer write here
        [ ! -h "$each" ] || rm -f "$each"
    done
    mkdir -p "$dir/unison" "$dir/backup" "$dir/conflicts" || die "cannot make $dir"
}
boxed() { # "BOX'S OPTIONS" VERB ARGUMENT…: of sync_inside.sh
    words=$1
    shift
    real_tree "$directory" || { say "twinedge: $here has no directory $directory" >&2; return 3; }
    unison=$(command -v unison) || { say "twinedge: unison is not installed on $here" >&2; return 3; }
    case $unison in /usr/bin/* | /bin/*) ;; *) words="$words -r $unison" ;; esac
    # shellcheck disable=SC2086  # paths of ours
    box $words -w "$tree" -w "$dir/unison" -r "$0" -- -E TREE="$tree" -E DIRECTORY="$directory" \
        -E HERE="$here" -E PEER="$peer" -E ASKED="$dir/asked" -E UNISON="$dir/unison" \
        -E UNISONBACKUPDIR="${backups:-}" -E UNISONLOCALHOSTNAME="$here" "$0" inside "$@"
}
# Where this run keeps what is overwritten: a folder for each conflict, backup for the rest.
copies() { # STAMP|-
    backups=$dir/backup
    [ "$1" = - ] || backups=$dir/conflicts/$1
    [ ! -h "$backups" ] || rm -f "$backups"
    mkdir -p "$backups" || die "cannot make $backups"
}
copied() { [ "$backups" = "$dir/backup" ] || rmdir "$backups" 2>/dev/null || :; }
to_peer() { tell_peer "$@" </dev/null; } # WORD…
tell_peer() ( ssh_to_peer "$@" ) # WORD…, and what it reads
ssh_to_peer() {
    # shellcheck disable=SC2046  # words of our own
    exec ssh $(ssh_options) -p "$port" "$login@$address" "$@"
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
    ( publish ) # own records count here, too, whether or not the other side can be reached
    if [ $status -eq 0 ]; then note daemon ok; sweep; exit 0; fi
    failures='' since=''
    [ ! -s "$dir/daemon" ] || read -r _ _ failures since _ < "$dir/daemon"
    failures=$((${failures:-0} + 1))
    [ $failures -lt 2 ] || asks_tailscale >> "$dir/event.said"
    note daemon "failed $failures ${since:-$(date +%s)} $(reason "$dir/event.said")"
    sleep $((failures < 8 ? failures : 8)) # lsyncd comes again a second later
    exit 1
}
# Tailscale SSH takes the place of sshd on the tailnet and reads no authorized_keys.
asks_tailscale() {
    case $(ssh-keyscan -T 2 -p "$port" "$address" 2>&1) in
    *SSH-2.0-Tailscale*)
        say "twinedge: Tailscale SSH answers on $peer in place of sshd, and does not know the" \
            "sync's key: tailscale set --ssh=false there, or another port for sshd and the inventory"
        ;;
    esac
}
# Copies are bounded in age and size, and history says what went.
sweep() {
    [ -z "$(find "$dir/swept" -mmin -$SWEEP_MINUTES 2>/dev/null)" ] || return 0
    : > "$dir/swept"
    words='' folders=''
    for each in backup:$KEPT_DAYS settled:$SETTLED_DAYS repairs:$SETTLED_DAYS conflicts:-; do
        folder=$dir/${each%:*}
        [ -d "$folder" ] || continue
        words="$words -w $folder" folders="$folders $folder ${each#*:}"
    done
    # shellcheck disable=SC2086  # paths of ours, and numbers
    boxed "$words" sweep $KEPT_BYTES $folders </dev/null | while read -r folder files bytes; do
        say "$(date +%s) dropped from $folder: $files files, $bytes bytes" >> "$dir/history"
    done
}
reason() { # FILE: what says most: our own word, unison's of a file, or the line that looks worst
    why=$(sed -n '/^twinedge: /{s///p;q}' "$1")
    why=${why:-$(awk '/Failed \[/ { sub(/.*Failed \[/, "Failed ["); said = $0; getline; print said, $0; exit }' "$1")}
    why=${why:-$(grep -a -i -m 1 -e 'fatal error' -e 'error in' -e refused -e 'timed out' -e 'completely emptied' -e '^\[FAILED\]' "$1")}
    say "${why:-$(tail -n 1 "$1")}" | tr -d '\000-\010\013-\037\177'
}
prepare() { # before lsyncd starts: the directories, and watches for all that is in them
    systemctl -q stop 'twinedge-sync-*' 2>/dev/null # one of 0.1.0 could write beside its folders
    trees='' words=''
    for name in $names; do
        choose "$name"
        [ -d "$directory" ] || install -d -m 755 -o "$owner" "$directory" || die "cannot make $directory"
        if real_tree "$directory"; then trees="$trees $tree" words="$words -r $tree"; fi
    done
    # shellcheck disable=SC2086  # paths; one box for all, since a start of lsyncd has to be quick
    folders=$(box $words -r "$0" -- -E TREE=/ -E DIRECTORY=/ "$0" inside folders $trees) || folders=0
    limit=/proc/sys/fs/inotify/max_user_watches
    wanted=$((folders * 2 + SPARE_WATCHES))
    [ "$(cat $limit)" -ge $wanted ] || ( say $wanted > $limit ) 2>/dev/null ||
        say "the syncs may need $wanted inotify watches and $limit says $(cat $limit): raise it" >&2
}
