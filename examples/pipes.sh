#!/bin/sh
# userops among other programs: standard output carries data and nothing else.
#
#   ./pipes.sh shop/orders.parquet
set -eu

orders=${1:?usage: pipes.sh ORDERS}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

echo "# the first customers, as CSV"
userops rfm "$orders" --per-user --csv -q | head -n 4

echo "# one number (with jq: jq .summary.repeat_rate)"
userops rfm "$orders" --json -q |
    python3 -c 'import json, sys; print(round(json.load(sys.stdin)["summary"]["repeat_rate"], 3))'

echo "# one line per tier (NDJSON)"
userops rfm "$orders" --segments value-tiers -f ndjson -q |
    python3 -c 'import json, sys
for line in sys.stdin:
    tier = json.loads(line)
    print(tier["users"], tier["segment_zh"], tier["segment"])'

echo "# the customers at risk, and what they look like among themselves"
userops rfm "$orders" --per-user --csv -q |
    python3 -c 'import csv, sys
rows = csv.DictReader(sys.stdin)
out = csv.DictWriter(sys.stdout, ["user_id"], extrasaction="ignore")
out.writeheader()
out.writerows(row for row in rows if row["segment"] == "At Risk")' > "$work/at-risk.csv"
userops rfm "$orders" --only-users "$work/at-risk.csv" --bins 2 --segments kmeans:2 --csv -q

echo "# from a pipe: what is this?"
gzip -c "$orders" | userops inspect - --json -q |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["summary"]["kind"])'
