"""A chat service on a lab host: whatever is posted to it becomes a line of a file.

python -m tests.lab.listen ADDRESS PORT FILE   (until it is ended)
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def main(address: str, port: int, file: Path) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = self.rfile.read(int(self.headers["Content-Length"]))
            with file.open("ab") as lines:
                lines.write(said + b"\n")
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer((address, port), Handler) as server:
        file.touch()
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
