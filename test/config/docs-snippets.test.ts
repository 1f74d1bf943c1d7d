/** The pieces of configuration in docs/OPERATIONS.md: each is right in its place in the example that it is a piece of. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { loadConfig, ROLES, type Role } from "../../src/config/load.js";

const ROOT = join(import.meta.dirname, "../..");
const PAGE = readFileSync(join(ROOT, "docs/OPERATIONS.md"), "utf8");

type Keys = Readonly<Record<string, unknown>>;

interface Piece {
  readonly line: number;
  readonly role: Role;
  readonly text: string;
}

/** Blocks of YAML that say in a comment which file they are of; one may have pieces of several. */
function piecesOf(page: string): readonly Piece[] {
  return [...page.matchAll(/^( *)```yaml\n([\s\S]*?)^ *```$/gm)].flatMap((block) => {
    const text = (block[2] ?? "").replaceAll(new RegExp(`^${block[1]}`, "gm"), "");
    const line = page.slice(0, block.index).split("\n").length;
    // Or in a comment behind its only line.
    const marks = [...text.matchAll(/(?:^#| #) (\w+)\.yaml\b.*$/gm)];
    return marks.map((mark, at) => {
      const role = ROLES.find((one) => one === mark[1]);
      if (role === undefined) throw new Error(`there is no ${mark[1]}.yaml: line ${line}`);
      return { line, role, text: text.slice(at === 0 ? 0 : mark.index, marks[at + 1]?.index) };
    });
  });
}

/** Groups of keys are merged, except where a piece has the whole of a list or of a choice. */
function merged(base: unknown, piece: unknown): unknown {
  const areGroups = [base, piece].every(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  );
  if (!areGroups) return piece;
  const result: Record<string, unknown> = { ...(base as Keys) };
  for (const [key, value] of Object.entries(piece as Keys)) result[key] = merged(result[key], value);
  return result;
}

const PIECES = piecesOf(PAGE);

/** What a piece is of: the example; with the page's two places; or a router on the way, which has no policy of its own. */
function exampleFor({ role, text }: Piece): unknown {
  const example = parse(readFileSync(join(ROOT, `configs/${role}.yaml`), "utf8")) as Keys;
  if (text.includes("router.yaml of t.example")) return { ...example, pdp: undefined };
  if (role !== "pdp") return example;
  const { communities } = parse(PIECES.find((piece) => piece.role === "pdp")?.text ?? "") as Keys;
  return { ...example, communities };
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-snippets-"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe("pieces of configuration in docs/OPERATIONS.md", () => {
  it("are found", () => {
    expect(new Set(PIECES.map(({ role }) => role))).toEqual(new Set(["pdp", "proxy", "router", "clearinghouse"]));
    expect(PIECES.length).toBeGreaterThan(9);
  });

  it.each(PIECES)("line $line: $role", (piece) => {
    const { role, text } = piece;
    const file = join(directory, `${role}.yaml`);
    writeFileSync(file, stringify(merged(exampleFor(piece), parse(text))));
    expect(loadConfig(file, undefined, { needFiles: false }).role).toBe(role);
  });
});
