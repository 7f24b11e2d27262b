#!/bin/sh
# A reload of unbound turns TLS to its forwarders on, but not the CAs that it would trust them by.
#
# with      unbound 1.17.1 (Debian 12: unbound 1.17.1-2+deb12u4), trustme 1.2.1, dnspython 2.9.2
# input     unbound runs with a forwarder in plain; `forward-tls-upstream`, the server's name and
#           `tls-cert-bundle` are added to its file, and it is reloaded (SIGHUP), as its unit does
# guessed   the reload reads the whole file, so names are asked over TLS; or, if the new bundle does
#           not count, nothing of the TLS settings does
# seen      checkconf and the reload succeed, the forwarder is asked over TLS, and every name is
#           SERVFAIL, since no CA is trusted; a restart with the same file answers
# output    plain: NOERROR
#           after a reload: SERVFAIL, asked over TLS, handshakes refused by unbound
#           after a restart: NOERROR
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
env/bin/pip -q --disable-pip-version-check install dnspython==2.9.2 trustme==1.2.1

cat > try.py <<'END'
import signal, socket, ssl, subprocess, sys, threading, time

import dns.exception, dns.message, dns.query, dns.rcode, dns.rrset
import trustme

own = {"LD_LIBRARY_PATH": sys.argv[1]}
authority = trustme.CA()
authority.cert_pem.write_to_path("bundle.pem")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
authority.issue_cert("dns.example").configure_cert(context)
handshakes = {"done": 0, "refused": 0}


def answer(wire):
    question = dns.message.from_wire(wire)
    found = dns.message.make_response(question)
    owner = question.question[0].name
    found.answer.append(dns.rrset.from_text(owner, 60, "IN", "A", "192.0.2.1"))
    return found.to_wire()


def plain(listening):
    while True:
        wire, client = listening.recvfrom(4096)
        listening.sendto(answer(wire), client)


def over_tls(listening):
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=one, args=(connection,), daemon=True).start()


def one(connection):
    try:
        with context.wrap_socket(connection, server_side=True) as stream:
            while head := stream.recv(2):
                handshakes["done"] += 1
                found = answer(stream.recv(int.from_bytes(head, "big")))
                stream.sendall(len(found).to_bytes(2, "big") + found)
    except ssl.SSLError:
        handshakes["refused"] += 1
    except OSError:
        pass


def bound(kind, serve):
    listening = socket.socket(socket.AF_INET, kind)
    listening.bind(("127.0.0.1", 0))
    if kind == socket.SOCK_STREAM:
        listening.listen()
    threading.Thread(target=serve, args=(listening,), daemon=True).start()
    return listening.getsockname()[1]


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
udp, tls = bound(socket.SOCK_DGRAM, plain), bound(socket.SOCK_STREAM, over_tls)


def configure(server, forward):
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
    {server}
remote-control:
    control-enable: no
forward-zone:
    name: "."
    {forward}
""")
    check = ["root/usr/sbin/unbound-checkconf", "unbound.conf"]
    subprocess.run(check, check=True, capture_output=True, env=own)


def start():
    command = ["root/usr/sbin/unbound", "-d", "-c", "unbound.conf"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, env=own)


def ask(name):
    for _ in range(60):
        try:
            question = dns.message.make_query(name, "A")
            found = dns.query.udp(question, "127.0.0.1", port=port, timeout=20)
            return dns.rcode.to_text(found.rcode())
        except (OSError, dns.exception.DNSException):
            time.sleep(0.5)
    return "silent"


configure("", f"forward-addr: 127.0.0.1@{udp}")
unbound = start()
try:
    seen = [ask("one.example.")]
    print("plain:", seen[0])
    configure(
        'tls-cert-bundle: "bundle.pem"',
        f"forward-tls-upstream: yes\n    forward-addr: 127.0.0.1@{tls}#dns.example",
    )
    unbound.send_signal(signal.SIGHUP)
    time.sleep(3)
    seen.append(ask("two.example."))
    refused = handshakes["refused"] > 0 and not handshakes["done"]
    how = "asked over TLS, handshakes refused by unbound" if refused else f"{handshakes}"
    print(f"after a reload: {seen[1]}, {how}")
    unbound.terminate()
    unbound.wait()
    unbound = start()
    seen.append(ask("three.example."))
    print("after a restart:", seen[2])
finally:
    unbound.terminate()
    unbound.wait()
raise SystemExit(not refused or seen != ["NOERROR", "SERVFAIL", "NOERROR"])
END
env/bin/python try.py "$libraries" || { echo "changed: a reload takes the bundle, or no TLS, now"; exit 1; }
