"""nova-compute of today, as far as the image cache goes: nova's own code, with a real database and real syslog.

Runs as a worker in the environment that holds nova: one order as JSON a line on stdin, one answer on stdout. The pass
is ComputeManager._run_image_cache_manager_pass, unchanged, on nova's own ImageCacheManager; what stands for the driver
knows the image cache alone. Instances are nova's objects, notifications are nova's own, written by oslo.messaging's
driver `log`. The lines of a boot and of a failed start are rendered, with the wording of nova/virt/libvirt/driver.py.
"""

import json
import logging
import os
import select
import subprocess
import sys
import time

INSTANCES = "/var/lib/nova/instances"
NOTES = "/var/log/rsyslog/notifications.jsonl"
WHOLE = ["flavor", "system_metadata"]

time.sleep = lambda seconds: select.select([], [], [], seconds)  # libfaketime 0.9.10 refuses clock_nanosleep(2)


class Cache:
    """What stands for the libvirt driver."""

    def __init__(self) -> None:
        from nova.virt.libvirt.imagecache import ImageCacheManager

        self.capabilities = {"has_imagecache": True}
        self.image_cache_manager = ImageCacheManager()

    def manage_image_cache(self, context, instances) -> None:
        """As nova.virt.libvirt.driver does."""
        self.image_cache_manager.update(context, instances)


class Notes(logging.Handler):
    """Keeps what the notifier's driver `log` writes: one JSON object a line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Append it."""
        with open(NOTES, "a") as file:
            file.write(record.getMessage() + "\n")


