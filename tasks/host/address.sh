# shellcheck shell=sh disable=SC2154  # address is assigned in front
has_address() { grep -A 1 -e "-- $address\$" /proc/net/fib_trie | grep -q 'host LOCAL'; }
