"""Peers of the benchmark of large messages: they speak SIP and MSRP as text, and are fast."""

import os
import re
import socket
import threading

# One block of noise, again and again: nothing of it is compressible within a window of compression.
BLOCK = os.urandom(1 << 20)
NOISE = BLOCK + BLOCK
CHUNK_OCTETS = 256 * 1024
READ_OCTETS = 256 * 1024


def noise(offset, octets):
    """Octets of the endless body, at most a block."""
    start = offset % len(BLOCK)
    return NOISE[start : start + octets]


def token():
    return os.urandom(8).hex()


class Sip:
    """One SIP peer over TCP."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(60)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.input = b""

    def send(self, start, lines, body=b""):
        head = "\r\n".join([start, *lines, f"Content-Length: {len(body)}", "", ""])
        self.socket.sendall(head.encode() + body)

    def receive(self):
        """Start line, headers (the last of each name wins, Via and Record-Route apart), body."""
        while b"\r\n\r\n" not in self.input.lstrip(b"\r\n"):
            self._more()
        self.input = self.input.lstrip(b"\r\n")
        head, _, rest = self.input.partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        length = int(headers["Content-Length"])
        while len(rest) < length:
            self._more()
            rest = self.input.partition(b"\r\n\r\n")[2]
        self.input = rest[length:]
        return start, headers, rest[:length].decode()

    def response(self):
        """The next final response."""
        while True:
            start, headers, body = self.receive()
            if start.startswith("SIP/2.0 ") and not start.startswith("SIP/2.0 1"):
                return start, headers, body

    def request(self, method):
        """The next request of this method; what is no such request is passed over."""
        while True:
            start, headers, body = self.receive()
            if start.startswith(method + " "):
                return start, headers, body

    def answer(self, headers, status, lines=(), body=b"", tag="b-9d"):
        to = headers["To"] if ";tag=" in headers["To"] else f"{headers['To']};tag={tag}"
        copied = [f"{name}: {headers[name]}" for name in ("Via", "From", "Call-ID", "CSeq")]
        self.send(f"SIP/2.0 {status}", [*copied, f"To: {to}", *lines], body)

    def _more(self):
        octets = self.socket.recv(65536)
        if not octets:
            raise ConnectionError("the SIP connection was closed")
        self.input += octets


def description(lines):
    shared = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=message 9 TCP/MSRP *"]
    return ("\r\n".join([*shared, *lines]) + "\r\n").encode()


def path_in(body):
    return re.search(r"^a=path:(\S+)", body, re.M).group(1)


def connected(path):
    host, port = re.match(r"msrps?://([^:/]+):(\d+)/", path).groups()
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(120)
    return connection


def send_large(sip_port, sender, user, octets, started=None):
    """Has a large message deferred. `started` is called when the first octet is about to leave."""
    sip = Sip(sip_port)
    own = f"msrp://127.0.0.1:9/{token()};tcp"
    call_id, tag, uri = token(), token(), f"sip:{user}@example.org"
    lines = [
        "Max-Forwards: 70",
        f"From: <sip:{sender}@example.org>;tag={tag}",
        f"Call-ID: {call_id}",
        f"Contact: <sip:{sender}@{sip.address};transport=tcp>;+g.oma.sip-im",
        "Accept-Contact: *;+g.oma.sip-im",
        f"P-Asserted-Identity: <sip:{sender}@example.org>",
        f"P-Served-User: <{uri}>;sescase=term;regstate=unreg",
    ]

    def request(method, cseq, to, uri=uri, more=(), body=b""):
        via = f"Via: SIP/2.0/TCP {sip.address};branch=z9hG4bK-{token()};rport"
        sip.send(f"{method} {uri} SIP/2.0", [via, *lines, f"To: {to}", f"CSeq: {cseq} {method}", *more], body)

    offer = description(
        [f"a=path:{own}", "a=accept-types:*", "a=sendonly", "a=setup:active", f"a=filelength:{octets}"]
    )
    request("INVITE", 1, f"<{uri}>", more=["Content-Type: application/sdp"], body=offer)
    start, headers, body = sip.response()
    if not start.startswith("SIP/2.0 200"):
        raise RuntimeError(f"INVITE: {start} {headers}")
    target = re.search(r"<([^>]+)>", headers["Contact"]).group(1)
    request("ACK", 1, headers["To"], target)
    peer = path_in(body)
    connection = connected(peer)
    if started:
        started()
    send_chunks(connection, own, peer, octets)
    request("BYE", 2, headers["To"], target)
    sip.response()
    connection.close()
    sip.socket.close()


def send_chunks(connection, own, peer, octets):
    """One message in chunks; returns when the last one is answered 200."""
    chunks = (octets + CHUNK_OCTETS - 1) // CHUNK_OCTETS
    outcome = []
    reader = threading.Thread(target=lambda: outcome.append(read_answers(connection, chunks)))
    reader.start()
    message_id = token()
    for chunk in range(chunks):
        first = chunk * CHUNK_OCTETS
        length = min(CHUNK_OCTETS, octets - first)
        tid = token()
        head = (
            f"MSRP {tid} SEND\r\nTo-Path: {peer}\r\nFrom-Path: {own}\r\nMessage-ID: {message_id}\r\n"
            f"Byte-Range: {first + 1}-{first + length}/{octets}\r\nSuccess-Report: no\r\n"
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        flag = "$" if chunk + 1 == chunks else "+"
        connection.sendall(head.encode())
        connection.sendall(noise(first, length))
        connection.sendall(f"\r\n-------{tid}{flag}\r\n".encode())
    reader.join()
    if outcome != [chunks]:
        raise RuntimeError(f"answers: {outcome}")


def read_answers(connection, wanted):
    """How many 200s came, until all came or something else did."""
    seen, buffer = 0, b""
    while seen < wanted:
        octets = connection.recv(65536)
        buffer += octets
        if not octets:
            return buffer[-500:]
        *frames, buffer = re.split(rb"(?<=\$\r\n)", buffer)
        for frame in frames:
            if frame and b" 200" not in frame.partition(b"\r\n")[0]:
                return frame
            seen += bool(frame)
    return seen


def receive_large(sip_port, user, octets, started=None):
    """Registers, and takes a push of one large message; every octet of it is compared."""
    sip = Sip(sip_port)
    contact = f"<sip:{user}@{sip.address};transport=tcp>;+g.oma.sip-im"
    via = f"Via: SIP/2.0/TCP {sip.address};branch=z9hG4bK-{token()};rport"
    uri = f"<sip:{user}@example.org>"
    sip.send(
        "REGISTER sip:example.org SIP/2.0",
        [via, "Max-Forwards: 70", f"From: {uri};tag={token()}", f"To: {uri}", f"Call-ID: {token()}",
         "CSeq: 1 REGISTER", f"Contact: {contact}", "Expires: 600"],
    )
    start, _, _ = sip.response()
    if not start.startswith("SIP/2.0 200"):
        raise RuntimeError(f"REGISTER: {start}")
    _, invite, offer = sip.request("INVITE")
    own = f"msrp://127.0.0.1:9/{token()};tcp"
    answer = description([f"a=path:{own}", "a=accept-types:*", "a=recvonly", "a=setup:active"])
    sip.answer(invite, "200 OK", [f"Contact: {contact}", "Content-Type: application/sdp"], answer)
    sip.request("ACK")
    peer = path_in(offer)
    connection = connected(peer)
    tid = token()
    connection.sendall(
        f"MSRP {tid} SEND\r\nTo-Path: {peer}\r\nFrom-Path: {own}\r\nMessage-ID: {tid}\r\n"
        f"Byte-Range: 1-0/0\r\n-------{tid}$\r\n".encode()
    )
    if started:
        started()
    Receiver(connection, own, peer, octets).run()
    _, bye, _ = sip.request("BYE")
    sip.answer(bye, "200 OK")
    connection.close()
    sip.socket.close()


class Receiver:
    """Takes chunks of one pushed message and answers them."""

    def __init__(self, connection, own, peer, octets):
        self.connection, self.own, self.peer, self.wanted = connection, own, peer, octets
        self.buffer = bytearray()
        self.room = bytearray(READ_OCTETS)
        self.seen = None  # Octets of the content; none before its head has passed.
        self.head = b""

    def run(self):
        while True:
            head = self._until(b"\r\n\r\n")
            if head.startswith(b"MSRP") and b" SEND\r\n" not in head[:80]:
                # The answer to the empty SEND ends without an empty line: the next head follows it.
                head = head[head.index(b"$\r\n") + 3 :]
            tid = head.split(b" ", 2)[1]
            flag = self._body(b"\r\n-------" + tid)
            self.connection.sendall(
                b"MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n"
                % (tid, self.peer.encode(), self.own.encode(), tid)
            )
            if flag == b"$":
                break
            if flag == b"#":
                raise RuntimeError("the message was given up")
        if self.seen != self.wanted:
            raise RuntimeError(f"{self.seen} octets of {self.wanted}")

    def _more(self):
        octets = self.connection.recv_into(self.room)
        if not octets:
            raise ConnectionError("the MSRP connection was closed")
        self.buffer += memoryview(self.room)[:octets]

    def _until(self, end):
        while (at := self.buffer.find(end)) < 0:
            self._more()
        found = bytes(self.buffer[: at + len(end)])
        del self.buffer[: at + len(end)]
        return found

    def _body(self, end_line):
        """Passes the octets of a chunk on; its flag."""
        while True:
            at = self.buffer.find(end_line)
            if at >= 0 and len(self.buffer) >= at + len(end_line) + 3:
                self._take(bytes(self.buffer[:at]))
                flag = bytes(self.buffer[at + len(end_line) : at + len(end_line) + 1])
                del self.buffer[: at + len(end_line) + 3]
                return flag
            safe = len(self.buffer) - len(end_line) - 3 if at < 0 else at
            if safe > 0:
                self._take(bytes(self.buffer[:safe]))
                del self.buffer[:safe]
            self._more()

    def _take(self, octets):
        """Compares what belongs to the content, which stands behind the head of the enclosed SEND."""
        if self.seen is None:
            self.head += octets
            start = re.search(rb"Content-Type: message/msrp\r\n\r\n.*?\r\n\r\n", self.head, re.S)
            if not start:
                return
            self.seen, octets = 0, self.head[start.end() :]
        octets = octets[: self.wanted - self.seen]
        for at in range(0, len(octets), len(BLOCK)):
            piece = octets[at : at + len(BLOCK)]
            if noise(self.seen, len(piece)) != piece:
                raise RuntimeError(f"another content behind octet {self.seen}")
            self.seen += len(piece)
