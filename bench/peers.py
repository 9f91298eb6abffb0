"""Exact search side by side: vecshard, sqlite-vec, sqlite-vector, faiss, usearch, numpy.

    python3 bench/peers.py [--results FOLDER] [--queries N] [wordnet] [mnist] [recommender]

Sets (all that are there when none is named):

    wordnet       117,659 x 384, real text embeddings, cosine; made by bench/data/embed_wordnet.sh;
                  the queries are the 40 questions of test/data
    mnist         60,000 x 784, pixels, l2; from the folder that the environment's MNIST names
                  (train-images-idx3-ubyte.gz, t10k-images-idx3-ubyte.gz)
    recommender   1,000,000 x 128, generated, dot: log-normal norms (sigma 0.6), directions with a
                  falling spectrum (deviation of axis i is i^-0.5), as factorised ratings have

All engines run in this one process on one thread and answer each query in turn, one after the
other, so that whatever else the machine does falls on all alike. The answers are compared with a
brute force in float64: `overlap` is the share of the true 10 nearest that was found. Engines inside
SQLite read a database file that the system's page cache holds, at SQLite's default settings and
with mmap; the others hold vectors or codes in memory (`store` says which). vecshard's indexed table
is measured with its cache, which holds codes in memory, and without one (cache_mb = 0).
sqlite-vector's quantized scan is approximate: it ranks by an int8 copy of the vectors in memory.

Writes one JSON line per measurement to FOLDER/<date>-<set>.jsonl (default: bench/results).
Databases lie in build/bench. BENCH_CLOCK=cpu takes the process's own time in place of the wall's.
"""

import argparse
import datetime
import gzip
import importlib.metadata
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import time

import bench_env

bench_env.enter()

import faiss  # noqa: E402
import numpy as np  # noqa: E402
import sqlite_vec  # noqa: E402
import sqlite_vector  # noqa: E402
import usearch.index  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build" / "bench"
EXTENSION = os.environ.get("VECSHARD_SO", str(ROOT / "vecshard"))
MMAP = "PRAGMA mmap_size=1099511627776"
SETTINGS = {"default": "", "mmap": MMAP}
K = 10
WARM_SEARCHES = 60


# ---- the sets ----


class Set:
    """Vectors, queries and the true answers."""

    def __init__(self, name, title, metric, vectors, queries):
        self.name = name
        self.title = title
        self.metric = metric
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        self.queries = np.ascontiguousarray(queries, dtype=np.float32)
        self.truth = [self.brute_force(query) for query in self.queries]

    def brute_force(self, query):
        """Row numbers of the K nearest, in float64."""
        distances = np.empty(len(self.vectors))
        query = query.astype(np.float64)
        for start in range(0, len(self.vectors), 65536):
            block = self.vectors[start : start + 65536].astype(np.float64)
            if self.metric == "l2":
                part = np.sqrt(((block - query) ** 2).sum(axis=1))
            else:
                part = -(block @ query)
                if self.metric == "cosine":
                    part = 1.0 + part / (np.linalg.norm(block, axis=1) * np.linalg.norm(query))
            distances[start : start + 65536] = part
        return set(np.lexsort((np.arange(len(distances)), distances))[:K].tolist())


def read_zstd(path):
    return subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout


def load_wordnet():
    path = HERE / "data" / "wordnet" / "wordnet.f32"
    if not path.exists():
        return None
    vectors = np.fromfile(path, dtype="<f4").reshape(-1, 384)
    questions = np.frombuffer(
        read_zstd(ROOT / "test" / "data" / "questions.f16.zst"), dtype="<f2"
    ).reshape(-1, 384)
    return Set("wordnet", "WordNet definitions", "cosine", vectors, questions.astype(np.float32))


def read_idx(path):
    with gzip.open(path) as file:
        data = file.read()
    dims = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * data[3]).reshape(dims[0], -1)


