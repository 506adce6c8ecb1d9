#!/bin/sh
# Creates a root folder with a program, the libraries that it and the files of a folder load, and Debian's records of
# their packages, which vulnerability scanners read: collect ROOT PROGRAM FOLDER
set -eu
root=$1 program=$2 folder=$3

mkdir -p "$root/etc" "$root/usr/lib/locale" "$root/usr/local/bin" "$root/var/lib/dpkg/status.d" "$root/tmp"
chmod 1777 "$root/tmp"
for name in lib lib64; do
  mkdir -p "$root/usr/$name"
  ln -s "usr/$name" "$root/$name"
done
cp "$program" "$root$program"

libraries=$(find "$folder" -type f \( -name '*.so*' -o -name '*.node' \) -exec ldd "$program" {} + |
  sed -n 's|.*[[:space:]]\(/[^ ]*\) (0x[0-9a-f]*)$|\1|p' | grep -v "^$folder" | sort -u)
test -n "$libraries"
for library in $libraries; do
  target=$(readlink -f "$library")
  mkdir -p "$root$(dirname "$target")"
  cp "$target" "$root$target"
  # Programs load a library by this name, a link without the full version.
  link="$(readlink -f "$(dirname "$library")")/$(basename "$library")"
  if [ "$link" != "$target" ]; then
    mkdir -p "$root$(dirname "$link")"
    ln -sf "$target" "$root$link"
  fi
  dpkg-query --search "$target" "$library" 2>/dev/null || true
done | sed -n 's|^\([a-z0-9+.-]*\):.*|\1|p' | sort -u > /tmp/packages
test -s /tmp/packages
while read -r package; do
  dpkg-query --status "$package" > "$root/var/lib/dpkg/status.d/$package"
  mkdir -p "$root/usr/share/doc/$package"
  cp "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
done < /tmp/packages

localedef --prefix="$root" -i en_US -f UTF-8 en_US.UTF-8
cp -r /usr/lib/locale/C.utf8 "$root/usr/lib/locale/"

echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
echo 'sardonyx:x:1000:1000::/nonexistent:/usr/sbin/nologin' > "$root/etc/passwd"
echo 'sardonyx:x:1000:' > "$root/etc/group"
cp /etc/os-release "$root/etc/os-release"
