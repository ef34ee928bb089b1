"""`headwater mix`: a training mix from curated runs and synthetic text, by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.options import common_options, start_children
from pipeline.progress import Reporter
from schemas.recipe import MixRecipe, load_recipe, parse_tokens


class Budget(click.ParamType[int]):
    """A number of tokens, with an optional suffix K, M, G, T (powers of 1000)."""

    name = "tokens"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse `300M`, `1.5G`, `1000000`."""
        try:
            budget = int(parse_tokens(str(value)))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if budget <= 0:
            self.fail("the budget must be over 0", param, ctx)
        return budget


@click.command(
    epilog="Options after -- go to Apache Beam: headwater mix RECIPE --output OUT -- --runner=PortableRunner"
)
@click.argument("recipe", type=click.Path(dir_okay=False))
@click.option("--output", type=click.Path(), help="Folder of the mix; made if missing.")
@click.option("--budget", type=Budget(), help="Tokens of the mix, e.g. 300M, over the recipe's.")
@click.option("--seed", help="Over the recipe's seed.")
@click.option("--plan-only", is_flag=True, help="Print the plan and write nothing.")
@click.option("--weights-only", is_flag=True, help="Write the manifest of weights and no text.")
@click.option("--schema", is_flag=True, is_eager=True, expose_value=False, callback=lambda c, p, v: _schema(c, v),
              help="Print the JSON Schema of recipes, for editors.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1), help="Child processes (default: one per core).")
@common_options
def mix(recipe: str, output: str | None, plan_only: bool, **options: Any) -> None:
    """A training mix that keeps a floor of fresh human text, from runs of `curate` and synthetic text.

    RECIPE is a YAML file: sources, budget, floors, caps. Every floor holds at the stated confidence, every cap in exact
    counts; a recipe that cannot be met is an error that says by how much, and what would help.
    """
    if output is None and not plan_only:
        raise click.UsageError("--output is missing; give the folder of the mix, or --plan-only")
    reporter = Reporter(options["quiet"], options["json_log"])
    loaded = recipe_of(recipe, options)
    workers = start_children(options, reporter)
    from pipeline.mix.job import mix_job, print_plan

    context = click.get_current_context()
    if plan_only or output is None:
        print_plan(loaded, workers=workers, reporter=reporter)
        return
    beam_options = list(context.obj or [])
    context.exit(mix_job(loaded, Path(output), workers=workers, beam_options=beam_options, reporter=reporter))


def recipe_of(path: str, options: dict[str, Any]) -> MixRecipe:
    """The recipe file with the command line's budget, seed and form over it."""
    loaded = load_recipe(path)
    given = {name: options[name] for name in ("budget", "seed") if options.get(name)}
    if options.get("weights_only"):
        given["output"] = {**loaded.output.model_dump(), "weights_only": True}
    try:
        return MixRecipe.model_validate({**loaded.model_dump(), **given})
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _schema(context: click.Context, wanted: bool) -> None:
    if wanted:
        import json

        from schemas.recipe import recipe_schema

        click.echo(json.dumps(recipe_schema(), indent=2))
        context.exit()
