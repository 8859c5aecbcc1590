"""Sets the platform tag of a wheel that contains libesales_notify.so; a wheel without it is for any platform."""

import os
import sysconfig
from typing import Any, Dict

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PlatformTag(BuildHookInterface):  # type: ignore[type-arg]
    """The hook that hatchling searches in this file."""

    def initialize(self, version: str, build_data: Dict[str, Any]) -> None:
        if os.path.exists(os.path.join(self.root, "src", "esales_notify", "libesales_notify.so")):
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"
