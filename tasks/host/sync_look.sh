# shellcheck shell=sh disable=SC2016,SC2154  # sh -c; home, name, directory are assigned in front
#
# What the sync runbook reads and does on one host. tasks/sync/work.py puts assignments in
# front and a verb behind. Run as root.

set -u
umask 077
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

die() { printf '%s\n' "$*" >&2; exit 1; }
dir=$home/$name

listing() { # find's words for what is left out: "KIND MODE DIGEST BASE64-PATH" a line
    cd "$directory" || die "no directory $directory"
    find . "$@" -print0 | xargs -0 -r sh -c 'for path do
        digest=-
        [ -h "$path" ] || [ ! -f "$path" ] || digest=$(sha256sum < "$path" | cut -c 1-16)
        printf "%s %s %s\n" "$(stat -c "%F:%a" "$path" | tr " " _)" "$digest" \
            "$(printf %s "$path" | base64 | tr -d "\n")"
    done' sh
}
canary() { # WORDS: written as one rename
    printf '%s\n' "$1" > "$directory/.twinedge-canary.tmp" &&
        mv -f "$directory/.twinedge-canary.tmp" "$directory/twinedge-canary"
}
canary_gone() { rm -f "$directory/twinedge-canary"; }
await() { # WORDS SECONDS: until the canary says so; no words: until it is gone
    tries=$(($2 * 20))
    until [ "$(cat "$directory/twinedge-canary" 2>/dev/null)" = "$1" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || exit 1
        sleep 0.05
    done
}
transfers() { if [ -e "$dir/history" ]; then wc -l < "$dir/history"; else echo 0; fi; }
conflicts() { # "STAMP BYTES BASE64-PATH" a kept file, "STAMP how BASE64-TEXT" a story
    cd "$dir/conflicts" 2>/dev/null || exit 0
    find . -mindepth 2 -type f -print0 | xargs -0 -r sh -c 'for path do
        rest=${path#./}
        printf "%s %s %s\n" "${rest%%/*}" "$(stat -c %s "$path")" \
            "$(printf %s "${rest#*/}" | base64 | tr -d "\n")"
    done' sh
    for story in *.txt; do
        [ ! -f "$story" ] || printf '%s how %s\n' "${story%.txt}" "$(base64 < "$story" | tr -d '\n')"
    done
}
difference() { # STAMP: what was kept against what stands in the tree now
    [ -d "$dir/conflicts/$1" ] || return 0
    cd "$dir/conflicts/$1" || die "cannot read $dir/conflicts/$1"
    find . -type f -print0 | xargs -0 -r sh -c 'tree=$0
        for path do
            name=${path#./}
            diff -u -N --label "kept: $name" --label "in the tree: $name" "$path" "$tree/$name"
        done' "$directory"
    return 0
}
settle() { # STAMP kept|current: the decision; nothing is thrown away
    mkdir -p "$dir/settled" || die "cannot make $dir/settled"
    kept=$dir/conflicts/$1
    if [ "$2" = kept ] && [ -d "$kept" ]; then
        ( cd "$kept" && find . -type f -print0 | xargs -0 -r sh -c 'replaced=$0 tree=$1
            shift
            for path do
                mkdir -p "$(dirname "$replaced/$path")" "$(dirname "$tree/$path")" || exit 1
                [ ! -e "$tree/$path" ] || cp -p "$tree/$path" "$replaced/$path" || exit 1
                cp -p "$path" "$tree/$path.tmp" && touch "$tree/$path.tmp" &&
                    mv -f "$tree/$path.tmp" "$tree/$path" || exit 1
            done' "$dir/settled/$1.replaced" "$directory" ) 2>/dev/null || die "cannot put $1 back"
    fi
    for file in "$kept" "$kept.txt"; do
        [ ! -e "$file" ] || mv -f "$file" "$dir/settled/" || die "cannot move $file"
    done
}
save() { # STAMP: the whole tree, before a repair
    { mkdir -p "$dir/repairs" && tar -C "$directory" -czf "$dir/repairs/$1.tar.gz" .; } ||
        die "cannot save $directory in $dir/repairs"
}
