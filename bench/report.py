"""Makes RESULTS.md and one plot per set from the JSON lines of the benchmark programs.

    python3 bench/report.py [FOLDER]        default: bench/results

Takes the newest <date>-<name>.jsonl of each name in the folder: index-<part> (bench_index.c),
store-<part> (bench_store.c), sqlite (bench_sqlite.c), strategies (bench_strategies.c), kernels
(bench_kernels.c), and the sets of peers.py. Everything in RESULTS.md
comes from the lines.
"""

import json
import pathlib
import sys

import bench_env

bench_env.enter()

import matplotlib  # noqa: E402

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PEER_SETS = ("wordnet", "mnist", "recommender")
STORES = {
    "default": "read from the SQLite file, default settings",
    "mmap": "read from the SQLite file, PRAGMA mmap_size",
    "memory": "from vectors or codes in memory",
}
OURS, THEIRS, INK = "#1b7f79", "#b4bac2", "#30363d"


def newest(folder, name):
    """The lines of the newest file of that name, or None."""
    paths = sorted(folder.glob(f"????-??-??-{name}.jsonl"))
    if not paths:
        return None
    return [json.loads(line) for line in paths[-1].read_text().splitlines() if line]


def newest_parts(folder, program):
    """The lines of the newest file of each <date>-<program>-<part>.jsonl."""
    names = {path.stem[11:] for path in folder.glob(f"????-??-??-{program}-*.jsonl")}
    return [line for name in sorted(names) for line in newest(folder, name)]


def table(head, rows, right=()):
    """A Markdown table; the columns in `right` hold numbers."""
    rule = ["---:" if i in right else "---" for i in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows]) + "\n"


def where(lines):
    """One sentence on what the lines were measured on."""
    one = lines[0]
    clock = (
        "the process's own CPU time, because the machine was busy"
        if one.get("clock") == "cpu"
        else "wall time"
    )
    commit = f", commit {one['commit']}" if one.get("commit") and one["commit"] != "none" else ""
    sqlite = f", SQLite {one['sqlite']}" if "sqlite" in one else ""
    return f"{one['date']}, {one['machine']} ({one['cores']} cores){sqlite}{commit}; {clock}.\n"


# ---- the peers ----


def peer_label(line):
    at_once = f" ({line['batch']} at once)" if line["batch"] > 1 else ""
    return f"{line['engine']}: {line['form']}{at_once}"


def peer_table(lines):
    rows = []
    for line in sorted(lines, key=lambda line: line["p50_ms"]):
        name = f"**{line['engine']}**" if line["engine"] == "vecshard" else line["engine"]
        rows.append(
            [
                f"{name} {line['version']}",
                line["form"].replace("_", r"\_"),
                line["store"],
                f"{line['p50_ms']:.2f}",
                f"{line['p95_ms']:.2f}",
                f"{line['overlap']:.3f}",
            ]
        )
    return table(
        ["engine", "form", "vectors", "p50 ms", "p95 ms", "true neighbours found"], rows, (3, 4, 5)
    )


