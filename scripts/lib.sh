# Shared by the scripts of this folder. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "\`$*\` needs root; install sudo, or run it yourself"
  fi
}

APT_UPDATED=
# need_package <command or file> <debian package>…: install the packages when the command or file is missing.
need_package() {
  local probe=$1; shift
  if command -v "$probe" >/dev/null 2>&1 || [ -e "$probe" ]; then return; fi
  command -v apt-get >/dev/null || die "\`$probe\` is missing and this is not Debian: install $* yourself"
  say "installing $*"
  if [ -z "$APT_UPDATED" ]; then as_root apt-get update -qq; APT_UPDATED=1; fi
  DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_toolchain() {
  command -v cargo >/dev/null || die "Rust is missing: install it with rustup (https://rustup.rs)"
  command -v node >/dev/null || die "Node.js 20 or newer is missing"
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || die "Node.js is $(node --version); 20 or newer is needed"
  need_package cc build-essential
  need_package curl curl ca-certificates
}

# need_npm <folder>: install locked packages when the lock file changed since the last time.
need_npm() {
  local folder=$1 stamp=$1/node_modules/.lock-stamp sum
  sum=$(cksum < "$folder/package-lock.json")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ]; then return; fi
  say "installing npm packages of $folder"
  # Some versions of npm leave optional packages of other platforms out of the lock file and then refuse it; `install` keeps to the
  # locked versions all the same.
  (cd "$folder" && { npm ci --no-audit --no-fund --loglevel=silent || npm install --no-save --no-audit --no-fund --loglevel=error; })
  printf '%s' "$sum" > "$stamp"
}

need_just() {
  command -v just >/dev/null && return
  if apt-cache show just >/dev/null 2>&1; then need_package just just; return; fi
  if command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1; then
    say "installing just (PyPI wheel rust-just)"
    python3 -m pip install --quiet --user --break-system-packages rust-just 2>/dev/null \
      || python3 -m pip install --quiet --user rust-just \
      || say "could not install just; every recipe also works by hand, see the justfile"
  fi
}
