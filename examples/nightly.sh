#!/bin/sh
# Every night: tiers for people (tiers.html) and for programs (customers.parquet), and an exit code for the scheduler.
#
#   15 3 * * *   cd "$HOME/rfm" && ./nightly.sh orders.parquet out 2>> nightly.log
#
# 0 all well · 4 a threshold was breached, the files are there all the same · 2 or 3 look into the log, the files of the
# night before are untouched.
set -eu

orders=${1:?usage: nightly.sh ORDERS FOLDER}
folder=${2:?usage: nightly.sh ORDERS FOLDER}
as_of=${AS_OF:-yesterday}     # today is not over yet

mkdir -p "$folder"
cuts=$folder/cuts.json
customers=$folder/customers.parquet

# The first night saves the cuts. Every later night scores with them, so that nobody moves for want of a new cut.
# Delete the file to begin anew, once a quarter, say.
if [ -f "$cuts" ]; then how=--cuts; else how=--save-cuts; fi

# With the customers of the night before, the page shows who moved between segments.
set --
if [ -f "$customers" ]; then set -- --compare-with "$customers"; fi

code=0
userops rfm "$orders" --as-of "$as_of" "$how" "$cuts" "$@" -o "$folder/tiers.html" --log-format json \
    --fail-if 'users < 100' --fail-if 'repeat_rate < 0.2' || code=$?

# Both files are written whole or not at all: who reads them meanwhile sees the old one or the new one.
if [ "$code" -eq 0 ] || [ "$code" -eq 4 ]; then
    userops rfm "$orders" --as-of "$as_of" --cuts "$cuts" --per-user -o "$customers" --quiet || code=$?
fi
exit "$code"
