"""Templates that try to reach behind the values they are given: every one is refused, and nothing is executed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from flowforge.errors import RenderError

CANARY = "touch_this_canary"

ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ [].__class__.__base__.__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ ''|attr('__cla' ~ 'ss__') }}",
    "{{ ['']|map(attribute='__class__')|list }}",
    "{{ ['']|map('attr', '__class__')|list }}",
    "{{ ['']|selectattr('__class__')|list }}",
    "{{ ['']|sort(attribute='__class__') }}",
    "{{ ['']|groupby('__class__') }}",
    "{{ ['']|sum(attribute='__class__') }}",
    "{{ ['']|join(',', attribute='__class__') }}",
    "{{ ['']|unique(attribute='__class__')|list }}",
    "{{ '{0.__class__}'.format('') }}",
    "{{ '{0[__class__]}'.format('') }}",
    "{{ '{a.__class__}'.format_map({'a': ''}) }}",
    "{{ '{a.__init__.__globals__}'.format(a=this) }}",
    "{% set f = '{0.__class__}'.format %}{{ f('') }}",
    "{{ ref.__globals__ }}",
    "{{ ref.__self__ }}",
    "{{ ref.__closure__ }}",
    "{{ ref.func_globals }}",
    "{{ var.__code__.co_consts }}",
    "{{ config.__class__ }}",
    "{{ source.__call__.__self__ }}",
    "{{ this.__class__.__init__.__globals__ }}",
    "{{ this.__attrs_attrs__ }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ lipsum.__globals__['os'].popen('" + CANARY + "') }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ cycler('a').__init__.__globals__ }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ joiner(',').__call__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ namespace(a=1).__init__ }}",
    "{{ dict.__base__ }}",
    "{{ dict.mro() }}",
    "{{ dict.fromkeys }}",
    "{{ range.__class__ }}",
    "{{ range(3).start }}",
    "{{ nothing.__class__ }}",
    "{{ nothing._undefined_exception }}",
    "{{ (nothing|default(none)).__class__ }}",
    "{{ ([1]|map('string')).gi_frame.f_globals }}",
    "{{ ([1]|map('string')).gi_code }}",
    "{{ ([1]|map('string')).send }}",
    "{{ coroutine.cr_frame }}",
    "{{ coroutine['cr_code'] }}",
    "{{ module.system('" + CANARY + "') }}",
    "{{ klass.mro() }}",
    "{{ klass() }}",
    "{{ klass['x'] }}",
    "{{ method.im_func }}",
    "{{ error.__traceback__.tb_frame }}",
    "{{ error.with_traceback.__self__ }}",
    "{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._environment }}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{% for x in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for x in [1] %}{{ loop._iterable }}{% endfor %}",
    "{% for x in [1] %}{{ loop.cycle.__func__ }}{% endfor %}",
    "{{ [].append(1) }}",
    "{{ {}.update({'a': 1}) }}",
    "{{ {}.setdefault('a', 1) }}",
    "{{ ''.encode() }}",
    "{{ ''.maketrans('a', 'b') }}",
    "{{ (1).to_bytes(1, 'big') }}",
    "{{ (1).real }}",
    "{{ ''.format.__self__ }}",
    "{{ ''.join.__globals__ }}",
    "{{ (''.__class__ is defined) or 1 }}",
    "{{ ''.__class__|default('safe') }}",
    "{% if ''.__class__ %}{% endif %}",
    "{% set x = ''.__class__ %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import system %}",
    "{% extends 'x' %}",
    "{% block x %}{{ self.x() }}{% endblock %}",
    "{% autoescape true %}{% endautoescape %}",
]


@pytest.mark.parametrize("payload", ESCAPES)
def test_escapes_are_refused(recorder: Any, payload: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    class Klass:
        def __init__(self) -> None:
            raise AssertionError("a class was called")

    async def coroutine() -> None:
        pass

    def executed(*args: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(os, "system", executed)
    monkeypatch.setattr(os, "popen", executed)
    waiting = coroutine()
    recorder.extra |= {
        "klass": Klass, "coroutine": waiting, "module": os, "method": recorder.render, "error": ValueError("x")
    }  # fmt: skip
    try:
        with pytest.raises(RenderError, match="is not allowed in templates") as caught:
            recorder.render(payload)
    finally:
        waiting.close()
    assert caught.value.code == "FF1411"
    assert caught.value.location is not None
    assert any("'m'" in note for note in caught.value.notes)
    assert recorder.refs == []


@pytest.mark.parametrize(
    "payload",
    [
        "{{ lipsum() }}",
        "{{ 'x'|safe }}",
        "{{ 'x'|escape }}",
        "{{ [1]|random }}",
        "{{ get_flashed_messages }}",
        "{{ 1|pprint }}",
    ],
)
def test_what_makes_no_sense_in_sql_does_not_exist(recorder: Any, payload: str) -> None:
    with pytest.raises(RenderError) as caught:
        recorder.render(payload)
    assert caught.value.code == "FF1410"


def test_values_cannot_be_changed(recorder: Any) -> None:
    recorder.vars["list"] = [1]
    with pytest.raises(RenderError, match="not allowed"):
        recorder.render("{% do var('list').append(2) %}")
    assert recorder.vars["list"] == [1]


def test_values_of_the_project_are_text_and_not_templates(recorder: Any) -> None:
    recorder.vars["evil"] = "{{ ''.__class__ }}{% include 'x' %}"
    for simple in (True, False):
        assert recorder.render("{{ var('evil') }}", simple=simple).sql == recorder.vars["evil"]


def test_plain_objects_show_their_public_parts(recorder: Any) -> None:
    recorder.extra["day"] = dt.date(2024, 5, 6)
    assert (
        recorder.render("{{ day.year }} {{ day }} {{ '{:%d}'.format(day) }} {{ this['name'] }}").sql
        == "2024 2024-05-06 06 m"
    )
