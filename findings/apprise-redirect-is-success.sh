#!/bin/sh
# apprise calls a message sent when the address only answered with a redirect.
#
# with      apprise 2.2.0 (PyPI), json:// notifications
# input     a webhook address that has moved: it answers 302, and where that leads answers 200
# guessed   a redirected POST is repeated, or fails: either the message arrives or notify says no
# seen      the redirect is followed by a GET without the message; its 200 is the success. A chat
#           that moved behind a login page takes every message and shows none.
# output    notify says True
#           the server saw: POST /hook with 106 bytes, GET /login with 0 bytes
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip -q --disable-pip-version-check install apprise==2.2.0

cat > try.py <<'END'
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import apprise

seen = []


class Chat(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen.append((self.command, self.path, len(body)))
        moved = self.path == "/hook"
        self.send_response(302 if moved else 200)
        if moved:
            self.send_header("Location", "/login")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Chat)
threading.Thread(target=server.serve_forever, daemon=True).start()
sender = apprise.Apprise()
sender.add(f"json://127.0.0.1:{server.server_port}/hook")
sent = bool(sender.notify(title="disk full", body="on the media box"))
print("notify says", sent)
print("the server saw:", ", ".join(f"{verb} {path} with {size} bytes" for verb, path, size in seen))
arrived = any(size for _, path, size in seen if path == "/login")
raise SystemExit(not sent or arrived or seen[-1][0] != "GET")
END
env/bin/python try.py || { echo "changed: a redirect is no success, or the message goes along"; exit 1; }
