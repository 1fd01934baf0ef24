"""Serves one of the two web applications on a free port, sends it two orders, and prints the answers."""

import json
import sys
import threading
import urllib.error
import urllib.request
from wsgiref.simple_server import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def application(name):
    if name == "flask":
        import flask_shop

        return flask_shop.app
    import django_shop  # configures Django
    from django.core.handlers.wsgi import WSGIHandler

    return WSGIHandler()


def post(port, order):
    body = json.dumps(order).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/orders", body, {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def main():
    server = make_server("127.0.0.1", 0, application(sys.argv[1]), handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for cents in (700, 0):
        print(sys.argv[1], *post(server.server_port, {"email": "eve@example.org", "cents": cents}))
    server.shutdown()


if __name__ == "__main__":
    main()
