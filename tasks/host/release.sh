# shellcheck shell=sh disable=SC2154  # state, id, token, holder, … are assigned in front
#
# One host's side of a deploy: look, stage, commit, confirm, revert, unlock, list.
#
# POSIX sh with the usual tools (coreutils or busybox), run as root, behind the text of
# write.sh. tasks/release.py puts assignments in front and a verb behind; a copy lives in
# every release, so that the host can finish or undo a commit without its controller.
#
#   $state/lock              token, holder, since, until; and a stamp (see deadlines)
#   $state/current           id of the release that this host runs
#   $state/pending           the release that is not confirmed yet, its deadline, the token of
#                            its lock; and a stamp
#   $state/releases/ID/meta      commit, product, by, at, parent
#                     /manifest  N MODE OWNER DIGEST BASE ACTIVATION NAME PATH, a line a file
#                     /folders   that must exist; /made, those that stage made
#                     /new/N     the file; /validate/N, /tool/N how it is checked.
#                                Without it, DIGEST is `absent`: no file may be at PATH
#                     /activate/ORDER-NAME.run .check .patience
#                     /changed   N ACTIVATION NAME PATH, a line a file that a commit replaces;
#                     /due/ORDER-NAME, what going back would have to activate
#
# Between the first rename and the last, nothing is written: all that a full disk could
# refuse is made before, so that going on and going back are renames only.

REVERT=twinedge-revert # the unit of whoever waits for the deadline
AGAIN_SECONDS=5 # until an undo that failed is tried again

set -u
umask 077
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

# To whoever is listening; nobody may be. What is written to a file is a `line`.
say() { printf '%s\n' "$*" 2>/dev/null || :; }
die() { say "$*" | sed 's/^/failed /'; exit 1; }
now() { date +%s; }
all_of() { # PID…: waits for them; fails when one has failed
    all=0
    for pid; do wait "$pid" || all=1; done
    return $all
}