def load_mnist():
    folder = pathlib.Path(os.environ.get("MNIST", ROOT.parent / "shared" / "mnist"))
    train, test = folder / "train-images-idx3-ubyte.gz", folder / "t10k-images-idx3-ubyte.gz"
    if not train.exists() or not test.exists():
        return None
    return Set("mnist", "MNIST images", "l2", read_idx(train), read_idx(test)[:40])


def make_recommender():
    random = np.random.default_rng(128)
    spectrum = np.arange(1, 129, dtype=np.float32) ** -0.5

    def draw(count):
        vectors = random.standard_normal((count, 128), dtype=np.float32) * spectrum
        norms = np.exp(0.6 * random.standard_normal(count)).astype(np.float32)
        return vectors * (norms / np.linalg.norm(vectors, axis=1))[:, None]

    return Set("recommender", "Generated recommender", "dot", draw(1_000_000), draw(40))


SETS = {"wordnet": load_wordnet, "mnist": load_mnist, "recommender": make_recommender}


# ---- the databases ----


def connect(path, extension, setting="default"):
    db = sqlite3.connect(path, isolation_level=None)
    db.enable_load_extension(True)
    db.load_extension(extension)
    db.execute(SETTINGS[setting] or "SELECT 1").fetchall()
    return db


def make_database(path, extension, statements, insert, vectors):
    """Writes a database once; `insert` takes a row number and a vector."""
    if path.exists():
        return
    part = path.with_suffix(".part")
    part.unlink(missing_ok=True)
    print("bench: making", path.name, file=sys.stderr)
    db = connect(part, extension)
    db.execute("PRAGMA journal_mode=OFF")
    db.execute("PRAGMA synchronous=OFF")
    db.execute("BEGIN")
    before, after = statements
    for statement in before:
        db.execute(statement)
    db.executemany(insert, ((i, vector.tobytes()) for i, vector in enumerate(vectors)))
    for statement in after:
        db.execute(statement)
    db.execute("COMMIT")
    db.close()
    part.rename(path)


PLAIN = "CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB)"
INSERT = "INSERT INTO docs VALUES (?, ?)"


def plain_database(data):
    """An ordinary table, which vecshard, sqlite-vec's functions and sqlite-vector read alike."""
    path = BUILD / f"peers_{data.name}.db"
    make_database(path, EXTENSION, ([PLAIN], []), INSERT, data.vectors)
    return path


def indexed_database(data):
    path = BUILD / f"peers_{data.name}_vecshard.db"
    make_database(
        path,
        EXTENSION,
        (
            [
                f"CREATE VIRTUAL TABLE docs USING vecshard(v float[{data.vectors.shape[1]}] "
                f"distance_metric={data.metric})"
            ],
            [],
        ),
        "INSERT INTO docs(rowid, v) VALUES (?, ?)",
        data.vectors,
    )
    return path


def norm_database(data):
    path = BUILD / f"peers_{data.name}_norm.db"
    make_database(
        path,
        EXTENSION,
        (
            [PLAIN],
            [
                "CREATE INDEX docs_norm ON docs(vec_norm(v))",
                "CREATE INDEX docs_covering ON docs(vec_norm(v), v)",
            ],
        ),
        INSERT,
        data.vectors,
    )
    return path


def vec0_database(data):
    path = BUILD / f"peers_{data.name}_vec0.db"
    make_database(
        path,
        sqlite_vec.loadable_path(),
        (
            [
                f"CREATE VIRTUAL TABLE docs USING vec0(v float[{data.vectors.shape[1]}] "
                f"distance_metric={data.metric})"
            ],
            [],
        ),
        "INSERT INTO docs(rowid, v) VALUES (?, ?)",
        data.vectors,
    )
    return path


# ---- the engines ----


class Engine:
    """`search` takes one query and returns row numbers; `batch` takes all, returns lists.

    `before` is called before each measured search, and its time does not count.
    """

    def __init__(self, name, form, store, search=None, batch=None, before=None):
        self.name, self.form, self.store = name, form, store
        self.search, self.batch, self.before = search, batch, before
        self.seconds, self.overlaps = [], []


