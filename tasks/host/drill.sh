# shellcheck shell=sh disable=SC2154  # state, id, token, init, window, … are assigned in front
#
# One host's side of a failover drill: the fault, and the restore that outlives its maker.
#
# POSIX sh, run as root, behind the texts of write.sh and release.sh (say, die, the lock).
# tasks/drill/restore.py puts assignments in front and a verb behind; a copy lies beside
# the armed restore, so that the host can undo the fault without its controller.
#
#   $state/drill/armed       id and deadline of the drill that may have broken something, the
#                            token of its lock; and a stamp, as in `pending`
#   $state/drill/undo.sh     takes the fault back; healthy.sh succeeds once it has, and
#                            ended.sh where the fault is over though nobody undid it
#   $state/drill/effect      a stamp: until when the fault may still be made, though whoever
#                            made it is gone
#   $state/drill/drill.sh    this text with its assignments, which waits and runs at boot
#
# `armed` is written before the fault and goes only after healthy.sh has succeeded.

drill=$state/drill
RESTORE=twinedge-restore # the unit of whoever waits; twinedge-drill is the schedule's job
HEAL_SECONDS=20  # that a restored service may take until healthy.sh succeeds
MARGIN_SECONDS=5  # that docker may need beyond the timeout of a stop
takes=0  # seconds; the fault's own stands behind, where there is one

# --- look: what a preflight needs, changing nothing ----------------------------------------

look_drill() { # on standard input, a line a question: N URL FLAGS-OF-CURL…
    look </dev/null
    left_of "$drill/armed" 2 4
    armed=$(line_of "$drill/armed" 1)
    [ ! -e "$drill/armed" ] || say "armed ${armed:-unknown} $(on_the_clock)" # it may have gone since
    if has_systemd && systemctl -q is-active $RESTORE; then say "timer $RESTORE"; fi
    while read -r n url flags; do
        # shellcheck disable=SC2086  # none of the flags has a blank
        body=$(fetch "$url" $flags | base64 | tr -d '\n')
        say "asked $n $body"
    done
}
fetch() { # URL FLAGS-OF-CURL…: the body, and the status on a line of its own
    if command -v curl >/dev/null 2>&1; then curl -sS -m 4 -w '\n%{http_code}' "$@" 2>&1
    else wget -q -T 4 -O - "$1" 2>&1 && printf '\n200'; fi
}

# --- inject: armed first, and only then broken ------------------------------------------------

begin_drill() {
    trap '' HUP PIPE
    mkdir -p "$drill" || die "cannot make $drill"
    chmod 700 "$state" "$drill"
    guarded take_lock || exit 3
    [ ! -e "$state/pending" ] || give_up "release $(line_of "$state/pending" 1) is not confirmed yet"
    expired_drill
}
# One whose maker and whose host died before it was armed in full.
expired_drill() {
    [ -e "$drill/armed" ] || return 0
    left_of "$drill/armed" 2 4
    [ "$left" -le 0 ] || give_up "drill $(line_of "$drill/armed" 1) is not restored yet"
    ( restore_drill ) || give_up "an earlier drill could not be restored"
}
inject_drill() { # inject() holds the fault's commands, which take up to $takes seconds
    {
        printf '%s\n%s\n%s\n' "$id" "$(($(now) + window))" "$token" && stamp "$window"
    } > "$drill/armed" || { rm -f "$drill/armed"; give_up "cannot write to $drill: is the disk full?"; }
    durable "$drill/armed" || { rm -f "$drill/armed"; give_up "cannot write to $drill"; }
    if ! arm_drill || ! note_effect; then
        disarm_drill
        rm -f "$drill/armed"
        give_up "cannot arm the restore"
    fi
    say "armed $window"
    if refusal=$(inject 2>&1); then
        rm -f "$drill/effect"
        say "injected"
    else
        restore_drill
        die "the fault could not be made: $refusal"
    fi
}
note_effect() {
    rm -f "$drill/effect"
    [ "$takes" -eq 0 ] || stamp $((takes + MARGIN_SECONDS)) > "$drill/effect"
}
give_up() { guarded drop_lock; die "$*"; }
put_drill() { # FILE, in base64 on standard input
    text=$(base64 -d) || give_up "$1 arrived incomplete"
    line "$text" | put "$drill/$1" || give_up "cannot write $drill/$1: is the disk full?"
}

