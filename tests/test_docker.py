"""The image files as far as they can be checked without an engine: instructions, what they copy, how they install.

Where the linters hadolint and shellcheck are installed (both come as wheels), they look too. What the images install
is looked up in the metadata of this environment, which needs no network. `CORPUSFORGE_REPLAY_IMAGES=resolve` lets pip
resolve every installation in a clean virtual environment, and `=install` makes all of them and compiles the kernels:
minutes, and gigabytes for the trainer.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from corpusforge.submit.bundle import code_archive

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docker"
FILES = sorted(FOLDER.glob("Dockerfile*"))
NAMES = [path.name for path in FILES]
INITIALIZATION = FOLDER / "dataproc-initialization.sh"
INSTRUCTIONS = {
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD", "RUN",
    "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
}  # fmt: skip


def instructions(path: Path) -> list[tuple[str, str]]:
    """(instruction, rest) with continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def runs(path: Path) -> list[str]:
    """The commands of all RUN instructions, one a `&&`."""
    return [
        part.strip() for name, rest in instructions(path) if name == "RUN" for part in re.split(r"&&|;", rest)
    ]


def linter(name: str) -> str:
    """The program of a linter, from this environment or the system; a skip where there is none."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def test_the_images_are_these() -> None:
    assert set(NAMES) == {"Dockerfile", "Dockerfile.beam", "Dockerfile.dataproc", "Dockerfile.train"}


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_all_instructions_are_known_and_the_first_names_an_image(path: Path) -> None:
    found = instructions(path)
    assert {name for name, _ in found} <= INSTRUCTIONS
    assert found[0][0] in ("FROM", "ARG")


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_base_has_a_version(path: Path) -> None:
    stages: set[str] = set()
    bases = [rest for name, rest in instructions(path) if name == "FROM"]
    assert bases
    for base in bases:
        image, _, stage = base.partition(" AS ")
        if image not in stages:
            _, separator, tag = image.rpartition("/")[2].partition(":")
            assert separator, f"{image} has no tag"
            assert re.search(r"\d", tag), f"{image}: the tag names no version"
            assert "latest" not in tag
        stages.add(stage)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_everything_copied_is_there(path: Path) -> None:
    stages = {rest.split(" AS ")[1] for name, rest in instructions(path) if name == "FROM" and " AS " in rest}
    copied = 0
    for name, rest in instructions(path):
        assert name != "ADD", "ADD fetches and unpacks: COPY says what happens"
        if name != "COPY":
            continue
        *sources, _ = rest.split()
        if sources[0].startswith("--from="):
            assert sources[0].removeprefix("--from=") in stages
            continue
        for source in sources:
            assert (ROOT / source).exists(), source
            copied += 1
    assert copied >= 1


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_what_builds_the_wheel_has_all_declarations(path: Path) -> None:
    if not any("pip wheel" in command for command in runs(path)):
        pytest.skip("builds no wheel")
    copied = {rest.split()[0] for name, rest in instructions(path) if name == "COPY"}
    assert {"pipelines", "filters", "tokenizers", "corpusforge"} <= copied


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_every_installation_is_constrained_and_leaves_no_cache(path: Path) -> None:
    commands = runs(path)
    for command in commands:
        if re.search(r"\bpip3? (install|wheel)\b", command):
            assert re.search(r"(--constraint|-c)[ =]\S*constraints\S*\.txt", command), command
            assert "--no-cache-dir" in command, command
        if "apt-get install" in command:
            assert "--yes" in command or "-y" in command
            assert "--no-install-recommends" in command
            assert any(re.fullmatch(r"rm -rf /var/lib/apt/lists/\*", other) for other in commands)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_the_ignored_files_are_not_copied(path: Path) -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    sources = {part for name, rest in instructions(path) if name == "COPY" for part in rest.split()}
    assert not sources & set(ignored)
    assert {".git", ".venv", "runs"} <= set(ignored)


def test_the_dataproc_image_is_as_the_service_asks() -> None:
    """User and group 1099 with a home, procps and tini, no Spark, a Python that is named, kernels that it owns."""
    path = FOLDER / "Dockerfile.dataproc"
    commands = runs(path)
    (system,) = [command for command in commands if "apt-get install" in command]
    assert {"procps", "tini"} <= set(system.split())
    assert "groupadd --gid 1099 spark" in commands
    assert "useradd --uid 1099 --gid 1099 --home-dir /home/spark --create-home spark" in commands
    assert instructions(path)[-1] == ("USER", "1099:1099")
    assert not [name for name, _ in instructions(path) if name in ("ENTRYPOINT", "CMD")]
    installed = " ".join(command for command in commands if "install" in command)
    assert "spark" not in installed.lower()
    assert "java" not in installed.lower()
    assert ("ENV", "PYSPARK_PYTHON=/usr/local/bin/python3") in instructions(path)
    assert commands.index("corpusforge doctor --warm") < commands.index(
        "chown -R 1099:1099 /var/cache/corpusforge /opt/corpusforge"
    )


def test_the_beam_image_is_of_the_pinned_version() -> None:
    path = FOLDER / "Dockerfile.beam"
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^apache-beam==(.+)$", pins, re.MULTILINE)
    bases = {rest.partition(" AS ")[0] for name, rest in instructions(path) if name == "FROM"}
    assert bases == {f"apache/beam_python3.11_sdk:{version}"}
    assert instructions(path)[-1] == ("ENTRYPOINT", '["/opt/apache/beam/boot"]')


def test_the_trainer_gets_torch_a_compiler_and_the_driver_from_outside() -> None:
    path = FOLDER / "Dockerfile.train"
    assert any("${wheel}[train]" in command for command in runs(path))
    (system,) = [command for command in runs(path) if "apt-get install" in command]
    assert {"gcc", "libc6-dev"} <= set(system.split())  # torch.compile needs them when it is used
    variables = " ".join(rest for name, rest in instructions(path) if name == "ENV")
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in variables
    assert not re.search(r"nvidia-|cuda-", system)


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_kernels_are_compiled_while_the_image_is_built(path: Path) -> None:
    """After the installation, into the folder that the environment names, before the user who runs is chosen."""
    found = instructions(path)
    warm = next(
        index for index, (name, rest) in enumerate(found) if name == "RUN" and "doctor --warm" in rest
    )
    before = " ".join(f"{name} {rest}" for name, rest in found[:warm])
    assert "NUMBA_CACHE_DIR=" in before
    assert "pip install" in before
    assert "USER" not in [name for name, _ in found[:warm]]
    assert re.search(r"(chmod -R a\+rwX|chown -R 1099:1099) /var/cache/corpusforge", found[warm][1])


# What the images install


def installation(command: str) -> list[Requirement]:
    """What a `pip install` of ours asks for; the wheel is `corpusforge` with its extras."""
    words = [word for word in shlex.split(command)[2:] if not word.startswith("-")]
    words = [word for word in words if not word.endswith("constraints.txt")]
    return [Requirement(re.sub(r"^(\$\{?wheel\}?|.*\.whl)", "corpusforge", word)) for word in words]


def installations() -> dict[str, list[Requirement]]:
    """Requirements of every image and of the initialization action, by file."""
    found = {}
    for path in FILES:
        (command,) = [item for item in runs(path) if item.startswith("pip install")]
        found[path.name] = installation(command)
    (line,) = re.findall(r'bin/pip" (install .*)$', INITIALIZATION.read_text(encoding="utf-8"), re.MULTILINE)
    found[INITIALIZATION.name] = installation(f"pip {line}")
    return found


def pins() -> dict[str, str]:
    """Package to its version in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    entries = [line.split("==") for line in lines if line.strip() and not line.startswith("#")]
    return {canonicalize_name(name): version.partition(";")[0].strip() for name, version in entries}


