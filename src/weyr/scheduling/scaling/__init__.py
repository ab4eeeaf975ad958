"""How many replicas does each endpoint need? Pure and importable alone; plain values in, plain values out.

Asked once per tick (of any length from a second to a minute) with what each endpoint did since the last one:

>>> from weyr.scheduling.scaling import Autoscaler, Load
>>> scaler = Autoscaler()
>>> for tick in range(30):
...     chat = Load("chat", arrived=400, queued=0, in_flight=6, service_s=0.15, latency_target_s=0.7, concurrency=4)
...     mail = Load("mail", arrived=40, service_s=0.15, latency_target_s=0.7, concurrency=4)
...     targets = scaler.targets([chat, mail], now_s=10.0 * (tick + 1), quota=5)
>>> targets
{'chat': 2, 'mail': 1}

What is not known of a tick is left out (or NaN): an evaluator that has only arrivals, or only what is in flight and
waiting, or only latencies, says only that. `Autoscaler.why` says in a sentence what a target rests on, and what
`Autoscaler.state` gives can be saved as JSON and handed to a new `Autoscaler`, which goes on where the old one was.

It learns arrivals, their rhythm, what a request takes and how long a replica takes to start from nothing but its
calls. It knows nothing of traces, engines or kinds, reads no clock, and needs nothing but Python.
"""

from weyr.scheduling.scaling.autoscaler import Autoscaler
from weyr.scheduling.scaling.values import Load

__all__ = ["Autoscaler", "Load"]
