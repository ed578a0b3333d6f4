#!/usr/bin/env bash
# What action.yml runs: `flowcore diff` once for numbers, comment and report. Takes everything from the environment:
# SNAPSHOT, AFTER, FLOWS (one a line), FAIL_ON, MAX_UNKNOWN, OUT, and GitHub's GITHUB_OUTPUT and GITHUB_STEP_SUMMARY.
set -uo pipefail
mkdir -p "$OUT"

arguments=("$SNAPSHOT" "$AFTER")
while IFS= read -r line; do
  [ -n "$line" ] && arguments+=("$line")
done <<<"$FLOWS"
options=(--fail-on "$FAIL_ON" --html "$OUT/report.html" --out "$OUT/flows.parquet")
[ -n "${MAX_UNKNOWN:-}" ] && options+=(--max-unknown "$MAX_UNKNOWN")

python -m flowcore diff "${arguments[@]}" "${options[@]}" --format json >"$OUT/diff.json"
code=$?
if [ "$code" -ne 0 ] && [ "$code" -ne 1 ] && [ "$code" -ne 3 ]; then
  exit "$code"
fi
python -m flowcore diff "${arguments[@]}" --fail-on none --quiet --format github >"$OUT/comment.md" || exit $?

cat "$OUT/comment.md" >>"$GITHUB_STEP_SUMMARY"
python - "$OUT/diff.json" >>"$GITHUB_OUTPUT" <<'PYTHON'
import json
import sys

counts = json.load(open(sys.argv[1], encoding="utf-8"))["counts"]
print("\n".join(f"{name}={counts[name]}" for name in ("broken", "opened", "unknown")))
PYTHON
printf 'report=%s\ncode=%s\n' "$OUT/report.html" "$code" >>"$GITHUB_OUTPUT"
