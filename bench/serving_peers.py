"""What stands beside the inference plane in `bench/serving.py`: nginx, HAProxy, and what any proxy in Python must pay.

Each passes requests on to a Unix socket, over connections that it keeps, with one worker.
"""

import shutil
from pathlib import Path

from ports import answers, free_port
from serving_bench import Bench

SPLICE = """
    import asyncio, sys, uvloop
    class Side(asyncio.Protocol):
        def __init__(self, other=None):
            self.other, self.early = other, []
        def connection_made(self, transport):
            self.transport = transport
            if self.other is None:
                asyncio.ensure_future(self.reach())
            else:
                self.other.other = self
                for data in self.other.early:
                    transport.write(data)
        async def reach(self):
            await asyncio.get_running_loop().create_unix_connection(lambda: Side(self), sys.argv[1])
        def data_received(self, data):
            if self.other is None:
                self.early.append(data)
            else:
                self.other.transport.write(data)
        def connection_lost(self, exc):
            if self.other is not None:
                self.other.transport.close()
    async def main():
        server = await asyncio.get_running_loop().create_server(Side, "127.0.0.1", int(sys.argv[2]))
        await server.serve_forever()
    uvloop.run(main())
"""
NGINX = """
daemon off; master_process off; worker_processes 1; error_log /dev/null; pid nginx-PORT.pid;
events { worker_connections 1024; }
http {
    access_log off; client_body_temp_path nginx-PORT-1; proxy_temp_path nginx-PORT-2; fastcgi_temp_path nginx-PORT-3;
    uwsgi_temp_path nginx-PORT-4; scgi_temp_path nginx-PORT-5; keepalive_requests 100000000;
    upstream replica { server unix:REPLICA; keepalive 128; keepalive_requests 100000000; }
    server {
        listen 127.0.0.1:PORT backlog=1024;
        location / {
            proxy_pass http://replica; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_buffering off; proxy_request_buffering off;
        }
    }
}
"""
HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-keep-alive
    http-reuse always
listen bench
    bind 127.0.0.1:PORT
    server replica unix@REPLICA
"""


def spliced(bench: Bench, replica: Path) -> tuple[int, int] | None:
    """The bare limit: every byte is read and written once, and nothing is understood. Gives port and pid."""
    port = free_port()
    pid = bench.start(str(bench.script("splice", SPLICE)), str(replica), str(port), ready=lambda: answers(port))
    return port, pid


def nginx(bench: Bench, replica: Path) -> tuple[int, int] | None:
    """None where it is not installed."""
    program, port = shutil.which("nginx"), free_port()
    if program is None:
        return None
    config = _config(bench, f"nginx-{port}.conf", NGINX, replica, port)
    pid = bench.run(program, "-p", str(bench.folder), "-c", str(config), ready=lambda: answers(port))
    return port, pid


def haproxy(bench: Bench, replica: Path) -> tuple[int, int] | None:
    """None where it is not installed."""
    program, port = shutil.which("haproxy"), free_port()
    if program is None:
        return None
    config = _config(bench, f"haproxy-{port}.cfg", HAPROXY, replica, port)
    pid = bench.run(program, "-db", "-f", str(config), ready=lambda: answers(port))
    return port, pid


def _config(bench: Bench, name: str, text: str, replica: Path, port: int) -> Path:
    path = bench.folder / name
    path.write_text(text.replace("PORT", str(port)).replace("REPLICA", str(replica)).lstrip())
    return path


PEERS = {"spliced": spliced, "nginx": nginx, "HAProxy": haproxy}
