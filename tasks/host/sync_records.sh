# shellcheck shell=sh disable=SC2034,SC2154  # what its other parts assign and use
#
# Own DNS records of a synced tree: what the resolver may see of them.
#
# unbound's files are root's configuration, and one broken line ends it. So it reads copies
# in $records, a folder of ours: of each file the last state that was nothing but records
# and that unbound, as its own user, could read. $dir/refused says what was not taken:
# FILE:LINE: WHY a line.

publish() { # copies what has changed and may be seen, and has unbound read it
    [ -n "${records:-}" ] || return 0
    exec 8> "$dir/records.lock"
    flock -w 30 8 || return 1
    { mkdir -p "$records" && chmod 755 "$records"; } || die "cannot make $records"
    { rm -rf "$dir/records" && mkdir "$dir/records" "$dir/records/old"; } || die "cannot write in $dir"
    boxed "" records </dev/null > "$dir/records.read" 2> "$dir/records.said" || return 1
    sort_out > "$dir/refused.next"
    cp -p "$records"/*.conf "$dir/records/old" 2>/dev/null
    moved=''
    take_over
    [ -z "$moved" ] || stand_whole || moved=''
    mv -f "$dir/refused.next" "$dir/refused"
    # What a reaction could not look at is seen now.
    ! grep -q 'cannot be looked at$' "$dir/after" 2>/dev/null || note after ok
    exec 8>&-
    [ -n "$moved" ] && [ -n "$reload" ] || return 0
    act "$reload"
}
# What is nothing but records goes to $dir/records/FILE; the first line that is not is told.
sort_out() {
    awk -v to="$dir/records" -v from="$directory" '
        function done() {
            if (name != "" && !bad) { printf "%s", text > (to "/" name); close(to "/" name) }
            name = ""; text = ""; bad = 0; number = 0
        }
        function refuse(why) {
            if (!bad) printf "%s/%s:%d: %s\n", from, name, number, why
            bad = 1
        }
        BEGIN {
            q = "(\"[^\"\\\\]*\"|\047[^\047\\\\]*\047|[A-Za-z0-9._:/-]+)"
            s = "[ \t]"
            type = "\"?(static|transparent|typetransparent|redirect|nodefault|deny|refuse|inform|" \
                "inform_deny|inform_redirect|always_transparent|always_refuse|always_nxdomain|" \
                "always_nodata|always_null|always_deny|block_a|noview)\"?"
            good = "^" s "*((server|local-zone:" s "*" q s "+" type "|local-data:" s "*" q \
                "|local-data-ptr:" s "*" q ")" s "*)?(#.*)?$"
            sub("server", "server:", good)
        }
        /^@ / { done(); name = substr($0, 3); if (name !~ /^[A-Za-z0-9._-]+$/) name = ""; next }
        /^! / { print from "/" substr($0, 3); next }
        name == "" { next }
        {
            number++
            line = substr($0, 2)
            sub(/\r$/, "", line)
            if (line ~ /[\001-\010\013-\037\177]/) refuse("holds control characters")
            else if (line !~ good)
                refuse("only local-zone, local-data, local-data-ptr and comments, one a line: " \
                    substr(line, 1, 60))
            text = text line "\n"
        }
        END { done() }' "$dir/records.read"
}
take_over() {
    for file in "$dir"/records/*.conf; do
        name_of=${file##*/}
        [ -f "$file" ] || continue
        if cmp -s "$file" "$records/$name_of"; then continue; fi
        { cat "$file" > "$records/$name_of.next" && chmod 644 "$records/$name_of.next"; } ||
            die "cannot write in $records"
        if said=$(readable "$records/$name_of.next"); then
            mv -f "$records/$name_of.next" "$records/$name_of" && moved=1
        else
            say "$directory/$name_of: $said" >> "$dir/refused.next"
            rm -f "$records/$name_of.next"
        fi
    done
    for file in "$records"/*.conf; do # of what is gone, no copy stays
        [ ! -f "$file" ] || grep -q -x -F "@ ${file##*/}" "$dir/records.read" ||
            { rm -f "$file" && moved=1; }
    done
}
# Says why unbound could not read a file of records.
readable() { # FILE
    printf 'server:\n\tchroot: ""\n\tuse-syslog: no\n\tinclude: "%s"\n' "$1" > "$records/check.next"
    chmod 644 "$records/check.next"
    why=$(checked "$records/check.next")
    ok=$?
    rm -f "$records/check.next"
    [ $ok -eq 0 ] || say "$why" | sed "s|$records/||; s|[.]next||"
    return $ok
}
checked() { # [FILE]: as unbound's own user, who reads its files at a reload
    user=$(unbound-checkconf -o username 2>/dev/null)
    if [ -n "$user" ] && id "$user" > /dev/null 2>&1; then set -- runuser -u "$user" -- unbound-checkconf "$@"
    else set -- unbound-checkconf "$@"; fi
    told=$("$@" 2>&1) && return 0
    say "$told" | grep -i -m 1 error
    return 1
}
# All of it together; if only the new state breaks it, the old one is put back.
stand_whole() {
    said=$(checked) && return 0
    rm -f "$records"/*.conf
    cp -p "$dir"/records/old/*.conf "$records" 2>/dev/null
    say "$directory: the records together: $said" >> "$dir/refused.next"
    return 1
}
act() { # COMMAND: what is to be done once something has come
    said=$(timeout -k 2 60 sh -c "$1" 2>&1 8>&- 9>&-) && { note after ok; return 0; }
    note after "failed $(say "$said" | tail -n 1)"
    return 1
}
