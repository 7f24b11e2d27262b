# shellcheck shell=sh disable=SC2034,SC2154  # what its other parts assign and use
#
# The runner's side of sync.sh: one run, what an earlier one had left, what came of it.

run() { # NAME
    choose "$1"
    [ "$runner" = "$here" ] || die "$runner runs the sync $name, not $here"
    exec 9> "$dir/lock"
    flock -w 60 9 || die "a run of $name has been at work for a minute"
    stop_box
    began=$(date +%s%N)
    status=3
    : > "$dir/now"
    record # what a run that was killed has done
    if ! after_cut; then note run "failed $(reason "$dir/said")"; cat "$dir/said"; exit 1; fi
    pass ""
    [ "$status" -ge 3 ] || rm -f "$dir/cut"
    if [ "$status" -eq 1 ]; then settle; boxed "" clear < "$dir/brought"; fi
    name_skipped
    record
    react
    if [ "$status" -eq 0 ]; then note run ok; else note run "failed $(reason "$dir/said")"; cat "$dir/said"; fi
    exit "$status"
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
    unsaved "$to_here" "$to_there" | untouched $times > "$dir/untouched" ||
        return 1
    tell_peer absent "$name" < "$dir/untouched" > "$dir/left" 2>> "$dir/said" &&
        pass_over "" -force "$there" || return 1
    unsaved "$to_there" "$to_here" > "$dir/carried" || return 1
    tell_peer untouched "$name" "$times" < "$dir/carried" > "$dir/untouched" 2>> "$dir/said" || return 1
    boxed "" absent < "$dir/untouched" > "$dir/left" || return 1
    pass_over "" -force "$directory"
}
# Which of the paths it reads are here, and what is in them, but not what was written after
# SINCE or put in place after UNTIL: unison keeps the time of what it carries.
untouched() { # SINCE UNTIL
    boxed "" changed "$1" "$2" | awk '
        $0 == "/" { asked = 1; next }
        $0 == "//" { whole = 1; next }
        { path = substr($0, 3) }
        asked { if (!(path in touched)) print path; next }
        { do touched[path]; while (sub("/[^/]*$", "", path)) }
        END { exit !whole }'
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
# One run of unison; what only one side changed is carried over, whatever both changed stays.
# A memory that a run had half put in place is mended by the next one, which looks for it too
# early and gives up all the same. One that stays broken is made anew.
pass() { # CONFLICT-STAMP OPTION…
    carry "$@"
    if memory_is_broken; then carry "$@"; fi
    if memory_is_broken && forget_both; then carry "$@"; fi
}
carry() { # CONFLICT-STAMP OPTION…
    aside=${1:--}
    shift
    whole asked "$(asked "$@")"
    [ -e "$dir/transfers" ] || : > "$dir/transfers"
    copies "$aside"
    mkdir -p "$dir/line"
    rm -f "$dir/line/up" "$dir/line/down"
    mkfifo "$dir/line/up" "$dir/line/down" || die "cannot make $dir/line"
    : > "$dir/said"
    ssh_to_peer serve "$name" "$aside" told < "$dir/line/up" > "$dir/line/down" 2>> "$dir/said" &
    line=$!
    boxed "-u twinedge-sync-$name:$$-$(date +%N) -w $backups -w $dir/transfers -r $dir/asked" carry "$there" \
        > "$dir/line/up" < "$dir/line/down" 2>> "$dir/said"
    status=$?
    kill $line 2>/dev/null
    wait $line 2>/dev/null
    copied
}
asked() { # OPTION…: unison's, a word a line
    printf '%s\n' -batch -auto -dumbtty -ui text -times -perms 0o1777 -owner -group -numericids \
        -fastcheck false -confirmbigdel -backup 'Name *' -backup 'Name .*' \
        -backuploc central -maxbackups 50 -logfile "$dir/transfers"
    say "$set_aside" | sed 's/^/-ignore\n/'
    [ $# -eq 0 ] || printf '%s\n' "$@"
    sed 's/^/-path\n/' "$dir/now"
}
pass_over() { # CONFLICT-STAMP OPTION…: of the paths in left alone, so many at a time as fit
    while [ -s "$dir/left" ]; do
        whole now "$(head -n 1000 "$dir/left")"
        sed -i 1,1000d "$dir/left" || die "cannot write $dir/left: is the disk full?"
        pass "$@" -confirmbigdel=false # each path may be "completely emptied"
        : > "$dir/now"
        [ -z "$1" ] || tell
        [ "$status" -lt 3 ] || return 1
    done
}
# Gone on one side, cut off or empty (what a power cut leaves of a new file), or of another version.
memory_is_broken() {
    [ "$status" -eq 3 ] && grep -q -e 'nconsistent state' -e 'archive.*missing' \
        -e 'exception raised in loading archive' -e 'rchives are not identical' \
        -e 'rchive file seems damaged' -e 'orrupted archive' -e 'rchive format mismatch' "$dir/said"
}
# A memory that only one side still has cannot be trusted. Without one, unison joins both
# sides and deletes nothing.
forget_both() {
    say "$(date +%s) the memory of $name was not whole: joined anew" >> "$dir/history"
    boxed "" forget && to_peer forget "$name"
}
# What cannot travel ("HOST KIND PATH" a line), once in the history, and where status finds it.
name_skipped() {
    [ "$status" -lt 3 ] || return 0
    sed -n 's/^twinedge skipped //p' "$dir/said" | sort > "$dir/skipped.next" || return 0
    [ -e "$dir/skipped" ] || : > "$dir/skipped"
    comm -13 "$dir/skipped" "$dir/skipped.next" | while IFS= read -r line; do
        say "$(date +%s) cannot travel and is left where it is: $line" >> "$dir/history"
    done
    mv -f "$dir/skipped.next" "$dir/skipped"
}
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
    [ "$status" -lt 3 ] || keep_cut || return 0 # the next run sees it again
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
rotate() { [ "$(stat -c %s "$dir/$1")" -lt "$LOG_SIZE" ] || mv -f "$dir/$1" "$dir/$1.1"; } # FILE
react() {
    if [ -e "$dir/due-here" ]; then react_here && rm -f "$dir/due-here"; fi
    if [ -e "$dir/due-peer" ] && [ "$status" -lt 3 ]; then
        to_peer received "$name" > /dev/null 2>&1 && rm -f "$dir/due-peer"
    fi
}
react_here() {
    note received "$(date +%s%N)"
    if ! publish; then note after "failed: the records in $directory cannot be looked at"; return 1; fi
    [ -n "$after" ] && [ -z "${reload:-}" ] || return 0
    act "$after"
}
