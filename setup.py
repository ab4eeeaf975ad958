"""What is installed is what runs: the tests that lie beside the code stay out of it. All else says pyproject.toml."""

from setuptools import setup
from setuptools.command.build_py import build_py


class WithoutTests(build_py):
    """Leaves out the modules of tests, which weigh a fiftieth of an install with all that it stands on."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if not module[1].startswith("test_")]


setup(cmdclass={"build_py": WithoutTests})
