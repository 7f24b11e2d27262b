# shellcheck shell=sh disable=SC2016  # awk's own words
#
# What other files of unbound's configuration take from what ours promises. unbound says it in
# its log at most, and whose word counts hangs on the names of the files. Runs as root, so what the
# peer of a sync can write is not looked at, nor a folder to which a link leads.
#
#   unbound port NUMBER FILE…   it listens at another port than 53
#   unbound forwards FILE…      all names are forwarded elsewhere, too: one of the two goes unused
unbound_beside() { # OURS TREE…: the synced ones
    main=/etc/unbound/unbound.conf ours=$1
    shift
    command -v unbound-checkconf >/dev/null 2>&1 && [ -f $main ] || return 0
    port=$(unbound-checkconf -o port $main 2>/dev/null)
    case $port in
    '' | 53) ;;
    *) echo "unbound port $port $(others '$i == "port:"' "$@")" ;;
    esac
    zone=''
    [ -e "$ours" ] || zone='forward-zone: name: "."' # as if it were there
    if printf 'include: "%s"\n%s\n' $main "$zone" | unbound-checkconf /dev/stdin 2>&1 |
        grep -q 'duplicate forward zone [.] '; then
        echo "unbound forwards $(others 'zone && $i == "name:" && $(i + 1) ~ /^"?[.]"?$/' "$@")"
    fi
}
others() { # AWK-CONDITION TREE…: the files that hold such a word; zone: it is of a forward-zone
    wanted=$1
    shift
    for tree; do
        shift
        set -- "$@" -path "$tree" -prune -o
    done
    find -H /etc/unbound "$@" -name '*.conf' ! -path "$ours" \( -type f -o -type l \) -exec awk "
        { sub(/#.*/, \"\") }
        { for (i = 1; i <= NF; i++) {
            if (\$i ~ /^(forward|stub)-zone:\$/) zone = 1
            else if (\$i ~ /^(server|view|auth-zone|rpz|remote-control):\$/) zone = 0
            if ($wanted) { print FILENAME; exit }
        } }" {} \; | sort | tr '\n' ' '
}
