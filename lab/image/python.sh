#!/bin/sh
# Makes the product's virtual environment for a root with a Python of its own: the wheels
# are fetched by the machine's pip, as the checkout's own environment was, and compiled by
# the root's Python. Runs in mount and PID namespaces of its own.
# usage: python.sh ROOT CHECKOUT VENV
set -eu
root=$1 checkout=$2 venv=$3
name=$(basename "$(readlink -f "$root/usr/bin/python3")")
packages=$venv/lib/$name/site-packages
"$checkout/.venv/bin/python" -m pip install -q --disable-pip-version-check --no-compile --only-binary=:all: \
	--implementation cp --python-version "${name#python}" --target "$packages" \
	-r "$checkout/requirements.txt" aiohttp -c "$checkout/requirements-dev.txt"
rm -rf "${packages:?}/bin"
mkdir -p "$venv/bin"
ln -s /usr/bin/python3 "$venv/bin/python"
ln -s python "$venv/bin/python3"
printf 'home = /usr/bin\ninclude-system-site-packages = false\n' >"$venv/pyvenv.cfg"
mount --bind "$venv" "$root/mnt"
chroot "$root" python3 -m compileall -q -j 0 /mnt/lib || :    # a package may carry odd samples
sync -f "$venv"
: >"$venv/complete"
