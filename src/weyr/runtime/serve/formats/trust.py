"""May loading a model run what is in it? Only where somebody who may say so has.

Most formats hold numbers and a description of what to do with them. A pickle holds a program, as does a model that
brings modules of its own: whoever can write the file, runs code on the replica. Looking through a pickle for what is
dangerous does not find enough of it (of 21 dangerous files, three scanners found 5, 16 and 18), so what decides is
the format alone.
"""

from dataclasses import dataclass
from pathlib import Path

from weyr.runtime.serve.model import Unloadable


@dataclass(frozen=True, slots=True)
class Loading:
    """How a model is loaded: CPU `threads` for one call of it, and whether its own code may run.

    `program` names a class of the user's that serves it, `file.py:Class` in the folder `base`; "" for none.
    """

    threads: int = 1
    allows_code: bool = False
    program: str = ""
    base: Path = Path()

    def require_code(self, why: str) -> None:
        """Raises: Unloadable unless code may run."""
        if not self.allows_code:
            raise Unloadable(
                f"{why}, and loading that runs whatever code is in it. Its model is to be served from data only: save "
                "it as skops, safetensors, pt2 or ONNX, or take only_data off the model if you trust who registers it"
            )
