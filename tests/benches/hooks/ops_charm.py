"""The charms that are measured, on ops. `duty.rs` has them in Rust."""

import os

import ops

DUTY = os.environ["BENCH_DUTY"]


class Charm(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        if DUTY == "idle":
            framework.observe(self.on.install, self._install)
        if DUTY == "changed":
            framework.observe(self.on["db"].relation_changed, self._changed)

    def _install(self, event):
        self.unit.status = ops.ActiveStatus("ready")

    def _changed(self, event):
        data = event.relation.data[event.unit]
        assert all(key.startswith("key") and text for key, text in data.items())


if __name__ == "__main__":
    ops.main(Charm)
