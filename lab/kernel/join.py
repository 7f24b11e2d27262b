"""Runs one command inside a lab host, as if it were the caller's own child.

Started as a script, without the package: PID CGROUP_PROCS CWD ARGV... It enters the
host's control group and namespaces, passes signals on and the exit status back, and
the command dies with it. Environment, terminal and open files are the caller's.
"""

import ctypes
import os
import signal
import sys
import warnings  # noqa: F401 - os.execvp wants it once this Python's own folder is out of sight

NAMESPACES = ("cgroup", "ipc", "uts", "net", "pid", "mnt")
PR_SET_PDEATHSIG = 1
SI_KERNEL = 128  # from the terminal, which has already told the command itself
PASSED_ON = {
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
}


def enter(pid: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    handles = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY) for name in NAMESPACES]
    for handle in handles:
        if libc.setns(handle, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot enter the host")
        os.close(handle)


def become(procs: int, folder: str, argv: list[str]) -> None:
    os.write(procs, b"0")
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in PASSED_ON:  # a caller in the background ignores some of them
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    try:
        os.chdir(folder)
    except FileNotFoundError:
        os.chdir("/")
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(126 if isinstance(error, PermissionError) else 127)


def attend(child: int) -> int:
    """Waits for the command; returns its exit status, 128+n for signal n."""
    while True:
        seen = signal.sigwaitinfo(PASSED_ON | {signal.SIGCHLD})
        if seen.si_signo != signal.SIGCHLD:
            if seen.si_code != SI_KERNEL:
                os.kill(child, seen.si_signo)
            continue
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def main() -> int:
    pid, cgroup, folder, *argv = sys.argv[1:]
    try:
        procs = os.open(cgroup, os.O_WRONLY)  # seen from here, and not from inside
        enter(int(pid))
    except OSError as error:
        print(f"lab: the host is not up ({error.strerror}); `python -m lab up`", file=sys.stderr)
        return 125
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON | {signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        become(procs, folder, argv)
    return attend(child)


if __name__ == "__main__":
    sys.exit(main())
