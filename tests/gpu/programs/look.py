"""What does PyTorch see here? One line of JSON."""

import json

import torch

seen = [torch.cuda.get_device_properties(n) for n in range(torch.cuda.device_count())]
print(json.dumps({"count": len(seen), "uuids": [f"GPU-{device.uuid}" for device in seen]}))
