# shellcheck shell=sh
#
# Where a host listens, and the addresses at which it can be asked. The kernel's own lists, so
# that it takes no tool; docker's, where there is one, since it may publish without a socket.
#
#   listens tcp|udp ADDRESS:PORT    in the kernel's hex
#   publishes CONTAINER MAPPING…    as `docker ps` has it
#   address DEVICE ADDRESS          hex for IPv6; without ip(8) no device for IPv4
listening() {
    awk '$4 == "0A" { print "listens tcp", $2 }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
    awk '$4 == "07" { print "listens udp", $2 }' /proc/net/udp /proc/net/udp6 2>/dev/null
    if command -v docker >/dev/null 2>&1; then
        timeout 5 docker ps --format 'publishes {{.Names}} {{.Ports}}' 2>/dev/null
    fi
    if command -v ip >/dev/null 2>&1; then
        ip -o -4 addr show 2>/dev/null | awk '{ sub("/.*", "", $4); print "address", $2, $4 }'
    else
        awk '/[|]--/ { at = $2 } /host LOCAL/ { print "address -", at }' /proc/net/fib_trie
    fi
    awk '{ print "address", $6, $1 }' /proc/net/if_inet6 2>/dev/null
    return 0
}