# As tasks/configs/file.py: the header's line does not count.
digest_of() { # PATH: sets digest
    digest=absent
    [ -f "$1" ] || return 0
    digest=$(sed '1,3{/Made by twinedge from git commit/d;}' "$1" | sha256sum)
    digest=${digest%% *}
}
current() { cat "$state/current" 2>/dev/null; }
beside() { b=${1%/*}/.${1##*/}.${release##*/}; } # PATH: sets b
has_systemd() { [ "$init" = systemd ]; }

# Does anything answer HTTP there? `get` wants a success, `answers` takes any status.
get() {
    if command -v curl >/dev/null 2>&1; then curl -fsS -m 5 -o /dev/null "$1"
    else wget -q -T 5 -O /dev/null "$1"; fi
}
answers() {
    if command -v curl >/dev/null 2>&1; then curl -sS -m 5 -o /dev/null "$1"
    else wget -q -T 5 -O /dev/null "$1" || [ $? -eq 8 ]; fi
}

# --- deadlines: a clock that is set and a daemon that reloads move none -----------------
#
# A file with a deadline holds the wall clock's, which 0.1.0 wrote alone and reads; behind it
# the stamp that counts: the boot, and since and until when in seconds of its uptime.
# /proc/uptime is CLOCK_BOOTTIME: it goes on while the machine sleeps. Where it has gone back
# (a container that was started again sees its own), there was a boot, too.

boot_id() { cat /proc/sys/kernel/random/boot_id; }
up_for() { cut -d . -f 1 /proc/uptime; } # whole seconds
stamp() { # SECONDS from now: its three lines
    begun=$(up_for)
    printf '%s\n%s\n%s\n' "$(boot_id)" "$begun" "$((begun + $1))"
}
left_of() { # FILE WALL STAMP: sets left, seconds until its deadline; the lines where each stands
    left=0
    boot=$(line_of "$1" "$3")
    if [ -z "$boot" ]; then
        wall=$(line_of "$1" "$2")
        if is_number "$wall"; then left=$((wall - $(now))); fi
        return 0
    fi
    begun=$(line_of "$1" $(($3 + 1)))
    until=$(line_of "$1" $(($3 + 2)))
    up=$(up_for)
    if [ "$boot" = "$(boot_id)" ] && is_number "$begun" && is_number "$until" && [ "$up" -ge "$begun" ]
    then left=$((until - up)); fi
}
line_of() { sed -n "$2p" "$1" 2>/dev/null; } # FILE N
is_number() { case $1 in '' | *[!0-9]*) return 1 ;; esac; }
on_the_clock() { echo $(($(now) + left)); } # what the wall clock shows then, as it goes now

# --- the lock: changed only under flock --------------------------------------------------

guarded() { # command…: alone on this host
    writable "$state/.guard" || die "cannot write to $state"
    exec 9>"$state/.guard"
    flock -w 10 9 || die "the lock of $state is stuck"
    "$@"
    guarded=$?
    exec 9>&-
    return $guarded
}
holds_lock() { [ "$(line_of "$state/lock" 1)" = "$token" ]; }
write_lock() {
    {
        printf '%s\n%s\n%s\n%s\n' "$token" "$holder" "$(now)" "$(($(now) + lease))" && stamp "$lease"
    } > "$state/lock.$token" &&
        durable "$state/lock.$token" && mv -f "$state/lock.$token" "$state/lock"
}
tell_lock() { # WORD
    left_of "$state/lock" 4 5
    say "$1 $(sed 3q "$state/lock" | tr '\n' '\t')$(on_the_clock)"
}
take_lock() {
    if [ -e "$state/lock" ] && ! holds_lock && [ "$break_lock" != yes ]; then
        left_of "$state/lock" 4 5
        [ "$left" -le 0 ] || { tell_lock locked; return 1; }
    fi
    write_lock || { rm -f "$state/lock.$token"; die "cannot write to $state"; }
}
drop_lock() { if holds_lock; then rm -f "$state/lock"; fi; }
drop_idle_lock() { [ ! -e "$state/pending" ] && drop_lock; } # a commit that stood still then ends

# --- mounts: what is written below a missing one is hidden, or gone, once it is there ------

is_mounted() { grep -q "^[^ ]* $1 " /proc/mounts; }
missing_mount() { # PATH: sets missing, what has to be mounted for it and is not, or nothing
    missing=
    case $init:$1 in none:/mnt/*/*) # Unraid's root is in memory: its shares are all mounts
        missing=${1#/mnt/}
        missing=/mnt/${missing%%/*}
        is_mounted "$missing" || return 0
        missing= ;;
    esac
    [ -r /etc/fstab ] || return 0
    while read -r device at _ options _; do
        at=${at%/}
        case $device in '#'*) continue ;; esac
        case ,$options, in *,noauto,*) continue ;; esac
        case $at in /*) ;; *) continue ;; esac  # swap, and the root
        case $1 in "$at"/*) is_mounted "$at" || missing=$at ;; esac
    done < /etc/fstab
}
# A path that belongs on a mount which is not there ends the run before anything is written.
need_mounts() { # PATH…
    for path; do
        missing_mount "$path"
        [ -z "$missing" ] || die "$missing is not mounted, and $path lies below it: $mend_mount"
    done
}
mend_mount='mount it (on Unraid: start the array), then deploy again'

# --- look: everything a plan needs, changing nothing -------------------------------------

look() { # on standard input, a line a file: N SECRET PATH
    [ "$(id -u)" -eq 0 ] ||
        die "$(id -un) is not root there: sudo: true in the inventory lets twinedge use sudo"
    need_tools
    say "now $(now)"
    missing_mount "$state/current"
    [ -z "$missing" ] || say "unmounted $missing"
    [ ! -e "$state/lock" ] || tell_lock lock
    [ ! -e "$state/pending" ] || tell_pending pending
    claims=/dev/null
    if [ -e "$state/current" ]; then
        say "current $(current)"
        sed 's/^/meta /' "$state/releases/$(current)/meta"
        sed 's/^/claim /' "$state/releases/$(current)/manifest"
        claims=$state/releases/$(current)/manifest
    fi
    while read -r n secret path; do look_at "$n" "$secret" "$path"; done
}
# Debian's busybox has no flock, and that of others does not wait.
need_tools() {
    lacking=
    for needed in base64 cmp flock setsid sha256sum stat tar timeout; do
        command -v "$needed" >/dev/null 2>&1 || lacking="$lacking $needed"
    done
    [ -z "$lacking" ] ||
        die "not installed there:$lacking (Debian has them in coreutils, diffutils, tar and util-linux)"
    flock --help 2>&1 | grep -q -e --timeout ||
        die "flock there is busybox's, which cannot wait: install that of util-linux"
}
tool() { # NAME VERSION-COMMAND
    if command -v "$1" >/dev/null 2>&1; then say "tool $1 $(eval "$2" 2>&1 | head -n 1)"
    else say "no-tool $1"; fi
}
claimed() { # what `look` is asked for the files of the host's own release
    [ ! -e "$state/current" ] || while read -r n _ _ _ _ _ _ path; do
        say "$n secret $path"
    done < "$state/releases/$(current)/manifest"
}
look_at() { # N SECRET PATH
    missing_mount "$3"
    [ -z "$missing" ] || say "unmounted $missing"
    if [ -h "$3" ] || { [ -e "$3" ] && [ ! -f "$3" ]; }; then say "odd $1"; return; fi
    [ -f "$3" ] || { say "absent $1"; return; }
    content=-
    [ "$2" = secret ] || content=$(base64 < "$3")
    digest_of "$3"
    # shellcheck disable=SC2086  # base64 may be folded: its lines become words
    say "file $1 $digest $(stat -c "%a %U:%G %Y" "$3")" $content
    claim="^[0-9]* [0-7]* [^ ]* $digest .* $3\$" # its line in the manifest of whoever wrote it
    grep -q "$claim" "$claims" || who_wrote "$1" "$3"
}
who_wrote() { # N PATH: a file that is not as this host's release claims
    made_by=$(grep -l "$claim" "$state"/releases/*/manifest 2>/dev/null | tail -n 1)
    [ -z "$made_by" ] || say "known $1 $(basename "$(dirname "$made_by")")"
    sed -n 's/^[[:space:]]*source *= *"\(.*\)",*$/\1/p' "$lsyncd_config" 2>/dev/null |
        while read -r tree; do case $2 in "$tree"*) say "synced $1" ;; esac; done
}

