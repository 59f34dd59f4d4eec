"""What the contenders written in Python share: how they are told what to draw and how they say what it took."""
import json
import sys
import time


class Contender:
    """Settings of this process, and one JSON line for each thing that was done."""

    def __init__(self):
        self.settings = json.loads(sys.argv[1])

    def say(self, **event):
        print(json.dumps(event), flush=True)

    def draw(self, once):
        """Calls `once`, which returns the phases' seconds, for each picture."""
        self.say(event="ready")
        for _ in range(self.settings["pictures"]):
            start = time.perf_counter()
            phases, picture = once()
            self.say(event="picture", seconds=time.perf_counter() - start, spread=spread_of(picture), **phases)


def spread_of(picture):
    """Standard deviation of the picture's bytes: 0 for a blank one, which nobody should be timed on."""
    import numpy

    return float(numpy.asarray(picture, dtype=numpy.float64).std())


def timed(call, seconds):
    """`call`, which appends what each of its runs took."""

    def run(*args, **options):
        start = time.perf_counter()
        result = call(*args, **options)
        seconds.append(time.perf_counter() - start)
        return result

    return run