def peer_plot(lines, path):
    """Bars of milliseconds per query, grouped by where the vectors come from."""
    groups = [
        (
            words,
            sorted(
                (line for line in lines if line["store"] == store), key=lambda line: line["p50_ms"]
            ),
        )
        for store, words in STORES.items()
    ]
    groups = [group for group in groups if group[1]]
    heights = [len(group[1]) for group in groups]
    limit = 1.17 * max(line["p50_ms"] for line in lines)
    figure, axes = plt.subplots(
        len(groups),
        1,
        sharex=True,
        squeeze=False,
        layout="constrained",
        figsize=(8.6, 1.15 + 0.29 * sum(heights) + 0.36 * len(groups)),
        gridspec_kw={"height_ratios": heights},
    )
    for axis, (words, group) in zip(axes[:, 0], groups):
        colors = [OURS if line["engine"] == "vecshard" else THEIRS for line in group]
        times = [line["p50_ms"] for line in group]
        axis.barh(range(len(group)), times, color=colors, height=0.72)
        for i, line in enumerate(group):
            axis.text(
                line["p50_ms"] + 0.006 * limit,
                i,
                f"{line['p50_ms']:.1f}",
                va="center",
                fontsize=8.5,
                color=INK,
                fontweight="bold" if line["engine"] == "vecshard" else "normal",
            )
        axis.set_yticks(
            range(len(group)), [peer_label(line) for line in group], fontsize=8.5, color=INK
        )
        axis.invert_yaxis()
        axis.set_xlim(0, limit)
        axis.set_title(words, loc="left", fontsize=9, color=INK, style="italic")
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.tick_params(axis="both", length=0, labelsize=8.5, colors=INK)
        axis.grid(axis="x", color="#e5e8eb", linewidth=0.8)
        axis.set_axisbelow(True)
    one = lines[0]
    axes[-1, 0].set_xlabel(
        "milliseconds per query (median), one thread, less is better", fontsize=9, color=INK
    )
    figure.suptitle(
        f"{one['title']}: {one['count']:,} x {one['dim']}, {one['metric']}, {one['k']} nearest",
        x=0.01,
        ha="left",
        fontsize=11.5,
        fontweight="bold",
        color=INK,
    )
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def peer_section(folder, name):
    lines = newest(folder, name)
    if lines is None:
        return ""
    one = lines[0]
    peer_plot(lines, folder / f"{name}.png")
    text = (
        f"## {one['title']}: {one['count']:,} x {one['dim']}, {one['metric']}, k = {one['k']}\n\n"
    )
    text += where(lines)
    text += f"`python3 bench/peers.py {name}`: {one['queries']} queries, each by all in turn.\n"
    text += "Batches answer all queries at once; their times are per query.\n\n"
    return text + f"![{one['title']}]({name}.png)\n\n" + peer_table(lines) + "\n"


# ---- our own floors ----


def number(value):
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def bar_table(lines):
    """What was measured against what was wanted."""
    rows = [
        [
            line["what"].replace("_", r"\_"),
            f"{number(line['value'])} {line['unit']}",
            f"{line['relation']} {line['bar']:g} {line['unit']}",
            "**no**" if line["met"] == "no" else line["met"],
        ]
        for line in lines
        if "bar" in line
    ]
    return table(["what", "measured", "wanted", "met"], rows, (1,)) + "\n"


def share(line, key):
    return f"{100 * line[key]:.2g} %" if key in line else ""


def index_section(folder):
    lines = newest_parts(folder, "index") + newest_parts(folder, "store")
    if not lines:
        return ""
    text = "## The indexed table\n\n" + where(lines)
    text += "`bench/bench_index.c`, `bench/bench_store.c`. Ratios are medians over rounds in\n"
    text += "which each way ran once, in turn. The float32 scan: the rank kernel over one array\n"
    text += "in memory. One thread unless a line says otherwise; all answers are exact.\n\n"
    text += bar_table(lines)
    searches = [
        line for line in lines if line["measurement"] == "search" and "us_per_query" not in line
    ]
    scans = {
        (line["dataset"], line["metric"]): line
        for line in lines
        if line["measurement"] == "float32 scan"
    }
    rows = [
        [
            f"{line['dataset']}, {line['count']:,} x {line['dim']}".replace("_", r"\_"),
            line["metric"],
            f"{scans[line['dataset'], line['metric']]['p50_ms']:.2f}",
            f"{line['p50_ms']:.3f}",
            f"{line['p95_ms']:.3f}",
            share(line, "passed_b"),
            share(line, "passed_c"),
            share(line, "refined"),
        ]
        for line in searches
    ]
    if rows:
        text += "Hot searches, milliseconds, and the share of the rows that reached each step:\n\n"
        text += (
            table(
                [
                    "set",
                    "metric",
                    "float32 scan",
                    "p50",
                    "p95",
                    "passed plane B",
                    "passed plane C",
                    "full vectors read",
                ],
                rows,
                range(2, 8),
            )
            + "\n"
        )
    rates = [line for line in lines if "rows_per_s" in line and "table" in line]
    rows = [
        [
            f"{line['measurement']}, {line['setting']}",
            line["table"],
            f"{line['rows_per_s']:,.0f}",
            f"{line['wal_bytes_per_row']:,.0f}" if "wal_bytes_per_row" in line else "",
        ]
        for line in rates
    ]
    if rows:
        text += "Writing rows of 768 float32:\n\n"
        text += table(["how", "table", "rows/s", "WAL bytes per row"], rows, (2, 3)) + "\n"
    return text