# --- stage: the release beside the live files, checked by the host's own tools ----------

begin_stage() {
    need_mounts "$state/lock"
    mkdir -p "$state/releases" || die "cannot make $state"
    chmod 700 "$state"
    guarded take_lock || exit 3
    expired_pending
    trap 'abandon' EXIT
    trap 'exit 1' HUP INT PIPE TERM  # dash and busybox leave without a word on a signal
    release=$state/releases/$id
    mkdir "$release" "$release/new" "$release/validate" "$release/tool" "$release/activate" ||
        die "cannot make $release"
}
# A host that was off when its revert was due, and that has no unit to do it at boot.
expired_pending() {
    [ -e "$state/pending" ] || return 0
    pending_left
    if [ "$left" -gt 0 ] && [ "$break_lock" != yes ]; then
        tell_pending unconfirmed
        guarded drop_lock
        exit 3
    fi
    ( revert ) || die "the unconfirmed release could not be reverted"
}
tell_pending() { # WORD
    pending_left
    [ -e "$state/pending" ] || return 0 # it has just gone
    say "$1 ${pending:-unknown} $(on_the_clock)"
    [ -z "$pending" ] || ! is_going_back || each_changed tell_missing
}
pending_left() { # sets left, of the pending release; nothing is left once it goes back
    left_of "$state/pending" 2 4
    if ! find_pending || is_going_back; then left=0; fi
    return 0
}
# Sets pending and release. Of a file that is empty or cut off, the newest release that a commit
# has begun with, where anything of it is to be taken back; fails where nothing is.
find_pending() {
    pending=$(line_of "$state/pending" 1)
    release=$state/releases/$pending
    [ -z "$pending" ] || [ ! -e "$release/changed" ] || return 0
    pending=
    for release in "$state"/releases/*/changed; do :; done
    [ -e "$release" ] || return 1
    release=${release%/changed}
    for kept in "$state/current.next" "$state/current.prev" $(each_changed kept_of)
    do [ ! -e "$kept" ] || pending=${release##*/}; done
    [ -n "$pending" ]
}
kept_of() { beside "$2" && say "$b.old $b.none"; }
# A host names what it goes back to before it puts any file back, and a new release last.
is_going_back() { [ ! -e "$state/current.next" ] && [ "$(current)" != "$pending" ]; }
each_changed() { # COMMAND, which gets ACTIVATION PATH
    while read -r _ activation _ path; do "$1" "$activation" "$path"; done < "$release/changed"
}
tell_missing() { is_back "$2" || say "missing $2"; }
abandon() {
    unmake_folders
    rm -rf "$state/releases/$id"
    guarded drop_lock
}
unpack() { # on standard input: the files of the release
    base64 -d | tar -xzf - -C "$release" || die "cannot write to $release: is the disk full?"
}
adopt() { # ID of an earlier release: its files become this one's
    source=$state/releases/$1
    [ -f "$source/manifest" ] || die "no release $1 on this host"
    cp -R "$source/new" "$source/validate" "$source/tool" "$source/activate" \
        "$source/folders" "$release/" ||
        die "cannot copy release $1: is the disk full?"
    {
        sed -n -e '/^commit /p' -e '/^product /p' "$source/meta" > "$release/meta.next" &&
            sed -e '/^commit /d' -e '/^product /d' "$release/meta" >> "$release/meta.next" &&
            durable "$release/meta.next" && mv -f "$release/meta.next" "$release/meta"
    } || die "cannot write $release/meta: is the disk full?"
    { adopted_manifest < "$source/manifest" && unknown_manifest; } > "$release/manifest" ||
        die "cannot write $release/manifest: is the disk full?"
}
adopted_manifest() { # standard input: that of the earlier release
    while read -r n mode owner sum _ activation name path; do
        digest_of "$path"
        line "$n $mode $owner $sum $digest $activation $name $path" || return 1
    done
}
# What the host has from its own release and the earlier one knew nothing of goes again.
unknown_manifest() {
    [ -e "$state/current" ] || return 0
    n=$(wc -l < "$source/manifest")
    ours=$state/releases/$(current)
    while read -r _ mode owner sum _ activation name path; do
        [ "$sum" != absent ] || continue
        cut -d ' ' -f 8- "$source/manifest" | grep -qxF -e "$path" && continue
        digest_of "$path"
        line "$n $mode $owner absent $digest $activation $name $path" || return 1
        keep_activation "$activation" || return 1
        n=$((n + 1))
    done < "$ours/manifest"
}
# How a file goes again, only the release that has it knows: the earlier one's own reload of
# Caddy would ask the admin address that Caddy no longer has.
keep_activation() { # NAME, or -
    [ "$1" != - ] || return 0
    cp "$ours/activate/$1.run" "$release/activate/" || return 1
    [ -e "$release/activate/$1.check" ] ||
        cp "$ours/activate/$1.check" "$ours/activate/$1.patience" "$release/activate/"
}
# Folders that a config speaks of and its validator looks for. Empty ones go again when
# the release is given up.
make_folders() {
    true > "$release/made" || die "cannot write $release/made: is the disk full?"
    while read -r folder; do
        [ -d "$folder" ] && continue
        line "$folder" >> "$release/made" || die "cannot write $release/made: is the disk full?"
        ( umask 022; mkdir -p "$folder" ) || die "cannot make $folder"
    done < "$release/folders"
}
unmake_folders() {
    [ -f "$release/made" ] || return 0
    while read -r folder; do rmdir "$folder" 2>/dev/null || :; done < "$release/made"
}
end_stage() {
    while read -r _ _ _ _ _ _ _ path; do need_mounts "$path"; done < "$release/manifest"
    make_folders
    while read -r n _ _ sum _ _ name _; do
        digest_of "$release/new/$n"
        [ "$digest" = "$sum" ] ||
            die "$name arrived incomplete in $release: is the disk full?"
    done < "$release/manifest"
    set --
    while read -r n _ _ _ _ _ name _; do
        [ -s "$release/validate/$n" ] || continue
        check_staged "$n" "$name" &
        set -- "$@" $!
    done < "$release/manifest"
    all_of "$@" || exit 1
    trap - EXIT HUP INT PIPE TERM
    say "staged $id"
}
check_staged() { # N NAME
    tool=$(cat "$release/tool/$1")
    command -v "$tool" >/dev/null 2>&1 || return 0  # look has said so
    scratch=$release/scratch-$1
    mkdir "$scratch" || { say "invalid $2 $(say "cannot make $scratch" | base64 | tr -d '\n')"; return 1; }
    said=$(export scratch; timeout -k 2 "$step_timeout" sh "$release/validate/$1" "$release/new/$1" 2>&1)
    status=$?
    rm -rf "$scratch"
    case $status in
    0) return 0 ;;
    124 | 137 | 143) say "invalid $2 $(say "$tool gave no answer within $step_timeout s" | base64 | tr -d '\n')" ;;
    *) say "invalid $2 $(say "$said" | tail -n 12 | base64 | tr -d '\n')" ;;
    esac
    return 1
}

