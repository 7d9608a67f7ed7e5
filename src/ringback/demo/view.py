"""The live view in the terminal: draws a scene with rich.

Decides: layout. Never: computes a figure or waits for one. Meaning is never carried by colour alone: every bar has its
numbers, every verdict its word.
"""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ringback.demo.scene import RingBar, Scene

BAR_CELLS = 36
LINES_SHOWN = 9
RECOVERING_SHOWN = 6

SHORT_WINDOWS = "Windows, bakes and intervals are seconds here instead of hours; the logic is the product's."


def draw(scene: Scene) -> RenderableType:
    """The whole screen."""
    parts: list[RenderableType] = [_head(scene), _door(scene)]
    if scene.release:
        parts.append(Panel(_rings(scene), title=f"{scene.release} · {scene.state}", title_align="left"))
    if scene.planes:
        parts.append(_planes(scene))
    if scene.recovering:
        names = ", ".join(scene.recovering[:RECOVERING_SHOWN])
        more = len(scene.recovering) - RECOVERING_SHOWN
        parts.append(Text(f"recovering: {names}{f' and {more} more' if more > 0 else ''}", style="yellow"))
    parts.append(Rule(style="dim"))
    parts += [Text(line, style="dim", overflow="ellipsis", no_wrap=True) for line in scene.lines[-LINES_SHOWN:]]
    parts.append(Text(SHORT_WINDOWS, style="dim italic"))
    return Group(*parts)


def _head(scene: Scene) -> RenderableType:
    head = Text()
    head.append("Ringback ", style="bold")
    head.append(f"act {scene.act} of {scene.acts} · {scene.title}", style="bold cyan")
    head.append(f"   {scene.elapsed_s:5.0f} s", style="dim")
    if scene.expected:
        head.append(f"\n{scene.expected}", style="italic")
    return head


def _door(scene: Scene) -> RenderableType:
    sees_all = scene.door.seen == scene.door.total and not scene.door.blind
    return Text(f"▌ {scene.door}", style="bold green" if sees_all else "bold red")


def _rings(scene: Scene) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    for _ in range(3):
        grid.add_column()
    for ring in scene.rings:
        grid.add_row(
            Text(ring.name, style="bold" if ring.is_open else "dim"), bar(ring), Text(words(ring), style="dim")
        )
    rows: list[RenderableType] = [grid]
    if scene.verdict:
        rows.append(Text(scene.verdict, style=_tone(scene.verdict)))
    rows += [Text(f"  {reason}", style="dim") for reason in scene.reasons[:3]]
    return Group(*rows)


def _planes(scene: Scene) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column()
    for line in scene.planes:
        versions = "   ".join(f"{version} on {count}" for version, count in sorted(line.versions.items()))
        grid.add_row(line.plane, Text(versions, overflow="ellipsis", no_wrap=True))
    return grid


def bar(ring: RingBar) -> Text:
    """A ring as a bar: proven, on trial, failed, offered, and the rest."""
    text = Text()
    left = BAR_CELLS
    parts = (
        ("█", ring.proven, "green"),
        ("▒", ring.trial, "yellow"),
        ("✗", ring.failed, "red"),
        ("·", ring.offered, "cyan"),
    )
    for sign, count, style in parts:
        cells = min(left, cells_of(count, ring.devices))
        text.append(sign * cells, style=style)
        left -= cells
    text.append(" " * left)
    return text


def cells_of(count: int, total: int) -> int:
    """Cells of a share; something that is there is never invisible."""
    if count <= 0 or total <= 0:
        return 0
    return max(1, count * BAR_CELLS // total)


def words(ring: RingBar) -> str:
    """A ring in words."""
    parts = [f"{ring.proven}/{ring.devices} proven"]
    parts += [f"{ring.trial} on trial"] if ring.trial else []
    parts += [f"{ring.failed} failed"] if ring.failed else []
    parts += [ring.note] if ring.note else []
    return ", ".join(parts)


def _tone(verdict: str) -> str:
    return "bold red" if verdict.startswith("FAIL") else "bold green" if verdict.startswith("PASS") else "bold yellow"
