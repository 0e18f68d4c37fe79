# SPDX-License-Identifier: Apache-2.0
# Builds the checkout that this overlay port is part of.
get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../../.." ABSOLUTE)

vcpkg_configure_meson(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    -Dauto_features=disabled
    -Dexamples=disabled
    -Dtests=disabled
  ADDITIONAL_BINARIES
    "flatc = ['${CURRENT_HOST_INSTALLED_DIR}/tools/flatbuffers/flatc${VCPKG_HOST_EXECUTABLE_SUFFIX}']")
vcpkg_install_meson()
vcpkg_fixup_pkgconfig()

# vcpkg keeps packages for CMake one folder higher, which the way from there to the prefix must follow.
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/gradtail)
vcpkg_replace_string("${CURRENT_PACKAGES_DIR}/share/gradtail/gradtailConfig.cmake" "\"../../..\"" "\"../..\"")

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
