"""The rooms: folders of the package. Their order stands in `pyproject.toml`; here is what it cannot say."""

import grimp

import bridgecart_assets

PACKAGE = bridgecart_assets.__name__
# The command line, and `python -m bridgecart_assets`, are ways into rooms, not a room.
ENTRIES = {f"{PACKAGE}.cli", f"{PACKAGE}.__main__"}
MOST_ROOMS = 24


def room_imports() -> dict[str, set[str]]:
    """Of each folder those that it imports from."""
    graph = grimp.build_graph(PACKAGE)
    found: dict[str, set[str]] = {room: set() for room in _folders(graph)}
    for module in graph.modules - ENTRIES:
        for imported in graph.find_modules_directly_imported_by(module):
            found[_room(module, found)].add(_room(imported, found))
    return {room: imported - {room} for room, imported in found.items()}


def test_there_are_few_rooms():
    assert 10 < len(room_imports()) <= MOST_ROOMS


def test_no_room_reaches_itself_through_others():
    imports = room_imports()
    assert [room for room in imports if room in _reached(room, imports)] == []


def test_a_circle_of_rooms_would_be_found():
    assert _reached("a", {"a": {"b"}, "b": {"c"}, "c": {"a"}}) == {"a", "b", "c"}


def _folders(graph: grimp.ImportGraph) -> set[str]:
    return {module for module in graph.modules if graph.find_children(module)}


def _room(module: str, rooms: dict[str, set[str]]) -> str:
    return module if module in rooms else module.rpartition(".")[0]


def _reached(start: str, imports: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = set(imports[start])
    while waiting:
        room = waiting.pop()
        reached.add(room)
        waiting |= imports[room] - reached
    return reached
