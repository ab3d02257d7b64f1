"""A client in Python, as its standard library has it: clients.py HOST:PORT, in front of a backend that echoes."""

import http.client
import sys

connection = http.client.HTTPConnection(sys.argv[1], timeout=50)


def ask(method, target, **how):
    connection.request(method, target, **how)
    response = connection.getresponse()
    assert response.status == 200, response.status
    return response, response.read()


# One connection for all.
ask("GET", "/")
socket = connection.sock
for number in range(20):
    body = bytes([number]) * 10_000 * number
    assert ask("POST", f"/{number}", body=body)[1] == body

# Of a generator nobody knows the length.
pieces = [bytes([number]) * number * 100 for number in range(1, 200)]
assert ask("POST", "/chunked", body=iter(pieces), encode_chunked=True)[1] == b"".join(pieces)

response, body = ask("HEAD", "/head")
assert body == b"" and response.getheader("Content-Length") is not None
assert ask("PUT", "/after", body=b"all is in step")[1] == b"all is in step"
assert connection.sock is socket, "the connection was given up"

# Long ago.
connection = http.client.HTTPConnection(sys.argv[1], timeout=50)
connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"
assert ask("POST", "/old", body=b"old")[1] == b"old"
assert connection.sock is None, "the connection persists, although nobody asked for that"

print("all is well")
