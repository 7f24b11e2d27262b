# shellcheck shell=sh disable=SC2034,SC2154  # what its other parts assign and use
#
# Conflicts and repairs, on the runner: who wins, and what unison told of it.

repair() { # NAME newer|HOST: without a memory nothing is deleted; what differs goes by the rule
    choose "$1"
    [ "$runner" = "$here" ] || die "$runner runs the sync $name, not $here"
    exec 9> "$dir/lock"
    flock -w 60 9 || die "a run of $name has been at work for a minute"
    stop_box
    : > "$dir/now"
    forget_both || die "$peer does not answer"
    stamp=$(date -u +%Y%m%dT%H%M%S)
    began=$(date +%s%N)
    case $2 in
    newer) pass "$stamp" -prefer newer ;;
    "$here") pass "$stamp" -prefer "$directory" ;;
    "$peer") pass "$stamp" -prefer "$there" ;;
    *) die "no rule '$2' (rules: newer, $here, $peer)" ;;
    esac
    [ "$status" -ne 1 ] || pass "$stamp" -prefer "$directory"
    record
    react
    [ "$status" -eq 0 ] || cat "$dir/said"
    exit "$status"
}
# What both sides have changed: an edit wins over a delete, and both over a mere change of mode
# or time; of two edits the newer wins, and where neither is newer, the runner's. What loses
# goes to conflicts/, on the side where it lost.
settle() {
    stamp=$(date -u +%Y%m%dT%H%M%S)
    : > "$dir/brought"
    : > "$dir/open.before"
    while
        conflicts > "$dir/open" || return 1
        grep -q -v '^edit' "$dir/open" && ! cmp -s "$dir/open" "$dir/open.before"
    do # a folder within a folder shows only now
        cp "$dir/open" "$dir/open.before"
        while IFS=' ' read -r kind side path; do
            [ "$kind" != folder ] || bring_back "$side" "$path"
        done < "$dir/open"
        decide 'props local' -prefer "$directory"
        decide 'props peer' -prefer "$there"
        pass ""
        [ "$status" -eq 1 ] || return 0
    done
    decide '' -prefer newer
    [ "$status" -ne 1 ] || decide '' -prefer "$directory"
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
# A folder that one side has deleted while the other changed something in it is one conflict
# to unison, and would come back whole. With the empty folder back in its place, each file
# in it is judged by itself, and only what was changed comes back.
bring_back() { # local|peer PATH
    case /$2/ in */../*) return ;; esac
    say "$2" >> "$dir/brought"
    path=$(plain "$2" | base64 | tr -d '\n')
    if [ "$1" = local ]; then boxed "" folder "$path" </dev/null; else to_peer folder "$name" "$path"; fi
}
