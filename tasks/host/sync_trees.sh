# shellcheck shell=sh disable=SC2016  # sh -c
#
# What a look or a decision does in a synced tree, or in what lost a conflict. It runs in the
# box (sync_box.sh), from standard input, in the folder TREE.

cd "$TREE" || exit 1

# "quiet|busy COUNT DIGEST" of a tree: path, mode and content of every file. Busy when
# something in it changed within the last minute.
tree() { # find's words for what is left out
    lately=$(find . "$@" -mmin -1 -print 2>/dev/null | head -n 1)
    if [ -n "$lately" ]; then printf 'busy '; else printf 'quiet '; fi
    find . "$@" -type f -print | wc -l | tr -d ' \n'
    find . "$@" -type f -exec stat -c '%a %n' {} + -exec sha256sum {} + | travelling | sort |
        sha256sum | sed 's/^/ /; s/ *-$//'
}
travelling() { sed 's/^[246]\(... \)/\1/; s/^[357]\(... \)/1\1/'; } # modes without setuid, setgid
listing() { # find's words for what is left out: "KIND:MODE DIGEST BASE64-PATH" a line
    find . "$@" \( -type f -o -type d -o -type l \) -print0 | xargs -0 -r sh -c 'for path do
        digest=-
        [ -h "$path" ] || [ ! -f "$path" ] || digest=$(sha256sum < "$path" | cut -c 1-16)
        printf "%s %s %s\n" "$(stat -c "%F:%a" "$path" | sed "s/ /_/g; s/:[246]\(...\)$/:\1/; s/:[357]\(...\)$/:1\1/")" "$digest" \
            "$(printf %s "$path" | base64 | tr -d "\n")"
    done' sh
}
canary() { # WORDS: written as one rename
    rm -f .twinedge-canary.tmp # nor is a link that stands there followed
    printf '%s\n' "$1" > .twinedge-canary.tmp && chown 0:0 .twinedge-canary.tmp &&
        sync .twinedge-canary.tmp && mv -f .twinedge-canary.tmp twinedge-canary && return 0
    rm -f .twinedge-canary.tmp
    return 1
}
canary_gone() { rm -f twinedge-canary; }
await() { # WORDS SECONDS: until the canary says so; no words: until it is gone
    tries=$(($2 * 20))
    until [ "$(cat twinedge-canary 2>/dev/null)" = "$1" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || exit 1
        sleep 0.05
    done
}
kept() { # "STAMP BYTES BASE64-PATH" a kept file, "STAMP how BASE64-TEXT" a story
    find . -mindepth 2 -type f -print0 | xargs -0 -r sh -c 'for path do
        rest=${path#./}
        printf "%s %s %s\n" "${rest%%/*}" "$(stat -c %s "$path")" \
            "$(printf %s "${rest#*/}" | base64 | tr -d "\n")"
    done' sh
    for story in *.txt; do
        [ ! -f "$story" ] || printf '%s how %s\n' "${story%.txt}" "$(base64 < "$story" | tr -d '\n')"
    done
}
difference() { # KEPT: what was kept there against what stands in the tree now
    cd "$1" || exit 1
    find . -type f -print0 | xargs -0 -r sh -c 'for path do
        name=${path#./}
        diff -u -N --label "kept: $name" --label "in the tree: $name" "$path" "$TREE/$name"
    done' sh
    return 0
}
put_back() { # KEPT REPLACED: what is kept into the tree, and what it replaces aside
    cd "$1" || exit 1
    find . -type f -print0 | xargs -0 -r sh -c 'replaced=$0
        for path do
            mkdir -p "$(dirname "$replaced/$path")" "$(dirname "$TREE/$path")" || exit 1
            [ ! -e "$TREE/$path" ] || cp -p "$TREE/$path" "$replaced/$path" || exit 1
            cp -p "$path" "$TREE/$path.tmp" && touch "$TREE/$path.tmp" && sync "$TREE/$path.tmp" &&
                mv -f "$TREE/$path.tmp" "$TREE/$path" && continue
            rm -f "$TREE/$path.tmp"
            exit 1
        done' "$2"
}
pack() { tar -czf - .; }

