#!/usr/bin/python3
"""The services of a small Folsom cloud, as far as its message broker sees them: `cloud.py ROLE HOST PLAN LOG`.

`make.py` starts one process a service, each inside its host, by that host's clock and in its zone. AMQP is spoken by
py-amqp, HTTP is answered by eventlet's WSGI server, which also words the access lines; both are Debian's packages, so
this file runs under Debian's Python. Exchanges, queues and bodies follow nova/openstack/common/rpc/amqp.py and
impl_kombu.py of 2012.2: the topic exchange `nova`, keys `compute` and `compute.HOST`, a direct exchange and queue named
by the msg_id for an answer, which is one message, then another that says `ending`. The wording of the log lines is
nova's of that release, too, and nothing else of nova runs.
"""

import sys

if sys.argv[1:2] == ["api"]:
    import eventlet

    eventlet.monkey_patch()

import json
import logging
import os
import queue
import select
import socket
import subprocess
import threading
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import amqp

EXCHANGE = "nova"
HEARTBEAT_S = 10
PERIOD_S = 10  # of the periodic tasks; nova's is 60
MAX_CONSOLE_BYTES = 102400  # nova/virt/libvirt/driver.py
WSGI = "_process_stack /usr/lib/python2.7/dist-packages/nova/api/openstack/wsgi.py"
RPC = "/usr/lib/python2.7/dist-packages/nova/openstack/common/rpc/amqp.py"
CONTROLLER = (
    "<bound method ConsoleOutputController.get_console_output of <nova.api.openstack.compute.contrib.console_output."
    "ConsoleOutputController object at 0x371dad0>>"
)
local = threading.local()


class Oslo(logging.Formatter):
    """logging_context_format_string and logging_default_format_string of nova 2012.2.1."""

    def format(self, record):  # noqa: D102
        ours = getattr(local, "context", None)
        who = "[{request_id} {user_id} {project_id}]".format(**ours) if ours else "[-]"
        pid = "" if ours else f"{record.process} "
        instance = f"[instance: {record.instance}] " if getattr(record, "instance", None) else ""
        level = "AUDIT" if record.levelno == 21 else record.levelname
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        return f"{stamp} {pid}{level} {record.name} {who} {instance}{record.getMessage()}"


def log(name, message, level=logging.INFO, instance=None):
    """One record of nova's log."""
    logging.getLogger(name).log(level, message, extra={"instance": instance})


def nap(duration_s):
    """Wait; time.sleep(3) sleeps until an instant, and libfaketime 0.9.10 mistakes which."""
    select.select([], [], [], duration_s)


