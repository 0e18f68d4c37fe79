#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two versions of the library live in one process: two plugins, each with its own.

The second version is this one with another ABI namespace and one more member of AutogradMetadata.
Arguments: the C++ compiler, the source tree, the folder of the generated schema, flags for
FlatBuffers.
"""
import pathlib
import shutil
import sys
import tempfile
import unittest

from running import run

COMPILER, SOURCE, GENERATED = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
FLAGS = sys.argv[4:]

PLUGIN = r"""
#include <vector>
#include "gradtail/gradtail.hpp"
extern "C" __attribute__((visibility("default"))) int round_trip() {
  std::vector<char> buffer(100, 'x');
  gradtail::IdGenerator ids(3);
  for (int i = 0; i < 100; ++i) {
    if (!gradtail::append(buffer, {.context_id = *ids.next(), .rref_local_id = i})) return 1;
  }
  gradtail::TrailerScratch scratch;
  for (int i = 99; i >= 0; --i) {
    const auto taken = gradtail::strip(buffer, scratch);
    if (!taken || taken->metadata().rref_local_id != i) return 2;
    if (gradtail::to_string(taken->metadata()).empty()) return 3;
    if (taken->metadata() != taken->metadata()) return 4;
  }
  return buffer.size() == 100 ? 0 : 5;
}
extern "C" __attribute__((visibility("default"))) unsigned long metadata_size() {
  return sizeof(gradtail::AutogradMetadata);
}
"""

HOST = r"""
#include <dlfcn.h>
#include <cstdio>
int main(int, char** paths) {
  unsigned long sizes[2];
  for (int i = 0; i < 2; ++i) {
    void* plugin = dlopen(paths[1 + i], RTLD_NOW | RTLD_GLOBAL);
    if (plugin == nullptr) return std::fprintf(stderr, "%s\n", dlerror()), 1;
    sizes[i] = reinterpret_cast<unsigned long (*)()>(dlsym(plugin, "metadata_size"))();
    dlclose(dlopen(paths[1 + i], RTLD_NOW));
  }
  if (sizes[0] == sizes[1]) return std::fprintf(stderr, "the versions don't differ\n"), 1;
  int failed = 0;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 2; ++i) {
      void* plugin = dlopen(paths[1 + i], RTLD_NOW);
      const int result = reinterpret_cast<int (*)()>(dlsym(plugin, "round_trip"))();
      if (result != 0) std::fprintf(stderr, "%s: %d\n", paths[1 + i], result);
      failed |= result;
    }
  }
  return failed;
}
"""


def replaced(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1, f"{file}: '{old}' is there {text.count(old)} times"
    file.write_text(text.replace(old, new))


class TwoVersions(unittest.TestCase):
    def plugin(self, folder, change):
        """The path of a plugin with a library of its own."""
        tree = folder / "tree"
        shutil.copytree(SOURCE / "include", tree / "include")
        shutil.copytree(SOURCE / "src", tree / "src")
        change(tree / "include/gradtail")
        sources = [*(tree / "src").glob("*.cpp"), *(tree / "src/fast").glob("*.cpp")]
        common = [COMPILER, "-std=c++20", "-O1", "-fPIC", "-shared", f"-I{tree}/include"]
        library = folder / f"libgradtail_{folder.name}.so"
        run(*common, "-fvisibility=hidden", "-DGRADTAIL_FAST_PATH=1",
            "-Dflatbuffers=gradtail_flatbuffers", f"-I{tree}/src", f"-I{GENERATED}", *FLAGS,
            *sources, f"-Wl,-soname,{library.name}",
            f"-Wl,--version-script={tree}/src/gradtail.map", "-o", library)
        (folder / "plugin.cpp").write_text(PLUGIN)
        plugin = folder / f"plugin_{folder.name}.so"
        run(*common, folder / "plugin.cpp", library, f"-Wl,-rpath,{folder}", "-o", plugin)
        return plugin

    def test_both_work_whichever_is_loaded_first(self):
        def newer(headers):
            export = (headers / "export.hpp").read_text()
            current = export.split("#define GRADTAIL_ABI ")[1].split("\n")[0]
            replaced(headers / "export.hpp", f"#define GRADTAIL_ABI {current}",
                     "#define GRADTAIL_ABI v99_0")
            replaced(headers / "metadata.hpp", "  /// Compares field by field,",
                     "  std::int64_t added_later = -1;\n\n  /// Compares field by field,")

        with tempfile.TemporaryDirectory(prefix="gradtail-versions-") as name:
            folder = pathlib.Path(name)
            (folder / "old").mkdir()
            (folder / "new").mkdir()
            old = self.plugin(folder / "old", lambda headers: None)
            new = self.plugin(folder / "new", newer)
            (folder / "host.cpp").write_text(HOST)
            run(COMPILER, "-std=c++20", folder / "host.cpp", "-ldl", "-o", folder / "host")
            run(folder / "host", old, new)
            run(folder / "host", new, old)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