def closure(wanted: list[Requirement]) -> dict[str, list[Requirement]]:
    """Every package that these requirements bring, to the requirements on it, by the metadata installed here."""
    found: dict[str, list[Requirement]] = {}
    done: set[tuple[str, str]] = set()
    waiting = [(requirement, extra) for requirement in wanted for extra in ("", *requirement.extras)]
    for requirement in wanted:
        found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in done:
            continue
        done.add((name, extra))
        for line in importlib.metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker is not None and not needed.marker.evaluate({"extra": extra}):
                continue
            found.setdefault(canonicalize_name(needed.name), []).append(needed)
            waiting += [(needed, inner) for inner in ("", *needed.extras)]
    return found


def test_the_installations_are_read_from_the_files() -> None:
    found = {name: {str(item) for item in items} for name, items in installations().items()}
    assert found == {
        "Dockerfile": {"corpusforge[pii,quality]"},
        "Dockerfile.beam": {"corpusforge[beam,pii,quality]", "gcsfs"},
        "Dockerfile.dataproc": {"corpusforge[pii,quality]", "gcsfs", "pandas"},
        "Dockerfile.train": {"corpusforge[train]", "gcsfs"},
        "dataproc-initialization.sh": {"corpusforge[pii,quality]", "gcsfs", "pandas"},
    }


