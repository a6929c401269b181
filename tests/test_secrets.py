"""Keys and passwords come into no configuration, and so onto no disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import affectlm
from affectlm.config.compose import compose as composed
from affectlm.config.compose import prepare, to_plain
from affectlm.errors import ConfigError
from affectlm.secrets import holds_secret, names_secret, refuse_secrets, refuse_word, scrubbed, starred
from affectlm.store.records import Report
from tests.conftest import Command

CREDENTIAL = "drill-7Qm2xV9"  # of no known form: only its place says what it is
TOKEN = "hf_" + "aB3dE6gH9jK2mN5pQ8sT1v"

SECRET_NAMES = (
    *("OPENAI_API_KEY", "HF_TOKEN", "GROQ_API_KEY_2", "AWS_ACCESS_KEY_ID", "db_passwd", "credentials", "apiKey"),
    *("llm.api_key", "llm.token", "llm.key", "llm.extra_body.access_token", "llm.extra_body.accessToken", "x-api-key"),
    *("Authorization", "Proxy-Authorization", "basic_auth", "Cookie", "password", "client_secret", "private_key"),
)
HARMLESS_NAMES = (
    *("max_tokens_total", "max_new_tokens", "key_needed", "llm.key_needed", "tokens", "tokenizer", "prompt.question"),
    *("eos_token", "pad_token", "stop_token", "limit_parameter", "exclude_keys", "keyboard", "monkey", "secretary"),
    *("sort_key", "accept_licence", "privacy.send_images", "author", "authors", "hydra.run.dir", "fail_under.accuracy"),
)
SECRET_WORDS = (
    *("OPENAI_API_KEY=a", "+OPENAI_API_KEY=a", "++HF_TOKEN=a", "+llm.extra_body.access_token=a", "password=1"),
    *("llm.api_key=a", "+llm.api_key=a", "llm.token=a", "+llm.key=a"),
    *("++llm={name: a, api_key: b}", "+llm.extra_body={headers: {Authorization: a}}", "llm.extra_body={'token': a}"),
    *("+note=${oc.env:OPENAI_API_KEY}", "+note=${oc.env:HF_TOKEN,none}", "+note='${oc.decode:${oc.env:HF_TOKEN}}'"),
    *("+notes=[a,sk-a1b2c3d4]", "+note={a: [sk-a1b2c3d4]}", "llm.model=sk-proj-a1b2c3d4", f"+note={TOKEN}"),
    *("llm.base_url=https://me:word@host/v1", "llm.base_url=https://word@host/v1", "dataset.path=s3://a:b@bucket"),
    *("llm.base_url=https://host/v1?key=a", "llm.base_url=https://host/v1?v=1&api_key=a", "+note='Bearer abcdef'"),
    *("llm.base_url=https://host/sk-proj-a1b2c3d4e5f6g7h8/v1", "+notes=['HF_TOKEN=abc']", "+hydra.job.env_set.A_KEY=a"),
)
HARMLESS_WORDS = (
    *("max_tokens_total=5", "llm.max_new_tokens=8", "llm.key_needed=false", "llm.extra_body={stop_token: a, top_k: 1}"),
    *("llm.model=hf-internal-testing/tiny-random-LlamaForCausalLM", "llm.model=Qwen/Qwen2.5-0.5B-Instruct"),
    *("dataset.path=/data/hf_faces_of_2024/x.csv", "dataset.path=data/sk-images", "dataset.path=/a/tok_key=1.png"),
    *("llm.base_url=http://localhost:8000/v1", "llm.base_url=https://host/v1/@me", "labels=[keen, secretive, token]"),
    *("prompt.question='What is the secret, or the key: joy or fear?'", "prompt.template='{valence}, key: {arousal}'"),
    *("hydra.run.dir=out/${now:%H}", "+note=${oc.env:HOME}", "metric=[accuracy,ccc]", "estimator=facechannel"),
)


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_keys_go_by_is_known(name: Any) -> None:
    """Whatever stands before it: a word boundary does not hold after an underscore."""
    assert names_secret(name)


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_name_that_only_resembles_one_is_left_alone(name: Any) -> None:
    """Tokens of text are no secrets."""
    assert not names_secret(name)


@pytest.mark.parametrize("word", SECRET_WORDS)
def test_a_word_with_a_key_is_refused_and_not_repeated(word: Any) -> None:
    """Hydra would write it to disk, and say how it can be made to."""
    with pytest.raises(ConfigError, match="_API_KEY in the environment instead") as caught:
        prepare([word])
    assert f"'{word.partition('=')[0]}' holds a key" in str(caught.value)  # and nothing of what stands behind


@pytest.mark.parametrize("word", HARMLESS_WORDS)
def test_an_ordinary_word_is_not_refused(word: Any) -> None:
    """A false alarm would keep somebody from working."""
    refuse_word(word)


def test_where_the_shell_stands_is_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Folders and files are no keys, whatever variable names them."""
    monkeypatch.setenv("PWD", str(tmp_path))
    monkeypatch.setenv("OLDPWD", "/a/folder/that/was/removed/since")
    key = tmp_path / "key.pem"
    key.write_text("x")
    monkeypatch.setenv("SERVICE_PRIVATE_KEY", str(key))
    for text in (f"{tmp_path}/outputs", "/a/folder/that/was/removed/since/photos", "${oc.env:PWD}/out", str(key)):
        assert not holds_secret(text), text


def test_a_run_starts_in_any_folder_as_a_shell_starts_it(tmp_path: Path, command: Command) -> None:
    """The shell's own variables name it and the one before."""
    place = tmp_path / "a folder of a name of some length"
    place.mkdir()

    done = command("--cfg", "job", f"hydra.run.dir='{place}'", PWD=str(place), OLDPWD=str(tmp_path))

    assert done.returncode == 0, done.stderr