def by_sql(db, sql):
    return lambda query: [row[0] for row in db.execute(sql, (query.tobytes(),))]


def vecshard_engines(data):
    options = json.dumps({"metric": data.metric})
    plain = plain_database(data)
    order = {"l2": "vec_distance_l2", "cosine": "vec_distance_cosine", "dot": "vec_distance_dot"}[
        data.metric
    ]
    for setting in SETTINGS:
        db = connect(plain, EXTENSION, setting)
        yield Engine(
            "vecshard",
            "vec_search",
            setting,
            by_sql(db, f"SELECT id FROM vec_search('docs', 'v', ?, {K}, '{options}')"),
        )
        yield Engine(
            "vecshard",
            f"ORDER BY {order}",
            setting,
            by_sql(db, f"SELECT id FROM docs ORDER BY {order}(v, ?) LIMIT {K}"),
        )

        def batch(queries, db=db):
            rows = db.execute(
                f"SELECT query_no, id FROM vec_search_batch('docs', 'v', ?, {K}, '{options}')",
                (queries.tobytes(),),
            ).fetchall()
            return [[row[1] for row in rows if row[0] == number] for number in range(len(queries))]

        yield Engine("vecshard", "vec_search_batch", setting, batch=batch)
    if data.metric == "dot":
        path = norm_database(data)
        for setting in SETTINGS:
            for index in ("docs_norm", "docs_covering"):
                words = "covering norm index" if index == "docs_covering" else "norm index"
                named = json.dumps({"metric": "dot", "index": index})
                yield Engine(
                    "vecshard",
                    f"vec_search, {words}",
                    setting,
                    by_sql(
                        connect(path, EXTENSION, setting),
                        f"SELECT id FROM vec_search('docs', 'v', ?, {K}, '{named}')",
                    ),
                )


