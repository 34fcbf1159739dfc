"""The two sides of the benchmarks, and what they cost."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(roots):
    """User and system time of these processes and everything below them, dead children included."""
    parents, times = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        pid = int(entry.name)
        parents[pid] = int(fields[1])
        times[pid] = sum(int(fields[index]) for index in (11, 12, 13, 14)) / TICKS
    total = 0.0
    for pid in times:
        ancestor = pid
        while ancestor and ancestor not in roots:
            ancestor = parents.get(ancestor, 0)
        if ancestor in roots:
            total += times[pid]
    return total


class Restante:
    """Storage and an edge as separate processes, gRPC between them."""

    name = "restante"
    edge = "sip-edge"

    def __init__(self, binaries, settings=None, data=None):
        self.binary = binaries / "restante"
        self.settings = settings or {}
        self.data = data

    def start(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-restante-"))
        self.port, grpc = free_port(), free_port()
        self.admin = {"storage": free_port(), self.edge: free_port()}
        self.operator = f"127.0.0.1:{free_port()}"
        edge = f"RESTANTE_{self.edge.upper().replace('-', '_')}"
        self.environment = os.environ | {
            "RESTANTE_STORAGE__DATA_DIR": str(self.data or self.folder / "data"),
            "RESTANTE_STORAGE__LISTEN": f"127.0.0.1:{grpc}",
            "RESTANTE_STORAGE__OPERATOR_LISTEN": self.operator,
            "RESTANTE_STORAGE__ADMIN_LISTEN": f"127.0.0.1:{self.admin['storage']}",
            f"{edge}__STORAGE": f"http://127.0.0.1:{grpc}",
            f"{edge}__LISTEN_UDP": f"127.0.0.1:{self.port}",
            f"{edge}__LISTEN_TCP": f"127.0.0.1:{self.port}",
            f"{edge}__ADMIN_LISTEN": f"127.0.0.1:{self.admin[self.edge]}",
            "RESTANTE_XCAP__LISTEN": f"127.0.0.1:{free_port()}",
            "RESTANTE_XCAP__GROUPS_LISTEN": f"127.0.0.1:{free_port()}",
            f"{edge}__MSRP_LISTEN": f"127.0.0.1:{free_port()}",
            "RESTANTE_DOMAINS": "example.org",
            "RESTANTE_LOG__FILTER": "warn",
        } | self.settings
        self.processes = {}
        for name in ("storage", self.edge):
            self.launch(name)

    def launch(self, name):
        """Starts a process; seconds until it is ready."""
        begun = time.monotonic()
        with open(self.folder / f"{name}.log", "a") as log:
            command = [self.binary, name]
            self.processes[name] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        ready = [self.binary, "ready", "--admin", f"127.0.0.1:{self.admin[name]}", "--wait", "120s"]
        subprocess.run(ready, check=True)
        return time.monotonic() - begun

    def end(self, name, how):
        self.processes[name].send_signal(how)
        self.processes.pop(name).wait()

    def roots(self):
        return {name: {process.pid} for name, process in self.processes.items()}

    def stop(self):
        for name in reversed(list(self.processes)):
            self.end(name, signal.SIGTERM)
        shutil.rmtree(self.folder)


class Msilo:
    """Kamailio with msilo, 8 UDP and 8 TCP workers, on PostgreSQL with its defaults."""

    name = "msilo"

    def __init__(self, config, push_port=0):
        self.config = config
        self.push_port = push_port

    def start(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-msilo-"))
        self.port = free_port()
        ports = [str(self.port), str(free_port()), str(self.push_port)]
        subprocess.run([HERE / "msilo-start", self.folder, self.config, *ports], check=True)
        time.sleep(1)

    def roots(self):
        pids = {}
        for name in ("kamailio", "postgres"):
            pids[name] = {int((self.folder / f"{name}.pid").read_text())}
        return pids

    def stop(self):
        subprocess.run([HERE / "msilo-stop", self.folder], check=True)
        shutil.rmtree(self.folder)


def median(values, digits=0):
    """The median, with its spread if there are several values."""
    import statistics

    values = list(values)
    spread = f" ({min(values):.{digits}f}–{max(values):.{digits}f})" if len(values) > 1 else ""
    return f"{statistics.median(values):.{digits}f}{spread}"