def test_the_value_of_a_key_in_the_environment_is_known_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typed key of a service whose keys have no form that could be told."""
    monkeypatch.setenv("SOMEBODYS_API_KEY", "0123456789abcdefghij")

    assert holds_secret("a model 0123456789abcdefghij")
    assert not holds_secret("a model 0123456789abcdefghi")


def test_a_stand_in_for_a_key_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers on this machine take any."""
    monkeypatch.setenv("OPENAI_API_KEY", "lm-studio")

    assert not holds_secret("lm-studio-community/gemma")


def test_a_reference_to_a_variable_with_a_key_is_refused_by_what_it_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own name need not tell."""
    monkeypatch.setenv("DRILL", TOKEN)

    with pytest.raises(ConfigError, match=r"'llm\.note' holds a key"):
        to_plain(composed(["llm=circumplex", "+llm.note=${oc.env:DRILL}"]))


@pytest.mark.parametrize(
    "held", [{"a": {"Authorization": CREDENTIAL}}, {"api_keys": [CREDENTIAL]}, [{"token": 12345}], {"x": [TOKEN]}]
)
def test_secrets_are_found_and_scrubbed_at_any_depth(held: Any) -> None:
    """Both by one definition."""
    with pytest.raises(ConfigError):
        refuse_secrets({"llm": held})

    assert CREDENTIAL not in str(scrubbed(held))
    assert "***" in str(scrubbed(held))
    refuse_secrets(scrubbed({"llm": {"key_needed": False, "token": None, "max_new_tokens": 8, "key": ""}}))


def test_the_configuration_of_every_choice_passes_unchanged() -> None:
    """No option of ours is taken for a secret."""
    for choice in affectlm.Registry.installed().files("llm"):
        plain = to_plain(composed([f"llm={choice}"]))
        assert scrubbed(plain) == plain


def test_a_report_has_stars_for_what_came_in_another_way(tmp_path: Path) -> None:
    """Programs may hand over a configuration that nobody has composed."""
    config: dict[str, Any] = {"llm": {"headers": {"Authorization": CREDENTIAL}}}

    Report(config=config, components={"llm": config["llm"]}, error=f"no answer from 'https://me:{TOKEN}@host'").save(
        tmp_path
    )

    assert CREDENTIAL not in (tmp_path / "report.json").read_text()
    assert TOKEN not in (tmp_path / "report.json").read_text()
    assert json.loads((tmp_path / "report.json").read_bytes())["config"]["llm"] == {"headers": {"Authorization": "***"}}


@pytest.mark.parametrize(
    "said", ["Incorrect API key provided: sk-ab*****yz", f"no access with {TOKEN}", "sk-test-abcd"]
)
def test_what_a_service_says_has_stars_for_keys(said: str) -> None:
    """The same beginnings as in configurations, and those that services have cut."""
    assert "***" in starred(said)
    assert not holds_secret(starred(said))


@pytest.mark.parametrize("sweep", [[], ["-m"]])
@pytest.mark.parametrize(
    ("content", "place"),
    [
        (f"llm:\n  headers: {{Authorization: {CREDENTIAL}}}\n", "llm.headers.Authorization"),
        ("note: ${oc.env:DRILL_TOKEN}\n", "note"),
        (f"note: {{_target_: os.mkdir, path: {CREDENTIAL}}}\n", "note._target_"),
        (f"hydra:\n  callbacks: {{x: {{_target_: os.mkdir, path: {CREDENTIAL}}}}}\n", "hydra.callbacks.x._target_"),
        ("hydra:\n  launcher: {_target_: os.getcwd}\n", "hydra.launcher._target_"),
    ],
)
def test_a_file_of_the_user_is_refused_before_hydra_writes_or_builds_anything(
    content: str, place: str, sweep: list[str], tmp_path: Path, command: Command
) -> None:
    """Not even a folder is made, in a run as in a sweep."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "mine.yaml").write_text(f"defaults:\n  - affectlm\n  - _self_\n{content}")
    words = [*sweep, "--config-dir", "conf", "--config-name", "mine", "llm=circumplex", "dataset=samples"]

    done = command(*words)

    assert done.returncode == 1
    assert f"affectlm: '{place}' " in done.stderr
    assert done.stderr.count("\n") == 1
    assert CREDENTIAL not in done.stderr
    assert sorted(Path(path).name for path in tmp_path.iterdir()) == ["conf"]


@pytest.mark.parametrize(
    "word",
    [
        *("hydra.launcher._target_=os.system", "+llm._target_=os.system", "hydra/launcher._target_=os.system"),
        *("+hydra.callbacks.x={_target_: os.system, command: ls}", "+note={a: {'_target_': os.system}}"),
    ],
)
def test_a_python_object_on_the_command_line_is_refused(word: Any) -> None:
    """A configuration names components, never objects."""
    with pytest.raises(ConfigError, match=r"names a Python object, which is not allowed here"):
        prepare([word])


def test_hydras_own_way_to_run_a_sweep_is_no_object_of_the_user(tmp_path: Path, command: Command) -> None:
    """Launcher and sweeper are plugins of Hydra, chosen by name."""
    words = ["-m", "llm=circumplex,scripted", "dataset=samples", "estimator=constant", "dry_run=true"]
    words += [f"hydra.sweep.dir={tmp_path / 'sweep'}", "hydra/launcher=basic"]

    done = command(*words)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sweep" / "1" / "report.json").exists()