class Bus:
    """Connections to the broker: a pool for those who send and ask, one each for those who serve."""

    def __init__(self, plan):
        self.broker, self.idle = plan["broker"], []

    def connection(self, heartbeat=0):
        """A connection that is open."""
        patient = {socket.TCP_USER_TIMEOUT: 0}  # py-amqp's own of 1 s would end the connections that the broker blocks
        opened = amqp.Connection(f"{self.broker}:5672", heartbeat=heartbeat, socket_settings=patient)
        opened.connect()
        return opened

    @contextmanager
    def channel(self):
        """A channel of a pooled connection."""
        pooled = self.idle.pop() if self.idle else self.connection()
        channel = pooled.channel()
        yield channel
        channel.close()
        self.idle.append(pooled)

    def publish(self, channel, exchange, key, message):
        """Publish one message as kombu did."""
        body = json.dumps(message)
        words = {"content_type": "application/json", "content_encoding": "utf-8", "delivery_mode": 2}
        channel.basic_publish(amqp.Message(body, application_headers={}, **words), exchange, key)
        return len(body)

    def call(self, topic, method, args, version, context):
        """Ask and wait for the answer."""
        msg_id, answers = uuid.uuid4().hex, []
        said = "nova.openstack.common.rpc.amqp"
        log(said, f"Making asynchronous call on {topic} ... multicall {RPC}:351", logging.DEBUG)
        log(said, f"MSG_ID is {msg_id} multicall {RPC}:354", logging.DEBUG)
        with self.channel() as channel:
            channel.exchange_declare(msg_id, "direct", durable=False, auto_delete=True)
            channel.queue_declare(msg_id, durable=False, exclusive=False, auto_delete=True)
            channel.queue_bind(msg_id, msg_id, msg_id)

            def answered(message):
                channel.basic_ack(message.delivery_tag)
                answers.append(json.loads(message.body))

            channel.basic_consume(msg_id, consumer_tag="1", callback=answered)
            self.publish(channel, EXCHANGE, topic, packed(method, args, version, context, msg_id))
            while not (answers and answers[-1].get("ending")):
                channel.connection.drain_events()
            channel.basic_cancel("1")
        return answers[0]["result"]

    def cast(self, topic, method, args, version, context, fanout=False):
        """Tell without waiting."""
        exchange = f"{topic}_fanout" if fanout else EXCHANGE
        with self.channel() as channel:
            if fanout:
                channel.exchange_declare(exchange, "fanout", durable=False, auto_delete=True)
            self.publish(channel, exchange, topic, packed(method, args, version, context))

    def reply(self, msg_id, result):
        """Answer a call; returns the size of the answer's body."""
        with self.channel() as channel:
            channel.exchange_declare(msg_id, "direct", durable=False, auto_delete=True)
            size = self.publish(channel, msg_id, msg_id, {"result": result, "failure": None})
            self.publish(channel, msg_id, msg_id, {"result": None, "failure": None, "ending": True})
        return size

    def serve(self, topic, host, handle):
        """Take the calls of a topic, heartbeats meanwhile; `handle` runs in a thread of its own, one call at a time."""
        served, calls, writing = self.connection(HEARTBEAT_S), queue.Queue(), threading.Lock()
        channel = served.channel()
        channel.exchange_declare(EXCHANGE, "topic", durable=False, auto_delete=False)
        channel.exchange_declare(f"{topic}_fanout", "fanout", durable=False, auto_delete=True)
        fanned = f"{topic}_fanout_{uuid.uuid4().hex}"

        def taken(message):
            with writing:
                channel.basic_ack(message.delivery_tag)
            calls.put(json.loads(message.body))

        for name, exchange in ((topic, EXCHANGE), (f"{topic}.{host}", EXCHANGE), (fanned, f"{topic}_fanout")):
            channel.queue_declare(name, durable=False, exclusive=False, auto_delete=exchange != EXCHANGE)
            channel.queue_bind(name, exchange, name if exchange == EXCHANGE else topic)
            channel.basic_consume(name, callback=taken)

        def working():
            while True:
                handle(calls.get())

        def beating():
            while True:
                nap(HEARTBEAT_S / 2)
                with writing:
                    served.send_heartbeat()

        for target in (working, beating):
            threading.Thread(target=target, daemon=True).start()
        while True:
            served.drain_events()


def packed(method, args, version, context, msg_id=None):
    """A message of nova's RPC; without an envelope, which came with Havana."""
    message = {"method": method} | ({"_msg_id": msg_id} if msg_id else {})
    message |= {"args": args, "version": version}
    return message | {f"_context_{key}": value for key, value in context.items()}


def unpacked(message):
    """The context of a message."""
    return {key.removeprefix("_context_"): value for key, value in message.items() if key.startswith("_context_")}


def context_of(user, address, admin=False):
    """Context of a new request."""
    return {
        "request_id": f"req-{uuid.uuid4()}", "user_id": user["id"], "project_id": user["project"], "is_admin": admin,
        "roles": ["admin"] if admin else ["Member"], "remote_address": address, "auth_token": uuid.uuid4().hex,
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000000", time.gmtime()), "read_deleted": "no",
    }  # fmt: skip


ADMIN = {"id": None, "project": None}


