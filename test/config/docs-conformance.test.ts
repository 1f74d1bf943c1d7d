/** docs/CONFORMANCE.md names the tests that show its rows: they must be there, under these names. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const PAGE = new URL("../../docs/CONFORMANCE.md", import.meta.url);
const TESTS = new URL("../", import.meta.url);

/** A test file, and names of tests in it; "…" stands for anything. */
interface Claim {
  readonly row: string;
  readonly file: string;
  readonly names: readonly string[];
}

const TOKEN = /`([\w.-]+(?:\/[\w.-]+)+)`|"([^"]+)"/g;

function claimsOf(row: string, shownBy: string): readonly Claim[] {
  const claims: { row: string; file: string; names: string[] }[] = [];
  for (const [, file, name] of shownBy.matchAll(TOKEN)) {
    if (file !== undefined) claims.push({ row, file, names: [] });
    else if (name !== undefined) claims.at(-1)?.names.push(name);
  }
  return claims;
}

const ROWS = readFileSync(PAGE, "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.split("|").slice(1, -1));
const CLAIMS = ROWS.flatMap((cells) => claimsOf((cells[0] ?? "").trim(), cells.at(-1) ?? ""));

/** As it stands in the file's text, where quotes within quotes are escaped. */
const stands = (text: string, name: string): boolean =>
  name.split("…").every((part) => text.includes(part.trim()) || text.includes(part.trim().replaceAll('"', '\\"')));

describe("docs/CONFORMANCE.md", () => {
  it("names tests", () => {
    expect(CLAIMS.length).toBeGreaterThan(200);
  });

  it("names files of tests that exist", () => {
    const missing = CLAIMS.filter(({ file }) => !existsSync(new URL(`${file}.test.ts`, TESTS)));
    expect(missing.map(({ row, file }) => `${row}: ${file}`)).toEqual([]);
  });

  it("names tests that are in those files", () => {
    const missing = CLAIMS.flatMap(({ row, file, names }) => {
      const url = new URL(`${file}.test.ts`, TESTS);
      const text = existsSync(url) ? readFileSync(url, "utf8") : "";
      return names.filter((name) => !stands(text, name)).map((name) => `${row}: ${file} "${name}"`);
    });
    expect(missing).toEqual([]);
  });
});
