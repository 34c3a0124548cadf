"""A work folder for mutmut: the repository as links, the settings of one group, and its verdicts afterwards.

mutmut copies the code, puts every mutant into the copy behind a switch, and forks a run of the judging tests for
each. Nothing of the repository itself is changed.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.mutation.groups import ROOT, Group

WORK = ROOT / ".mutation"
SOURCES = ("schemas", "streams", "services")
#: What tests read or import beside the code. mutmut copies `tests` and `pyproject.toml` by itself.
BESIDE = (
    "infra",
    "docs",
    "examples",
    "benchmarks",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "docker-compose.yml",
)
PATCHED = Path(__file__).with_name("patched.py")
SEED = 1
#: By the exit codes that mutmut keeps: a failing test, an internal error of pytest, and too much time.
KILLED = {1, 3}
TIMED_OUT = {-24, 24, 36, 152, 255}
SURVIVED = {0}
UNREACHED = {5, 33}
#: Which of the sample to try: each, those that the run before left unnoticed, or none (what the run before found).
Which = Literal["all", "unnoticed", "none"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One that no test noticed: its function, and the line before and after."""

    file: str
    function: str
    was: str
    became: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the mutants of one file; `tried` is a sample of `mutants`."""

    file: str
    mutants: int
    tried: int
    killed: int
    survived: tuple[Mutant, ...]
    unclear: int


def run(group: Group, most: int, which: Which, jobs: int) -> list[Tally]:
    """Mutate the files of a group and run its tests on at most `most` mutants of each, `jobs` at once."""
    folder = _prepared(group)
    with contextlib.chdir(folder):
        names = {file: _names(file) for file in group.files}
        chosen = {file: sample(file, some, most) for file, some in names.items()}
        wanted = [name for file, some in chosen.items() for name in some if _is_wanted(file, name, which)]
        if wanted:
            _mutmut("run", "--max-children", str(jobs), *wanted)
        return [tally(file, names[file], chosen[file]) for file in group.files]


def _prepared(group: Group) -> Path:
    folder = WORK / group.name
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*SOURCES, *BESIDE, "tests"):
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)
    settings = _settings(group)
    own = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    _write_settings(folder, f"{own}\n[tool.mutmut]\n{settings}")
    _forget_copies(folder / "mutants")
    return folder


def _forget_copies(copy: Path) -> None:
    """mutmut copies code that changed, but templates and other files only once: away with those of the run before."""
    for source in SOURCES:
        for file in (copy / source).rglob("*"):
            if file.is_file() and file.suffix not in (".py", ".meta", ".spans"):
                file.unlink()


def _write_settings(folder: Path, text: str) -> None:
    """Other judges are other verdicts: with other settings, nothing of the runs before is left."""
    file = folder / "pyproject.toml"
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        shutil.rmtree(folder / "mutants", ignore_errors=True)
        file.write_text(text, encoding="utf-8")


def _settings(group: Group) -> str:
    options: dict[str, object] = {
        "source_paths": SOURCES,
        "also_copy": BESIDE,
        "only_mutate": group.files,
        "pytest_add_cli_args": ("-p", "no:cacheprovider", "-p", "tests.mutation.quick"),
        "pytest_add_cli_args_test_selection": group.tests,
        "use_git_change_detection": False,
        "track_dependencies": False,
        # A busy machine is no reason to call a mutant noticed: a minute, and ten times what the tests need.
        "timeout_constant": 6.0,
        "timeout_multiplier": 10.0,
    }
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())


def _names(file: str) -> list[str]:
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    import tests.mutation.patched  # noqa: F401 - before the first file is read

    mutated = mutate_file_contents(file, Path(file).read_text(encoding="utf-8"))
    return [str(get_mutant_name(Path(file), name)) for name in mutated.mutant_names]


def sample(file: str, names: list[str], most: int) -> list[str]:
    """At most so many of a file's mutants, always the same ones."""
    if len(names) <= most:
        return names
    return sorted(random.Random(f"{SEED} {file}").sample(names, most))


def _mutmut(*arguments: str) -> None:
    # -P: the tests that run are the copy's, so nothing is imported from here
    done = subprocess.run([sys.executable, "-P", str(PATCHED), *arguments], check=False)
    if done.returncode:
        raise SystemExit(
            f"mutmut {arguments[0]} ended with {done.returncode}: the tests must pass before mutants are tried"
        )


def verdicts(file: str) -> Mapping[str, int | None]:
    """Mutant → what mutmut kept of its run; empty before the first."""
    try:
        kept = json.loads(Path(f"mutants/{file}.meta").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return dict(kept["exit_code_by_key"])


def _is_wanted(file: str, name: str, which: Which) -> bool:
    return which == "all" or (which == "unnoticed" and verdicts(file).get(name) not in KILLED | TIMED_OUT)


def tally(file: str, names: list[str], tried: list[str]) -> Tally:
    """What became of `tried`, some of the mutants of a file."""
    found = verdicts(file)
    codes = [found.get(name) for name in tried]
    return Tally(
        file,
        len(names),
        len(tried),
        sum(code in KILLED | TIMED_OUT for code in codes),
        tuple(mutant(file, name) for name in tried if found.get(name) in SURVIVED | UNREACHED),
        sum(code not in KILLED | TIMED_OUT | SURVIVED | UNREACHED for code in codes),
    )


def mutant(file: str, name: str) -> Mutant:
    """What a mutant changed."""
    from mutmut.__main__ import get_diff_for_mutant

    lines = get_diff_for_mutant(name, path=file).splitlines()
    changed = {sign: " ".join(line[1:].strip() for line in lines if _is(line, sign)) for sign in "-+"}
    return Mutant(file, function_of(name), changed["-"], changed["+"])


def _is(line: str, sign: str) -> bool:
    return line.startswith(sign) and not line.startswith(sign * 3)


def function_of(name: str) -> str:
    """`….x_pain_of__mutmut_3` is a mutant of `pain_of`, `….xǁJourneyǁplace__mutmut_1` one of `Journey.place`."""
    mangled = name.rpartition(".")[2].partition("__mutmut_")[0]
    return mangled.removeprefix("xǁ").replace("ǁ", ".") if "ǁ" in mangled else mangled.removeprefix("x_")
