"""This machine's network, afterwards as it was before: an engine changes more of it than it takes back."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from deploy.compose.command import run

DEVICES: Final = Path("/sys/class/net")
FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")
EMPTY: Final = {
    "filter": "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\nCOMMIT\n",
    "nat": "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\nCOMMIT\n",
}


@contextmanager
def restored_network() -> Iterator[None]:
    """Restore bridges, packet filters and forwarding at the end."""
    with ExitStack() as stack:
        stack.enter_context(bridges())
        stack.enter_context(packet_filter("iptables"))
        stack.enter_context(packet_filter("ip6tables"))
        stack.enter_context(forwarding())
        yield


@contextmanager
def bridges() -> Iterator[None]:
    """Remove the bridges that were not there before."""
    before = set(DEVICES.iterdir())
    try:
        yield
    finally:
        for device in set(DEVICES.iterdir()) - before:
            if (device / "bridge").is_dir():
                run("ip", "link", "delete", device.name)


@contextmanager
def packet_filter(program: str) -> Iterator[None]:
    """Restore the packet filter's rules."""
    rules = run(f"{program}-save")
    before = rules + "".join(text for table, text in EMPTY.items() if f"*{table}" not in rules)
    try:
        yield
    finally:
        run(f"{program}-restore", feed=before)


@contextmanager
def forwarding() -> Iterator[None]:
    """Restore whether the kernel forwards packets."""
    before = FORWARDING.read_text()
    try:
        yield
    finally:
        FORWARDING.write_text(before)
