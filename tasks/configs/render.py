"""Templates to text: the strict environment, and nornir-jinja2 as its one user."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nornir.core.task import Result, Task
from nornir_jinja2.plugins.tasks import template_file

from inventory.catalogue import Catalogue
from tasks import configs
from tasks.configs.file import MADE_BY
from tasks.look.program import program as look
from tasks.quote import FILTERS, Quoted, finalize

TEMPLATES = Path(__file__).resolve().parent.parent.parent / "templates"


@cache
def environment() -> Environment:
    """Undefined names and values that no filter has quoted are errors."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters.update(FILTERS)
    return env


def made_by(commit: str) -> Quoted:
    """The header's text. `commit` is a hash, with `-dirty` behind it where it applies."""
    return Quoted(f"{MADE_BY} {commit}. Do not edit: change the inventory and deploy.")


def render_configs(task: Task, catalogue: Catalogue, commit: str) -> Result:
    """Nornir task: every ConfigFile of the host, as the result. Needs no connection."""

    def render(template: str, /, **values: Any) -> str:
        text: str = template_file(
            task, template=template, jinja_env=environment(), made_by=made_by(commit), **values
        ).result
        return text

    host = catalogue.hosts[task.host.name]
    files = configs.build(host, catalogue, render)
    return Result(host=task.host, result=(*files, look(host, catalogue, render, files)))
