"""`tappass provider matrix`: every format, stacks, recordings from elsewhere."""

import json
from pathlib import Path

import jsonschema
import pytest

from tappass_host import registry
from tappass_host.prove.record import SHIPPED

SCHEMA = Path(__file__).parents[2] / "docs" / "spec" / "matrix.schema.json"


def test_json_names_every_provider_once(run):
    ran = run("provider", "matrix", "--json")
    assert ran.code == 0, ran.err
    jsonschema.validate(ran.json, json.loads(SCHEMA.read_text()))
    shown = [row["id"] for row in ran.json["providers"]] + [each["id"] for each in ran.json["broken"]]
    assert sorted(shown) == sorted(entry.id for entry in registry.all())


def test_both_ways_to_ask_for_json_give_the_same(run):
    named, short = run("provider", "matrix", "--format", "json"), run("provider", "matrix", "--json")
    assert named.out == short.out


def test_the_table_is_what_a_terminal_gets(run):
    ran = run("provider", "matrix")
    assert ran.code == 0
    assert "monty" in ran.out
    assert "every statement is enforced" in ran.out


@pytest.mark.parametrize(
    ("form", "start"),
    [("html", "<!doctype html>"), ("markdown", "# Availability matrix"), ("json", "{"), ("table", " ")],
)
def test_every_format_can_be_written_to_a_file(run, place, form, start):
    ran = run("provider", "matrix", "--stack", "monty", "--format", form, "--out", "matrix.out")
    assert (ran.code, ran.out) == (0, "")
    assert (place / "matrix.out").read_text().startswith(start)


def test_a_stack_shows_its_providers_and_their_join(run):
    ran = run("provider", "matrix", "--stack", "bubblewrap,monty", "--json")
    assert ran.code == 0, ran.err
    shown = {row["id"] for row in ran.json["providers"]} | {each["id"] for each in ran.json["broken"]}
    assert shown == set(ran.json["stack"]["uses"])
    assert ran.json["stack"]["aspects"]["filesystem"]["statements"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--stack", "nonsense"), "nonsense"),
        (("--recordings", "nowhere"), "no such folder"),
        (("--format", "pdf"), "pdf"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(run, place, args, message):
    ran = run("provider", "matrix", *args, "--out", "matrix.out")
    assert ran.code == 2
    assert message in ran.err
    assert not (place / "matrix.out").exists()


@pytest.fixture
def elsewhere(place):
    """A folder of recordings made on another machine: one that ships, under another name."""
    source = next(SHIPPED.glob("monty/*.json"))
    folder = place / "recordings" / "monty"
    folder.mkdir(parents=True)
    copy = folder / "theirs.json"
    copy.write_bytes(source.read_bytes())
    return copy


def test_recordings_of_an_operator_count_too(run, elsewhere):
    (before,) = run("provider", "matrix", "--stack", "monty", "--json").json["providers"]
    ran = run("provider", "matrix", "--stack", "monty", "--recordings", "recordings", "--json")
    (after,) = ran.json["providers"]
    assert len(after["recordings"]) == len(before["recordings"]) + 1


def test_an_edited_recording_stops_the_matrix(run, place, elsewhere):
    elsewhere.write_bytes(elsewhere.read_bytes().replace(b'"blocked"', b'"ran"', 1))
    ran = run("provider", "matrix", "--recordings", "recordings", "--out", "matrix.out")
    assert ran.code != 0
    assert "edited" in ran.err
    assert not (place / "matrix.out").exists()
