"""Chat templates written for transformers work here, and cannot reach out of their sandbox."""

from datetime import datetime

import pytest

from remoe_functions.gateway.chat_template import ChatTemplate
from remoe_functions.gateway.errors import InvalidRequest

MESSAGES = [{"role": "user", "content": "<é> & co"}, {"role": "assistant", "content": "yes"}]


def rendered(source, **options):
    clock = lambda: datetime(2024, 7, 26)  # noqa: E731
    return ChatTemplate(source, {"bos_token": "<s>"}, clock=clock).render(MESSAGES, **options)


def test_blocks_leave_no_blank_lines():
    source = "{% for m in messages %}\n  {% if true %}\n{{ m.role }};\n  {% endif %}\n{% endfor %}"
    assert rendered(source) == "user;\nassistant;\n"


def test_conveniences_of_transformers_are_there():
    assert rendered("{{ bos_token }}{{ strftime_now('%d %b %Y') }}") == "<s>26 Jul 2024"
    assert rendered("{{ messages[0] | tojson }}") == '{"role": "user", "content": "<é> & co"}'
    assert rendered("{% for m in messages %}{% break %}{% endfor %}x") == "x"
    assert rendered("{% generation %}{{ messages[1].content }}{% endgeneration %}!") == "yes!"


def test_generation_prompt_can_be_left_out():
    source = "{% if add_generation_prompt %}go{% endif %}"
    assert (rendered(source), rendered(source, add_generation_prompt=False)) == ("go", "")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].missing.field }}",
    ],
)
def test_what_a_template_may_not_do_is_a_bad_request(source):
    with pytest.raises(InvalidRequest, match="chat template"):
        rendered(source)


def test_broken_template_is_named_with_its_line():
    with pytest.raises(ValueError, match="line 2"):
        ChatTemplate("\n{% if %}", {})
