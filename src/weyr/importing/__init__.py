"""Files written for other tools, read as stacks: what of them carries over, and what does not and why. Pure."""