# --- commit: detached from the session that started it -----------------------------------

start_commit() {
    trap '' HUP PIPE
    setsid sh "$state/releases/$id/release.sh" commit </dev/null &
    wait $!
    ended=$?
    [ $ended -le 128 ] || say "failed the commit was ended on the host, which goes back to what it had"
    return $ended
}
commit() {
    trap '' HUP PIPE
    release=$state/releases/$id
    guarded holds_lock || die "the lock of this host is no longer ours"
    [ ! -e "$state/pending" ] || die "another release of this host is not confirmed yet"
    write_changes || { clear_beside; die "$why"; }
    arm || { disarm; clear_beside; rm -f "$state/pending"; die "cannot arm the revert timer"; }
    say "armed $window"
    if rename_all && activate_changed && name_release; then
        say "committed $id"
    else
        reason=$why # the revert activates, too, and has reasons of its own
        say "undoing $reason"
        revert
        die "$reason"
    fi
}
# Everything that needs space: copies beside the targets, the old files, the pointers.
write_changes() {
    why="cannot write to $state: is the disk full?"
    echo $$ > "$release/commit.pid" || return 1
    true > "$release/changed" || return 1
    mkdir "$release/due" || return 1
    while read -r n mode owner sum base activation name path; do
        digest_of "$path"
        [ "$digest" = "$base" ] || { why="$path has changed since the plan was made"; return 1; }
        is_as_wanted "$path" "$digest" "$sum" "$mode" "$owner" && continue
        missing_mount "$path"
        why="$missing is not mounted, and $path lies below it: $mend_mount"
        [ -z "$missing" ] || return 1
        why="cannot write beside $path: is the disk full?"
        line "$n $activation $name $path" >> "$release/changed" || return 1
        [ "$activation" = - ] || true > "$release/due/$activation" || return 1
        lay_beside "$n" "$mode" "$owner" "$path" || return 1
        [ "$sum" = absent ] || set -- "$@" "$b.new"
        [ ! -e "$b.old" ] || set -- "$@" "$b.old"
    done < "$release/manifest"
    why="cannot write to $state: is the disk full?"
    rm -f "$state/current.next" "$state/current.prev"
    echo "$id" > "$state/current.next" || return 1
    if [ -e "$state/current" ]; then
        cp "$state/current" "$state/current.prev" || return 1
        set -- "$@" "$state/current.prev"
    fi
    put "$state/release.sh" < "$release/release.sh" || return 1
    {
        printf '%s\n%s\n%s\n' "$id" "$(($(now) + window))" "$token" && stamp "$window"
    } > "$state/pending.next" || return 1
    durable "$@" "$release/manifest" "$release/changed" "$state/current.next" "$state/pending.next" || return 1
    why="the lock of this host is no longer ours"
    guarded publish_pending || return 1
    why="cannot write to $state: is the disk full?"
    durable "$state" || { rm -f "$state/pending"; return 1; }
}
# A host that stood still for so long that its lock ran out must not go on beside another run.
publish_pending() { holds_lock && [ ! -e "$state/pending" ] && mv -f "$state/pending.next" "$state/pending"; }
is_as_wanted() { # PATH LIVE SUM MODE OWNER
    [ "$2" = "$3" ] && { [ "$2" = absent ] || [ "$(stat -c '0%a %U:%G' "$1")" = "$4 $5" ]; }
}
lay_beside() { # N MODE OWNER PATH
    beside "$4"
    mkdir_public "${4%/*}" || return 1
    if [ -f "$release/new/$1" ]; then
        cp "$release/new/$1" "$b.new" && chown "$3" "$b.new" && chmod "$2" "$b.new" &&
            cmp -s "$release/new/$1" "$b.new" || return 1
    fi
    if [ -f "$4" ]; then ln -f "$4" "$b.old" 2>/dev/null || cp -p "$4" "$b.old"
    else true > "$b.none"; fi
}
mkdir_public() { [ -d "$1" ] || ( umask 022; mkdir -p "$1" ); }
clear_beside() {
    while read -r _ _ _ _ _ _ _ path; do
        beside "$path"
        rm -f "$b.new" "$b.old" "$b.none"
    done < "$release/manifest"
    rm -f "$state/current.next" "$state/current.prev" "$state/pending.next"
}
rename_all() {
    while read -r n _ _ path; do
        why="cannot replace $path"
        beside "$path"
        if [ -e "$release/new/$n" ]; then mv -f "$b.new" "$path" || return 1
        else rm -f "$path" || return 1; fi
    done < "$release/changed"
}
name_release() { why="cannot replace $state/current"; mv -f "$state/current.next" "$state/current"; }
# Every activation of a changed file once; those of one order beside each other.
activate_changed() {
    names=$(names_of_changed)
    for order in $(orders); do activate_order "$order" || return 1; done
}
names_of_changed() { sed -n 's/^[0-9]* \([0-9][^ ]*\) .*/\1/p' "$release/changed" | sort -u; }
orders() { say "$names" | sed -n 's/-.*//p' | sort -un; }
activate_order() { # ORDER, of those in names
    now_due=$(say "$names" | grep "^$1-")
    for name in $now_due; do say "activating $name"; done
    why=$(
        set --
        for name in $now_due; do activate "$name" & set -- "$@" $!; done
        all_of "$@"
    ) || return 1
    for name in $now_due; do is_healthy "$name" || return 1; done
}
activate() { # NAME: says what is wrong, or nothing
    said=$(timeout -k 2 "$step_timeout" sh "$release/activate/$1.run" 2>&1) && return 0
    say "${1#*-}: could not be activated: $(say "${said:-no answer within $step_timeout s}" | tail -n 1)"
    return 1
}
is_healthy() { # NAME
    deadline=$(($(up_for) + $(cat "$release/activate/$1.patience")))
    # shellcheck disable=SC1090  # written by stage; uses get and answers
    until said=$( . "$release/activate/$1.check" 2>&1 ); do
        [ "$(up_for)" -lt "$deadline" ] || {
            why="${1#*-}: is not healthy after its activation: $(say "${said:-check failed}" | tail -n 1)"
            return 1
        }
        sleep 0.1
    done
}