def api(plan, _host):
    """nova-api: servers, their actions, and who may ask."""
    import eventlet.wsgi

    bus, said = Bus(plan), "nova.api.openstack.wsgi"
    instances = {one["uuid"]: one for one in plan["instances"]}

    def application(environ, start_response):
        user = plan["users"][environ["HTTP_X_AUTH_TOKEN"]]
        local.context = context = context_of(user, environ["REMOTE_ADDR"])
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        url = f"http://{environ['HTTP_HOST']}{path}"
        log(said, f"{method} {url}")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        answer, status = b"", "202 Accepted"
        if path.endswith("/action"):
            log(said, f"Action: 'action', body: {body} {WSGI}:935", logging.DEBUG)
            instance, asked = instances[path.split("/")[4]], json.loads(body)
            topic, shown = f"compute.{instance['host']}", shape(instance, plan)
            if "os-getConsoleOutput" in asked:
                log(said, f"Calling method {CONTROLLER} {WSGI}:936", logging.DEBUG)
                args = {"instance": shown, "tail_length": asked["os-getConsoleOutput"].get("length")}
                text = bus.call(topic, "get_console_output", args, "2.0", context)
                answer, status = json.dumps({"output": text}).encode(), "200 OK"
            else:
                args = {"instance": shown, "reboot_type": asked["reboot"]["type"], "network_info": []}
                bus.cast(topic, "reboot_instance", args, "2.4", context)
        else:
            ours = [shape(one, plan) for one in instances.values() if one["user"] == environ["HTTP_X_AUTH_TOKEN"]]
            answer, status = json.dumps({"servers": ours}, indent=1).encode(), "200 OK"
        log(said, f"{url} returned with HTTP {status[:3]}")
        kind = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))] if answer else []
        start_response(status, kind + ([] if answer else [("Content-Length", "0")]))
        return [answer]

    wsgi = logging.getLogger("nova.osapi_compute.wsgi.server")
    local.context = None
    form = '%(client_ip)s - - [%(date_time)s] "%(request_line)s" %(status_code)s %(body_length)s %(wall_seconds).6f\n'
    eventlet.wsgi.server(eventlet.listen((plan["api"], 8774)), application, log=wsgi, log_format=form)


def shape(instance, plan):
    """An instance as jsonutils.to_primitive wrote it, what matters here first."""
    user = plan["users"][instance["user"]]
    return {
        "uuid": instance["uuid"], "name": f"instance-{instance['id']:08x}", "id": instance["id"],
        "hostname": instance["name"], "display_name": instance["name"], "host": instance["host"],
        "user_id": user["id"], "project_id": user["project"], "vm_state": "active", "power_state": 1,
        "task_state": None, "image_ref": plan["image"], "memory_mb": 2048, "vcpus": 1, "root_gb": 10,
        "availability_zone": None, "deleted": False, "launched_at": "2012-11-20T15:04:05.000000", "locked": False,
    }  # fmt: skip


