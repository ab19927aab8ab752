#!/bin/sh
# inpaint bench gpu on a machine without internet: installs the wheels beside this file into an environment of its own,
# above the machine's Python with its torch, once; then measures. Options are those of `inpaint bench gpu`.
#   PYTHON=...  the Python that has torch (default: python3)
#   VENV=...    where the environment is made (default: venv beside this file)
set -eu
# Making the environment counts against --time-limit, too.
began=$(date +%s)
here=$(cd "$(dirname "$0")" && pwd)
venv=${VENV:-$here/venv}
python=${PYTHON:-python3}
wanted=$(cat "$here/python-version")

install() {
    "$venv/bin/python" "$pip" install --quiet --disable-pip-version-check --no-index --no-deps --no-warn-script-location \
        "$here/$1"/*.whl
}

if [ ! -e "$venv/.installed" ]; then
    found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$found" != "$wanted" ]; then
        echo "error: these wheels are for Python $wanted, and $python is $found. Set PYTHON, or build the bundle with" \
            "make gpu-bundle GPU_PYTHON=$found." >&2
        exit 2
    fi
    echo "making an environment in $venv" >&2
    rm -rf "$venv"
    "$python" -m venv --system-site-packages --without-pip "$venv"
    # A Python of an environment has its packages there, where one made from it would not look.
    "$python" - "$venv/lib/python$wanted/site-packages/machine.pth" <<'PYTHON'
import pathlib, sys
folders = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
pathlib.Path(sys.argv[1]).write_text("".join(f"{path}\n" for path in folders))
PYTHON
    pip=$(echo "$here"/pip/pip-*.whl)/pip
    install wheels
    if ! "$venv/bin/python" -c 'import transformers, diffusers' 2> "$venv/import.log"; then
        if [ ! -d "$here/newer" ]; then
            tail -n 1 "$venv/import.log" >&2
            echo "error: transformers or what it needs is missing here, or too old for diffusers. Build the bundle with" \
                "make gpu-bundle GPU_NEWER=1." >&2
            exit 2
        fi
        install newer
    fi
    [ ! -d "$here/servers" ] || install servers
    touch "$venv/.installed"
fi
exec "$venv/bin/inpaint" bench gpu --begun-at "$began" "$@"