@pytest.mark.parametrize("name", [*NAMES, INITIALIZATION.name])
def test_all_that_is_installed_has_a_version_that_fits_every_wish(name: str) -> None:
    """The whole tree of an installation is in constraints.txt, with versions that all who need them accept."""
    pinned = pins()
    try:
        tree = closure(installations()[name])
    except importlib.metadata.PackageNotFoundError as error:
        pytest.skip(f"{error.name} is not installed here: its requirements are not known")
    assert len(tree) > 30
    ours = tree.pop("corpusforge")
    assert ours
    assert not sorted(set(tree) - set(pinned)), "not in constraints.txt"
    wrong = [
        f"{item} against {pinned[package]}"
        for package, wishes in tree.items()
        for item in wishes
        if not item.specifier.contains(pinned[package], prereleases=True)
    ]
    assert not wrong
    assert "pyspark" not in tree
    assert ("torch" in tree) == name.endswith("train")
    assert ("apache-beam" in tree) == name.endswith("beam")


REPLAY = os.environ.get("CORPUSFORGE_REPLAY_IMAGES", "")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(
    REPLAY not in ("resolve", "install"), reason="CORPUSFORGE_REPLAY_IMAGES=resolve|install asks for it"
)
@pytest.mark.parametrize("name", [*NAMES, INITIALIZATION.name])
def test_the_installation_in_a_clean_environment(name: str, tmp_path: Path) -> None:
    """The image's own pip line in an empty virtual environment; with `install` also `pip check` and the kernels."""
    wheel = tmp_path / "corpusforge-0.1.0-py3-none-any.whl"
    wheel.write_bytes(code_archive())
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True, timeout=300)
    programs = tmp_path / "venv" / "bin"
    wanted = [str(item).replace("corpusforge", str(wheel), 1) for item in installations()[name]]
    command = [
        str(programs / "pip"),
        "install",
        "--quiet",
        "--constraint",
        str(ROOT / "constraints.txt"),
        *wanted,
    ]
    subprocess.run([*command, *(["--dry-run"] if REPLAY == "resolve" else [])], check=True, timeout=3000)
    if REPLAY == "resolve":
        return
    subprocess.run([str(programs / "pip"), "check"], check=True, timeout=300)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    warm = [str(programs / "corpusforge"), "doctor", "--warm"]
    subprocess.run(warm, env=environment, cwd=tmp_path, check=True, timeout=1800)
    assert list((tmp_path / "numba").rglob("*.nbc"))


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_hadolint_has_nothing_to_say(path: Path) -> None:
    command = [linter("hadolint"), "--no-color", "--failure-threshold", "warning", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout


def test_the_initialization_action_is_a_careful_script() -> None:
    text = INITIALIZATION.read_text(encoding="utf-8")
    assert text.startswith("#!/bin/bash\n")
    assert INITIALIZATION.stat().st_mode & 0o111
    assert "set -o errexit -o nounset -o pipefail" in text
    subprocess.run(["bash", "-n", str(INITIALIZATION)], check=True, timeout=60)
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        if re.search(r"pip\S* install", line):
            assert "--constraint" in line


def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run(
        [linter("shellcheck"), str(INITIALIZATION)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_initialization_action_does_what_it_says(tmp_path: Path) -> None:
    """Run with stand-ins for the node's programs: what is called, in which order, with which versions."""
    log = tmp_path / "log"
    programs = tmp_path / "bin"
    programs.mkdir()

    def program(name: str, body: str) -> None:
        path = programs / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> {log}\n{body}\n')
        path.chmod(0o755)

    program("metadata", 'case "$1" in *-source) echo gs://b/c;; *) exit 1;; esac')
    program("gsutil", 'touch "${@: -1}/constraints.txt" "${@: -1}/corpusforge-0.1.0-py3-none-any.whl"')
    program("pip", "")
    program("corpusforge", 'echo "cache $NUMBA_CACHE_DIR" >> ' + str(log))
    program("python3.11", f'[[ "$2" == venv ]] && mkdir -p "$3/bin" && ln -s {programs}/* "$3/bin/" || true')
    text = INITIALIZATION.read_text(encoding="utf-8")
    text = text.replace("/usr/share/google/get_metadata_value", str(programs / "metadata"))
    for folder in ("/opt/corpusforge", "/var/cache/corpusforge"):
        text = text.replace(folder, f"{tmp_path}{folder}")
    script = tmp_path / "script.sh"
    script.write_text(text)
    environment = {"PATH": f"{programs}:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", str(script)], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    called = log.read_text(encoding="utf-8").splitlines()
    names = [line.split()[0] for line in called]
    assert names == [
        "metadata",
        "metadata",
        "python3.11",
        "python3.11",
        "gsutil",
        "pip",
        "corpusforge",
        "cache",
    ]
    assert re.fullmatch(
        r"pip install --no-cache-dir --constraint \S+/constraints\.txt \S+\.whl\[quality,pii\] gcsfs pandas",
        called[5],
    )
    assert called[6] == "corpusforge doctor --warm"
    assert called[7].endswith("/var/cache/corpusforge/numba")
    assert (tmp_path / "var/cache/corpusforge/numba").is_dir()
