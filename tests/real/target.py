"""A target for Prometheus over TLS: prints its port, then serves metrics until its input ends.

    python3 target.py CERTIFICATE KEY [CLIENT_AUTHORITY]

With an authority it takes nobody without a certificate that this authority signed.  Every path answers
with the same two metrics: which path was asked, and whom the client's certificate names.
"""

import http.server
import os
import ssl
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        names = [pair[0][1] for pair in (self.connection.getpeercert() or {}).get("subject", ())]
        path = self.path.split("?")[0]
        body = f'target_path{{path="{path}"}} 1\ntarget_client{{name="{",".join(names)}"}} 1\n'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Clients that go away, or are refused, are what some tests are about."""


def main():
    certificate, key, *authority = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if authority:
        context.load_verify_locations(authority[0])
        context.verify_mode = ssl.CERT_REQUIRED
    server = Server(("127.0.0.1", 0), Handler)
    # The handshake belongs to the thread of the connection: a slow client must not stop the others.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


main()
