#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs a Debian 13 into a folder, for tests. To be sourced after setup.sh.
: "${root:?}"

# Where this machine's own packages come from, or nothing: then debootstrap uses its default.
mirror() {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' \
    'Created-By: Packages' 2>/dev/null | grep '^https\?:' | sed -n 1p || true
}

# Installs a minimal Debian 13 into $1/root, which is $debian from then on, unless it is already
# there. It has another name until it is complete, so that an interrupted installation starts over.
make_debian() {
  local folder=$1 from
  debian=$folder/root
  [[ ! -d $debian ]] || return 0
  ensure_packages debootstrap
  from=$(mirror)
  say "installing Debian 13 into $debian"
  as_root rm -rf "$debian.new"
  mkdir -p "$folder"
  # debootstrap can't cope with a path that has a space.
  # shellcheck disable=SC2016
  quietly "$folder/debootstrap.log" as_root unshare --mount sh -c \
    'mount --bind "$1" /mnt && shift && debootstrap --variant=minbase --include=ca-certificates trixie "$@"' \
    sh "$folder" /mnt/root.new ${from:+"$from"}
  as_root mv "$debian.new" "$debian"
}

# Runs a command in that Debian. Its mounts go away when it ends, however it ends.
in_debian() {
  as_root unshare --mount --pid --fork --kill-child --mount-proc="$debian/proc" \
    chroot "$debian" /usr/bin/env -i HOME=/root LC_ALL=C.UTF-8 \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    ${http_proxy+"http_proxy=$http_proxy"} ${https_proxy+"https_proxy=$https_proxy"} "$@"
}

# Copies this checkout into the folder /$1 there. Keeps the copy's build folder, so that the next
# run is fast.
copy_checkout() {
  as_root mkdir -p "$debian/$1"
  as_root find "$debian/$1" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
  tar -C "$root" --exclude='./build*' --exclude=./.git -c . |
    as_root tar -C "$debian/$1" --no-same-owner -x
}