def bar_section(folder):
    lines = newest(folder, "sqlite")
    if lines is None:
        return ""
    text = "## Against the floors\n\n" + where(lines)
    text += "`make bench`. Ratios are medians over rounds in which each way ran once, in turn.\n"
    text += "The floor: stepping `SELECT rowid, v` over the same table, touching all bytes.\n\n"
    text += bar_table(lines)
    floors = [line for line in lines if "gb_per_s" in line]
    rows = [
        [
            line["measurement"].replace("_", r"\_"),
            line["setting"],
            f"{line['p50_ms']:.1f}",
            f"{line['p95_ms']:.1f}",
            f"{line['gb_per_s']:.1f}",
            f"{line['rows_per_s'] / 1e6:.2f}" if "rows_per_s" in line else "",
        ]
        for line in floors
    ]
    if rows:
        one = floors[0]
        text += f"One pass over {one['count']:,} x {one['dim']} float32:\n\n"
        text += (
            table(
                ["what", "setting", "p50 ms", "p95 ms", "GB/s", "million rows/s"],
                rows,
                (2, 3, 4, 5),
            )
            + "\n"
        )
    norms = [line for line in lines if line["measurement"].startswith(("dot, ", "l2, "))]
    rows = [
        [
            line["dataset"].replace("_", r"\_"),
            line["measurement"],
            line["setting"],
            f"{line['p50_ms']:.1f}",
            f"{line['p95_ms']:.1f}",
        ]
        for line in norms
    ]
    if rows:
        text += "Pruning by norm, 1,000,000 x 128, log-normal norms (sigma 0.6), k = 10:\n\n"
        text += table(["set", "way", "setting", "p50 ms", "p95 ms"], rows, (3, 4)) + "\n"
    return text


def strategy_section(folder):
    lines = newest(folder, "strategies")
    if lines is None:
        return ""
    cells = {}
    for line in lines:
        if line["strategy"] != "pass":
            key = (line["dim"], line["count"], line["setting"], line["strategy"])
            cells.setdefault(key, []).append((line["rows_read"] / line["count"], line["cost"]))
    shares = [f"{100 * share:.2g} %" for share, _ in sorted(next(iter(cells.values())))]
    rows = [
        [f"{int(count):,} x {dim}", setting, strategy, *(f"{c:.1f}" for _, c in sorted(costs))]
        for (dim, count, setting, strategy), costs in cells.items()
    ]
    text = "## What a row costs through an index\n\n" + where(lines)
    text += "`bench/bench_strategies.c`: time per row of walking a norm index, in rows of one\n"
    text += "pass over the table, by the share of the rows that the walk reads.\n\n"
    return (
        text + table(["table", "setting", "index", *shares], rows, range(3, 3 + len(shares))) + "\n"
    )


def kernel_section(folder):
    lines = newest(folder, "kernels")
    rows = [
        [
            line["operation"].replace("_", r"\_"),
            line["type"],
            line["level"],
            str(line["dim"]),
            f"{line['gb_per_s']:.1f}",
            f"{line['ratio_to_read']:.2f}",
        ]
        for line in lines or []
        if "ratio_to_read" in line and line.get("where") == "ram"
    ]
    if not rows:
        return ""
    text = "## Kernels streaming from memory\n\n"
    return (
        text
        + table(
            ["operation", "type", "level", "dim", "GB/s", "of the read bandwidth"], rows, (3, 4, 5)
        )
        + "\n"
    )


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "results"
    text = "# Benchmark results\n\n"
    text += "Made by `python3 bench/report.py` from the JSON lines in this folder; do not edit.\n\n"
    text += "".join(peer_section(folder, name) for name in PEER_SETS)
    text += index_section(folder) + bar_section(folder)
    text += strategy_section(folder) + kernel_section(folder)
    (folder / "RESULTS.md").write_text(text.rstrip() + "\n", encoding="utf-8")
    print(folder / "RESULTS.md")


if __name__ == "__main__":
    main()