# --- the revert that outlives its controller ------------------------------------------------

# A process that looks at the uptime each second. Not a timer: systemd begins the countdown
# of --on-active anew at every daemon-reload, and a calendar follows a clock that is set.
arm() { # [OPTION of systemd-run]
    disarm
    if has_systemd; then
        boot_unit && stay "$REVERT" "$@" /bin/sh "$state/release.sh" wait_and_revert
    else
        boot_line && detach "$state/sleeper" sh "$state/release.sh" wait_and_revert
    fi
}
stay() { # UNIT [OPTION] COMMAND…: started again however it ends, but for a success or a stop
    staying=$1
    shift
    systemd-run --quiet --collect --unit="$staying" --property=Restart=always \
        --property=RestartPreventExitStatus=0 --property=RestartSec=500ms \
        --property=StartLimitIntervalSec=0 "$@"
}
wait_and_revert() {
    waits=yes
    while [ -e "$state/pending" ] && pending_left && [ "$pending" = "$id" ]; do
        if [ "$left" -gt 0 ]; then sleep 1; else ( revert ) || sleep "$AGAIN_SECONDS"; fi
    done
}
disarm() { # the timer is 0.1.0's
    if has_systemd && [ "${waits:-no}" = no ]; then
        systemctl stop "$REVERT.timer" "$REVERT.service" 2>/dev/null || :
    fi
    end_sleeper "$state/sleeper" "$state"
}
# COMMAND in a session of its own, which outlives ours; its number stands in FILE.
detach() { # FILE COMMAND…
    number=$1
    shift
    setsid "$@" </dev/null >/dev/null 2>&1 7>&- 8>&- 9>&- &
    echo $! > "$number" || { kill -9 $!; return 1; }
    rounds=0
    until session_of $! && [ "$session" = $! ]; do
        [ $rounds -lt 100 ] || return 1
        rounds=$((rounds + 1))
        sleep 0.05
    done
}
# A sleeper leads a session of its own. Never the one that runs us: it ends by itself; nor what
# has its number since a boot.
end_sleeper() { # FILE, and a word of its command line
    [ -e "$1" ] || return 0
    sleeper=$(cat "$1")
    rm -f "$1"
    session_of $$
    if [ "$session" != "$sleeper" ] && runs "$sleeper" "$2"; then end_session "$sleeper"; fi
}
# After a power cut no timer is left: this unit reverts before the services start.
boot_unit() {
    unit=/etc/systemd/system/twinedge-boot.service
    text="[Unit]
Description=Return to the last confirmed twinedge release after a power cut
DefaultDependencies=no
After=local-fs.target
Before=basic.target caddy.service cloudflared.service lsyncd.service unbound.service
ConditionPathExists=|$state/pending
ConditionPathExists=|$state/lock

[Service]
Type=oneshot
ExecStart=/bin/sh $state/release.sh boot

[Install]
WantedBy=sysinit.target"
    [ "$(cat "$unit" 2>/dev/null)" = "$text" ] && return 0
    ( umask 022; line "$text" | put "$unit" ) &&
        systemctl daemon-reload && systemctl -q enable twinedge-boot
}
# The same on Unraid, whose root is in memory: its flash drive holds what is done at boot, before
# the array is started and the state is there. Another system without systemd does nothing at boot.
boot_line() {
    go=/boot/config/go
    [ -f $go ] || return 0
    # shellcheck disable=SC2016  # expanded by the shell that runs it
    text='setsid sh -c '\''until [ -e "$1" ]; do sleep 5; done; exec sh "$1" boot'\'" sh \
'$state/release.sh' </dev/null >/dev/null 2>&1 & # twinedge: back to the last confirmed release"
    ! grep -qxF -e "$text" $go || return 0
    text="$(sed 1q $go)
$text
$(sed 1d $go)" || return 1
    ( umask 022; line "$text" | put $go )
}
boot() {
    activation_at=boot
    ( revert ) || arm --no-block
    rm -f "$state/lock"
}
revert() { # back to what stood before the pending release; harmless when there is none
    alone_with_pending
    if guarded drop_idle_lock; then disarm; say "nothing-pending"; return 0; fi
    token=$(line_of "$state/pending" 3)
    if find_pending; then
        id=$pending
        go_back || return 1
        clear_beside
        true 2>/dev/null > "$release/reverted"
    fi
    rm -f "$state/pending" || { say "failed cannot remove $state/pending"; return 1; }
    guarded drop_lock
    disarm
    say "reverted ${pending:-nothing}"
    exec 8>&-
}
# All that can be put back is, beside what cannot: whoever waits tries that again.
go_back() {
    lost=
    stop_commit
    if [ -e "$state/current.prev" ]; then mv -f "$state/current.prev" "$state/current"
    elif [ "$(current)" = "$id" ]; then rm -f "$state/current"; fi || lost="- $state/current
"
    each_changed put_back
    reactivate
    [ -n "$lost" ] || return 0
    printf %s "$lost" | sed 's/^[^ ]* /failed cannot put back /'
    return 1
}
alone_with_pending() { # a confirm and a revert do not overtake each other
    writable "$state/.pending" || die "cannot write to $state"
    exec 8>"$state/.pending"
    flock -w 15 8 || die "another confirm or revert of this host is stuck"
}
# A commit that is still at work stops before its files are taken from under it. One that
# cannot be stopped finds no name to give to the host.
stop_commit() {
    commit_pid=$(cat "$release/commit.pid" 2>/dev/null) || return 0
    [ "$commit_pid" != "$$" ] || return 0
    if runs "$commit_pid" "$release/release.sh"; then end_session "$commit_pid"; fi
    rm -f "$state/current.next"
}
runs() { tr '\000' ' ' 2>/dev/null < "/proc/$1/cmdline" | grep -qF -e "$2"; } # PID WORD
# Not by its process group: timeout(1) makes one of its own for what it runs.
end_session() { # PID of its leader
    rounds=0
    while [ $rounds -lt 50 ] && find_members "$1" && [ -n "$members" ]; do
        # shellcheck disable=SC2086  # one word each
        kill -9 $members 2>/dev/null
        sleep 0.1
        rounds=$((rounds + 1))
    done
}
find_members() { # SESSION: sets members, its processes that still run
    members=
    for process in /proc/[0-9]*; do
        session_of "${process#/proc/}"
        [ "$session" != "$1" ] || members="$members ${process#/proc/}"
    done
}
session_of() { # PID: sets session, to nothing where it has ended
    session=
    { read -r stat < "/proc/$1/stat"; } 2>/dev/null || return 0
    # shellcheck disable=SC2086  # behind the name, which may hold anything: state, parent, group
    set -- ${stat##*) }
    [ "$1" = Z ] || session=$4
}
# Is the file as it was before the commit? Below a mount that is gone nobody knows.
is_back() { # PATH
    beside "$1"
    missing_mount "$1"
    # shellcheck disable=SC3013  # dash and busybox have -ef
    [ -z "$missing" ] && { [ ! -e "$b.old" ] || [ "$b.old" -ef "$1" ]; } &&
        { [ ! -e "$b.none" ] || [ ! -e "$1" ]; }
}
put_back() { # ACTIVATION PATH: what fails is added to lost, a line a file
    beside "$2"
    missing_mount "$2"
    # shellcheck disable=SC3013
    said=$(
        if [ -n "$missing" ]; then say "$missing is not mounted" && exit 1
        elif [ -d "$2" ]; then say "a folder is there" && exit 1  # mv would move it inside
        elif [ "$b.old" -ef "$2" ]; then rm -f "$b.old"  # never replaced
        elif [ -e "$b.old" ]; then mv -f "$b.old" "$2"
        elif [ -e "$b.none" ]; then rm -f "$2" && rm -f "$b.none"; fi 2>&1
    ) || lost="$lost$1 $2: $(say "$said" | tail -n 1)
"
}
# What is due, once all of its files are back; the rest of it is not held up by what fails.
# At boot there is nothing to do: the services start after us.
reactivate() {
    names=$(names_of_changed | while read -r name; do
        [ ! -d "$release/due" ] || [ -e "$release/due/$name" ] || continue
        printf %s "$lost" | grep -q "^$name " || say "$name"
    done)
    if [ "${activation_at:-now}" = boot ]; then
        if grep -q ' /etc/systemd/' "$release/changed"; then systemctl daemon-reload; fi
    else
        for order in $(orders); do activate_order "$order" || say "warning $why"; done
    fi
    for name in $names; do rm -f "$release/due/$name"; done
}

# --- confirm, unlock, list --------------------------------------------------------------------

confirm() {
    alone_with_pending
    [ "$(line_of "$state/pending" 1)" = "$id" ] ||
        die "release $id is not pending any more: the host has reverted it"
    pending=$id release=$state/releases/$id
    ! is_going_back || die "release $id is going back, and not all of it is back yet"
    # From here on a revert finds nothing to do.
    rm -f "$state/pending" || die "release $id cannot be confirmed: $state/pending cannot be removed"
    disarm
    clear_beside
    prune
    guarded drop_lock
    say "confirmed $id"
}
prune() { # the oldest beyond $keep, never the current one
    # shellcheck disable=SC2012  # release ids are plain words
    ls -1 "$state/releases" | sort -r | sed "1,${keep}d" | while read -r old; do
        [ "$old" = "$(current)" ] || rm -rf "$state/releases/$old"
    done
}
unlock() {
    release=$state/releases/$id
    if [ ! -e "$state/pending" ]; then abandon; fi
    guarded drop_lock
    say "unlocked"
}
list() {
    [ ! -e "$state/current" ] || say "current $(current)"
    for meta in "$state"/releases/*/meta; do
        [ -e "$meta" ] || continue
        folder=$(dirname "$meta")
        say "release $(basename "$folder")"
        sed 's/^/meta /' "$meta"
        sed 's/^/claim /' "$folder/manifest"
        if [ -e "$folder/reverted" ]; then say "reverted"; fi
    done
}
