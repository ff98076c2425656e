"""`torch.package`: names only; programs are not packed with their code."""

from lampas import unavailable

globals().update(
    unavailable.names(
        "torch.package",
        "find_file_dependencies is_from_package",
        "PackageExporter PackageImporter OrderedImporter Importer Directory GlobGroup",
        "code is not packed; save a state_dict with torch.save",
    )
)
for _name in "EmptyMatchError ObjMismatchError ObjNotFoundError PackagingError".split():
    globals()[_name] = type(_name, (Exception,), {"__module__": "torch.package"})
