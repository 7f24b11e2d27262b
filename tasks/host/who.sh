# shellcheck shell=sh disable=SC2154  # own_address is assigned in front
#
# Who is this? Asked in front of every script, so that nothing is done on another host.
#
# Printed on both outputs: `twinedge-begins`. What comes before was said by the files of
# the login shell. Then nothing, or `twinedge-elsewhere`, the host's addresses, and the end.

printf 'twinedge-begins\n'
printf 'twinedge-begins\n' >&2
( # in a shell of its own: nothing of this stays
    PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    is_ours() { # ADDRESSES: is our own a whole word of them?
        case $own_address in
        *:*) case " $1 " in *[!0-9a-f:]"$own_address"[!0-9a-f:]*) return 0 ;; esac ;;
        *) case " $1 " in *[!0-9.]"$own_address"[!0-9.]*) return 0 ;; esac ;;
        esac
        return 1
    }
    addresses=$({ ip -o addr || ifconfig -a || hostname -I; } 2>/dev/null)
    is_ours "$addresses" && exit 0
    # Without an interface of its own, only tailscale itself knows; without tools, the kernel.
    more=$(
        tailscale ip 2>/dev/null
        awk '/32 host LOCAL/ { print address } { address = $2 }' /proc/net/fib_trie 2>/dev/null
    )
    is_ours "$more" && exit 0
    printf 'twinedge-elsewhere\n%s\n%s\n' "$addresses" "$more"
    exit 1
) || exit 1
