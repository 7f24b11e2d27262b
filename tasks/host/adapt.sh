# shellcheck shell=sh
#
# What the host's Caddy makes of a Caddyfile that is not there: it is read and nothing is written.
#
#   adapted NAME JSON    the config, gzipped and in base64
#   unadapted NAME WHY   what Caddy says is wrong
#
# Each line is one write, so that others may write beside it.

adapt() { # NAME, with the Caddyfile on standard input, gzipped and in base64
    command -v caddy >/dev/null 2>&1 || return 0
    given=$(cat)
    if made=$(adapted 2>/dev/null); then
        made=$(printf '%s\n' "$made" | gzip -c | base64 | tr -d '\n')
        printf 'adapted %s %s\n' "$1" "$made"
    else
        printf 'unadapted %s %s\n' "$1" "$(adapted 2>&1 >/dev/null | tail -n 1)"
    fi
}
adapted() { # of given
    printf '%s\n' "$given" | base64 -d | gzip -d -c |
        HOME=/nonexistent caddy adapt --adapter caddyfile --config /dev/stdin
}
