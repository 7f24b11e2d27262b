# shellcheck shell=sh
#
# Every file that a script of ours writes on a host: whole and on the disk before it
# replaces anything. A disk that is full, read-only or gone leaves the old file as it was,
# and whoever writes is told.
#
# POSIX sh, in front of the other scripts here.

line() { printf '%s\n' "$*"; } # WORDS: fails where they cannot be written

# On the disk before we go on: these files alone where sync(1) can (coreutils since 8.24,
# busybox where it is built so; any other sync takes no names and writes out everything).
# A file system that cannot do it for one file is asked for all of it.
durable() { # PATH…
    refused=$(sync "$@" 2>&1) && return 0
    case $refused in
    *'nvalid argument'* | *'not supported'* | *'not implemented'*) sync ;;
    *) return 1 ;;
    esac
}
# Whether the file can be opened for writing. Where `exec` or `:` cannot, the shell ends there
# and then, and nobody is told.
writable() { true 2>/dev/null >> "$1"; } # FILE
# Standard input becomes the file. What makes it has to have succeeded before: a pipe tells
# only of its end.
put() { # FILE
    cat > "$1.next" && durable "$1.next" && mv -f "$1.next" "$1" && return 0
    rm -f "$1.next"
    return 1
}
