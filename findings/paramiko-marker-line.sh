#!/bin/sh
# One @cert-authority line makes the whole known_hosts unreadable to paramiko.
#
# with      paramiko 5.1.0 (PyPI)
# input     a known_hosts with a plain line for a host, and a marker line (@cert-authority or
#           @revoked) for others, both as OpenSSH's ssh(1) reads them
# guessed   a line that is not understood is skipped, as paramiko does with one of a key type
#           that it does not know
# seen      the marker line raises InvalidHostKey for the file: it has four fields, so that its
#           key type is taken for the key. Nothing of the file can be used, the plain line included.
# output    plain line alone: ['server']
#           with a key type of the future: ['server']
#           with @cert-authority: InvalidHostKey
#           with @revoked: InvalidHostKey
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install paramiko==5.1.0

cat > try.py <<'END'
import paramiko

key = paramiko.RSAKey.generate(2048).get_base64()
plain = f"server ssh-rsa {key}\n"
files = {
    "plain line alone": plain,
    "with a key type of the future": f"{plain}other.example ssh-future {key}\n",
    "with @cert-authority": f"{plain}@cert-authority *.example ssh-rsa {key}\n",
    "with @revoked": f"{plain}@revoked old.example ssh-rsa {key}\n",
}
found = []
for name, text in files.items():
    with open("known_hosts", "w") as file:
        file.write(text)
    try:
        found.append(list(paramiko.HostKeys("known_hosts")))
    except Exception as error:
        found.append(type(error).__name__)
    print(f"{name}: {found[-1]}")
raise SystemExit(found != [["server"], ["server"], "InvalidHostKey", "InvalidHostKey"])
END
env/bin/python try.py || { echo "changed: marker lines are read or skipped"; exit 1; }
