"""Say what is being compared, and on what."""

import os
import platform
from importlib import metadata

from benchmarks import peers

if __name__ == "__main__":
    present, missing = peers.load()
    packages = ["numpy", *(peer.PACKAGE for peer in present)]
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    print(f"Python {platform.python_version()}, {versions}")
    print(f"{platform.machine()}, {os.cpu_count()} processors, {peers.THREADS} thread(s) a library")
    if missing:
        print(f"not installed, and left out: {', '.join(missing)}")
