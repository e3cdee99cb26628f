"""The phases of a run, and how one is measured."""
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import generator
from usage import MemoryPeak, cpu_us, machine_ticks

WARM_UP_S = 2  # Node compiles meanwhile
US_PER_TICK = 1_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Phase:
    kind: str             # of the target's requests
    connections: int = 64
    rate: int = 0         # a second; 0: each connection sends its next request when it has its answer
    latency_ms: int = 0   # of the upstream

    @property
    def title(self):
        words = [self.kind]
        if self.rate:
            words.append(f"at {self.rate:,}/s")
        if self.latency_ms:
            words.append(f"Stripe takes {self.latency_ms} ms")
        return ", ".join(words)


CLOSED = [Phase(kind) for kind in ("get", "replay", "list", "create", "mixed")]
OPEN = [Phase("get", rate=5000), Phase("list", rate=200), Phase("create", rate=500)]
SLOW = [Phase("create", 512, rate=500, latency_ms=100), Phase("create", 1024, rate=200, latency_ms=1000)]
SHARED = [Phase(f"{kind} of 100") for kind in ("get", "list", "create")]
NODES = [Phase(kind) for kind in ("get", "list", "page", "create")]
STEADY = [Phase("list", rate=200), Phase("page", rate=200)]
LARGE = [Phase(kind) for kind in ("get", "list", "create")]


class Load:
    """Runs the load generator."""

    def __init__(self, build):
        self._build = build

    def run(self, target, phase, seconds=None, requests=None):
        ports = getattr(target, "ports", None) or [target.port]
        words = ["-c", phase.connections // len(ports)]
        words += ["-s", seconds] if seconds else ["-n", requests // len(ports)]
        words += ["-r", phase.rate // len(ports)] if phase.rate else []
        with generator.written(target.requests[phase.kind]) as file, ThreadPoolExecutor() as pool:
            results = list(pool.map(lambda port: generator.run(self._build, port, file, *words), ports))
        for result in results:
            del result["groups"]
        return together(results)


def together(results):
    """Of several generators that ran at the same time: sums, and the longest delays."""
    summed = ("answered", "failed", "unanswered", "per_second", "load_cpu_s")
    return {name: (sum if name in summed else max)(result[name] for result in results) for name in results[0]}


def measure(load, target, phase, upstream, seconds):
    """The figures of one phase. Processor time includes the delivery of the webhooks of all payments that it made."""
    upstream.set_latency(phase.latency_ms)
    load.run(target, phase, seconds=WARM_UP_S)
    upstream.wait_until_delivered()
    before_us, rig_us, (busy, ticks) = cpu_us(*target.pids), cpu_us(*upstream.pids), machine_ticks()
    with MemoryPeak(getattr(target, "memory_pids", target.pids)) as memory:
        result = load.run(target, phase, seconds=seconds)
        upstream.wait_until_delivered()
    used_us, rig_us = cpu_us(*target.pids) - before_us, cpu_us(*upstream.pids) - rig_us
    busy, ticks = (after - then for after, then in zip(machine_ticks(), (busy, ticks)))
    others_us = busy * US_PER_TICK - used_us - rig_us - result["load_cpu_s"] * 1e6
    return result | {"target": target.name, "phase": phase.title, "kind": phase.kind, "connections": phase.connections,
                     "cpu_us": used_us / max(1, result["answered"]), "peak_mb": memory.peak_mb,
                     "others_percent": max(0, 100 * others_us / (ticks * US_PER_TICK))}
