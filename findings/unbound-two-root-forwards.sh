#!/bin/sh
# Of two forward-zones for "." unbound says that the duplicate is ignored, and uses it.
#
# with      unbound 1.17.1 (Debian 12: unbound 1.17.1-2+deb12u4), dnspython 2.9.2 (PyPI)
# input     a distribution's or a router's snippet forwards "." to one resolver, another included
#           snippet forwards it to a second one
# guessed   a duplicate is refused by unbound-checkconf; or, as the message says, ignored, so that
#           the first one counts; or both are asked
# seen      checkconf prints an error and "no errors" and exits 0; unbound starts with the same
#           message, and asks the second alone
# output    checkconf exits 0: no errors; error: duplicate forward zone . ignored.
#           asked: first 0 times, second 3 times
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
chmod 755 .
apt-get -q download 'unbound=1.17.1*' libevent-2.1-7 libprotobuf-c1 libpython3.11 \
    libpython3.11-minimal libnghttp2-14 >apt.log 2>&1 ||
    { cat apt.log; echo "unbound 1.17.1 is Debian 12's"; exit 1; }
for package in ./*.deb; do dpkg-deb -x "$package" root; done
libraries=$(dirname "$work"/root/usr/lib/*/libevent-2.1.so.7)
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install dnspython==2.9.2

cat > try.py <<'END'
import socket, subprocess, sys, threading, time

import dns.exception, dns.message, dns.query, dns.rrset

own = {"LD_LIBRARY_PATH": sys.argv[1]}
asked = {"first": 0, "second": 0}


def resolver(name):
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))

    def serve():
        while True:
            wire, client = listening.recvfrom(4096)
            asked[name] += 1
            question = dns.message.from_wire(wire)
            answer = dns.message.make_response(question)
            owner = question.question[0].name
            answer.answer.append(dns.rrset.from_text(owner, 60, "IN", "A", "192.0.2.1"))
            listening.sendto(answer.to_wire(), client)

    threading.Thread(target=serve, daemon=True).start()
    return listening.getsockname()[1]


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
with open("unbound.conf", "w") as file:
    file.write(f"""
server:
    interface: 127.0.0.1@{port}
    username: ""
    chroot: ""
    directory: "."
    pidfile: "pid"
    use-syslog: no
    logfile: ""
    module-config: "iterator"
    do-not-query-localhost: no
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{resolver("first")}
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{resolver("second")}
""")
check = subprocess.run(
    ["root/usr/sbin/unbound-checkconf", "unbound.conf"], capture_output=True, text=True, env=own
)
said = "error: duplicate forward zone . ignored."
clean = check.returncode == 0 and "no errors" in check.stdout and said in check.stderr
if clean:
    print("checkconf exits 0: no errors;", said)
unbound = subprocess.Popen(
    ["root/usr/sbin/unbound", "-d", "-c", "unbound.conf"], stderr=subprocess.DEVNULL, env=own
)
try:
    for number in range(3):
        question = dns.message.make_query(f"host{number}.example.", "A")
        for _ in range(60):
            try:
                dns.query.udp(question, "127.0.0.1", port=port, timeout=10)
                break
            except (OSError, dns.exception.DNSException):
                time.sleep(0.5)
finally:
    unbound.terminate()
    unbound.wait()
print("asked:", ", ".join(f"{name} {count} times" for name, count in asked.items()))
raise SystemExit(not clean or asked["first"] > 0 or asked["second"] < 3)
END
env/bin/python try.py "$libraries" || { echo "changed: two forward-zones for '.' are taken otherwise"; exit 1; }
