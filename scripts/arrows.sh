#!/usr/bin/env bash
# Who may import whom, between crates and inside the server. Prints every offence; exits 1 when there is one.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

offences=0
offence() { printf 'arrow: %s\n' "$*"; offences=$((offences + 1)); }

allowed() {
  case $1 in
    protocol) echo ;;
    config | socket-client | tunnel) echo protocol ;;
    tools) echo "protocol config" ;;
    agent) echo "protocol config tools" ;;
    server) echo "protocol config tunnel" ;;
    runner) echo "protocol config socket-client tools tunnel" ;;
    cli) echo "protocol config socket-client tools agent server runner tunnel" ;;
    bench) echo "protocol config socket-client agent server testkit" ;;
    testkit) echo "protocol config socket-client agent server" ;;
  esac
}

for manifest in crates/*/Cargo.toml; do
  crate=$(basename "$(dirname "$manifest")")
  permitted=" $(allowed "$crate") "
  used=$(sed -n '/^\[dependencies\]/,/^\[/p' "$manifest" | sed -n 's/^pizzapi-\([a-z-]*\).*/\1/p')
  for name in $used; do
    case $permitted in *" $name "*) ;; *) offence "$crate must not depend on $name" ;; esac
  done
done

# from <folder of crates/server/src> <forbidden module>…
from() {
  local folder=$1; shift
  for module in "$@"; do
    while IFS= read -r hit; do [ -n "$hit" ] && offence "$hit"; done \
      < <(grep -rnE "\b(crate::$module\b|use crate::\{[^}]*\b$module\b)" "crates/server/src/$folder" 2>/dev/null)
  done
}
from core socket http store db legacy_ws emit fanout route
from store socket http db legacy_ws
from db socket http store legacy_ws
from socket legacy_ws

[ "$offences" = 0 ] || exit 1
