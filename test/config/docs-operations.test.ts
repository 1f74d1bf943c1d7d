/** docs/OPERATIONS.md explains what the program says: every error code, and every event of the log. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const PAGE = readFileSync(join(ROOT, "docs/OPERATIONS.md"), "utf8");
/** The page in the browser has no log of its own. */
const SOURCES = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.startsWith("portal/web/"))
  .map((name) => readFileSync(join(ROOT, "src", name), "utf8"));

const found = (pattern: RegExp): readonly string[] =>
  [...new Set(SOURCES.flatMap((text) => [...text.matchAll(pattern)].map((match) => match[1] ?? "")))].sort();

const ERROR_CODE = /new \w+Error\(\s*"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"/g;
const LOG_EVENT = /\.(?:debug|info|warn|error)\(\s*"([a-z][\w-]*(?:\.[\w-]+)+)"/g;

/** Tables shorten what follows an event of the same family: `backend.choice` `.programming`. */
function isExplained(event: string): boolean {
  if (PAGE.includes(`\`${event}\``)) return true;
  const last = event.slice(event.lastIndexOf("."));
  const family = event.slice(0, event.lastIndexOf("."));
  return PAGE.split("\n").some((line) => line.includes(`\`${last}\``) && line.includes(`\`${family}`));
}

describe("docs/OPERATIONS.md", () => {
  it("explains every error code", () => {
    const codes = found(ERROR_CODE);
    expect(codes.length).toBeGreaterThan(80);
    expect(codes.filter((code) => !PAGE.includes(`\`${code}\``))).toEqual([]);
  });

  it("explains every event of the log", () => {
    const events = found(LOG_EVENT);
    expect(events.length).toBeGreaterThan(120);
    expect(events.filter((event) => !isExplained(event))).toEqual([]);
  });
});
