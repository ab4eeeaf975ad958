"""Which node, and which of its accelerators, does a request go to? Pure; plain values in, plain values out.

    cluster = Cluster([Node("a", cpu_milli=96_000, memory_mib=393_216, devices=8, model="H100")], seed=1)
    placed = cluster.place(Request(cpu_milli=8_000, memory_mib=65_536, share_milli=250))
    if isinstance(placed, Placed):
        cluster.release(placed)

It knows nothing of traces, tasks or engines, reads no clock, and needs nothing but Python. What will be asked for
next it learns from what was asked so far (`Outlook`).
"""

from weyr.scheduling.placement.cluster import Cluster
from weyr.scheduling.placement.outlook import Outlook
from weyr.scheduling.placement.values import Node, Placed, Refused, Request

__all__ = ["Cluster", "Node", "Outlook", "Placed", "Refused", "Request"]