arm_drill() {
    disarm_drill
    if has_systemd; then
        drill_boot_unit && stay $RESTORE /bin/sh "$drill/drill.sh" wait_and_restore
    else
        detach "$drill/sleeper" sh "$drill/drill.sh" wait_and_restore
    fi
}
wait_and_restore() {
    waits=yes
    while [ "$(line_of "$drill/armed" 1)" = "$id" ]; do
        left_of "$drill/armed" 2 4
        if [ "$left" -gt 0 ]; then sleep 1; else ( restore_drill ) || sleep "$AGAIN_SECONDS"; fi
    done
}
disarm_drill() { # the timer is 0.1.0's, and not the schedule's of the same name
    if has_systemd && [ "${waits:-no}" = no ]; then
        systemctl stop $RESTORE 2>/dev/null || :
        [ ! -e /run/systemd/transient/twinedge-drill.timer ] || systemctl stop twinedge-drill.timer
    fi
    end_sleeper "$drill/sleeper" "$drill"
}
# A container that was stopped stays so after a power cut: this unit starts it.
drill_boot_unit() {
    unit=/etc/systemd/system/twinedge-drill-boot.service
    text="[Unit]
Description=Undo the fault of a twinedge drill that a power cut ended
ConditionPathExists=$drill/armed
After=docker.service network.target
StartLimitIntervalSec=0

[Service]
Type=oneshot
Restart=on-failure
RestartSec=$AGAIN_SECONDS
ExecStart=/bin/sh $drill/drill.sh restore_drill

[Install]
WantedBy=multi-user.target"
    [ "$(cat "$unit" 2>/dev/null)" = "$text" ] && return 0
    ( umask 022; line "$text" | put "$unit" ) &&
        systemctl daemon-reload && systemctl -q enable twinedge-drill-boot
}

# --- restore: by the controller, the timer, the boot or an operator; twice is harmless --------

restore_drill() { # with only_armed: not what broke after the drill was over
    trap '' HUP PIPE
    [ -d "$drill" ] || { say "nothing-armed"; return 0; }
    writable "$drill/.guard" || die "cannot write to $drill"
    exec 7>"$drill/.guard"
    flock 7 || die "the guard of $drill is stuck"
    while may_still_break; do sleep 0.2; done
    if [ -e "$drill/armed" ]; then
        id=$(line_of "$drill/armed" 1)
        token=$(line_of "$drill/armed" 3)
        if [ -e "$drill/ended.sh" ] && sh "$drill/ended.sh" >/dev/null 2>&1; then say "ended $id"; fi
    elif [ "${only_armed:-no}" = yes ] || [ ! -e "$drill/healthy.sh" ] ||
        sh "$drill/healthy.sh" >/dev/null 2>&1; then
        disarm_drill
        say "nothing-armed"
        return 0
    fi
    said=$(sh "$drill/undo.sh" 2>&1)
    heal || die "still broken after the restore: ${said:-$why}"
    rm -f "$drill/armed" || die "the fault is undone, and $drill/armed cannot be removed"
    disarm_drill
    guarded drop_lock
    say "restored $id"
}
heal() {
    deadline=$(($(up_for) + HEAL_SECONDS))
    until why=$(sh "$drill/healthy.sh" 2>&1); do
        why="${why:-healthy.sh fails}"
        [ "$(up_for)" -lt $deadline ] || return 1
        sleep 0.2
    done
}
# A container that is started while it stops is killed at the end of its stop all the same.
may_still_break() {
    left_of "$drill/effect" 4 1
    [ "$left" -gt 0 ]
}