def indexed_engines(data):
    """The indexed table: hot, and without a cache. The cache is the process's."""
    path = indexed_database(data)
    sql = f"SELECT rowid FROM docs WHERE v MATCH ? AND k = {K} ORDER BY distance"
    hot = connect(path, EXTENSION)
    cache_mb = hot.execute("SELECT vec_config('cache_mb')").fetchone()[0]
    hot.execute("SELECT vec_config('threads', 1)").fetchone()

    def set_cache(value):
        hot.execute("SELECT vec_config('cache_mb', ?)", (value,)).fetchone()

    def warm():
        """Cells are read by the first search, front planes learned by the first twenty or so."""
        set_cache(cache_mb)
        for i in range(WARM_SEARCHES):
            by_sql(hot, sql)(data.queries[-1 - i % (len(data.queries) // 2)])
        data.vectors.sum()  # the CPU's caches hold the set's last megabytes, as after other engines

    yield Engine("vecshard", "indexed table", "memory", by_sql(hot, sql), before=warm)

    def batch(queries):
        rows = hot.execute(
            f"SELECT query_no, id FROM vec_search_batch('docs', 'v', ?, {K})", (queries.tobytes(),)
        ).fetchall()
        return [[row[1] for row in rows if row[0] == number] for number in range(len(queries))]

    yield Engine("vecshard", "indexed table, batch", "memory", batch=batch, before=warm)
    for setting in SETTINGS:
        db = connect(path, EXTENSION, setting)
        yield Engine(
            "vecshard",
            "indexed table, no cache",
            setting,
            by_sql(db, sql),
            before=lambda: set_cache(0),
        )


def sqlite_vec_engines(data):
    if data.metric == "dot":  # sqlite-vec has no dot product
        return
    extension = sqlite_vec.loadable_path()
    for setting in SETTINGS:
        yield Engine(
            "sqlite-vec",
            "vec0",
            setting,
            by_sql(
                connect(vec0_database(data), extension, setting),
                f"SELECT rowid FROM docs WHERE v MATCH ? AND k = {K} ORDER BY distance",
            ),
        )
        yield Engine(
            "sqlite-vec",
            f"ORDER BY vec_distance_{data.metric}",
            setting,
            by_sql(
                connect(plain_database(data), extension, setting),
                f"SELECT id FROM docs ORDER BY vec_distance_{data.metric}(v, ?) LIMIT {K}",
            ),
        )


def sqlite_vector_engines(data):
    extension = str(pathlib.Path(sqlite_vector.__file__).parent / "binaries" / "vector")
    for setting in SETTINGS:
        db = connect(plain_database(data), extension, setting)
        db.execute(
            f"SELECT vector_init('docs', 'v', 'type=FLOAT32,dimension={data.vectors.shape[1]},"
            f"distance={data.metric.upper()}')"
        ).fetchall()
        yield Engine(
            "sqlite-vector",
            "vector_full_scan",
            setting,
            by_sql(db, f"SELECT rowid FROM vector_full_scan('docs', 'v', ?, {K})"),
        )
    copy = BUILD / f"peers_{data.name}_vector.db"  # quantizing writes into the database
    copy.unlink(missing_ok=True)
    shutil.copyfile(plain_database(data), copy)
    db = connect(copy, extension)
    db.execute(
        f"SELECT vector_init('docs', 'v', 'type=FLOAT32,dimension={data.vectors.shape[1]},"
        f"distance={data.metric.upper()}')"
    ).fetchall()
    db.execute("SELECT vector_quantize('docs', 'v')").fetchall()
    db.execute("SELECT vector_quantize_preload('docs', 'v')").fetchall()
    yield Engine(
        "sqlite-vector",
        "vector_quantize_scan, approximate",
        "memory",
        by_sql(db, f"SELECT rowid FROM vector_quantize_scan('docs', 'v', ?, {K})"),
    )


def memory_engines(data):
    dim = data.vectors.shape[1]
    unit, units = data.vectors, data.queries
    if data.metric == "cosine":
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        units = {query.tobytes(): query / np.linalg.norm(query) for query in data.queries}
    norms = (unit.astype(np.float64) ** 2).sum(axis=1).astype(np.float32)
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatL2(dim) if data.metric == "l2" else faiss.IndexFlatIP(dim)
    flat.add(unit)
    kind = {"l2": "l2sq", "cosine": "cos", "dot": "ip"}[data.metric]

    def direction(query):
        return units[query.tobytes()] if data.metric == "cosine" else query

    def smallest(distances):
        best = np.argpartition(distances, K)[:K]
        return best[np.argsort(distances[best])]

    def numpy_search(query):
        products = unit @ direction(query)
        return smallest(norms - 2.0 * products if data.metric == "l2" else -products)

    def numpy_batch(queries):
        products = np.stack([direction(query) for query in queries]) @ unit.T
        return [smallest(norms - 2.0 * row if data.metric == "l2" else -row) for row in products]

    yield Engine(
        "faiss",
        "IndexFlat",
        "memory",
        lambda query: flat.search(direction(query)[None, :], K)[1][0],
    )
    yield Engine(
        "faiss",
        "IndexFlat, batch",
        "memory",
        batch=lambda queries: flat.search(np.stack([direction(query) for query in queries]), K)[1],
    )
    yield Engine(
        "usearch",
        "exact search",
        "memory",
        lambda query: usearch.index.search(
            data.vectors, query, K, kind, exact=True, threads=1
        ).keys,
    )
    yield Engine("numpy", "matrix times vector", "memory", numpy_search)
    yield Engine("numpy", "matrix product, batch", "memory", batch=numpy_batch)


# ---- measuring ----


# The process's own time is for a machine that is busy with other things.
CLOCK = "cpu" if os.environ.get("BENCH_CLOCK") == "cpu" else "wall"
now = time.process_time if CLOCK == "cpu" else time.perf_counter


def overlap(truth, found):
    return len(truth & {int(row) for row in found}) / K


def measure(data, engines, batch_rounds=5):
    """Each query by each engine in turn, batches afterwards. Seconds are per query."""
    single = [engine for engine in engines if engine.search]
    batch = [engine for engine in engines if engine.batch]
    for engine in single:
        engine.search(data.queries[0])
    for query, truth in zip(data.queries, data.truth):
        for engine in single:
            if engine.before:
                engine.before()
            start = now()
            found = engine.search(query)
            engine.seconds.append(now() - start)
            engine.overlaps.append(overlap(truth, found))
    for engine in batch:
        engine.batch(data.queries)
    for _ in range(batch_rounds):
        for engine in batch:
            if engine.before:
                engine.before()
            start = now()
            found = engine.batch(data.queries)
            engine.seconds.append((now() - start) / len(data.queries))
            engine.overlaps.extend(overlap(truth, rows) for truth, rows in zip(data.truth, found))


def machine():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def commit():
    asked = subprocess.run(
        ["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    return os.environ.get("VECSHARD_COMMIT") or asked.stdout.strip() or "none"


def versions():
    db = connect(":memory:", EXTENSION)
    package = importlib.metadata.version
    return {
        "vecshard": db.execute("SELECT vec_version()").fetchone()[0],
        "sqlite-vec": package("sqlite-vec"),
        "sqlite-vector": package("sqliteai-vector"),
        "faiss": package("faiss-cpu"),
        "usearch": package("usearch"),
        "numpy": package("numpy"),
    }


def line(data, engine, version):
    ms = 1e3 * np.array(engine.seconds)
    count, dim = data.vectors.shape
    return {
        "program": "peers",
        "measurement": "search",
        "date": f"{datetime.date.today()}",
        "commit": commit(),
        "machine": machine(),
        "cores": os.cpu_count(),
        "sqlite": sqlite3.sqlite_version,
        "dataset": data.name,
        "title": data.title,
        "dim": dim,
        "count": count,
        "metric": data.metric,
        "k": K,
        "threads": 1,
        "cache": "warm",
        "clock": CLOCK,
        "queries": len(data.queries),
        "rounds": len(ms),
        "engine": engine.name,
        "version": version[engine.name],
        "form": engine.form,
        "store": engine.store,
        "batch": len(data.queries) if engine.batch else 1,
        "best_ms": round(float(ms.min()), 4),
        "p50_ms": round(float(np.percentile(ms, 50)), 4),
        "p95_ms": round(float(np.percentile(ms, 95)), 4),
        "rows_per_s": round(count / float(np.percentile(ms, 50)) * 1e3),
        "overlap": round(float(np.mean(engine.overlaps)), 4),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "results")
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("sets", nargs="*", metavar="set", help=" ".join(SETS))
    args = parser.parse_args()
    unknown = set(args.sets) - set(SETS)
    if unknown:
        parser.error(f"no set {', '.join(sorted(unknown))}: there are {', '.join(SETS)}")
    BUILD.mkdir(parents=True, exist_ok=True)
    args.results.mkdir(parents=True, exist_ok=True)
    version = versions()
    for name in args.sets or SETS:
        data = SETS[name]()
        if data is None:
            print(f"bench: {name} is not there, left out", file=sys.stderr)
            continue
        data.queries, data.truth = data.queries[: args.queries], data.truth[: args.queries]
        engines = [
            *vecshard_engines(data),
            *indexed_engines(data),
            *sqlite_vec_engines(data),
            *sqlite_vector_engines(data),
            *memory_engines(data),
        ]
        measure(data, engines)
        path = args.results / f"{datetime.date.today()}-{name}.jsonl"
        with open(path, "w", encoding="utf-8") as file:
            for engine in engines:
                entry = line(data, engine, version)
                print(json.dumps(entry), file=file)
                print(
                    f"{name:12} {engine.name:14} {engine.form:34} {engine.store:8} "
                    f"{entry['p50_ms']:9.2f} ms  overlap {entry['overlap']:.4f}"
                )
        wrong = [
            engine for engine in engines if engine.name == "vecshard" and min(engine.overlaps) < 1.0
        ]
        if wrong:
            sys.exit(
                f"bench: {name}: vecshard is wrong: {', '.join(engine.form for engine in wrong)}"
            )


if __name__ == "__main__":
    main()
