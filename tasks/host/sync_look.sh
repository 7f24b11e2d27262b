# shellcheck shell=sh disable=SC2154  # home, name, directory are assigned in front
#
# What the sync runbook reads and does on one host. tasks/sync/work.py puts assignments,
# write.sh and sync_box.sh in front and a verb behind. Run as root, and as nobody in the box wherever the
# peer can write.

set -u
umask 077
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

die() { printf '%s\n' "$*" >&2; exit 1; }
dir=$home/$name

listing() { in_tree -r "$directory" "" listing "$@"; } # find's words for what is left out
canary() { in_tree -w "$directory" "" canary "$1"; } # WORDS
canary_gone() { in_tree -w "$directory" "" canary_gone; }
await() { in_tree -r "$directory" "" await "$@"; } # WORDS SECONDS
transfers() { if [ -e "$dir/history" ]; then wc -l < "$dir/history"; else echo 0; fi; }
conflicts() { [ ! -d "$dir/conflicts" ] || in_tree -r "$dir/conflicts" "" kept; }
difference() { # STAMP
    [ ! -d "$dir/conflicts/$1" ] || in_tree -r "$directory" "-r $dir/conflicts/$1" difference "$dir/conflicts/$1"
}
settle() { # STAMP kept|current: the decision; nothing is thrown away
    mkdir -p "$dir/settled" || die "cannot make $dir/settled"
    kept=$dir/conflicts/$1
    if [ "$2" = kept ] && [ -d "$kept" ]; then
        replaced=$dir/settled/$1.replaced
        mkdir -p "$replaced" || die "cannot make $replaced"
        in_tree -w "$directory" "-r $kept -w $replaced" put_back "$kept" "$replaced" ||
            die "cannot put $1 back"
    fi
    for file in "$kept" "$kept.txt"; do
        [ ! -e "$file" ] || mv -f "$file" "$dir/settled/" || die "cannot move $file"
    done
}
save() { # STAMP: the whole tree, before a repair
    saved=$dir/repairs/$1.tar.gz
    mkdir -p "$dir/repairs" && in_tree -r "$directory" "" pack > "$saved" && durable "$saved" && return 0
    rm -f "$saved"
    die "cannot save $directory in $dir/repairs: is the disk full?"
}
