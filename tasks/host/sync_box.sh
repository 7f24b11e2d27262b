# shellcheck shell=sh
#
# The box: where everything runs that touches what the peer of a sync can write.
#
# The peer may be broken into, and what it has written may be anything: links that lead
# outside, a unison that asks for other roots, a word that unison should not have read. So
# no program of ours follows a path there as root on this host. It does so as nobody, in an
# empty file system with the system's programs, the tree, and what `-w` and `-r` name;
# without a network, and with no power but to read, write and give away what it can see.

BOXED="CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE" # owner and mode of whatever is synced
SIGNALS="kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal"

box() { # [-u UNIT] [-w PATH | -r PATH]… -- systemd-run's -E…, COMMAND…: its exit status
    unit='' writable='' readable=''
    while [ "$1" != -- ]; do
        case $1 in
        -u) unit=$2 ;;
        -w) writable="$writable $2" ;;
        -r) readable="$readable $2" ;;
        esac
        shift 2
    done
    shift
    systemd-run --quiet --pipe --wait --collect ${unit:+--unit="$unit"} \
        -p User=nobody -p AmbientCapabilities="$BOXED" -p CapabilityBoundingSet="$BOXED" \
        -p NoNewPrivileges=yes -p RestrictSUIDSGID=yes -p UMask=0022 -p KillSignal=SIGKILL \
        -p TemporaryFileSystem=/:size=1M,nr_inodes=1k -p MountAPIVFS=no -p PrivateNetwork=yes \
        -p PrivateIPC=yes -p RestrictNamespaces=yes -p LockPersonality=yes -p TasksMax=64 \
        -p RestrictAddressFamilies=AF_UNIX -p SystemCallArchitectures=native \
        -p SystemCallFilter=@system-service -p SystemCallFilter="~@privileged @resources $SIGNALS" \
        -p SystemCallFilter=@chown -p SystemCallErrorNumber=EPERM -p MemoryMax=50% \
        -p BindReadOnlyPaths="/usr/bin /usr/lib /bin /lib -/lib64 /dev/null$readable" \
        ${writable:+-p "BindPaths=${writable# }"} -E HOME=/ -E LC_ALL=C -E PATH="$PATH" "$@"
}
# Where a tree really lies: unison names its memory by that. In the box a link leads to it, too.
real_tree() { # DIRECTORY
    tree=$(readlink -f "$1") && [ -d "$tree" ] || { tree=$1; return 1; }
    case $tree in *[!A-Za-z0-9_@+./-]*) return 1 ;; esac
}
in_tree() { # -r|-w DIRECTORY "BOX'S OPTIONS" VERB ARGUMENT…: of sync_trees.sh, as `trees` prints it
    real_tree "$2" || { echo "no directory $2" >&2; return 1; }
    may=$1 more=$3
    shift 3
    # shellcheck disable=SC2086  # paths of ours
    { trees; quoted "$@"; } | box "$may" "$tree" $more -- -E TREE="$tree" sh -s
}
quoted() { # WORD…: as a shell reads them
    for word; do
        case $word in *\'*) word=$(printf '%s' "$word" | sed "s/'/'\\\\''/g") ;; esac
        printf "'%s' " "$word"
    done
    echo
}
