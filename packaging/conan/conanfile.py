# SPDX-License-Identifier: Apache-2.0
"""The Conan 2 recipe: conan create packaging/conan, with the FlatBuffers of the system."""
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load, rm, rmdir
from conan.tools.gnu import PkgConfigDeps
from conan.tools.layout import basic_layout
from conan.tools.meson import Meson, MesonToolchain
from conan.tools.system.package_manager import Apt

ROOT = os.path.join("..", "..")


class Gradtail(ConanFile):
    name = "gradtail"
    description = "Autograd metadata at the tail of RPC messages"
    license = "Apache-2.0"
    topics = ("rpc", "autograd", "flatbuffers", "distributed-training")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]

    def set_version(self):
        project = load(self, os.path.join(self.recipe_folder, ROOT, "meson.build"))
        self.version = re.search(r"^  version: '([0-9.]+)'", project, re.MULTILINE)[1]

    def export_sources(self):
        for wanted in ("LICENSE", "meson*", "include/*", "integrations/wireshark/*", "schema/*", "src/*",
                       "transports/*"):
            copy(self, wanted, os.path.join(self.recipe_folder, ROOT), self.export_sources_folder)

    def layout(self):
        basic_layout(self, src_folder=".")

    def validate(self):
        check_min_cppstd(self, 20)

    def system_requirements(self):
        # Only to build: users of the package need none of FlatBuffers.
        Apt(self).install(["flatbuffers-compiler", "libflatbuffers-dev", "meson", "pkg-config"])

    def generate(self):
        toolchain = MesonToolchain(self)
        toolchain.project_options["auto_features"] = "disabled"
        toolchain.project_options["examples"] = "disabled"
        toolchain.project_options["tests"] = "disabled"
        toolchain.generate()
        PkgConfigDeps(self).generate()

    def build(self):
        meson = Meson(self)
        meson.configure()
        meson.build()

    def package(self):
        Meson(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        # Conan makes its own.
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))
        rm(self, "*.pdb", self.package_folder, recursive=True)

    def package_info(self):
        self.cpp_info.libs = ["gradtail"]
        self.cpp_info.set_property("cmake_file_name", "gradtail")
        self.cpp_info.set_property("cmake_target_name", "gradtail::gradtail")
        self.cpp_info.set_property("pkg_config_name", "gradtail")
