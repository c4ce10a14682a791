#!/usr/bin/env bash
# The Debian packages that the tests need in addition to Python, Java and gcloud. Missing packages are installed if this
# is allowed; otherwise the script shows the command that installs them. If none is missing, the script ends at once.
set -euo pipefail

packages=(
  chromium                # opens the pages in a browser
  curl jq                 # used by the deployment
  libreoffice-calc        # opens CSV files as a spreadsheet
  php-cli php-curl        # the PHP back end of docs/lms.md
  poppler-utils           # reads the text of printed pages
  fonts-dejavu-core       # Latin, Greek, Cyrillic
  fonts-noto-core         # Arabic, Hebrew, Devanagari and others
  fonts-noto-color-emoji  # emoji
  fonts-wqy-microhei      # Chinese and Japanese
)
# For generated clients and the page in docs/lms. A Node.js that is not from Debian has its own npm, and conflicts with
# Debian's npm.
command -v node >/dev/null && command -v npm >/dev/null || packages+=(nodejs npm)

if ! command -v dpkg-query >/dev/null; then
  missing=()
  for program in chromium curl jq node npm soffice php pdftotext pdftoppm; do
    command -v "$program" >/dev/null || missing+=("$program")
  done
  [[ ${#missing[@]} -eq 0 ]] && exit
  echo "The tests need these programs, and this is not Debian, so they cannot be installed from here: ${missing[*]}" >&2
  exit 1
fi

installed=" $(dpkg-query --show --showformat='${db:Status-Status}=${Package} ' "${packages[@]}" 2>/dev/null || true)"
missing=()
for package in "${packages[@]}"; do
  [[ "$installed" == *" installed=$package "* ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit

as_root=()
if [[ $EUID -ne 0 ]]; then
  as_root=(sudo -n)
  if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
    echo "The tests need Debian packages that are missing, and only root may install them. Run this, then try again:" >&2
    echo "  sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
fi

echo "Installing Debian packages that the tests need: ${missing[*]} …"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --option DPkg::Lock::Timeout=300)
install=("${apt[@]}" install --yes --no-install-recommends --option Dpkg::Use-Pty=0 "${missing[@]}")
# If the package lists are old or missing, they may name packages that the mirror no longer has. So the second attempt
# updates the lists first.
"${install[@]}" >/dev/null 2>&1 || { "${apt[@]}" update && "${install[@]}" >/dev/null; } || {
  echo "They could not be installed. See what is wrong with: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
}
