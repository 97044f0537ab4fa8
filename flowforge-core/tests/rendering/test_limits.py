"""Templates that would take for ever, or all of the memory: refused within two seconds, the model named."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest

from flowforge.errors import RenderError

_DOUBLE = "{% set ns = namespace(x=START) %}{% for i in range(99) %}{% set ns.x = STEP %}{% endfor %}{{ ns.x|length }}"


def doubled(start: str, step: str) -> str:
    return _DOUBLE.replace("START", start).replace("STEP", step)


BOMBS = [
    "{% for i in range(10**12) %}x{% endfor %}",
    "{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% set x = i * j %}{% endfor %}{% endfor %}",
    "{% for i in range(100000) if i < 0 %}{% endfor %}" * 50,
    "{% set l = range(1000)|list %}{% for i in range(100000) if l == l|reverse|list %}{% endfor %}",
    "{% for i in range(100000) recursive %}{% if loop.depth < 5 %}{{ loop(range(100000)) }}{% endif %}{% endfor %}",
    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% macro n() %}{% call m() %}{{ n() }}{% endcall %}{% endmacro %}{{ n() }}",
    "{% macro m() %}" + "text " * 2000 + "{% endmacro %}{% for i in range(100000) %}{% set x = m() %}{% endfor %}",
    "{% set x %}{% for i in range(100000) %}" + "text " * 2000 + "{% endfor %}{% endset %}",
    "{% for i in range(100000) %}" + "text " * 2000 + "{% endfor %}",
    "{{ 'x' * 10**10 }}",
    "{{ 10**10 * 'x' }}",
    "{{ [0] * 10**9 }}",
    "{{ (1, 2) * 10**9 }}",
    "{{ 10 ** 1000000 }}",
    "{% set x = 9 ** 4000 %}{{ x * x * x * x * x }}",
    doubled("'xx'", "ns.x ~ ns.x"),
    doubled("'xx'", "ns.x + ns.x"),
    doubled("'xx'", "ns.x * 2"),
    doubled("'xx'", "'%s%s' % (ns.x, ns.x)"),
    doubled("'xx'", "'%s%s'|format(ns.x, ns.x)"),
    doubled("'xx'", "'{0}{0}'.format(ns.x)"),
    doubled("'xx'", "ns.x.replace('x', 'xx')"),
    doubled("'xx'", "ns.x|replace('x', 'xx')"),
    doubled("'xx'", "[ns.x, ns.x]|join"),
    doubled("'xx'", "''.join([ns.x, ns.x])"),
    doubled("[1]", "ns.x + ns.x"),
    doubled("[1]", "[ns.x, ns.x]"),
    doubled("[1]", "(ns.x, ns.x)"),
    doubled("[1]", "{'a': ns.x, 'b': ns.x}"),
    doubled("[1]", "dict(a=ns.x, b=ns.x)"),
    doubled("[1]", "[ns.x]|list + [ns.x]"),
    doubled("[1]", "ns.x|batch(1)|list + ns.x|batch(1)|list"),
    doubled("2", "ns.x * ns.x"),
    doubled("2", "ns.x ** 2"),
    "{% set a = namespace(x=1) %}{% set b = namespace(x=[a, a]) %}" + "{% set b.x = [b, [b.x, b.x]] %}" * 60 + "{{ b.x }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '%.1000000000f' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%(a(b))1000000000d' % {'a(b)': 1} }}",
    "{{ '{:>1000000000}'.format(1) }}",
    "{{ '{:.1000000000f}'.format(1.5) }}",
    "{{ '{:{}}'.format(1, 1000000000) }}",
    "{{ '{a:>1000000000}'.format_map({'a': 1}) }}",
    "{{ ('{0:>9999}' * 90000).format(1) }}",
    "{{ ('%9999d' * 90000) % ((1,) * 90000) }}",
    "{{ 'x'|center(1000000000) }}",
    "{{ 'x'.center(1000000000) }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ 'x'.rjust(10**9, 'y') }}",
    "{{ 'x'.zfill(1000000000) }}",
    "{{ '\\t'.expandtabs(1000000000) }}",
    "{{ ('\\t' * 900000).expandtabs(9999) }}",
    "{{ 'x'|indent(1000000000, true) }}",
    "{{ ('x\\n' * 400000)|indent(9000) }}",
    "{{ ('x' * 900000)|replace('x', 'y' * 900000) }}",
    "{{ ('x' * 900000).replace('', 'y' * 900) }}",
    "{{ ('x' * 900000)|join('y' * 90000) }}",
    "{{ ('y' * 90000).join('x' * 900000) }}",
    "{{ (['x' * 90000] * 100)|join('y' * 900000) }}",
    "{{ ('x' * 900000)|wordwrap(1) }}",
    "{{ ('x' * 90000)|wordwrap(1, wrapstring='y' * 900000) }}",
    "{{ [1]|batch(1000000000, 0)|list }}",
    "{{ [1]|slice(1000000000, 0)|list }}",
    "{{ 2.5|round(1000000000, 'ceil') }}",
    "{{ range(100000)|map('center', 9999)|join }}",
    "{{ range(0, 100000 * 2305843009213693951, 2305843009213693951)|unique|list }}",
    "{{ range(100000)|unique|list|length }}",
    "{{ ('1' * 900000)|int(base=16) }}",
    "{% for i in range(100000) %}{{ ('b,a,' * 9000).split(',')|sort|length }}{% endfor %}",
    "{% for i in range(100000) %}{% set x = 'x' * 9999999 %}{% endfor %}",
    "{% set ns = namespace(x=[]) %}{% for i in range(100000) %}{% set ns.x = ns.x + ['x' * 99999] %}{% endfor %}",
    "{{ [[1] * 100] * 999 == [[1] * 100] * 999 }}" * 300,
]  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb[:50])
def test_bombs_are_refused_soon(recorder: Any, bomb: str) -> None:
    begin = time.process_time()
    with pytest.raises(RenderError) as caught:
        recorder.render(bomb)
    assert time.process_time() - begin < 2
    assert caught.value.code == "FF1412", caught.value
    assert "model 'm'" in caught.value.message
    assert caught.value.location is not None


@pytest.mark.parametrize("bomb", ["{{ 'x' * 10**10 }}", doubled("[1]", "[ns.x, ns.x]"), "{{ '%999999999d' % 1 }}"])
def test_bombs_take_no_memory(recorder: Any, bomb: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(RenderError):
            recorder.render(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50_000_000


@pytest.mark.parametrize(
    "heavy",
    [
        "select {% for i in range(20000) %}column_{{ i }} as c_{{ i }}{% if not loop.last %},\n{% endif %}{% endfor %}",
        "{% macro m(i) %}sum(case when x = {{ i }} then 1 end) x{% endmacro %}{% for i in range(5000) %}{{ m(i) }}, {% endfor %}",
        "{% set l = range(5000)|list %}{{ l|map('string')|join(', ') }}",
        "{% set ns = namespace(l=[]) %}{% for i in range(1000) %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.l|length }}",
        "{{ 'x' * 1000000 }}",
        "{% macro m(n) %}{{ m(n - 1) if n else '' }}{% endmacro %}{{ m(50) }}",
    ],
)
def test_large_but_sensible_templates_work(recorder: Any, heavy: str) -> None:
    recorder.render(heavy)


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
        "{{ x" + " + 1" * 20_000 + " }}",
        "{{ " + "[" * 3000 + "]" * 3000 + " }}",
        "{% for i in [1] %}" * 60 + "{% endfor %}" * 60,
        "{% if 1 %}" * 400 + "{% endif %}" * 400,
        "{% if 1 %}" + "{% elif 1 %}" * 3000 + "{% endif %}",
        "{{ 1 }}" * 200_000,
    ],
)
def test_monstrous_texts_are_answered(recorder: Any, text: str) -> None:
    """Refused, or rendered where this Python's own stack is deep enough; never a crash or another error."""
    try:
        rendered = recorder.render(text)
    except RenderError:
        return
    assert rendered is not None