class Worker:
    """One host."""

    def __init__(self, host: str, debug: bool) -> None:
        import nova.compute.manager
        import nova.conf
        import nova.privsep
        import nova.virt.libvirt.imagecache  # before there are logs: imports log as well
        from nova import context, objects, rpc
        from nova.db.main import api
        from oslo_log import log

        objects.register_all()
        conf = nova.conf.CONF
        log.register_options(conf)
        conf(["--config-file", "/run/nova.conf"], project="nova")
        conf.set_override("host", host)
        conf.set_override("debug", debug)
        log.setup(conf, "nova-compute")
        nova.privsep.sys_admin_pctxt.set_client_mode(False)
        api.configure(conf)
        rpc.set_defaults(control_exchange="nova")
        rpc.init(conf)
        self.host, self.objects, self.driver = host, objects, Cache()
        self.context = lambda: context.get_admin_context()
        self.notifier = rpc.get_notifier("compute", host)
        self.log = logging.getLogger("nova.compute.manager")
        told = logging.getLogger("oslo.messaging.notification")
        told.addHandler(Notes())
        told.setLevel(logging.INFO)
        told.propagate = False
        self.lines = 0
        for handler in list(logging.getLogger().handlers):
            if type(handler).__name__ != "OSSysLogHandler":
                logging.getLogger().removeHandler(handler)
                continue
            emit = handler.emit

            def counted(record, emit=emit):
                self.lines += 1
                emit(record)

            handler.emit = counted

    def say(self, order) -> None:
        """Lines that need libvirt to be said."""
        from oslo_log import log

        request = self.context()
        for line in order["say"]:
            instance = self.objects.Instance.get_by_uuid(request, line["uuid"]) if "uuid" in line else None
            more = {"instance": instance} if instance else {}
            log.getLogger(line["logger"]).log(getattr(logging, line["level"]), "%s", line["message"], **more)

    def sweep(self, _) -> None:
        """One pass."""
        from nova.compute.manager import ComputeManager

        ComputeManager._run_image_cache_manager_pass(self, self.context())

    def create(self, order) -> None:
        """An instance is built."""
        from nova.compute import utils
        from oslo_log import log
        from oslo_utils import timeutils

        request, now = self.context(), timeutils.utcnow()
        request.user_id, request.project_id = order["user_id"], order["project_id"]
        flavor = self.objects.Flavor(id=5, name="m1.small", flavorid="2", memory_mb=2048, vcpus=1, root_gb=10,
                                     ephemeral_gb=0, swap=0, rxtx_factor=1.0, vcpu_weight=0, disabled=False,
                                     is_public=True, extra_specs={}, projects=[], description=None, created_at=None,
                                     updated_at=None, deleted_at=None, deleted=False)  # fmt: skip
        meta = {"image_base_image_ref": order["image_ref"], "image_disk_format": "qcow2", "image_min_disk": "10"}
        if order["snapshot"]:
            meta |= {"image_image_type": "snapshot", "image_base_image_ref": order["snapshot"]}
        instance = self.objects.Instance(
            request, uuid=order["uuid"], user_id=order["user_id"], project_id=order["project_id"], host=self.host,
            node=self.host, compute_id=int(self.host[-1]), image_ref=order["image_ref"], kernel_id="", ramdisk_id="",
            hostname=order["name"], display_name=order["name"], display_description=order["name"], vm_state="active",
            task_state=None, power_state=1, memory_mb=2048, vcpus=1, root_gb=10, ephemeral_gb=0, launch_index=0,
            flavor=flavor, old_flavor=None, new_flavor=None, launched_at=now, launched_on=self.host, os_type=None,
            reservation_id=f"r-{order['uuid'][:8]}", root_device_name="/dev/vda", system_metadata=meta,
            availability_zone="nova", instance_type_id=5, architecture=None, config_drive="", progress=0, locked=False,
        )  # fmt: skip
        instance.create()
        folder = f"{INSTANCES}/{instance.uuid}"
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", order["base_file"], "-F", "raw",
                        f"{folder}/disk", "10G"], check=True)  # fmt: skip
        told = log.getLogger("nova.virt.libvirt.driver"), log.getLogger("nova.compute.manager")
        told[1].info("VM %s (Lifecycle Event)", "Started", instance=instance)
        told[0].info("Instance spawned successfully.", instance=instance)
        told[1].info("Took %0.2f seconds to spawn the instance on the hypervisor.", 6.41, instance=instance)
        utils.notify_about_instance_usage(self.notifier, request, instance, "create.end",
                                          extra_usage_info={"message": "Success"})  # fmt: skip

    def delete(self, order) -> None:
        """An instance is deleted."""
        from nova.compute import utils
        from oslo_log import log
        from oslo_utils import timeutils

        request = self.context()
        instance = self.objects.Instance.get_by_uuid(request, order["uuid"], expected_attrs=WHOLE)
        log.getLogger("nova.compute.manager").info("Terminating instance", instance=instance)
        utils.notify_about_instance_usage(self.notifier, request, instance, "delete.start")
        os.remove(f"{INSTANCES}/{instance.uuid}/disk")
        os.rmdir(f"{INSTANCES}/{instance.uuid}")
        instance.vm_state, instance.power_state, instance.terminated_at = "deleted", 0, timeutils.utcnow()
        instance.save()
        instance.destroy()
        utils.notify_about_instance_usage(self.notifier, request, instance, "delete.end")

    def reboot(self, order) -> None:
        """`openstack server reboot --hard`: it works where qemu can open the disk and what it is backed by."""
        from nova import exception
        from nova.compute import utils
        from oslo_log import log

        request = self.context()
        instance = self.objects.Instance.get_by_uuid(request, order["uuid"], expected_attrs=WHOLE)
        disk, manager = f"{INSTANCES}/{instance.uuid}/disk", log.getLogger("nova.compute.manager")
        manager.info("Rebooting instance", instance=instance)
        utils.notify_about_instance_usage(self.notifier, request, instance, "reboot.start")
        opened = subprocess.run(["qemu-io", "-r", "-c", "read 0 512", disk], capture_output=True, text=True)
        if "Could not open backing file" not in opened.stdout + opened.stderr:
            instance.power_state, instance.vm_state = 1, "active"
            instance.save()
            manager.info("VM %s (Lifecycle Event)", "Resumed", instance=instance)
            utils.notify_about_instance_usage(self.notifier, request, instance, "reboot.end")
            return
        error = exception.InternalError(
            f"Cannot access backing file '{order['base_file']}' of storage file '{disk}' (as uid:64055, gid:109): "
            "No such file or directory"
        )
        log.getLogger("nova.virt.libvirt.driver").error("Failed to start libvirt guest", instance=instance)
        manager.error("Cannot reboot instance: %s", error, instance=instance)
        utils.add_instance_fault_from_exc(request, instance, error, (type(error), error, None))
        instance.vm_state, instance.task_state = "error", None
        instance.save()
        utils.notify_about_instance_usage(self.notifier, request, instance, "reboot.error", fault=error)

    def powered_off(self, _) -> None:
        """After a boot of the host: none of its guests runs."""
        for instance in self.objects.InstanceList.get_by_host(self.context(), self.host):
            instance.power_state = 4
            instance.save()


def main() -> None:
    """Take orders until the lab ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import oslo_context.context

    worker = Worker(sys.argv[-1], sys.argv[-1] in sys.argv[1:-1])
    for line in sys.stdin:
        order = json.loads(line)
        worker.lines = 0
        vars(oslo_context.context._request_store).clear()  # each order is a request of its own
        getattr(worker, {"pass": "sweep"}.get(order["do"], order["do"]))(order)
        answers.write(json.dumps({"lines": worker.lines, "at": time.time()}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
