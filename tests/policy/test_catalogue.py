"""The catalogue of domain categories: shipped, complete, replaceable, refused where malformed."""

import json

import pytest

from tappass_host.policy.cascade import compose
from tappass_host.policy.catalogue import load_catalogue
from tappass_host.policy.errors import GrammarError, PolicyError, WireError
from tappass_host.policy.grammar.domains import parse_domain

CATEGORIES = ["dyndns", "file_drop", "paste_services", "tunnels", "url_shorteners", "webhooks"]


def test_shipped(catalogue):
    assert sorted(catalogue.categories) == CATEGORIES
    for category in catalogue.categories.values():
        assert category.about.endswith(".")
        assert 10 <= len(category.domains) <= 30
        assert list(category.domains) == sorted(set(category.domains))


@pytest.mark.parametrize("name", CATEGORIES)
def test_entries_do_not_repeat_each_other(catalogue, name):
    rules = [parse_domain(text) for text in catalogue.domains(name)]
    covered = [str(b) for a in rules for b in rules if a is not b and a.covers_deny(b)]
    assert covered == []


def test_unknown_category(catalogue):
    assert catalogue.domains("nope") is None


def newer(**changes):
    document = {
        "schema": "tappass.catalogue/v1",
        "version": 7,
        "date": "2027-02-03",
        "categories": {"tunnels": {"about": "Tunnels.", "domains": ["*.new.test"]}},
    }
    return json.dumps({**document, **changes}).encode()


def test_an_operator_may_pass_a_newer_one(author, head):
    level = author("org", "network: {deny_categories: [tunnels]}")
    policy = compose([level], head=head, catalogue=load_catalogue(newer())).policy
    assert policy.network.category_domains == {"tunnels": ("*.new.test",)}


def category(*domains):
    return {"x": {"about": "X.", "domains": list(domains)}}


REFUSED = {
    "not JSON": (b"{", WireError, "not JSON"),
    "unknown field": (newer(extra=1), PolicyError, "unknown field `extra`"),
    "another schema": (newer(schema="x"), PolicyError, "schema"),
    "a date that is none": (newer(date="soon"), PolicyError, "date"),
    "a category without domains": (newer(categories=category()), PolicyError, "length >= 1"),
    "a whole top-level domain": (newer(categories=category("*.io")), GrammarError, "whole top-level domain"),
    "an address": (newer(categories=category("192.0.2.1")), GrammarError, "is an IP address"),
    "another spelling": (newer(categories=category("A.com")), PolicyError, "write A.com as a.com"),
    "a category with a blank": (
        newer(categories={"a b": category("a.com")["x"]}),
        GrammarError,
        "not well formed",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    data, kind, what = REFUSED[name]
    with pytest.raises(kind, match=what):
        load_catalogue(data, source="new.json")


def test_a_malformed_domain_is_named_by_its_pointer():
    with pytest.raises(GrammarError) as caught:
        load_catalogue(newer(categories=category("a.com", "b c.com")), source="new.json")
    assert (caught.value.source, caught.value.pointer) == ("new.json", "/categories/x/domains/1")
