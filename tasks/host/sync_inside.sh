# shellcheck shell=sh disable=SC2154  # HERE, PEER, TREE, DIRECTORY, ASKED and unison's own come with the box
#
# What of the sync runs in the box (sync_box.sh): all that touches the tree, or unison's
# memory and copies. Nothing in here is believed outside.

NEWLINE='
'
ODD=$(printf '\001\002')

inside() { # VERB ARGUMENT…
    [ "$TREE" = "$DIRECTORY" ] || { mkdir -p "${DIRECTORY%/*}" && ln -s "$TREE" "$DIRECTORY"; }
    deed=$1
    shift
    "in_$deed" "$@"
}
# One end of a run. Where there is a memory and not our mark, the disk is not mounted, or it
# was emptied: the rest of the tree is no news then.
in_serve() { # told, when the other end listens for what comes before unison
    if ! why=$(standing); then
        [ "$1" != told ] || say "twinedge: $why"
        die "twinedge: $why"
    fi
    special=$(tidy)
    [ "$1" != told ] || { tell_special "$special"; say "twinedge ready"; }
    exec unison -server __new-rpc-mode
}
in_carry() { # ROOT-OF-PEER: the peer's end is on standard input and output
    there=$1
    why=$(standing) || { say "twinedge: $why" >&2; exit 3; }
    special=$(tidy)
    listen || exit 3
    remember
    set --
    while IFS= read -r word; do
        case $word in *["$ODD"]*) word=$(plain "$word") ;; esac
        set -- "$@" "$word"
    done < "$ASKED"
    told=$(tell_special "$special")$NEWLINE$told
    [ "$told" = "$NEWLINE" ] || printf %s "$told" >&2
    IFS=$NEWLINE
    set -f
    for line in $told; do set -- "$@" -ignore "Path ${line#twinedge skipped * * }"; done
    unset IFS
    export FIRST="$first"
    exec unison "$DIRECTORY" "$there" -sshcmd "$0" "$@" 3<&0 4>&1 </dev/null >&2
}
# unison calls this in the place of ssh, which runs outside of the box, where the keys are.
relay() {
    [ -z "$FIRST" ] || say "$FIRST"
    cat <&3 &
    exec cat >&4
}
# What the other end says before its unison does; that of 0.1.0 says nothing.
listen() {
    first='' told=''
    while IFS= read -r line; do
        case $line in
        "twinedge ready") return 0 ;;
        "twinedge: "*) say "$line" >&2; return 1 ;;
        "twinedge skipped "*[!A-Za-z0-9._/?\ -]*) ;;
        "twinedge skipped "*) told=$told$line$NEWLINE ;;
        *) first=$line; return 0 ;;
        esac
    done
    return 1
}
standing() {
    set -- "$UNISON"/ar*
    [ ! -e "$1" ] || [ -e "$TREE/$MARK" ] || {
        say "$HERE: $DIRECTORY holds no $MARK: is its disk mounted? Nothing is carried until" \
            "the file is back; sync.py repair joins both sides where it is truly gone"
        return 1
    }
}
# Locks and half files of a run that is gone. Told are sockets and the like, which cannot
# travel: "KIND PATH" a line, each byte that is no plain one as unison's "?".
tidy() {
    rm -f "$UNISON"/lk*
    cd "$TREE" || exit 1
    find . \( -name '.unison.*.unison.tmp' -prune -exec rm -rf {} + \) -o \
        ! -type f ! -type d ! -type l -printf '%y %P\0' | tr '\n\000' '?\n' |
        sed 's/^p/fifo/; s/^s/socket/; s/^[bcD]/device/'
}
tell_special() { # KIND PATH lines
    [ -z "$1" ] || say "$1" | while IFS= read -r line; do
        say "twinedge skipped $HERE ${line%% *} $(say "${line#* }" | sed 's/[^A-Za-z0-9._/-]/?/g')"
    done
}
# A file of our own, made once: without it an emptied side and one whose disk is not mounted
# would look alike.
remember() {
    set -- "$UNISON"/ar*
    [ -e "$1" ] || [ -e "$TREE/$MARK" ] || {
        say "Kept alike on $HERE and $PEER by twinedge. Leave this file here." > "$TREE/$MARK"
        chown 0:0 "$TREE/$MARK"
    }
}
in_forget() { find "$UNISON" -mindepth 1 -delete; }
in_sweep() { # BYTES, then FOLDER DAYS…: tells "FOLDER FILES BYTES" of what went
    bytes=$1
    shift
    while [ $# -gt 0 ]; do
        sweep_out "$1" "$2" "$bytes"
        shift 2
    done
}
# Of copies, drops those older than DAYS (- for none), then the oldest until the rest fits.
sweep_out() ( # FOLDER DAYS BYTES
    cd "$1" || exit 1
    oldest=0 kept=0 files=0 gone=0
    [ "$2" = - ] || oldest=$(($(date +%s) - $2 * 86400))
    find . ! -type d -printf '%C@ %s %p\0' | tr '\n\000' '\001\n' | sort -rn | {
        while IFS= read -r line; do
            size=${line#* } path=${line#* * }
            size=${size%% *} at=${line%%.*}
            kept=$((kept + size))
            [ "$at" -lt "$oldest" ] || [ "$kept" -gt "$3" ] || continue
            case $path in *["$ODD"]*) path=$(say "$path" | tr '\001' '\n') ;; esac
            rm -f "$path" && files=$((files + 1)) gone=$((gone + size))
        done
        [ $files -eq 0 ] || say "${1##*/} $files $gone"
    }
    find . -mindepth 1 -type d -empty -mmin +60 -delete
)
in_records() { # each *.conf: "@ FILE", then its lines behind a blank; "! FILE: WHY" of others
    why=$(standing) || die "twinedge: $why"
    cd "$TREE" || exit 1
    for file in *.conf; do
        case $file in
        '*.conf') continue ;;
        *[!A-Za-z0-9._-]*)
            say "! $(printf %s "$file" | tr -c 'A-Za-z0-9._-' '?'): a name of other than A-Z a-z 0-9 . _ -"
            ;;
        *)
            [ -f "$file" ] || { say "! $file: leads out of the folder, or is no file"; continue; }
            say "@ $file"
            head -c 1000000 "$file" | sed 's/^/ /'
            say ""
            ;;
        esac
    done
}
in_folders() { find "$@" -type d | wc -l; } # TREE…
in_absent() { # which of the paths it reads are not here
    [ -e "$TREE/$MARK" ] || return 0
    while IFS= read -r path; do
        case /$path/ in */../*) continue ;; esac
        [ -e "$TREE/$path" ] || [ -h "$TREE/$path" ] || say "$path"
    done
}
# "./PATH" a line: what was written after SINCE or put in place after UNTIL; behind "/", which
# of the paths it reads are here, and what is in them; and "//" when that is all.
in_changed() { # SINCE UNTIL
    cd "$TREE" || exit 1
    find . ! -type d \( -newermt "@$1" -o -newerct "@$2" \)
    say /
    while IFS= read -r path; do
        case /$path/ in */../*) continue ;; esac
        if [ -d "./$path" ] && [ ! -h "./$path" ]; then find "./$path"
        elif [ -e "./$path" ] || [ -h "./$path" ]; then say "./$path"; fi
    done
    say //
}
in_folder() { # BASE64-PATH: with all that is missing above it
    cd "$TREE" || exit 1
    path=$(say "$1" | base64 -d)/ above=''
    while [ -n "$path" ]; do
        above=$above${path%%/*}/ path=${path#*/}
        [ -d "$above" ] || { mkdir "$above" && chown 0:0 "$above"; } || exit 1
    done
}
in_clear() { # of the folders it reads, those that are empty
    sort -r | while IFS= read -r path; do rmdir "$TREE/$(plain "$path")" 2>/dev/null; done
}
plain() { # unison's paths in lines of ours: a newline is \001 and a blank \002
    case $1 in *[!!-~]*) say "$1" | tr '\001\002' '\n ' ;; *) say "$1" ;; esac
}