def compute(plan, host):
    """nova-compute: console logs, reboots, and the periodic tasks."""
    bus = Bus(plan)
    ours = {one["uuid"]: one for one in plan["instances"] if one["host"] == host}

    def console(instance, tail):
        path = Path(plan["instances_path"], f"instance-{instance['id']:08x}", "console.log")
        data = path.read_bytes()
        if plan["capped"] and len(data) > MAX_CONSOLE_BYTES:
            cut = len(data) - MAX_CONSOLE_BYTES
            data = data[cut:]
            log("nova.virt.libvirt.driver", f"Truncated console log returned, {cut} bytes ignored",
                instance=instance["uuid"])  # fmt: skip
        text = data.decode("utf-8", "replace").encode("ascii", "replace").decode()
        return text if tail is None else "\n".join(text.split("\n")[-int(tail) - 1 :])

    def handle(message):
        local.context = unpacked(message)
        instance = ours.get(message["args"].get("instance", {}).get("uuid"))
        if message["method"] == "get_console_output":
            log("nova.compute.manager", "Get console output", 21, instance["uuid"])
            size = bus.reply(message["_msg_id"], console(instance, message["args"]["tail_length"]))
            told = {"instance": instance["uuid"], "msg_id": message["_msg_id"], "body_bytes": size}
            with open(plan["answers"], "a", encoding="utf-8") as answers:
                print(json.dumps(told | {"request_id": local.context["request_id"]}), file=answers)
        elif message["method"] == "reboot_instance":
            log("nova.compute.manager", "Rebooting instance", 21, instance["uuid"])

    def periodic():
        while True:
            nap(PERIOD_S)
            local.context = None
            tracker = "nova.compute.resource_tracker"
            log(tracker, "Auditing locally available compute resources", 21)
            for line in ("Free ram (MB): 24110", "Free disk (GB): 812", "Free VCPUS: 11"):
                log(tracker, line, 21)
            log(tracker, f"Compute_service record updated for {host} ")
            told = {"host_memory_total": 48293, "host_memory_free": 24110, "disk_total": 1863, "disk_available": 812,
                    "hypervisor_type": "QEMU", "vcpus": 24, "vcpus_used": 13}  # fmt: skip
            args = {"service_name": "compute", "host": host, "capabilities": told}
            admin = context_of(ADMIN, None, admin=True)
            bus.cast("scheduler", "update_service_capabilities", args, "2.4", admin, fanout=True)
            for one in ours.values():
                args = {"instance_id": one["id"], "instance_uuid": one["uuid"], "rxtx_factor": 1.0, "host": host,
                        "project_id": plan["users"][one["user"]]["project"]}  # fmt: skip
                bus.call("network", "get_instance_nw_info", args, "1.0", admin)

    threading.Thread(target=periodic, daemon=True).start()
    bus.serve("compute", host, handle)


def network(plan, host):
    """nova-network: answers where an instance's interfaces are asked for."""
    bus = Bus(plan)
    ports = {one["uuid"]: {"address": one["mac"], "ip": one["ip"], "bridge": "br100"} for one in plan["instances"]}

    def handle(message):
        if "_msg_id" in message:
            bus.reply(message["_msg_id"], [ports[message["args"]["instance_uuid"]]])

    bus.serve("network", host, handle)


def scheduler(plan, host):
    """nova-scheduler: takes what the compute hosts can do, and says nothing."""
    Bus(plan).serve("scheduler", host, lambda _message: None)


def browsers(plan, _host):
    """The users at their dashboards: curl at the planned instants, and what it received."""
    base, waiting = time.monotonic(), []

    def ask(index, step):
        url = f"http://{plan['api']}:8774/v2/{plan['users'][step['user']]['project']}/servers{step['path']}"
        body = ["-d", json.dumps(step["body"])] if step["body"] else []
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code} %{size_header} %{size_download}", *body]
        command += ["-H", f"X-Auth-Token: {step['user']}", "-H", "Content-Type: application/json", url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        status, header, download = map(int, said)
        told = {"step": index, "status": status, "received_bytes": header + download, "path": step["path"]}
        with open(plan["received"], "a", encoding="utf-8") as received:
            print(json.dumps(told), file=received)

    for index, step in enumerate(plan["steps"]):
        time.sleep(max(0, base + step["at_s"] - time.monotonic()))
        waiting.append(threading.Thread(target=ask, args=(index, step)))
        waiting[-1].start()
    for one in waiting:
        one.join()
    Path(plan["done"]).touch()


def main():
    """Run one role until the host ends."""
    role, host, plan, path = sys.argv[1:]
    logging.addLevelName(21, "AUDIT")
    handler = logging.FileHandler(path)
    handler.setFormatter(Oslo())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    if role == "api":
        logging.getLogger("nova").setLevel(logging.DEBUG)
    os.umask(0o022)
    globals()[role](json.loads(Path(plan).read_text()), host)


if __name__ == "__main__":
    main()
