"""Import-linter contracts for a tree that is still growing: names of packages that do not exist yet are left out.

Import-linter refuses a contract that names an absent module. These three contracts drop such names and nothing else;
`tests/tools/test_import_rules.py` knows every layer's name, so that a misspelt one is not silently ignored.
"""

from grimp import ImportGraph
from importlinter.contracts.acyclic_siblings import AcyclicSiblingsContract
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.protected import ProtectedContract
from importlinter.domain.contract import ContractCheck

ROOTS = ("ringback", "ringback_kernel", "ringback_esp32")


def present(expressions, graph: ImportGraph):
    """Returns the expressions without those that name an absent module under one of our own roots."""
    return type(expressions)(
        expression
        for expression in expressions
        if expression.expression.split(".")[0] not in ROOTS or expression.expression in graph.modules
    )


class PresentForbidden(ForbiddenContract):
    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        self.source_modules = present(self.source_modules, graph)
        self.forbidden_modules = present(self.forbidden_modules, graph)
        return super().check(graph, verbose)


class PresentProtected(ProtectedContract):
    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        self.protected_modules = present(self.protected_modules, graph)
        self.allowed_importers = present(self.allowed_importers, graph)
        return super().check(graph, verbose)


class PresentAcyclicSiblings(AcyclicSiblingsContract):
    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        self.ancestors = present(self.ancestors, graph)
        return super().check(graph, verbose)
