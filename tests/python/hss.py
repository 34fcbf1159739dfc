#!/usr/bin/python3
"""A home subscriber server that knows everybody (Cx interface, 3GPP TS 29.229), for an S-CSCF that is to be tried.

    hss.py HOST:PORT REALM APPLICATION-SERVER

Whoever the S-CSCF asks for is a user of REALM, whose REGISTERs go to the application server, and MESSAGEs to him while he is
not registered. The REGISTER of users called phone-… is included in what the application server is told. Prints a line when it listens, whenever the S-CSCF asks whether it is there, and for each user it is
asked for.
"""

import socket
import socketserver
import struct
import sys

VENDOR_3GPP = 10415
CX = 16777216
SUCCESS = 2001

CAPABILITIES_EXCHANGE, DEVICE_WATCHDOG, DISCONNECT_PEER, SERVER_ASSIGNMENT = 257, 280, 282, 301
(USER_NAME, ORIGIN_HOST, ORIGIN_REALM, SESSION_ID, RESULT_CODE, HOST_IP, AUTH_APPLICATION, VENDOR_ID, PRODUCT,
 SUPPORTED_VENDOR, VENDOR_APPLICATION, AUTH_SESSION_STATE) = 1, 264, 296, 263, 268, 257, 258, 266, 269, 265, 260, 277
PUBLIC_IDENTITY, USER_DATA = 601, 606

PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<IMSSubscription><PrivateID>{private}</PrivateID><ServiceProfile>
<PublicIdentity><Identity>{public}</Identity></PublicIdentity>
<InitialFilterCriteria><Priority>0</Priority>
<TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF>
<SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>REGISTER</Method>
<Extension><RegistrationType>0</RegistrationType><RegistrationType>1</RegistrationType>\
<RegistrationType>2</RegistrationType></Extension></SPT></TriggerPoint>
<ApplicationServer><ServerName>{server}</ServerName><DefaultHandling>0</DefaultHandling>
{included}</ApplicationServer></InitialFilterCriteria>
<InitialFilterCriteria><Priority>1</Priority>
<TriggerPoint><ConditionTypeCNF>0</ConditionTypeCNF>
<SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><Method>MESSAGE</Method></SPT>
<SPT><ConditionNegated>0</ConditionNegated><Group>0</Group><SessionCase>2</SessionCase></SPT></TriggerPoint>
<ApplicationServer><ServerName>{server}</ServerName><DefaultHandling>0</DefaultHandling></ApplicationServer>
</InitialFilterCriteria>
</ServiceProfile></IMSSubscription>"""

# What a third-party REGISTER brings.
INFORMATION = "<ServiceInfo>restante</ServiceInfo>"
REQUEST = "<Extension><IncludeRegisterRequest/></Extension>"


def avp(code, value, vendor=0):
    data = struct.pack("!I", value) if isinstance(value, int) else value if isinstance(value, bytes) else value.encode()
    flags, length = (0xC0, 12) if vendor else (0x40, 8)
    head = struct.pack("!IB", code, flags) + (length + len(data)).to_bytes(3, "big")
    if vendor:
        head += struct.pack("!I", vendor)
    return head + data + b"\0" * (-len(data) % 4)


def read_avps(data):
    found = {}
    while len(data) >= 8:
        code, flags = struct.unpack("!IB", data[:5])
        length = int.from_bytes(data[5:8], "big")
        found.setdefault(code, data[12 if flags & 0x80 else 8:length])
        data = data[length + (-length % 4):]
    return found


class Peer(socketserver.BaseRequestHandler):
    def handle(self):
        while True:
            head = self.take(20)
            if head is None:
                return
            body = self.take(int.from_bytes(head[1:4], "big") - 20)
            if body is None:
                return
            if head[4] & 0x80:
                self.answer(head, read_avps(body))

    def take(self, count):
        octets = b""
        while len(octets) < count:
            more = self.request.recv(count - len(octets))
            if not more:
                return None
            octets += more
        return octets

    def answer(self, head, asked):
        command = int.from_bytes(head[5:8], "big")
        host = self.server.server_address[0]
        avps = avp(SESSION_ID, asked[SESSION_ID]) if SESSION_ID in asked else b""
        avps += avp(RESULT_CODE, SUCCESS) + avp(ORIGIN_HOST, host) + avp(ORIGIN_REALM, self.server.realm)
        if command == CAPABILITIES_EXCHANGE:
            avps += avp(HOST_IP, b"\0\1" + socket.inet_aton(host)) + avp(VENDOR_ID, VENDOR_3GPP)
            avps += avp(PRODUCT, "hss.py") + avp(SUPPORTED_VENDOR, VENDOR_3GPP)
            avps += avp(VENDOR_APPLICATION, avp(VENDOR_ID, VENDOR_3GPP) + avp(AUTH_APPLICATION, CX))
        elif command == SERVER_ASSIGNMENT:
            public = asked[PUBLIC_IDENTITY].decode()
            private = asked.get(USER_NAME, public.removeprefix("sip:").encode()).decode()
            included = REQUEST if public.startswith("sip:phone-") else INFORMATION
            profile = PROFILE.format(
                private=private, public=public, server=self.server.application, included=included)
            avps += avp(AUTH_SESSION_STATE, 1) + avp(USER_NAME, private)
            avps += avp(VENDOR_APPLICATION, avp(VENDOR_ID, VENDOR_3GPP) + avp(AUTH_APPLICATION, CX))
            avps += avp(USER_DATA, profile, VENDOR_3GPP)
            print("served", public, flush=True)
        elif command == DEVICE_WATCHDOG:
            print("connected", flush=True)
        elif command != DISCONNECT_PEER:
            print("unknown command", command, flush=True)
        flags = head[4] & 0x7F
        answer = bytes([1]) + (20 + len(avps)).to_bytes(3, "big") + bytes([flags]) + head[5:20] + avps
        self.request.sendall(answer)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main(address, realm, application):
    host, port = address.rsplit(":", 1)
    with Server((host, int(port)), Peer) as server:
        server.realm, server.application = realm, application
        print("listening", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
