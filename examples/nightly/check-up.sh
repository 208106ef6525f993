#!/bin/sh
# Every night: how the business is, what is new, worse, better or resolved since last night, and a message only where
# something is new or worse. Run it where the data and userops.toml (goals, funnel, activation) are:
#
#   ./check-up.sh out orders.parquet events.parquet users.parquet costs.csv
#
# It leaves out/report.html for people and out/history/2026-11-30.json, one a night. Settings that are nobody's business
# (where messages go) come from check-up.env. How it ends:
#
#   0 all well · 4 something goes on that costs, the report is there · 2 or 3 look into what it says; nothing is written
set -eu

folder=${1:?usage: check-up.sh FOLDER FILE...}
shift
as_of=${AS_OF:-yesterday}     # today is not over yet

if [ -f check-up.env ]; then
    set -a                    # what the file sets is passed on to userops
    . ./check-up.env
    set +a
fi

mkdir -p "$folder/history"
last=$(find "$folder/history" -name '????-??-??.json' | sort | tail -n 1)
if [ -n "$last" ]; then set -- "$@" --compare-with "$last"; fi

# Without USEROPS_NOTIFY no message is sent. -q leaves errors on standard error, nothing else.
exec userops diagnose "$@" --as-of "$as_of" --history "$folder/history" --fail-on error -q -o "$folder/report.html"
