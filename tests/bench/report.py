"""Tables in Markdown and a plot in SVG of what a run measured."""
from html import escape

COLUMNS = (("per second", "per_second", "{:,.0f}"), ("CPU each, µs", "cpu_us", "{:,.0f}"), ("p50, ms", "p50_ms", "{:.2f}"),
           ("p99, ms", "p99_ms", "{:.2f}"), ("p99.9, ms", "p999_ms", "{:.2f}"), ("memory, MB", "peak_mb", "{:.1f}"),
           ("failed", "failed", "{}"))
NOISY_PERCENT = 15
WIDTH, LABEL, BAR, GAP = 760, 240, 16, 6
COLOURS = {"paymentsd": "#2a78d6", "Node": "#8a8f98"}


def cell(result, name, form):
    return form.format(result[name]) if name in result else "–"


def table(results):
    lines = ["| | |" + "".join(f" {title} |" for title, _, _ in COLUMNS), "|---|---|" + "--:|" * len(COLUMNS)]
    for result in results:
        noisy = " *" if result.get("others_percent", 0) > NOISY_PERCENT else ""
        lines.append(f"| {result['target']} | {result['phase']}{noisy} |" +
                     "".join(f" {cell(result, name, form)} |" for _, name, form in COLUMNS))
    return "\n".join(lines)


def markdown(about, results):
    groups = {}
    for result in results:
        groups.setdefault(result["group"], []).append(result)
    parts = [about]
    for group, members in groups.items():
        timed = [result for result in members if "per_second" in result]
        if timed:
            parts.append(f"### {group}\n\n{table(timed)}")
        for result in members:
            if "pwrites" in result:
                parts.append(f"{result['target']} writes {result['pwrites']:.1f} times and {result['bytes written'] / 1000:.1f} kB "
                             f"for a payment at 64 connections, and syncs {result['syncs']:.2f} times.")
            if "for good" in result:
                parts.append(f"{result['target']} stores {result['delivered']:,.0f} bytes for a payment that was delivered, and "
                             f"{result['for good']:,.0f} of them for good.")
            if "parked_kb" in result:
                parts.append(f"{result['target']} uses {result['idle_mb']:.1f} MB idle, and {result['parked_kb']:.1f} kB more for "
                             f"each of {result['parked']:,} charges that wait for Stripe ({result['failed']} were refused).")
    if any(result.get("others_percent", 0) > NOISY_PERCENT for result in results):
        parts.append(f"\\* Other programs used more than {NOISY_PERCENT} % of the machine.")
    return "\n\n".join(parts) + "\n"


def svg(results):
    """Horizontal bars: the processor time of a request in the phases that both targets may have, one under the other. A phase
    with a constant rate is left out: there the service mostly sleeps, and waking it costs more than the request."""
    bars = [result for result in results if result.get("target") in COLOURS and result["group"].endswith(" payments")
            and result["phase"] == result.get("kind")]
    kinds = list(dict.fromkeys(result["kind"] for result in bars))
    bars.sort(key=lambda result: kinds.index(result["kind"]))
    if not bars:
        return ""
    scale = (WIDTH - LABEL - 80) / max(result["cpu_us"] for result in bars)
    height = len(bars) * (BAR + GAP) + 40
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
             '<text x="8" y="18" font-weight="bold">Processor time of one request, in µs</text>']
    for number, result in enumerate(bars):
        top = 30 + number * (BAR + GAP)
        width = max(1, result["cpu_us"] * scale)
        label = escape(f"{result['phase']}, {result['group']}: {result['target']}")
        parts.append(f'<text x="{LABEL - 6}" y="{top + 12}" text-anchor="end" font-size="11">{label}</text>'
                     f'<rect x="{LABEL}" y="{top}" width="{width:.1f}" height="{BAR}" fill="{COLOURS[result["target"]]}"/>'
                     f'<text x="{LABEL + width + 5:.1f}" y="{top + 12}">{result["cpu_us"]:,.0f}</text>')
    return "\n".join([*parts, "</svg>", ""])
