"""Faust settings that lose events are refused at start, and its loggers do not burn a tenth of the CPU."""

from __future__ import annotations

import logging

import pytest

from schemas.config import KafkaConfig
from schemas.errors import ConfigurationError
from streams.processors.app import make_app, quieten, refuse


@pytest.mark.parametrize("setting", [{"processing_guarantee": "exactly_once"}, {"web_enabled": True}])
def test_what_loses_events_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(setting))):
        refuse(setting)


def test_the_app_is_at_least_once_without_a_web_server_or_own_topics() -> None:
    conf = make_app("attribute", KafkaConfig(topic_prefix="t-"), lambda _: None).conf
    assert conf.processing_guarantee.name == "AT_LEAST_ONCE"
    assert not conf.web_enabled and not conf.topic_allow_declare
    assert conf.id == "t-touchline-attribute"


def test_loggers_are_quiet_on_themselves_not_at_the_handler() -> None:
    """Known bad: Faust's own way sets the handler's level; the logger still makes every line."""
    noisy = logging.getLogger("faust.example")
    noisy.setLevel(logging.DEBUG)
    assert noisy.isEnabledFor(logging.DEBUG)
    quieten()
    assert not noisy.isEnabledFor(logging.INFO)
